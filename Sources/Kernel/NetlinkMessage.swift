/// One netlink request: a header, a family's fixed part, and attributes, written in order.
///
/// Integers are in host order, as netlink wants, unless a method says otherwise.
public struct NetlinkRequest: Sendable {
    /// What an error says was tried, and on what.
    public var operation: String
    public var subject: String
    private(set) var bytes: [UInt8]

    /// The flags of a request (`NLM_F_*`); `NLM_F_REQUEST` and `NLM_F_ACK` are always set.
    public struct Flags: OptionSet, Sendable {
        public let rawValue: UInt16
        public init(rawValue: UInt16) { self.rawValue = rawValue }
        public static let dump = Self(rawValue: 0x300)
        public static let replace = Self(rawValue: 0x100)
        public static let exclusive = Self(rawValue: 0x200)
        public static let create = Self(rawValue: 0x400)
        public static let append = Self(rawValue: 0x800)
        /// Without the acknowledgement, for the frame of an nf_tables batch.
        static let unacknowledged = Self(rawValue: 0x8000)
    }

    public init(_ type: UInt16, _ flags: Flags = [], operation: String, subject: String = "") {
        self.operation = operation
        self.subject = subject
        bytes = []
        bytes.reserveCapacity(256)
        // struct nlmsghdr: length, type, flags, sequence number, port; length and number are set when it is sent.
        let isSilent = flags.contains(.unacknowledged) || flags.contains(.dump)
        append(UInt32(0))
        append(type)
        append(flags.subtracting(.unacknowledged).rawValue | 0x1 | (isSilent ? 0 : 0x4))
        append(UInt32(0))
        append(UInt32(0))
    }

    var isAcknowledged: Bool { bytes[6] & 0x4 != 0 }

    /// Appends a field of the fixed part; the caller writes the padding.
    public mutating func append<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
    }

    public mutating func append(bytes more: some Collection<UInt8>) { bytes.append(contentsOf: more) }

    private mutating func pad() { while bytes.count % 4 != 0 { bytes.append(0) } }

    public mutating func attribute(_ type: UInt16, bytes value: some Collection<UInt8>) {
        append(UInt16(truncatingIfNeeded: 4 + value.count))
        append(type)
        bytes.append(contentsOf: value)
        pad()
    }

    public mutating func attribute<Value: FixedWidthInteger>(_ type: UInt16, _ value: Value) {
        append(UInt16(4 + MemoryLayout<Value>.size))
        append(type)
        append(value)
        pad()
    }

    /// A string with its NUL.
    public mutating func attribute(_ type: UInt16, string: String) {
        attribute(type, bytes: Array(string.utf8) + [0])
    }

    /// An attribute that holds others (`NLA_F_NESTED`).
    public mutating func nest(_ type: UInt16, marked: Bool = true, _ body: (inout NetlinkRequest) -> Void) {
        let start = bytes.count
        append(UInt16(0))
        append(marked ? type | 0x8000 : type)
        body(&self)
        let length = UInt16(truncatingIfNeeded: bytes.count - start)
        withUnsafeBytes(of: length) { bytes.replaceSubrange(start..<(start + 2), with: $0) }
    }

    /// The bytes that are sent, with their length and number.
    package func finished(sequence: UInt32) -> [UInt8] {
        var bytes = bytes
        withUnsafeBytes(of: UInt32(bytes.count)) { bytes.replaceSubrange(0..<4, with: $0) }
        withUnsafeBytes(of: sequence) { bytes.replaceSubrange(8..<12, with: $0) }
        return bytes
    }
}

/// One message from the kernel.
public struct NetlinkMessage: Sendable {
    public let type: UInt16
    public let flags: UInt16
    public let sequence: UInt32
    public let payload: ArraySlice<UInt8>

    /// Splits what one receive returned. Bytes that do not form a message end the list.
    public static func split(_ bytes: [UInt8]) -> [NetlinkMessage] {
        var messages: [NetlinkMessage] = []
        var rest = bytes[...]
        while rest.count >= 16 {
            let length = Int(rest.integer(at: 0, as: UInt32.self))
            guard length >= 16, length <= rest.count else { break }
            messages.append(
                NetlinkMessage(
                    type: rest.integer(at: 4, as: UInt16.self), flags: rest.integer(at: 6, as: UInt16.self),
                    sequence: rest.integer(at: 8, as: UInt32.self),
                    payload: rest[(rest.startIndex + 16)..<(rest.startIndex + length)]))
            rest = rest.dropFirst((length + 3) & ~3)
        }
        return messages
    }

    /// The attributes after a fixed part of `skipping` bytes.
    public func attributes(skipping count: Int) -> NetlinkAttributes {
        NetlinkAttributes(payload.dropFirst((count + 3) & ~3))
    }
}

/// The attributes of a message or of a nested attribute, by type; the last of a type wins.
public struct NetlinkAttributes: Sendable {
    private var values: [UInt16: ArraySlice<UInt8>] = [:]

    /// Attributes that do not fit end the list.
    public init(_ bytes: ArraySlice<UInt8>) {
        var rest = bytes
        while rest.count >= 4 {
            let length = Int(rest.integer(at: 0, as: UInt16.self))
            guard length >= 4, length <= rest.count else { break }
            // The two top bits are NLA_F_NESTED and NLA_F_NET_BYTEORDER.
            values[rest.integer(at: 2, as: UInt16.self) & 0x3fff] =
                rest[(rest.startIndex + 4)..<(rest.startIndex + length)]
            rest = rest.dropFirst((length + 3) & ~3)
        }
    }

    public subscript(type: UInt16) -> ArraySlice<UInt8>? { values[type] }

    /// An integer in host order; `nil` when it is missing or too short.
    public func integer<Value: FixedWidthInteger>(_ type: UInt16, as: Value.Type = Value.self) -> Value? {
        guard let value = values[type], value.count >= MemoryLayout<Value>.size else { return nil }
        return value.integer(at: 0, as: Value.self)
    }

    /// A string without its NUL; bytes that are not UTF-8 are replaced.
    public func string(_ type: UInt16) -> String? {
        values[type].map { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    public func nested(_ type: UInt16) -> NetlinkAttributes? { values[type].map(NetlinkAttributes.init) }
}

extension ArraySlice<UInt8> {
    /// An integer in host order at `offset`; zero when it does not fit.
    package func integer<Value: FixedWidthInteger>(at offset: Int, as: Value.Type) -> Value {
        guard offset >= 0, offset + MemoryLayout<Value>.size <= count else { return 0 }
        return withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Value.self) }
    }
}
