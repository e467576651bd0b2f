import Foundation

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
final class Child {
    let process = Process()
    private let directory: URL
    private let command: [String]

    init(_ command: [String], environment: [String: String] = [:], input: Any? = nil, directory: String? = nil) throws {
        self.command = command
        self.directory = FileManager.default.temporaryDirectory.appendingPathComponent("dhow-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: self.directory, withIntermediateDirectories: true)
        process.executableURL = URL(fileURLWithPath: try Shell.find(command[0]))
        process.arguments = Array(command.dropFirst())
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
        for name in ["out", "err"] {
            _ = FileManager.default.createFile(atPath: self.directory.appendingPathComponent(name).path, contents: nil)
        }
        process.standardOutput = try FileHandle(forWritingTo: self.directory.appendingPathComponent("out"))
        process.standardError = try FileHandle(forWritingTo: self.directory.appendingPathComponent("err"))
        if let text = input as? String {
            let file = self.directory.appendingPathComponent("in")
            try Data(text.utf8).write(to: file)
            process.standardInput = try FileHandle(forReadingFrom: file)
        } else {
            process.standardInput = input ?? FileHandle.nullDevice
        }
        try process.run()
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        try? FileManager.default.removeItem(at: directory)
    }

    var stdout: String { read("out") }
    var stderr: String { read("err") }

    private func read(_ name: String) -> String {
        (try? Data(contentsOf: directory.appendingPathComponent(name))).map { String(decoding: $0, as: UTF8.self) }
            ?? ""
    }

    /// Waits for the end; past `timeout` seconds the child is killed and the wait fails.
    func wait(timeout: TimeInterval = 120) throws -> Output {
        let deadline = Date().addingTimeInterval(timeout)
        while process.isRunning {
            if Date() > deadline {
                kill(process.processIdentifier, SIGKILL)
                process.waitUntilExit()
                throw CommandFailure(
                    command: command, output: Output(status: -1, stdout: stdout, stderr: "timed out; " + stderr))
            }
            usleep(2000)
        }
        let signalled = process.terminationReason == .uncaughtSignal
        return Output(status: process.terminationStatus + (signalled ? 128 : 0), stdout: stdout, stderr: stderr)
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
    static func sh(_ script: String, timeout: TimeInterval = 120) throws -> Output {
        try check(["/bin/sh", "-ec", script], timeout: timeout)
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
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }

    @discardableResult
    func write(_ text: String, to name: String) throws -> String {
        try Data(text.utf8).write(to: URL(fileURLWithPath: file(name)))
        return file(name)
    }
}
