/// A message on a D-Bus connection.
package struct DBusMessage: Equatable, Sendable {
    package enum Kind: UInt8, Sendable {
        case call = 1
        case reply = 2
        case error = 3
        case signal = 4
    }

    package var kind: Kind
    package var serial: UInt32 = 0
    package var replySerial: UInt32?
    package var path: String?
    package var interface: String?
    package var member: String?
    package var errorName: String?
    package var destination: String?
    package var body: [DBusValue] = []

    package init(_ kind: Kind) { self.kind = kind }

    /// D-Bus specification, "Message Format".
    package func encoded() -> [UInt8] {
        var content = DBusWriter()
        for value in body { content.append(value) }
        var fields: [DBusValue] = []
        func add(_ code: UInt8, _ value: DBusValue?) {
            if let value { fields.append(.structure([.byte(code), .variant(value)])) }
        }
        add(1, path.map { .objectPath($0) })
        add(2, interface.map { .string($0) })
        add(3, member.map { .string($0) })
        add(4, errorName.map { .string($0) })
        add(5, replySerial.map { .uint32($0) })
        add(6, destination.map { .string($0) })
        if !body.isEmpty { add(8, .signature(body.map(\.signature).joined())) }
        var header = DBusWriter()
        // l: little-endian; no flags; protocol version 1.
        for byte in [UInt8(ascii: "l"), kind.rawValue, 0, 1] { header.append(.byte(byte)) }
        header.append(.uint32(UInt32(content.bytes.count)))
        header.append(.uint32(serial))
        header.append(.array(of: "(yv)", fields))
        header.align(8)
        return header.bytes + content.bytes
    }

    /// The bytes before the header's array: enough to know the whole length.
    static let prefixLength = 16
    /// Of a whole message; the specification allows 128 MiB, systemd's answers here have a few hundred bytes.
    package static let limit = 1 << 20

    /// The length of the message that starts with `prefix`.
    static func length(_ prefix: [UInt8]) throws(CgroupError) -> Int {
        guard prefix.count >= prefixLength, prefix[3] == 1,
            prefix[0] == UInt8(ascii: "l") || prefix[0] == UInt8(ascii: "B")
        else { throw CgroupError(.systemd, "systemd does not speak D-Bus, version 1, on its socket") }
        var reader = DBusReader(prefix[4...], isBigEndian: prefix[0] == UInt8(ascii: "B"))
        let numbers = try reader.values("uuu").map { (value) -> Int in
            if case .uint32(let number) = value { return Int(number) }
            return 0
        }
        let header = (prefixLength + numbers[2] + 7) / 8 * 8
        guard header + numbers[0] <= limit else {
            throw CgroupError(.systemd, "systemd sent a D-Bus message of \(header + numbers[0]) bytes")
        }
        return header + numbers[0]
    }

    /// - Returns: `nil` for a message of an unknown kind, which the specification says to ignore.
    package static func decoded(_ bytes: [UInt8]) throws(CgroupError) -> DBusMessage? {
        let total = try length(Array(bytes.prefix(prefixLength)))
        guard bytes.count == total else { throw CgroupError(.systemd, "a D-Bus message is cut off") }
        let isBigEndian = bytes[0] == UInt8(ascii: "B")
        guard let kind = Kind(rawValue: bytes[1]) else { return nil }
        var message = DBusMessage(kind)
        var reader = DBusReader(bytes[...], isBigEndian: isBigEndian)
        let header = try reader.values("yyyyuua(yv)")
        var bodyLength = 0
        if case .uint32(let length) = header[4] { bodyLength = Int(length) }
        if case .uint32(let serial) = header[5] { message.serial = serial }
        var signature = ""
        if case .array(_, let fields) = header[6] {
            for field in fields {
                guard case .structure(let pair) = field, case .byte(let code) = pair[0],
                    case .variant(let value) = pair[1]
                else { continue }
                switch code {
                case 1: message.path = value.text
                case 2: message.interface = value.text
                case 3: message.member = value.text
                case 4: message.errorName = value.text
                case 5: if case .uint32(let serial) = value { message.replySerial = serial }
                case 6: message.destination = value.text
                case 8: signature = value.text ?? ""
                default: break
                }
            }
        }
        var body = DBusReader(bytes[(total - bodyLength)...], isBigEndian: isBigEndian)
        message.body = try body.values(signature)
        return message
    }
}
