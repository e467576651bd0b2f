import Foundation
import JSON
import Synchronization

/// A dhowd of a test's own: private socket, data root and exec root.
///
/// Unchecked: `child` changes only when a test starts or ends the daemon, and the suites that do so run serialised;
/// everything else is constant.
final class Daemon: @unchecked Sendable {
    let directory: ScratchDirectory
    let socket: String
    let dataRoot: String
    let execRoot: String
    private let extraArguments: [String]
    private let launcher: [String]
    private(set) var child: Child?

    /// - Parameter launcher: a command that becomes the daemon, as `nsenter` does.
    init(_ arguments: [String] = [], dataRoot: String? = nil, launcher: [String] = []) throws {
        directory = try ScratchDirectory("daemon")
        socket = directory.file("docker.sock")
        self.dataRoot = dataRoot ?? directory.file("data")
        execRoot = directory.file("run")
        extraArguments = arguments
        self.launcher = launcher
        try start()
    }

    deinit { tearDown() }

    /// A daemon for a whole suite: it is torn down when the test process ends, since statics live until then.
    static func shared(_ arguments: [String] = []) throws -> Daemon {
        let daemon = try Daemon(arguments)
        keep(daemon)
        return daemon
    }

    /// Tears `daemon` down when the test process ends.
    static func keep(_ daemon: Daemon) {
        let isFirst = suites.withLock { daemons in
            daemons.append(daemon)
            return daemons.count == 1
        }
        if isFirst {
            atexit {
                let daemons = Daemon.suites.withLock { daemons in
                    defer { daemons = [] }
                    return daemons
                }
                for daemon in daemons { daemon.tearDown() }
            }
        }
    }

    private static let suites = Mutex<[Daemon]>([])

    var pid: pid_t { child?.pid ?? 0 }
    var log: String { child?.stderr ?? "" }

    func start() throws {
        let child = try Child(
            launcher + [
                Programs.dhowd, "-H", "unix://\(socket)", "--data-root", dataRoot, "--exec-root", execRoot,
                "--pidfile", directory.file("dhowd.pid"), "--exec-opt", "native.cgroupdriver=\(Programs.cgroupDriver)",
            ] + extraArguments)
        self.child = child
        let isUp = try eventually(30) {
            guard child.isRunning else {
                throw CommandFailure(command: ["dhowd"], output: try child.wait())
            }
            return try Shell.run([Programs.dhow, "-H", "unix://\(socket)", "version"]).status == 0
        }
        guard isUp else {
            throw CommandFailure(
                command: ["dhowd"], output: Output(status: -1, stdout: "", stderr: "does not answer: \(child.stderr)"))
        }
    }

    /// SIGKILL, as a crash would.
    func crash() {
        guard let child else { return }
        kill(child.pid, SIGKILL)
        _ = try? child.wait()
    }

    /// SIGTERM, as a service manager would.
    @discardableResult
    func stop() throws -> Output? {
        guard let child, child.isRunning else { return nil }
        kill(child.pid, SIGTERM)
        return try child.wait(timeout: 30)
    }

    /// Removes every container and ends the daemon.
    func tearDown() {
        guard let child else { return }
        if !child.isRunning { try? start() }
        if let ids = try? dhow("ps", "-aq").lines, !ids.isEmpty { _ = try? dhow(["rm", "-f", "-v"] + ids) }
        _ = try? stop()
        self.child = nil
    }

    /// Runs `dhow` against this daemon.
    @discardableResult
    func dhow(_ arguments: [String], input: String? = nil, timeout: TimeInterval = 120) throws -> Output {
        try Shell.run([Programs.dhow, "-H", "unix://\(socket)"] + arguments, input: input, timeout: timeout)
    }

    @discardableResult
    func dhow(_ arguments: String..., input: String? = nil) throws -> Output {
        try dhow(arguments, input: input)
    }

    /// Runs `dhow`, which must succeed.
    @discardableResult
    func check(_ arguments: String..., input: String? = nil) throws -> Output {
        let output = try dhow(arguments, input: input)
        guard output.status == 0 else { throw CommandFailure(command: ["dhow"] + arguments, output: output) }
        return output
    }

    /// Runs the real `docker` against this daemon.
    @discardableResult
    func docker(_ arguments: String..., input: String? = nil) throws -> Output {
        try Shell.run(["docker", "-H", "unix://\(socket)"] + arguments, input: input)
    }

    /// A request to the API: the body of the answer, and its status.
    func request(_ method: String, _ path: String, body: String? = nil) throws -> (status: Int, body: String) {
        var command = [
            "curl", "-s", "--unix-socket", socket, "-X", method, "-w", "\n%{http_code}", "http://dhow\(path)",
        ]
        if let body { command += ["-H", "Content-Type: application/json", "--data-binary", body] }
        var lines = try Shell.check(command).stdout.components(separatedBy: "\n")
        let status = Int(lines.removeLast()) ?? 0
        return (status, lines.joined(separator: "\n"))
    }

    func inspect(_ name: String) throws -> JSONValue {
        let array = try JSONValue(parsing: check("inspect", name).stdout)
        return array[0] ?? .null
    }

    /// The name of the network mode that these tests use.
    static let network = ["--network", "none"]

    /// `dhow run --rm --network none` with the busybox image.
    @discardableResult
    func runBusybox(_ options: [String] = [], _ command: String...) throws -> Output {
        try Images.load(into: self)
        return try dhow(["run", "--rm", "--network", "none"] + options + [Images.busybox] + command)
    }
}
