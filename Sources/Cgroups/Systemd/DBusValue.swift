/// A value of D-Bus's type system, as far as systemd's interface needs it.
package indirect enum DBusValue: Equatable, Sendable {
    case byte(UInt8)
    case boolean(Bool)
    case int32(Int32)
    case uint32(UInt32)
    case int64(Int64)
    case uint64(UInt64)
    case double(Double)
    case string(String)
    case objectPath(String)
    case signature(String)
    /// With the elements' signature, since there may be none.
    case array(of: String, [DBusValue])
    case structure([DBusValue])
    case dictionaryEntry(DBusValue, DBusValue)
    case variant(DBusValue)

    package var signature: String {
        switch self {
        case .byte: "y"
        case .boolean: "b"
        case .int32: "i"
        case .uint32: "u"
        case .int64: "x"
        case .uint64: "t"
        case .double: "d"
        case .string: "s"
        case .objectPath: "o"
        case .signature: "g"
        case .array(let element, _): "a" + element
        case .structure(let members): "(" + members.map(\.signature).joined() + ")"
        case .dictionaryEntry(let key, let value): "{" + key.signature + value.signature + "}"
        case .variant: "v"
        }
    }

    package var text: String? {
        switch self {
        case .string(let text), .objectPath(let text), .signature(let text): text
        case .variant(let value): value.text
        default: nil
        }
    }

    static func strings(_ values: [String]) -> DBusValue { .array(of: "s", values.map { .string($0) }) }
    static func bytes(_ values: [UInt8]) -> DBusValue { .array(of: "y", values.map { .byte($0) }) }

    /// The boundary on which a value of a type starts, from the first letter of its signature.
    static func alignment(_ type: UInt8) -> Int {
        switch type {
        case UInt8(ascii: "y"), UInt8(ascii: "g"), UInt8(ascii: "v"): 1
        case UInt8(ascii: "n"), UInt8(ascii: "q"): 2
        case UInt8(ascii: "x"), UInt8(ascii: "t"), UInt8(ascii: "d"), UInt8(ascii: "("), UInt8(ascii: "{"): 8
        default: 4
        }
    }
}

/// Writes values in D-Bus's binary form, little-endian.
struct DBusWriter {
    private(set) var bytes: [UInt8] = []

    mutating func align(_ boundary: Int) {
        while bytes.count % boundary != 0 { bytes.append(0) }
    }

    private mutating func append(_ value: some FixedWidthInteger) {
        align(value.bitWidth / 8)
        withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
    }

    mutating func append(_ value: DBusValue) {
        switch value {
        case .byte(let byte): bytes.append(byte)
        case .boolean(let value): append(UInt32(value ? 1 : 0))
        case .int32(let number): append(number)
        case .uint32(let number): append(number)
        case .int64(let number): append(number)
        case .uint64(let number): append(number)
        case .double(let number): append(number.bitPattern)
        case .string(let text), .objectPath(let text):
            append(UInt32(text.utf8.count))
            bytes += text.utf8
            bytes.append(0)
        case .signature(let text):
            bytes.append(UInt8(truncatingIfNeeded: text.utf8.count))
            bytes += text.utf8
            bytes.append(0)
        case .array(let element, let values):
            append(UInt32(0))
            let lengthAt = bytes.count - 4
            // The padding before the first element is there even if there is none, and does not count.
            align(DBusValue.alignment(element.utf8.first ?? 0))
            let start = bytes.count
            for value in values { append(value) }
            let length = UInt32(bytes.count - start)
            withUnsafeBytes(of: length.littleEndian) { bytes.replaceSubrange(lengthAt..<(lengthAt + 4), with: $0) }
        case .structure(let members):
            align(8)
            for member in members { append(member) }
        case .dictionaryEntry(let key, let value):
            align(8)
            append(key)
            append(value)
        case .variant(let value):
            append(.signature(value.signature))
            append(value)
        }
    }
}

/// Reads values; the bytes come from outside.
struct DBusReader {
    private let bytes: ArraySlice<UInt8>
    private let isBigEndian: Bool
    private var position: Int

    /// Alignment counts from the start of `bytes`.
    init(_ bytes: ArraySlice<UInt8>, isBigEndian: Bool = false) {
        self.bytes = bytes
        self.isBigEndian = isBigEndian
        position = bytes.startIndex
    }

    private static func malformed(_ what: String) -> CgroupError {
        CgroupError(.systemd, "systemd sent a D-Bus message that cannot be understood: \(what)")
    }

    private mutating func align(_ boundary: Int) throws(CgroupError) {
        position += (boundary - (position - bytes.startIndex) % boundary) % boundary
        if position > bytes.endIndex { throw Self.malformed("it ends too early") }
    }

    private mutating func take(_ count: Int) throws(CgroupError) -> ArraySlice<UInt8> {
        guard count >= 0, count <= bytes.endIndex - position else { throw Self.malformed("it ends too early") }
        defer { position += count }
        return bytes[position..<(position + count)]
    }

    private mutating func number<Number: FixedWidthInteger>(_ type: Number.Type) throws(CgroupError) -> Number {
        let size = Number.bitWidth / 8
        try align(size)
        var value: Number = 0
        let field = try take(size)
        for byte in isBigEndian ? Array(field) : field.reversed() {
            value = (value << 8) | Number(truncatingIfNeeded: byte)
        }
        return value
    }

    private mutating func text(_ count: Int) throws(CgroupError) -> String {
        let text = String(decoding: try take(count), as: UTF8.self)
        guard try take(1).first == 0 else { throw Self.malformed("a string has no end") }
        return text
    }

    /// Reads one value of each type in `signature`.
    mutating func values(_ signature: String) throws(CgroupError) -> [DBusValue] {
        let types = Array(signature.utf8)
        var at = 0
        var values: [DBusValue] = []
        while at < types.count { values.append(try value(types, &at, depth: 0)) }
        return values
    }

    private mutating func value(_ types: [UInt8], _ at: inout Int, depth: Int) throws(CgroupError) -> DBusValue {
        guard depth < 64, at < types.count else { throw Self.malformed("a signature has no end") }
        let type = types[at]
        at += 1
        switch type {
        case UInt8(ascii: "y"): return .byte(try take(1).first ?? 0)
        case UInt8(ascii: "b"): return .boolean(try number(UInt32.self) != 0)
        case UInt8(ascii: "n"): return .int32(Int32(try number(Int16.self)))
        case UInt8(ascii: "q"): return .uint32(UInt32(try number(UInt16.self)))
        case UInt8(ascii: "i"): return .int32(try number(Int32.self))
        case UInt8(ascii: "u"), UInt8(ascii: "h"): return .uint32(try number(UInt32.self))
        case UInt8(ascii: "x"): return .int64(try number(Int64.self))
        case UInt8(ascii: "t"): return .uint64(try number(UInt64.self))
        case UInt8(ascii: "d"): return .double(Double(bitPattern: try number(UInt64.self)))
        case UInt8(ascii: "s"): return .string(try text(Int(try number(UInt32.self))))
        case UInt8(ascii: "o"): return .objectPath(try text(Int(try number(UInt32.self))))
        case UInt8(ascii: "g"): return .signature(try text(Int(try take(1).first ?? 0)))
        case UInt8(ascii: "v"):
            let inner = Array(try text(Int(try take(1).first ?? 0)).utf8)
            var start = 0
            let value = try value(inner, &start, depth: depth + 1)
            guard start == inner.count else { throw Self.malformed("a variant holds more than one value") }
            return .variant(value)
        case UInt8(ascii: "a"): return try array(types, &at, depth: depth)
        case UInt8(ascii: "("), UInt8(ascii: "{"):
            try align(8)
            let end = type == UInt8(ascii: "(") ? UInt8(ascii: ")") : UInt8(ascii: "}")
            var members: [DBusValue] = []
            while at < types.count, types[at] != end { members.append(try value(types, &at, depth: depth + 1)) }
            guard at < types.count, !members.isEmpty else { throw Self.malformed("a signature has no end") }
            at += 1
            if end == UInt8(ascii: ")") { return .structure(members) }
            guard members.count == 2 else { throw Self.malformed("a dictionary entry is no pair") }
            return .dictionaryEntry(members[0], members[1])
        default: throw Self.malformed("a type is called \(Character(UnicodeScalar(type)))")
        }
    }

    private mutating func array(_ types: [UInt8], _ at: inout Int, depth: Int) throws(CgroupError) -> DBusValue {
        let start = at
        try skipType(types, &at, depth: depth + 1)
        let element = types[start..<at]
        let length = Int(try number(UInt32.self))
        try align(DBusValue.alignment(element.first ?? 0))
        guard length <= bytes.endIndex - position else { throw Self.malformed("an array is longer than the message") }
        let end = position + length
        var values: [DBusValue] = []
        while position < end {
            var inner = start
            let before = position
            values.append(try value(types, &inner, depth: depth + 1))
            guard position > before else { throw Self.malformed("an array's elements are empty") }
        }
        guard position == end else { throw Self.malformed("an array's length is wrong") }
        return .array(of: String(decoding: element, as: UTF8.self), values)
    }

    private func skipType(_ types: [UInt8], _ at: inout Int, depth: Int) throws(CgroupError) {
        guard depth < 64, at < types.count else { throw Self.malformed("a signature has no end") }
        let type = types[at]
        at += 1
        if type == UInt8(ascii: "a") { try skipType(types, &at, depth: depth + 1) }
        if type == UInt8(ascii: "(") || type == UInt8(ascii: "{") {
            let end = type == UInt8(ascii: "(") ? UInt8(ascii: ")") : UInt8(ascii: "}")
            while at < types.count, types[at] != end { try skipType(types, &at, depth: depth + 1) }
            guard at < types.count else { throw Self.malformed("a signature has no end") }
            at += 1
        }
    }
}
