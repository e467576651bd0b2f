import Kernel

/// A program that a build calls and whose lines it reads.
struct HookProgram {
    let program: String
    let arguments: [String]
    /// `nil` passes on this process's own.
    var environment: [String]?
    var workingDirectory: String?
    /// Whether what it writes to standard error is read with the rest, and not passed on.
    var readsErrors = false
    /// What an error calls it.
    var kind = "program"

    init(_ program: String, _ arguments: [String] = []) {
        self.program = program
        self.arguments = arguments
    }

    /// Runs it to its end.
    /// - Parameter line: called with each line that it writes, without the line's end.
    /// - Throws: `BuildError.hookFailed` when it does not start or does not succeed.
    func run(_ line: ([UInt8]) -> Void) throws {
        let output = try Pipe()
        var configuration = Subprocess.Configuration(
            program, arguments: [program] + arguments, environment: environment)
        configuration.workingDirectory = workingDirectory
        configuration.descriptors[0] = try FileDescriptor.open("/dev/null", .readOnly)
        configuration.descriptors[1] = output.writeEnd
        if readsErrors { configuration.descriptors[2] = output.writeEnd }
        let child: Subprocess
        do { child = try Subprocess.spawn(configuration) } catch {
            throw BuildError(.hookFailed, "executing the \(kind) '\(program)': \(error.code)")
        }
        configuration.descriptors = [:]
        try output.writeEnd.close()
        let reading = Result { try Self.read(output.readEnd, line) }
        // Whatever reading met: nothing goes on before the program has ended.
        try output.readEnd.close()
        let status = try child.wait()
        try reading.get()
        guard !status.isSuccess else { return }
        throw BuildError(
            .hookFailed,
            "\(kind) '\(program)' failed "
                + (Signal.describe(status.code - 128).map { "due to signal \(status.code - 128) (\($0))" }
                    ?? "with exit code \(status.code)"))
    }
    private static func read(_ file: FileDescriptor, _ line: ([UInt8]) -> Void) throws {
        var pending: [UInt8] = []
        while case let bytes = try file.read(count: 64 << 10), !bytes.isEmpty {
            pending += bytes
            while let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                line(Array(pending[..<end]))
                pending.removeFirst(end + 1)
            }
        }
        if !pending.isEmpty { line(pending) }
    }
}
