extension JSONValue {
    /// Parses a whole document.
    /// - Parameter depthLimit: how deep arrays and objects may nest; hostile input must not exhaust the stack.
    /// - Throws: `JSONError` with the offset of the first byte that is wrong.
    public init(parsing text: String, depthLimit: Int = 512) throws(JSONError) {
        self = try Self(parsing: Array(text.utf8), depthLimit: depthLimit)
    }

    /// Parses a whole document in UTF-8.
    public init(parsing bytes: [UInt8], depthLimit: Int = 512) throws(JSONError) {
        var result: Result<JSONValue, JSONError> = .success(.null)
        bytes.withUnsafeBufferPointer { buffer in
            var parser = JSONParser(bytes: buffer, depthLimit: depthLimit)
            do throws(JSONError) { result = .success(try parser.document()) } catch { result = .failure(error) }
        }
        self = try result.get()
    }

    /// Parses the first document in `bytes` and tells how many bytes it took, for streams of documents.
    /// - Returns: `nil` when only white space is left.
    public static func parsePrefix(
        _ bytes: UnsafeBufferPointer<UInt8>, depthLimit: Int = 512
    ) throws(JSONError) -> (value: JSONValue, consumed: Int)? {
        var parser = JSONParser(bytes: bytes, depthLimit: depthLimit)
        parser.skipWhitespace()
        guard parser.at < bytes.count else { return nil }
        let value = try parser.value(depth: 0)
        return (value, parser.at)
    }
}

/// A recursive-descent parser over UTF-8 bytes.
struct JSONParser {
    let bytes: UnsafeBufferPointer<UInt8>
    let depthLimit: Int
    var at = 0

    func fail(_ reason: String) -> JSONError { JSONError(code: .syntax(offset: at), reason: reason) }

    mutating func document() throws(JSONError) -> JSONValue {
        if bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF { at = 3 }
        skipWhitespace()
        let result = try value(depth: 0)
        skipWhitespace()
        guard at == bytes.count else { throw fail("text after the end of the document") }
        return result
    }

    mutating func skipWhitespace() {
        while at < bytes.count, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[at]) { at += 1 }
    }

    mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        guard depth < depthLimit else { throw fail("nested deeper than \(depthLimit) levels") }
        guard at < bytes.count else { throw fail("the document ends here") }
        switch bytes[at] {
        case UInt8(ascii: "{"): return .object(try object(depth: depth))
        case UInt8(ascii: "["): return .array(try array(depth: depth))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: throw fail("unexpected character")
        }
    }

    private mutating func literal(_ word: StaticString, _ result: JSONValue) throws(JSONError) -> JSONValue {
        let length = word.utf8CodeUnitCount
        guard at + length <= bytes.count else { throw fail("unexpected character") }
        for offset in 0..<length where bytes[at + offset] != word.utf8Start[offset] {
            throw fail("unexpected character")
        }
        at += length
        return result
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONObject {
        var object = JSONObject()
        at += 1
        skipWhitespace()
        if at < bytes.count, bytes[at] == UInt8(ascii: "}") {
            at += 1
            return object
        }
        while true {
            skipWhitespace()
            guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else { throw fail("expected a member name") }
            let name = try string()
            skipWhitespace()
            guard at < bytes.count, bytes[at] == UInt8(ascii: ":") else { throw fail("expected ':'") }
            at += 1
            skipWhitespace()
            object[name] = try value(depth: depth + 1)
            skipWhitespace()
            guard at < bytes.count else { throw fail("the object does not end") }
            let separator = bytes[at]
            at += 1
            if separator == UInt8(ascii: "}") { return object }
            guard separator == UInt8(ascii: ",") else {
                at -= 1
                throw fail("expected ',' or '}'")
            }
        }
    }

    private mutating func array(depth: Int) throws(JSONError) -> [JSONValue] {
        var array: [JSONValue] = []
        at += 1
        skipWhitespace()
        if at < bytes.count, bytes[at] == UInt8(ascii: "]") {
            at += 1
            return array
        }
        while true {
            skipWhitespace()
            array.append(try value(depth: depth + 1))
            skipWhitespace()
            guard at < bytes.count else { throw fail("the array does not end") }
            let separator = bytes[at]
            at += 1
            if separator == UInt8(ascii: "]") { return array }
            guard separator == UInt8(ascii: ",") else {
                at -= 1
                throw fail("expected ',' or ']'")
            }
        }
    }

    private mutating func number() throws(JSONError) -> JSONValue {
        let start = at
        func isDigit(_ position: Int) -> Bool {
            position < bytes.count && (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[position])
        }
        if bytes[at] == UInt8(ascii: "-") { at += 1 }
        guard isDigit(at) else { throw fail("expected a digit") }
        if bytes[at] == UInt8(ascii: "0") {
            at += 1
            guard !isDigit(at) else { throw fail("a number must not begin with 0") }
        }
        while isDigit(at) { at += 1 }
        var isInteger = true
        if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
            isInteger = false
            at += 1
            guard isDigit(at) else { throw fail("expected a digit after '.'") }
            while isDigit(at) { at += 1 }
        }
        if at < bytes.count, bytes[at] | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            at += 1
            if at < bytes.count, bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-") { at += 1 }
            guard isDigit(at) else { throw fail("expected a digit in the exponent") }
            while isDigit(at) { at += 1 }
        }
        let text = String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<at]), as: UTF8.self)
        if isInteger {
            if let value = Int64(text) { return .integer(value) }
            if let value = UInt64(text) { return .unsigned(value) }
        }
        guard let value = Double(text), value.isFinite else {
            throw JSONError(code: .syntax(offset: start), reason: "the number \(text.prefix(40)) is out of range")
        }
        return .number(value)
    }

    private mutating func string() throws(JSONError) -> String {
        at += 1
        let start = at
        // Most strings have no escapes: find the end first, and copy once.
        while at < bytes.count, bytes[at] != UInt8(ascii: "\""), bytes[at] != UInt8(ascii: "\\"), bytes[at] >= 0x20 {
            at += 1
        }
        guard at < bytes.count else { throw fail("the string does not end") }
        let plain = UnsafeBufferPointer(rebasing: bytes[start..<at])
        if bytes[at] == UInt8(ascii: "\"") {
            at += 1
            return String(decoding: plain, as: UTF8.self)
        }
        var scratch = Array(plain)
        while true {
            guard at < bytes.count else { throw fail("the string does not end") }
            let byte = bytes[at]
            if byte == UInt8(ascii: "\"") {
                at += 1
                return String(decoding: scratch, as: UTF8.self)
            }
            guard byte >= 0x20 else { throw fail("a control character must be escaped") }
            at += 1
            guard byte == UInt8(ascii: "\\") else {
                scratch.append(byte)
                continue
            }
            guard at < bytes.count else { throw fail("the string does not end") }
            let escape = bytes[at]
            at += 1
            switch escape {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): scratch.append(escape)
            case UInt8(ascii: "b"): scratch.append(0x08)
            case UInt8(ascii: "f"): scratch.append(0x0C)
            case UInt8(ascii: "n"): scratch.append(0x0A)
            case UInt8(ascii: "r"): scratch.append(0x0D)
            case UInt8(ascii: "t"): scratch.append(0x09)
            case UInt8(ascii: "u"):
                scratch.append(contentsOf: Array(String(Character(try unicodeEscape())).utf8))
            default:
                at -= 1
                throw fail("unknown escape")
            }
        }
    }

    /// Reads what follows `\u`; an unpaired surrogate becomes U+FFFD, as in Go.
    private mutating func unicodeEscape() throws(JSONError) -> Unicode.Scalar {
        let replacement: Unicode.Scalar = "\u{FFFD}"
        let first = try hexQuad()
        guard (0xD800..<0xE000).contains(first) else { return Unicode.Scalar(first) ?? replacement }
        guard first < 0xDC00, at + 1 < bytes.count, bytes[at] == UInt8(ascii: "\\"), bytes[at + 1] == UInt8(ascii: "u")
        else { return replacement }
        let mark = at
        at += 2
        let second = try hexQuad()
        guard (0xDC00..<0xE000).contains(second) else {
            at = mark
            return replacement
        }
        return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)) ?? replacement
    }

    private mutating func hexQuad() throws(JSONError) -> UInt32 {
        guard at + 4 <= bytes.count else { throw fail("expected four hexadecimal digits") }
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = Character(Unicode.Scalar(bytes[at])).hexDigitValue else {
                throw fail("expected four hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
            at += 1
        }
        return value
    }
}
