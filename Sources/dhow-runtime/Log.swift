import JSON
import Kernel
import OCI

/// The runtime's log, in the two forms that callers of runc read.
///
/// Safe to share: the program has one thread.
final class Log: @unchecked Sendable {
    private var file = FileDescriptor.standardError
    private var isJSON = false
    private var isDebug = false
    private var isStandardError = true

    func configure(path: String, format: String, isDebug: Bool) throws {
        self.isDebug = isDebug
        switch format {
        case "text", "": isJSON = false
        case "json": isJSON = true
        default: throw CommandFailure(message: "invalid log-format: \(format)", status: 1)
        }
        if !path.isEmpty {
            file = try FileDescriptor.open(path, [.writeOnly, .create, .append], mode: 0o644)
            isStandardError = false
        }
    }

    func warn(_ message: String) { write("warning", message) }
    func debug(_ message: String) { if isDebug { write("debug", message) } }

    /// The last words before the program ends: to the log and, if that is a file, on standard error too.
    func fatal(_ message: String) {
        write("error", message)
        if !isStandardError { try? FileDescriptor.standardError.writeAll(message + "\n") }
    }

    private func write(_ level: String, _ message: String) {
        let now = DateTime(seconds: Timestamp.now.seconds).description
        let line: String
        if isJSON {
            line = JSONValue.object(["level": .string(level), "msg": .string(message), "time": .string(now)])
                .serialized()
        } else {
            line = "time=\"\(now)\" level=\(level) msg=\(JSONValue.string(message).serialized())"
        }
        try? file.writeAll(line + "\n")
    }
}
