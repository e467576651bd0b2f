#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Writes a value as JSON, byte for byte as Nix does.
struct JSONText {
    private let evaluator: Evaluator
    private(set) var bytes: [UInt8] = []
    /// What the strings written owe to the store.
    private(set) var context = Context.none
    private let copiesToStore: Bool

    init(_ evaluator: Evaluator, copiesToStore: Bool = true) {
        self.evaluator = evaluator
        self.copiesToStore = copiesToStore
    }

    mutating func write(_ reference: ValueRef) throws { try write(reference, .none, copiesToStore) }

    private mutating func write(_ reference: ValueRef, _ position: Position, _ copies: Bool) throws {
        try deeper(position) { json in
            try json.write(content: try json.evaluator.force(reference, position), position, copies)
        }
    }

    private mutating func deeper(_ position: Position, _ body: (inout JSONText) throws -> Void) throws {
        if evaluator.callDepth > evaluator.callDepthLimit { throw evaluator.callDepthExceeded(position) }
        try evaluator.checkStack(position)
        evaluator.callDepth += 1
        defer { evaluator.callDepth -= 1 }
        try body(&self)
    }

    private mutating func write(content value: Value, _ position: Position, _ copies: Bool) throws {
        switch value.tag {
        case .integer: bytes.append(contentsOf: String(value.integer).utf8)
        case .float: bytes.append(contentsOf: Self.number(value.float).utf8)
        case .boolean: bytes.append(contentsOf: (value.boolean ? "true" : "false").utf8)
        case .null: bytes.append(contentsOf: "null".utf8)
        case .string:
            context = evaluator.contexts.union(context, value.context)
            try Self.write(string: value.text.bytes, to: &bytes)
        case .path:
            let text = try evaluator.coerce(
                value, copies ? .interpolation : .plain, position, context: &context, "")
            try Self.write(string: text.bytes, to: &bytes)
        case .attributes:
            var inner = self
            inner.bytes = []
            swap(&inner.bytes, &bytes)
            try evaluator.peel(value, position, checksResult: true) { peeled, isFromToString in
                guard peeled.tag == .attributes else {
                    // What `__toString` gives stays where it is.
                    return try inner.deeper(position) { json in
                        try json.write(content: peeled, position, copies && !isFromToString)
                    }
                }
                try inner.write(object: peeled.attributes, copies)
            }
            self = inner
        case .list:
            bytes.append(UInt8(ascii: "["))
            for (index, element) in value.list.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                do { try write(element, position, copies) } catch {
                    throw evaluator.traced(error, position, "while evaluating list element at index \(index)")
                }
            }
            bytes.append(UInt8(ascii: "]"))
        default:
            throw EvaluationError(
                .type, "cannot convert \(value.kindDescription) to JSON",
                at: evaluator.position(of: value, else: position))
        }
    }

    private mutating func write(object: Attributes, _ copies: Bool) throws {
        bytes.append(UInt8(ascii: "{"))
        for (index, attribute) in object.sorted(by: evaluator.symbols).enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            try Self.write(string: evaluator.symbols.text(attribute.name).bytes, to: &bytes)
            bytes.append(UInt8(ascii: ":"))
            do { try write(attribute.value, attribute.position, copies) } catch {
                throw evaluator.traced(
                    error, attribute.position,
                    "while evaluating attribute '\(Literal.identifier(evaluator.symbols.text(attribute.name)))'")
            }
        }
        bytes.append(UInt8(ascii: "}"))
    }

    // MARK: Pieces

    /// An object of members that are JSON already, in the order given.
    static func object(_ members: [(name: Text, json: [UInt8])]) -> [UInt8] {
        var bytes: [UInt8] = [UInt8(ascii: "{")]
        for (index, member) in members.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            try? write(string: member.name.bytes, to: &bytes)
            bytes.append(UInt8(ascii: ":"))
            bytes.append(contentsOf: member.json)
        }
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    /// - Throws: when the bytes are no UTF-8, which JSON cannot hold.
    static func write(string: UnsafeBufferPointer<UInt8>, to bytes: inout [UInt8]) throws {
        bytes.append(UInt8(ascii: "\""))
        var isASCII = true
        for byte in string {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(contentsOf: [UInt8(ascii: "\\"), byte])
            case 0x08: bytes.append(contentsOf: "\\b".utf8)
            case 0x09: bytes.append(contentsOf: "\\t".utf8)
            case 0x0A: bytes.append(contentsOf: "\\n".utf8)
            case 0x0C: bytes.append(contentsOf: "\\f".utf8)
            case 0x0D: bytes.append(contentsOf: "\\r".utf8)
            case 0..<0x20:
                bytes.append(contentsOf: (byte < 16 ? "\\u000" : "\\u00").utf8)
                bytes.append(contentsOf: String(byte, radix: 16).utf8)
            default:
                if byte >= 0x80 { isASCII = false }
                bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
        if !isASCII, let index = firstInvalid(string) {
            let digits = String(string[index], radix: 16, uppercase: true)
            throw EvaluationError(
                .evaluation,
                "JSON serialization error: [json.exception.type_error.316] invalid UTF-8 byte at index \(index): 0x\(digits.count == 1 ? "0" : "")\(digits)"
            )
        }
    }

    /// Where a text stops being UTF-8.
    private static func firstInvalid(_ bytes: UnsafeBufferPointer<UInt8>) -> Int? {
        if String(validating: bytes, as: UTF8.self) != nil { return nil }
        var at = 0
        while at < bytes.count {
            let length = [1, 2, 3, 4].first { length in
                at + length <= bytes.count && String(validating: bytes[at..<at + length], as: UTF8.self) != nil
            }
            guard let length else { return at }
            at += length
        }
        return nil
    }

    /// The shortest digits that give the number again, as the JSON library that Nix uses writes them.
    static func number(_ value: Double) -> String {
        guard value.isFinite else { return "null" }
        if value == 0 { return value.sign == .minus ? "-0.0" : "0.0" }
        // Digits and exponent from Swift's shortest form.
        let text = "\(abs(value))"
        var digits = ""
        var exponent = 0
        var mantissa = Substring(text)
        if let e = text.firstIndex(of: "e") {
            exponent = Int(text[text.index(after: e)...]) ?? 0
            mantissa = text[..<e]
        }
        let parts = mantissa.split(separator: ".", omittingEmptySubsequences: false)
        digits = String(parts[0])
        if parts.count > 1, parts[1] != "0" {
            digits += parts[1]
            exponent -= parts[1].count
        }
        let leading = digits.prefix { $0 == "0" }.count
        digits = String(digits.dropFirst(leading))
        while digits.count > 1, digits.last == "0" {
            digits.removeLast()
            exponent += 1
        }
        let sign = value < 0 ? "-" : ""
        // n: where the point is, counted from the first digit.
        let (k, n) = (digits.count, digits.count + exponent)
        if k <= n, n <= 15 { return sign + digits + String(repeating: "0", count: n - k) + ".0" }
        if 0 < n, n <= 15 { return sign + digits.prefix(n) + "." + digits.dropFirst(n) }
        if -4 < n, n <= 0 { return sign + "0." + String(repeating: "0", count: -n) + digits }
        let power = n - 1
        let powerText = (power < 0 ? "-" : "+") + (abs(power) < 10 ? "0" : "") + String(abs(power))
        if k == 1 { return sign + digits + "e" + powerText }
        return sign + digits.prefix(1) + "." + digits.dropFirst(1) + "e" + powerText
    }
}
