import Foundation
import Kernel
import Synchronization

/// What a command printed and how it ended.
struct Output: CustomStringConvertible {
    /// The exit code; 128 + the number for a signal.
    var status: Int32
    var stdout: String
    var stderr: String

    /// Standard output without white space at its ends.
    var text: String { stdout.trimmingCharacters(in: .whitespacesAndNewlines) }
    var lines: [String] { text.isEmpty ? [] : text.components(separatedBy: "\n") }
    var description: String { "status \(status)\n--- stdout\n\(stdout)\n--- stderr\n\(stderr)" }
}

struct CommandFailure: Error, CustomStringConvertible {
    var command: [String]
    var output: Output
    var description: String { "\(command.joined(separator: " ")): \(output)" }
}

/// A child process whose output goes to files, so that neither side ever blocks on a pipe.
///
/// Foundation's `Process` will not do: it takes a child for running as long as anything that the child started lives,
/// as the monitors of Podman's containers do.
final class Child {
    let pid: pid_t
    private let process: ProcessDescriptor
    private var status: ExitStatus?
    private let directory: ScratchDirectory
    private let command: [String]

    init(_ command: [String], environment: [String: String] = [:], input: String? = nil, directory: String? = nil)
        throws
    {
        self.command = command
        let scratch = try ScratchDirectory("child")
        self.directory = scratch
        var configuration = Subprocess.Configuration(try Shell.find(command[0]), arguments: command)
        configuration.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
            .map { "\($0.key)=\($0.value)" }
        configuration.workingDirectory = directory
        // To be killed with whatever it starts.
        configuration.startsProcessGroup = true
        if let input { try scratch.write(input, to: "in") }
        configuration.descriptors = [
            0: try FileDescriptor.open(input == nil ? "/dev/null" : scratch.file("in")),
            1: try FileDescriptor.open(scratch.file("out"), [.writeOnly, .create]),
            2: try FileDescriptor.open(scratch.file("err"), [.writeOnly, .create]),
        ]
        let child = try Subprocess.spawn(configuration)
        pid = child.processID
        process = child.process
    }

    deinit {
        if isRunning { killAll() }
    }

    var isRunning: Bool {
        if status == nil { status = (try? process.wait(noHang: true)) ?? nil }
        return status == nil
    }

    var stdout: String { read("out") }
    var stderr: String { read("err") }

    private func read(_ name: String) -> String {
        (try? Data(contentsOf: URL(fileURLWithPath: directory.file(name)))).map { String(decoding: $0, as: UTF8.self) }
            ?? ""
    }

    private func killAll() {
        kill(-pid, SIGKILL)
        kill(pid, SIGKILL)
        status = (try? process.wait()) ?? nil
    }

    /// Waits for the end; past `timeout` seconds the child is killed and the wait fails.
    func wait(timeout: TimeInterval = 120) throws -> Output {
        let deadline = Date().addingTimeInterval(timeout)
        while isRunning {
            if Date() > deadline {
                killAll()
                throw CommandFailure(
                    command: command, output: Output(status: -1, stdout: stdout, stderr: "timed out; " + stderr))
            }
            usleep(2000)
        }
        return Output(status: status?.code ?? -1, stdout: stdout, stderr: stderr)
    }
}

enum Shell {
    static func find(_ name: String) throws -> String {
        if name.contains("/") { return name }
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        for directory in path.components(separatedBy: ":") + ["/usr/sbin", "/sbin"] {
            let candidate = directory + "/" + name
            if access(candidate, X_OK) == 0 { return candidate }
        }
        throw CommandFailure(command: [name], output: Output(status: 127, stdout: "", stderr: "not found in PATH"))
    }

    static func exists(_ name: String) -> Bool { (try? find(name)) != nil }

    /// Runs a command to its end, whatever its exit code.
    @discardableResult
    static func run(
        _ command: [String], environment: [String: String] = [:], input: String? = nil, directory: String? = nil,
        timeout: TimeInterval = 120
    ) throws -> Output {
        try Child(command, environment: environment, input: input, directory: directory).wait(timeout: timeout)
    }

    /// Runs a command that must succeed.
    @discardableResult
    static func check(
        _ command: [String], environment: [String: String] = [:], input: String? = nil, directory: String? = nil,
        timeout: TimeInterval = 120
    ) throws -> Output {
        let output = try run(
            command, environment: environment, input: input, directory: directory, timeout: timeout)
        guard output.status == 0 else { throw CommandFailure(command: command, output: output) }
        return output
    }

    @discardableResult
    static func sh(_ script: String, in directory: String? = nil, timeout: TimeInterval = 120) throws -> Output {
        try check(["/bin/sh", "-ec", script], directory: directory, timeout: timeout)
    }
}

/// Waits until `condition` holds; a test that needs it fails when it does not within `seconds`.
func eventually(_ seconds: TimeInterval = 20, _ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = Date().addingTimeInterval(seconds)
    while Date() < deadline {
        if try condition() { return true }
        usleep(20000)
    }
    return try condition()
}

/// A directory that goes away with its owner.
final class ScratchDirectory: Sendable {
    let path: String

    init(_ name: String = "scratch") throws {
        path = FileManager.default.temporaryDirectory.path + "/dhow-\(name)-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        Self.keep(path)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
        _ = Self.existing.withLock { $0?.remove(path) }
    }

    private static let existing = Mutex<Set<String>?>(nil)

    /// Those of whole suites live in statics, which nothing ends: they go with the test process. What is registered
    /// first runs last, when all that uses them has been ended.
    private static func keep(_ path: String) {
        let isFirst = existing.withLock { paths in
            defer { paths = (paths ?? []).union([path]) }
            return paths == nil
        }
        guard isFirst else { return }
        atexit {
            for path in ScratchDirectory.existing.withLock({ $0 }) ?? [] {
                try? FileManager.default.removeItem(atPath: path)
            }
        }
    }

    func file(_ name: String) -> String { path + "/" + name }

    @discardableResult
    func write(_ text: String, to name: String) throws -> String {
        try Data(text.utf8).write(to: URL(fileURLWithPath: file(name)))
        return file(name)
    }
}
