import CKernel
import Glibc
import Monitor

/// The systemd journal, by its native protocol: one datagram an entry, `FIELD=value\n`, or for a value that may hold
/// newlines `FIELD\n`, its length in eight bytes little-endian, the value, `\n`.
package final class JournalLog: LogDriver {
    package static let defaultPath = "/run/systemd/journal/socket"

    private let descriptor: Int32
    /// The fields that every entry has.
    private let fields: [UInt8]
    private let epoch: String
    private var ordinal: UInt64 = 0
    private var hasComplained = false

    package init(_ configuration: MonitorConfiguration, path: String = defaultPath) throws(MonitorError) {
        let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        descriptor = try UnixSocket.connect(path, type: type)
        let shortID = String(configuration.id.prefix(12))
        let tag = configuration.log.tag ?? shortID
        var bytes: [UInt8] = []
        Self.append("CONTAINER_ID", shortID, to: &bytes)
        Self.append("CONTAINER_ID_FULL", configuration.id, to: &bytes)
        Self.append("CONTAINER_NAME", configuration.name, to: &bytes)
        Self.append("CONTAINER_TAG", tag, to: &bytes)
        Self.append("SYSLOG_IDENTIFIER", tag, to: &bytes)
        if !configuration.imageName.isEmpty { Self.append("IMAGE_NAME", configuration.imageName, to: &bytes) }
        for (name, value) in configuration.log.attributes.sorted(by: { $0.key < $1.key }) {
            Self.append(Self.fieldName(name), value, to: &bytes)
        }
        fields = bytes
        epoch = "\(configuration.id.prefix(12))-\(Clock.now())"
    }

    package func write(_ line: UnsafeRawBufferPointer, _ stream: OutputStream, time: Int64, _ partial: PartialLine?) {
        ordinal += 1
        var entry = fields
        Self.append("PRIORITY", stream == .stdout ? "6" : "3", to: &entry)
        Self.append("SYSLOG_TIMESTAMP", TimestampFormatter.text(time), to: &entry)
        Self.append("CONTAINER_LOG_EPOCH", epoch, to: &entry)
        Self.append("CONTAINER_LOG_ORDINAL", String(ordinal), to: &entry)
        if let partial {
            if !partial.isLast { Self.append("CONTAINER_PARTIAL_MESSAGE", "true", to: &entry) }
            Self.append("CONTAINER_PARTIAL_ID", "\(epoch)-\(partial.id)", to: &entry)
            Self.append("CONTAINER_PARTIAL_ORDINAL", String(partial.ordinal), to: &entry)
            Self.append("CONTAINER_PARTIAL_LAST", partial.isLast ? "true" : "false", to: &entry)
        }
        Self.append("MESSAGE", line, to: &entry)
        let sent = entry.withUnsafeBytes { ckernel_send(descriptor, $0.baseAddress, $0.count, nil, 0) }
        if sent < 0, !hasComplained {
            hasComplained = true
            Diagnostics.warn(MonitorError.system("cannot write to the journal").message)
        } else if sent >= 0 {
            hasComplained = false
        }
    }

    package func flush() {}
    package func releaseBuffers() {}
    package func close() { Glibc.close(descriptor) }

    private static func append(_ name: String, _ value: String, to entry: inout [UInt8]) {
        if value.utf8.contains(0x0a) {
            var value = value
            value.withUTF8 { append(name, UnsafeRawBufferPointer($0), to: &entry) }
        } else {
            entry.append(contentsOf: name.utf8)
            entry.append(UInt8(ascii: "="))
            entry.append(contentsOf: value.utf8)
            entry.append(0x0a)
        }
    }

    private static func append(_ name: String, _ value: UnsafeRawBufferPointer, to entry: inout [UInt8]) {
        entry.append(contentsOf: name.utf8)
        entry.append(0x0a)
        withUnsafeBytes(of: UInt64(value.count).littleEndian) { entry.append(contentsOf: $0) }
        entry.append(contentsOf: value)
        entry.append(0x0a)
    }

    /// The journal takes capital letters, digits and underscores, and no field that starts with an underscore.
    package static func fieldName(_ name: String) -> String {
        var field = ""
        for byte in name.uppercased().utf8 {
            let isKept = (0x41...0x5a).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x5f
            field.unicodeScalars.append(Unicode.Scalar(isKept ? byte : 0x5f))
        }
        let trimmed = field.drop { $0 == "_" || $0.isNumber }
        return trimmed.isEmpty ? "FIELD" : String(trimmed)
    }
}
