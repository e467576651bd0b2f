import Foundation
import JSON
import Synchronization

/// An engine on a test's host, with a name server outside that it forwards to.
///
/// Unchecked: of the name server only the output is read, until the end of the test process.
final class NetworkedDaemon: @unchecked Sendable {
    let machine: TestHost
    let daemon: Daemon
    private var names: Child?

    /// What the name server outside was asked, a line each: transport, name, type.
    var forwarded: [String] { (names?.stdout ?? "").components(separatedBy: "\n").filter { $0.contains(" ") } }

    var host: NetworkPlace { machine.host }
    var outside: NetworkPlace { machine.outside }

    /// - Parameters:
    ///   - prepare: what happens on the host before the engine starts.
    ///   - launcher: a command that becomes the daemon, run on the host.
    ///   - usesHostsServers: whether names are forwarded to the servers of `resolv.conf` rather than outside.
    init(
        _ arguments: [String] = [], launcher: [String] = [], usesHostsServers: Bool = false,
        prepare: (TestHost) throws -> Void = { _ in }
    ) throws {
        machine = try TestHost()
        names = try machine.outside.startNameServer(TestHost.outsideAddress4)
        try prepare(machine)
        let forwarding = arguments.contains("--dns") || usesHostsServers ? [] : ["--dns", TestHost.outsideAddress4]
        daemon = try Daemon(arguments + forwarding, launcher: machine.host.enter + launcher)
        try Images.load(into: daemon)
    }

    /// One for a whole suite.
    static func shared(_ arguments: [String] = []) throws -> NetworkedDaemon {
        let made = try NetworkedDaemon(arguments)
        Daemon.keep(made.daemon)
        let isFirst = suites.withLock { list in
            list.append(made)
            return list.count == 1
        }
        // Functions run in the opposite order: this one before the daemons', whose namespaces live on with them.
        if isFirst {
            atexit {
                for made in NetworkedDaemon.suites.withLock({ $0 }) {
                    made.names = nil
                    made.machine.remove()
                }
            }
        }
        return made
    }

    private static let suites = Mutex<[NetworkedDaemon]>([])

    deinit { daemon.tearDown() }

    /// `dhow`, which must succeed; what it prints, trimmed.
    @discardableResult
    func dhow(_ arguments: String...) throws -> String { try check(Programs.dhow, arguments) }

    /// The real `docker`, which must succeed.
    @discardableResult
    func docker(_ arguments: String...) throws -> String { try check("docker", arguments) }

    private func check(_ program: String, _ arguments: [String]) throws -> String {
        try Shell.check([program, "-H", "unix://\(daemon.socket)"] + arguments).text
    }

    /// Runs a container until it is removed.
    @discardableResult
    func start(_ name: String, _ options: String..., command: [String] = ["sleep", "100000"]) throws -> TestContainer {
        try start(name, options, command: command)
    }

    @discardableResult
    func start(_ name: String, _ options: [String], command: [String] = ["sleep", "100000"]) throws -> TestContainer {
        _ = try check(Programs.dhow, ["run", "-d", "--name", name] + options + [Images.busybox] + command)
        return try container(name)
    }

    /// Runs a web server on port 80, whose page `/cgi-bin/who` is the caller's address and `/` the container's name.
    @discardableResult
    func startWeb(_ name: String, _ options: String...) throws -> TestContainer {
        let script = """
            mkdir -p /www/cgi-bin; echo \(name) > /www/index.html
            printf '#!/bin/sh\\nprintf "Content-Type: text/plain\\\\r\\\\n\\\\r\\\\n%%s" "$REMOTE_ADDR"\\n' > /www/cgi-bin/who
            chmod +x /www/cgi-bin/who; exec httpd -f -p 80 -h /www
            """
        let container = try start(name, options, command: ["sh", "-c", script])
        guard try eventually(20, { try container.place.get("http://127.0.0.1/") == name }) else {
            throw CommandFailure(
                command: ["httpd", name], output: Output(status: -1, stdout: "", stderr: "does not answer"))
        }
        return container
    }

    func container(_ name: String) throws -> TestContainer {
        let details = try daemon.inspect(name)
        return TestContainer(
            id: details["Id"]?.string ?? "", place: NetworkPlace(process: details["State"]?["Pid"]?.integer ?? 0),
            settings: details["NetworkSettings"] ?? .null)
    }

    func processID(of container: TestContainer) throws -> Int64 {
        try daemon.inspect(container.id)["State"]?["Pid"]?.integer ?? 0
    }

    private func endpointIDs(of container: String) -> [String] {
        let networks = try? daemon.inspect(container)["NetworkSettings"]?["Networks"]?.object
        return (networks?.members ?? []).compactMap { $0.value["EndpointID"]?.string }.filter { !$0.isEmpty }
    }

    /// Removes containers, then networks, whether they exist or not.
    func remove(_ containers: [String] = [], networks: [String] = []) {
        if !containers.isEmpty {
            let endpoints = containers.flatMap(endpointIDs)
            _ = try? daemon.dhow(["rm", "-f", "-v"] + containers)
            // The kernel takes interfaces away a moment after the namespace at their other end: whoever compares the
            // host with what it is now must not see them go. Their aliases say whose they are.
            _ = eventually {
                guard let links = try? machine.host.sh("ip link").text else { return true }
                return !endpoints.contains { links.contains($0) }
            }
        }
        for network in networks { _ = try? daemon.dhow("network", "rm", network) }
    }
}

/// A running container.
struct TestContainer: Sendable {
    let id: String
    let place: NetworkPlace
    /// `NetworkSettings` of its inspection.
    let settings: JSONValue

    func address4(_ network: String = "bridge") -> String { settings["Networks"]?[network]?["IPAddress"]?.string ?? "" }
    func address6(_ network: String = "bridge") -> String {
        settings["Networks"]?[network]?["GlobalIPv6Address"]?.string ?? ""
    }
}
