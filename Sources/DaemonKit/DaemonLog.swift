import EngineModel
import Glibc
import JSON
import Logging
import Synchronization

/// The daemon's log: lines on stderr as dockerd writes them (`time="…" level=info msg="…"`), or JSON objects.
package struct DaemonLog: LogHandler {
    package enum Level: String, Sendable {
        case debug, info, warn, error, fatal

        var level: Logger.Level {
            switch self {
            case .debug: .debug
            case .info: .info
            case .warn: .warning
            case .error: .error
            case .fatal: .critical
            }
        }
    }

    /// Shared by all loggers, so that a reload changes them all.
    private static let threshold = Mutex(Logger.Level.info)

    package static func setLevel(_ level: Level) { threshold.withLock { $0 = level.level } }

    package var metadata: Logger.Metadata = [:]
    package var logLevel: Logger.Level {
        get { Self.threshold.withLock { $0 } }
        set { Self.threshold.withLock { $0 = newValue } }
    }
    private let isJSON: Bool

    package init(isJSON: Bool) { self.isJSON = isJSON }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var fields = metadata
        if let more = event.metadata { fields.merge(more) { $1 } }
        var line = Self.format(
            message: event.message.description, level: event.level,
            fields: fields.map { ($0.key, $0.value.description) }.sorted { $0.0 < $1.0 }, at: Self.now(), isJSON: isJSON
        )
        line.append(UInt8(ascii: "\n"))
        // One write a line, so that lines of several threads do not mix.
        line.withUnsafeBytes { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    /// A line without its end.
    package static func format(
        message: String, level: Logger.Level, fields: [(String, String)], at time: Timestamp, isJSON: Bool
    ) -> [UInt8] {
        let name =
            switch level {
            case .trace: "trace"
            case .debug: "debug"
            case .info, .notice: "info"
            case .warning: "warning"
            case .error: "error"
            case .critical: "fatal"
            }
        let time = time.fixedWidthDescription
        if isJSON {
            var object = JSONObject()
            for (key, value) in fields { object[key] = .string(value) }
            object["level"] = .string(name)
            object["msg"] = .string(message)
            object["time"] = .string(time)
            return JSONValue.object(object).bytes()
        }
        var line = Array("time=\"\(time)\" level=\(name) msg=".utf8)
        appendQuoted(message, to: &line)
        for (key, value) in fields {
            line += Array(" \(key)=".utf8)
            appendQuoted(value, to: &line)
        }
        return line
    }

    /// Quotes what is no plain word.
    private static func appendQuoted(_ text: String, to line: inout [UInt8]) {
        let isPlain =
            !text.isEmpty
            && text.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "-._/@^+:".utf8.contains($0)
                }
            }
        if isPlain { line += Array(text.utf8) } else { JSONValue.write(string: text.utf8, to: &line) }
    }

    private static func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(seconds: Int64(time.tv_sec), nanoseconds: Int64(time.tv_nsec))
    }
}
