import Glibc
import JSON

/// Docker's `json-file` format: `{"log":"…\n","stream":"stdout","attrs":{…},"time":"…"}` a line.
package final class JSONFileLog: LogDriver {
    /// Lines are collected up to this many bytes, and no longer than one turn of reading.
    private static let batch = 256 << 10

    private let file: RotatingFile
    /// `,"attrs":{…}` or nothing.
    private let attributes: [UInt8]
    private var buffer: [UInt8] = []
    private let prefix = Array(#"{"log":""#.utf8)
    /// What follows the text: all lines that were read together share it.
    private var suffix: [UInt8] = []
    private var suffixTime: Int64 = .min
    private var suffixStream = OutputStream.stdout
    private var timestamp = TimestampFormatter()

    package init(_ file: RotatingFile, attributes: [String: String]) {
        self.file = file
        self.attributes =
            attributes.isEmpty ? [] : Array(#","attrs":"#.utf8) + attributes.json.bytes(JSONFormat(escapesHTML: true))
    }

    package func write(_ line: UnsafeRawBufferPointer, _ stream: OutputStream, time: Int64, _ partial: PartialLine?) {
        let start = buffer.count
        buffer.append(contentsOf: prefix)
        JSONEscape.append(line, to: &buffer)
        if partial?.isLast ?? true { buffer.append(contentsOf: #"\n"#.utf8) }
        if suffixTime != time || suffixStream != stream { makeSuffix(time, stream) }
        buffer.append(contentsOf: suffix)
        if file.isFull(after: start, adding: buffer.count - start) {
            // The line starts the next file.
            let line = Array(buffer[start...])
            buffer.removeSubrange(start...)
            flush()
            file.rotate()
            buffer.append(contentsOf: line)
        }
        if buffer.count >= Self.batch { flush() }
    }

    private func makeSuffix(_ time: Int64, _ stream: OutputStream) {
        suffix.removeAll(keepingCapacity: true)
        suffix.append(contentsOf: stream == .stdout ? #"","stream":"stdout""#.utf8 : #"","stream":"stderr""#.utf8)
        suffix.append(contentsOf: attributes)
        suffix.append(contentsOf: #","time":""#.utf8)
        timestamp.append(time, to: &suffix)
        suffix.append(contentsOf: "\"}\n".utf8)
        suffixTime = time
        suffixStream = stream
    }

    package func flush() {
        guard !buffer.isEmpty else { return }
        buffer.withUnsafeBytes { file.append($0) }
        buffer.removeAll(keepingCapacity: true)
    }

    package func releaseBuffers() { buffer = [] }

    package func close() {
        flush()
        file.close()
    }
}

/// Strings as Docker writes them in its log: as Go's encoder, with HTML's special characters escaped, and with what is
/// not UTF-8 replaced.
package enum JSONEscape {
    private static func isPlain(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte < 0x80 && byte != 0x22 && byte != 0x5c && byte != 0x3c && byte != 0x3e && byte != 0x26
    }

    private static let hexDigits: StaticString = "0123456789abcdef"

    package static func append(_ bytes: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        var start = 0
        var position = 0
        let count = bytes.count
        while position < count {
            let byte = bytes[position]
            if isPlain(byte) {
                position += 1
                continue
            }
            if byte >= 0x80 {
                let (length, scalar) = decode(bytes, position)
                // U+2028 and U+2029 end a line in JavaScript.
                if length > 0, scalar != 0x2028, scalar != 0x2029 {
                    position += length
                    continue
                }
                out.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[start..<position]))
                if length == 0 {
                    out.append(contentsOf: #"\ufffd"#.utf8)
                } else {
                    out.append(contentsOf: scalar == 0x2028 ? #"\u2028"#.utf8 : #"\u2029"#.utf8)
                }
                position += max(1, length)
            } else {
                out.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[start..<position]))
                appendSpecial(byte, to: &out)
                position += 1
            }
            start = position
        }
        out.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[start...]))
    }

    private static func appendSpecial(_ byte: UInt8, to out: inout [UInt8]) {
        switch byte {
        case 0x22: out.append(contentsOf: #"\""#.utf8)
        case 0x5c: out.append(contentsOf: #"\\"#.utf8)
        case 0x0a: out.append(contentsOf: #"\n"#.utf8)
        case 0x0d: out.append(contentsOf: #"\r"#.utf8)
        default:
            out.append(contentsOf: #"\u00"#.utf8)
            out.append(hexDigits.utf8Start[Int(byte >> 4)])
            out.append(hexDigits.utf8Start[Int(byte & 15)])
        }
    }

    /// The length of the UTF-8 sequence at `position` and its scalar; length 0: it is none (RFC 3629).
    private static func decode(_ bytes: UnsafeRawBufferPointer, _ position: Int) -> (Int, UInt32) {
        let first = bytes[position]
        let length: Int
        var scalar: UInt32
        let minimum: UInt32
        switch first {
        case 0xc2...0xdf: (length, scalar, minimum) = (2, UInt32(first & 0x1f), 0x80)
        case 0xe0...0xef: (length, scalar, minimum) = (3, UInt32(first & 0x0f), 0x800)
        case 0xf0...0xf4: (length, scalar, minimum) = (4, UInt32(first & 0x07), 0x1_0000)
        default: return (0, 0)
        }
        guard position + length <= bytes.count else { return (0, 0) }
        for offset in 1..<length {
            let byte = bytes[position + offset]
            guard byte & 0xc0 == 0x80 else { return (0, 0) }
            scalar = scalar << 6 | UInt32(byte & 0x3f)
        }
        let isValid = scalar >= minimum && scalar <= 0x10_ffff && !(0xd800...0xdfff).contains(scalar)
        return isValid ? (length, scalar) : (0, 0)
    }
}
