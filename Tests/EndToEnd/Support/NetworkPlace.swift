import Foundation

/// A network namespace in which the tests run commands: a host's, the outside's, or a container's.
struct NetworkPlace: Sendable {
    /// The file that stands for the namespace.
    let path: String

    /// The namespace of a process.
    init(process: Int64) { path = "/proc/\(process)/ns/net" }

    init(path: String) { self.path = path }

    /// What goes before a command for it to run here.
    var enter: [String] { ["nsenter", "--net=\(path)"] }

    @discardableResult
    func run(_ command: String..., timeout: TimeInterval = 60) throws -> Output {
        try Shell.run(enter + command, timeout: timeout)
    }

    @discardableResult
    func check(_ command: String...) throws -> Output { try Shell.check(enter + command) }

    @discardableResult
    func sh(_ script: String) throws -> Output { try Shell.check(enter + ["/bin/sh", "-ec", script]) }

    /// Starts a command that runs until its `Child` goes.
    func start(_ command: String...) throws -> Child { try Child(enter + command) }

    /// The body of a page, or `nil` when there is none within some seconds.
    func get(_ url: String, seconds: Int = 5) throws -> String? {
        let output = try run("curl", "-sf", "-g", "--noproxy", "*", "--max-time", "\(seconds)", url)
        return output.status == 0 ? output.text : nil
    }

    /// The address that `TestContainer`'s web server sees a caller here have; `nil` when there is no answer.
    func addressSeen(by url: String) throws -> String? {
        guard let text = try get(url + "/cgi-bin/who") else { return nil }
        let bare = text.trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
        return bare.hasPrefix("::ffff:") ? String(bare.dropFirst(7)) : bare
    }

    /// What a server answers to a line of text; `nil` when nothing comes.
    func ask(_ transport: Probe.Transport, _ address: String, _ port: Int, seconds: Int = 3) throws -> String? {
        let output = try Shell.run(enter + Probe.command("ask", transport.rawValue, address, "\(port)", "\(seconds)"))
        return output.status == 0 ? output.text : nil
    }

    /// A server that answers each line or datagram with the caller's address; it is ready when this returns.
    func serve(_ transport: Probe.Transport, _ address: String, _ port: Int) throws -> Child {
        try ready(Child(enter + Probe.command("serve", transport.rawValue, address, "\(port)")))
    }

    /// A name server that knows everything in `.test` and prints what it is asked; it is ready when this returns.
    func startNameServer(_ address: String) throws -> Child { try ready(Child(enter + Probe.command("dns", address))) }

    private func ready(_ child: Child) throws -> Child {
        guard eventually(20, { child.stdout.contains("ready") || !child.isRunning }), child.isRunning else {
            throw CommandFailure(
                command: ["a server"], output: Output(status: -1, stdout: "", stderr: child.stderr))
        }
        return child
    }

    /// The records that a name server has: sorted, or the name of the error (`NXDOMAIN`, `timeout`).
    func resolve(_ name: String, _ type: String = "A", at server: String = "127.0.0.11", overTCP: Bool = false) throws
        -> [String]
    {
        try Shell.run(enter + Probe.command("query", server, name, type, overTCP ? "tcp" : "udp")).lines
    }
}
