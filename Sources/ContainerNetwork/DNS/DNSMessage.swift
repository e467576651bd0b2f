import Kernel

/// What a message of the domain name system says about its own outcome (RFC 1035, section 4.1.1).
public enum DNSResponseCode: UInt8, Sendable {
    case success = 0
    case formatError = 1
    case serverFailure = 2
    case nameError = 3
    case notImplemented = 4
    case refused = 5
}

/// The types of record that this server knows by name.
public enum DNSRecordType {
    public static let a: UInt16 = 1
    public static let ptr: UInt16 = 12
    public static let mx: UInt16 = 15
    public static let aaaa: UInt16 = 28
    public static let opt: UInt16 = 41
}

/// Bytes that are no message.
public enum DNSFormatError: Error, Equatable, Sendable {
    case truncated, badLabel, badPointer, nameTooLong
}

/// A name as a message spells it.
public struct DNSName: Hashable, Sendable {
    public let text: String
    /// Whether `text` says it all: no label has a dot in it.
    public let isPlain: Bool

    /// Reads the name at `offset` and moves past it.
    ///
    /// A compression pointer must point before the piece that it ends, so no message can make this loop, and a name
    /// is at most 255 bytes long (RFC 1035, sections 4.1.4 and 3.1).
    public init(_ message: UnsafeRawBufferPointer, at offset: inout Int) throws(DNSFormatError) {
        var position = offset
        var pieceStart = offset
        var end: Int?
        var length = 0
        var isPlain = true
        // 256 bytes on the stack.
        typealias Row = (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)
        var storage: (Row, Row, Row, Row) = (
            (0, 0, 0, 0, 0, 0, 0, 0), (0, 0, 0, 0, 0, 0, 0, 0), (0, 0, 0, 0, 0, 0, 0, 0), (0, 0, 0, 0, 0, 0, 0, 0)
        )
        var failure: DNSFormatError?
        text = withUnsafeMutableBytes(of: &storage) { buffer in
            loop: while true {
                guard position < message.count else {
                    failure = .truncated
                    break
                }
                let size = Int(message[position])
                switch size >> 6 {
                case 0:
                    if size == 0 {
                        position += 1
                        break loop
                    }
                    guard position + 1 + size <= message.count else {
                        failure = .truncated
                        break loop
                    }
                    // On the wire: a length byte a label, and the root's.
                    let start = length > 0 ? length + 1 : 0
                    guard start + size + 2 <= 255 else {
                        failure = .nameTooLong
                        break loop
                    }
                    if length > 0 {
                        buffer[length] = UInt8(ascii: ".")
                        length += 1
                    }
                    for index in (position + 1)...(position + size) {
                        var byte = message[index]
                        if byte &- 65 < 26 { byte |= 32 }
                        if byte == UInt8(ascii: ".") || byte == 0 { isPlain = false }
                        buffer[length] = byte
                        length += 1
                    }
                    position += 1 + size
                case 3:
                    guard position + 2 <= message.count else {
                        failure = .truncated
                        break loop
                    }
                    let target = (size & 63) << 8 | Int(message[position + 1])
                    if end == nil { end = position + 2 }
                    guard target < pieceStart, target >= 12 else {
                        failure = .badPointer
                        break loop
                    }
                    pieceStart = target
                    position = target
                default:
                    failure = .badLabel
                    break loop
                }
            }
            return failure == nil ? String(decoding: buffer[..<length], as: UTF8.self) : ""
        }
        if let failure { throw failure }
        self.isPlain = isPlain
        offset = end ?? position
    }

    /// Moves past the name at `offset` without reading what its pointers point at.
    static func skip(_ message: UnsafeRawBufferPointer, at offset: inout Int) throws(DNSFormatError) {
        let start = offset
        while true {
            guard offset < message.count else { throw .truncated }
            let size = Int(message[offset])
            switch size >> 6 {
            case 0:
                offset += 1 + size
                if size == 0 { return }
                if offset - start > 255 { throw .nameTooLong }
            case 3:
                offset += 2
                guard offset <= message.count else { throw .truncated }
                return
            default: throw .badLabel
            }
        }
    }

    /// The name on the wire, uncompressed; `nil` where `text` is no name: a label is empty or over 63 bytes, or the
    /// whole is over 255.
    static func encode(_ text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        let trimmed = text.hasSuffix(".") ? text.dropLast() : text[...]
        if !trimmed.isEmpty {
            for label in trimmed.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false) {
                guard (1...63).contains(label.count) else { return nil }
                bytes.append(UInt8(label.count))
                bytes.append(contentsOf: label)
            }
        }
        bytes.append(0)
        return bytes.count <= 255 ? bytes : nil
    }
}

extension UnsafeRawBufferPointer {
    /// The 16 bits at `offset`, which must be inside.
    func word(_ offset: Int) -> UInt16 { UInt16(self[offset]) << 8 | UInt16(self[offset + 1]) }
}

extension UnsafeMutableRawBufferPointer {
    func setWord(_ offset: Int, _ value: UInt16) {
        self[offset] = UInt8(value >> 8)
        self[offset + 1] = UInt8(truncatingIfNeeded: value)
    }
}

/// The fixed part of a message (RFC 1035, section 4.1.1).
struct DNSHeader {
    static let size = 12

    let id: UInt16
    let flags: UInt16
    let questions: UInt16
    let answers: UInt16
    let authorities: UInt16
    let additionals: UInt16

    init?(_ message: UnsafeRawBufferPointer) {
        guard message.count >= Self.size else { return nil }
        id = message.word(0)
        flags = message.word(2)
        questions = message.word(4)
        answers = message.word(6)
        authorities = message.word(8)
        additionals = message.word(10)
    }

    var isResponse: Bool { flags & 0x8000 != 0 }
    var operation: UInt16 { flags >> 11 & 15 }
    var isTruncated: Bool { flags & 0x0200 != 0 }
    var responseCode: UInt8 { UInt8(flags & 15) }
}
