import DaemonKit
import EngineAPI
import Glibc
import OCI
import Testing

@Suite struct DaemonConfigurationTests {
    private func configure(_ arguments: [String], file: String? = nil) throws -> DaemonConfiguration {
        let defaults = try DefaultPaths(isRoot: true) { _ in nil }
        let flags = try #require(try DaemonFlags(defaults: defaults).parse(arguments))
        if let file { try flags.merge(file: "daemon.json", Array(file.utf8)) }
        return try flags.configuration()
    }

    private func refusal(_ arguments: [String], file: String? = nil) -> String {
        do {
            _ = try configure(arguments, file: file)
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test func hasDefaults() throws {
        let configuration = try configure([])
        #expect(configuration.hosts == [.unix(path: "/run/dhow/docker.sock")])
        #expect(configuration.pidFile == "/run/dhow/dhowd.pid")
        #expect(configuration.engine.dataRoot == "/var/lib/dhow")
        #expect(configuration.group == "docker" && !configuration.isGroupRequired)
        #expect(configuration.logLevel == .info && configuration.idleExit == nil)
    }

    @Test func followsTheExecRoot() throws {
        let configuration = try configure(["--exec-root", "/tmp/r"])
        #expect(configuration.hosts == [.unix(path: "/tmp/r/docker.sock")])
        #expect(configuration.pidFile == "/tmp/r/dhowd.pid")
    }

    @Test func findsTheUsersPlaces() throws {
        let variables = ["HOME": "/home/u", "XDG_RUNTIME_DIR": "/run/user/5"]
        let paths = try DefaultPaths(isRoot: false) { variables[$0] }
        #expect(paths.dataRoot == "/home/u/.local/share/dhow")
        #expect(paths.execRoot == "/run/user/5/dhow")
        #expect(paths.configurationFile == "/home/u/.config/dhow/daemon.json")
        #expect(throws: ConfigurationError.self) { try DefaultPaths(isRoot: false) { _ in nil } }
    }

    @Test func readsFlags() throws {
        let configuration = try configure([
            "-D", "-H", "unix:///a", "-H", "fd://", "--label", "a=b", "--default-ulimit", "nofile=5:6",
            "--exec-opt", "native.cgroupdriver=systemd", "--default-shm-size", "1m", "--log-opt", "max-size=1m",
            "--idle-exit", "5", "-G", "wheel", "--no-new-privileges", "--init", "-s", "vfs",
        ])
        #expect(configuration.hosts == [.unix(path: "/a"), .activated(.all)])
        #expect(configuration.logLevel == .debug)
        #expect(configuration.engine.labels == ["a=b"])
        #expect(configuration.engine.defaultUlimits["nofile"]?.soft == 5)
        #expect(configuration.engine.defaultUlimits["nofile"]?.hard == 6)
        #expect(configuration.engine.cgroupDriver == "systemd")
        #expect(configuration.engine.defaultShmSize == 1 << 20)
        #expect(configuration.engine.logOptions == ["max-size": "1m"])
        #expect(configuration.idleExit == .seconds(300))
        #expect(try configure(["--idle-exit", "9223372036854775807"]).idleExit == .seconds(60 << 27))
        #expect(configuration.isGroupRequired)
        #expect(configuration.engine.noNewPrivileges && configuration.engine.initByDefault)
        #expect(configuration.engine.storageDriver == "vfs")
    }

    @Test func readsTheFile() throws {
        let configuration = try configure(
            [],
            file: """
                {"debug": true, "hosts": ["unix:///b"], "labels": ["x=y"], "log-opts": {"max-file": "3"},
                 "default-shm-size": "64M", "shutdown-timeout": 3, "data-root": "/d", "live-restore": true,
                 "default-ulimits": {"nofile": {"Name": "nofile", "Hard": 20, "Soft": 10}},
                 "exec-opts": ["native.cgroupdriver=cgroupfs"], "log-driver": "local", "dns": null}
                """)
        #expect(configuration.hosts == [.unix(path: "/b")])
        #expect(configuration.logLevel == .debug)
        #expect(configuration.engine.dataRoot == "/d")
        #expect(configuration.engine.logOptions == ["max-file": "3"])
        #expect(configuration.engine.defaultUlimits["nofile"]?.soft == 10)
        #expect(configuration.engine.cgroupDriver == "cgroupfs")
        #expect(configuration.shutdownTimeout == .seconds(3))
        #expect(try configure([], file: " \n").engine.logDriver == "json-file")
    }

    @Test func refusesWhatItDoesNotKnow() {
        #expect(
            refusal([], file: #"{"foo": 1, "debug": true, "bar": 2}"#)
                == "unable to configure the daemon with file daemon.json: the following directives don't match any "
                + "configuration option: foo, bar")
        #expect(refusal(["--nonsense"]).hasPrefix("unknown flag: --nonsense"))
        #expect(refusal(["--rootless"]).hasPrefix("unsupported flag: --rootless"))
        #expect(refusal(["--tlsverify"]).hasPrefix("unsupported flag: --tlsverify"))
        #expect(refusal(["extra"]).contains("accepts no arguments"))
    }

    @Test func refusesWhatIsSaidTwice() {
        #expect(
            refusal(["-D"], file: #"{"debug": true}"#)
                == "unable to configure the daemon with file daemon.json: the following directives are specified both "
                + "as a flag and in the configuration file: debug: (from flag: true, from file: true)")
        let twice = refusal(["-H", "unix:///a"], file: #"{"hosts": ["unix:///b"]}"#)
        #expect(twice.contains("hosts: (from flag: unix:///a"))
    }

    @Test(arguments: [
        #"{"debug": "x"}"#, #"{"hosts": "unix:///a"}"#, #"{"labels": [1]}"#, #"{"log-opts": {"a": 1}}"#, "[]", "{",
        "nonsense",
        #"{"default-ulimits": {"nofile": 5}}"#, #"{"shutdown-timeout": "x"}"#, #"{"default-shm-size": "much"}"#,
        #"{"hosts": ["ftp://x"]}"#, #"{"hosts": ["tcp://0.0.0.0:2375"]}"#, #"{"log-level": "loud"}"#,
        #"{"live-restore": false}"#,
        #"{"labels": ["a=1", "a=2"]}"#, #"{"exec-opts": ["native.cgroupdriver=none"]}"#,
        #"{"default-ipc-mode": "host"}"#,
        #"{"data-root": "relative"}"#, #"{"idle-exit": "soon"}"#,
    ])
    func refusesValuesThatItCannotHave(_ file: String) {
        #expect(!refusal([], file: file).isEmpty)
    }

    @Test func listensOnTCPOnlyWhenToldThatItIsOpen() throws {
        #expect(refusal(["-H", "tcp://0.0.0.0:2375"]).contains("--allow-insecure-tcp"))
        let configuration = try configure(["-H", "tcp://127.0.0.1:2375", "--allow-insecure-tcp"])
        #expect(configuration.hosts == [.tcp(host: "127.0.0.1", port: 2375)])
    }

    @Test func locksThePIDFile() throws {
        let path = "/tmp/daemonkit-test-\(getpid())/x/dhowd.pid"
        do {
            let held = try PIDFile(path: path)
            #expect(throws: ConfigurationError.self) { _ = try PIDFile(path: path) }
            // What a killed daemon leaves is taken over.
            _ = consume held
        }
        let again = try PIDFile(path: path)
        again.remove()
        #expect(access(path, F_OK) != 0)
        rmdir("/tmp/daemonkit-test-\(getpid())/x")
        rmdir("/tmp/daemonkit-test-\(getpid())")
    }

    @Test func writesLogLines() {
        let time = DateTime(seconds: 0, nanoseconds: 5)
        func line(_ message: String, isJSON: Bool = false) -> String {
            String(
                decoding: DaemonLog.format(
                    message: message, level: .warning, fields: [("id", "a b")], at: time, isJSON: isJSON), as: UTF8.self
            )
        }
        #expect(line("word") == #"time="1970-01-01T00:00:00.000000005Z" level=warning msg=word id="a b""#)
        #expect(line("a\n\"b\"").contains(#"msg="a\n\"b\"""#))
        #expect(
            line("a\nb", isJSON: true)
                == #"{"id":"a b","level":"warning","msg":"a\nb","time":"1970-01-01T00:00:00.000000005Z"}"#)
    }

    // MARK: Networks

    @Test func readsTheNetworkFlags() throws {
        let network = try configure(
            [
                "--bip", "10.1.0.1/16", "--fixed-cidr", "10.1.5.0/24", "--ipv6", "--icc=false",
                "--userland-proxy=false",
                "--mtu", "1400", "--ip", "127.0.0.1", "--default-address-pool", "base=10.9.0.0/16,size=24",
                "--default-network-opt", "bridge=com.docker.network.driver.mtu=1300", "--host-gateway-ip", "10.1.0.1",
            ]
        ).engine.network
        #expect(network.bridgeAddress4?.description == "10.1.0.1/16")
        #expect(network.range4?.description == "10.1.5.0/24")
        #expect(network.usesIPv6 && !network.allowsCommunication && !network.usesProxy && network.usesFirewall)
        #expect(network.mtu == 1400)
        #expect(network.hostBinding?.description == "127.0.0.1")
        #expect(network.pools.map { "\($0.base) \($0.size)" } == ["10.9.0.0/16 24"])
        #expect(network.defaultOptions == ["bridge": ["com.docker.network.driver.mtu": "1300"]])
        #expect(network.hostGateways.map(\.description) == ["10.1.0.1"])
    }

    @Test func readsTheNetworkKeys() throws {
        let network = try configure(
            [],
            file: """
                {"default-address-pools": [{"base": "10.9.0.0/16", "size": 24}], "userland-proxy": false, "mtu": 1400,
                 "default-network-opts": {"bridge": {"x": "y=z"}}, "bridge": "none"}
                """
        ).engine.network
        #expect(network.pools.map { "\($0.base) \($0.size)" } == ["10.9.0.0/16 24"])
        #expect(!network.usesProxy && network.mtu == 1400 && network.bridge == "none")
        #expect(network.defaultOptions == ["bridge": ["x": "y=z"]])
    }

    @Test(arguments: [
        ["--bip", "10.1.0.0/16"], ["--bip", "10.1.0.1"], ["--bip", "fd00::1/64"],
        ["--bip", "10.1.0.1/16", "-b", "br0"],
        ["--bip", "10.1.0.1/16", "--fixed-cidr", "10.2.0.0/24"], ["--mtu", "20"], ["--ip", "localhost"],
        ["--default-address-pool", "10.9.0.0/16"], ["--default-address-pool", "base=10.9.0.0/16,size=8"],
        ["--default-network-opt", "bridge"], ["--host-gateway-ip", "x"], ["--ip6tables=false"],
    ])
    func refusesNetworksThatCannotBe(_ arguments: [String]) {
        #expect(!refusal(arguments).isEmpty)
    }
}
