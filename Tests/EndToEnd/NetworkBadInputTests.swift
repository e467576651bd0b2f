import Foundation
import JSON
import Testing

/// Networks that cannot be, and hosts that do not allow them: a clear sentence, and the host as it was.
@Suite(.serialized, .enabled(if: !Programs.inVirtualMachine)) struct NetworkBadInputTests {
    private static let shared = Result { try NetworkedDaemon.shared() }
    private let engine: NetworkedDaemon

    init() throws { engine = try Self.shared.get() }

    /// Runs `dhow`, which must fail with these words, and leave the host and the list of networks as they were.
    private func refuse(_ arguments: [String], status: Int32 = 1, saying words: String...) throws {
        let before = try engine.machine.state()
        let networks = try engine.dhow("network", "ls", "-q")
        let output = try engine.daemon.dhow(arguments)
        #expect(output.status == status, "\(arguments): \(output)")
        for word in words { #expect(output.stderr.localizedCaseInsensitiveContains(word), "\(arguments): \(output)") }
        #expect(output.stderr.components(separatedBy: "\n").first?.isEmpty == false)
        let changes = try engine.machine.changes(since: before)
        #expect(changes.isEmpty, "\(arguments): \(changes)")
        #expect(try engine.dhow("network", "ls", "-q") == networks)
    }

    @Test func subnetsThatCannotBe() throws {
        defer { engine.remove(networks: ["taken", "bad"]) }
        try engine.dhow("network", "create", "--subnet", "10.81.0.0/16", "--subnet", "fd00:81::/64", "--ipv6", "taken")
        let create = ["network", "create"]
        for subnet in ["10.81.0.0/16", "10.81.5.0/24", "10.0.0.0/8"] {
            try refuse(create + ["--subnet", subnet, "bad"], saying: "overlap", "10.81.0.0/16")
        }
        try refuse(
            create + ["--ipv6", "--subnet", "10.82.0.0/16", "--subnet", "fd00:81::/80", "bad"], saying: "overlap")
        try refuse(create + ["--subnet", "10.82.0.0/24", "--gateway", "10.83.0.1", "bad"], saying: "10.83.0.1")
        try refuse(create + ["--subnet", "10.82.0.0/24", "--ip-range", "10.83.0.0/25", "bad"], saying: "10.83.0.0/25")
        try refuse(create + ["--subnet", "10.82.0.0/24", "--aux-address", "a=10.83.0.9", "bad"], saying: "10.83.0.9")
        try refuse(create + ["--subnet", "nonsense", "bad"], saying: "nonsense")
        try refuse(create + ["--subnet", "10.82.0.0/33", "bad"], saying: "10.82.0.0/33")
        try refuse(create + ["--subnet", "10.82.0.9/24", "bad"], saying: "10.82.0.9/24", "10.82.0.0/24")
        try refuse(create + ["--gateway", "10.82.0.1", "bad"], saying: "subnet")
        try refuse(create + ["taken"], saying: "already exists")
        try refuse(create + ["bridge"], saying: "bridge")
        try refuse(create + ["--ipv4=false", "bad"], saying: "IPv6")
    }

    @Test func optionsThatCannotBe() throws {
        let create = ["network", "create", "-o"]
        try refuse(
            create + ["com.docker.network.bridge.name=muchtoolonganame", "bad"], saying: "muchtoolonganame", "15")
        try refuse(create + ["com.docker.network.bridge.name=a/b", "bad"], saying: "a/b")
        try refuse(create + ["com.docker.network.bridge.name=wan0", "bad"], saying: "wan0")
        try refuse(create + ["com.docker.network.driver.mtu=-1", "bad"], saying: "mtu")
        try refuse(create + ["com.docker.network.bridge.enable_icc=perhaps", "bad"], saying: "enable_icc")
        try refuse(create + ["com.docker.network.bridge.gateway_mode_ipv4=wild", "bad"], saying: "gateway_mode_ipv4")
        try refuse(create + ["com.docker.network.bridge.host_binding_ipv4=1.2.3", "bad"], saying: "host_binding_ipv4")
        try refuse(["network", "create", "-d", "overlay", "bad"], saying: "not a swarm manager")
        try refuse(["network", "rm", "host"], saying: "pre-defined")
        try refuse(["network", "rm", "nosuch"], saying: "nosuch", "not found")
    }

    @Test func addressesThatCannotBeGiven() throws {
        defer { engine.remove(["zeroth", "first", "second", "third"], networks: ["tiny", "other"]) }
        // The default network stays once it is made.
        try engine.start("zeroth")
        // Of the four addresses one is the gateway's, and two are the subnet's.
        try engine.dhow("network", "create", "--subnet", "10.84.0.0/30", "tiny")
        try engine.start("first", "--network", "tiny")
        func run(_ options: String..., saying words: String) throws {
            try refuse(
                ["run", "--rm", "--name", "second"] + options + [Images.busybox, "true"], status: 125, saying: words)
        }
        try run("--network", "tiny", saying: "no free address")
        try run("--network", "tiny", "--ip", "10.84.0.2", saying: "already in use")
        try run("--network", "tiny", "--ip", "10.84.0.1", saying: "10.84.0.1")
        try run("--network", "tiny", "--ip", "10.99.0.2", saying: "10.99.0.2")
        try run("--network", "tiny", "--ip", "ten", saying: "ten")
        try run("--network", "tiny", "--ip6", "fd00::5", saying: "fd00::5")
        try run("--network", "bridge", "--ip", "172.17.0.9", saying: "user defined networks only")
        try run("--network", "tiny", "--mac-address", "01:00:5e:00:00:01", saying: "MAC")
        try run("--network", "tiny", "--mac-address", "nonsense", saying: "nonsense")
        try run("-p", "70000:80", saying: "70000")
        try run("-p", "80:80/icmp", saying: "icmp")
        try run("-p", "192.0.2.250:8700:80", saying: "192.0.2.250")
        // A refusal keeps nothing: the address is there for the next one.
        engine.remove(["first"])
        try engine.start("third", "--network", "tiny", "--ip", "10.84.0.2")
    }

    @Test func requestsThatAreNotMadeByACommand() throws {
        let before = try engine.machine.state()
        for (body, status) in [
            ("", 400), ("[]", 400), (#"{"Name": ""}"#, 400),
            (#"{"Name": "x", "Driver": "nosuch"}"#, 404), (#"{"Name": "x", "IPAM": {"Driver": "nosuch"}}"#, 404),
            (#"{"Name": "x", "IPAM": {"Config": [{"Subnet": 5}]}}"#, 400),
            (
                #"{"Name": "x", "Options": {"com.docker.network.bridge.name": "\#(String(repeating: "n", count: 100_000))"}}"#,
                400
            ),
        ] {
            let answer = try engine.daemon.request("POST", "/v1.50/networks/create", body: body)
            #expect(answer.status == status, "\(body.prefix(100)): \(answer.status) \(answer.body.prefix(300))")
            #expect(try JSONValue(parsing: answer.body)["message"]?.string?.isEmpty == false)
        }
        let changes = try engine.machine.changes(since: before)
        #expect(changes.isEmpty, "\(changes)")
    }

    @Test func aHostThatDoesNotLetItsRulesBeChanged() throws {
        // The engine may do all but change the network: as in a container without the capability.
        let engine = try NetworkedDaemon(
            launcher: ["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"])
        let before = try engine.machine.state()
        for options in [[], ["-p", "8701:80"]] {
            let output = try engine.daemon.dhow(["run", "--rm"] + options + [Images.busybox, "true"])
            #expect(
                output.status == 125 && output.stderr.localizedCaseInsensitiveContains("not permitted"), "\(output)")
        }
        let create = try engine.daemon.dhow("network", "create", "refused")
        #expect(create.status == 1 && create.stderr.localizedCaseInsensitiveContains("not permitted"), "\(create)")
        #expect(try engine.dhow("network", "ls", "--format", "{{.Name}}").components(separatedBy: "\n").count == 3)
        let changes = try engine.machine.changes(since: before)
        #expect(changes.isEmpty, "\(changes)")
        // What needs none of it works.
        #expect(try engine.dhow("run", "--rm", "--network", "host", Images.busybox, "echo", "alone") == "alone")
    }

    @Test func aHostWithoutTheLibrary() throws {
        let hide = """
            for f in $(find /usr/lib /lib -name 'libnftables.so*' -type f); do mount --bind /dev/null $f; done; exec "$0" "$@"
            """
        let engine = try NetworkedDaemon(launcher: ["unshare", "--mount", "sh", "-ec", hide])
        let before = try engine.machine.state()
        let output = try engine.daemon.dhow("run", "--rm", Images.busybox, "true")
        #expect(output.status == 125 && output.stderr.contains("libnftables"), "\(output)")
        let create = try engine.daemon.dhow("network", "create", "refused")
        #expect(create.status == 1 && create.stderr.contains("libnftables"), "\(create)")
        let changes = try engine.machine.changes(since: before)
        #expect(changes.isEmpty, "\(changes)")
        #expect(try engine.dhow("run", "--rm", "--network", "none", Images.busybox, "echo", "alone") == "alone")
    }
}
