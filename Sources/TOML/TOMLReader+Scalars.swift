// Numbers, Booleans and times.

extension TOMLReader {
    mutating func scalar() throws -> TOMLValue {
        let start = at
        while let byte = peek, Self.isWord(byte) { at += 1 }
        // A date and a time may have a blank between them.
        if at - start == 10, bytes[start + 4] == UInt8(ascii: "-"), peek == 0x20, let next = peek(1),
            Self.isDigit(next)
        {
            at += 1
            while let byte = peek, Self.isWord(byte) { at += 1 }
        }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        switch text {
        case "true": return .boolean(true)
        case "false": return .boolean(false)
        case "inf", "+inf": return .float(.infinity)
        case "-inf": return .float(-.infinity)
        case "nan", "+nan": return .float(.nan)
        case "-nan": return .float(-Double.nan)
        default: break
        }
        if let time = try timestamp(text) { return .timestamp(time) }
        return try number(text)
    }

    func number(_ text: String) throws -> TOMLValue {
        var digits = Substring(text)
        var radix = 10
        if text.hasPrefix("0x") { (radix, digits) = (16, digits.dropFirst(2)) }
        if text.hasPrefix("0o") { (radix, digits) = (8, digits.dropFirst(2)) }
        if text.hasPrefix("0b") { (radix, digits) = (2, digits.dropFirst(2)) }
        // An underscore stands between two digits.
        let all = Array(digits.utf8)
        for (index, byte) in all.enumerated() where byte == UInt8(ascii: "_") {
            func isDigit(_ index: Int) -> Bool {
                all.indices.contains(index) && Character(Unicode.Scalar(all[index])).isHexDigit
            }
            guard isDigit(index - 1), isDigit(index + 1) else { throw fail("bad number '\(text)'") }
        }
        let plain = String(digits.filter { $0 != "_" })
        let isFloat = radix == 10 && plain.contains { ".eE".contains($0) }
        let unsigned = plain.drop { $0 == "+" || $0 == "-" }
        guard let first = unsigned.first, first.isASCII, radix == 10 ? first.isNumber : first.isHexDigit,
            radix == 10 ? plain.count - unsigned.count <= 1 : plain.count == unsigned.count
        else { throw fail("bad value '\(text)'") }
        if !isFloat {
            if radix == 10, unsigned.count > 1, first == "0" { throw fail("bad number '\(text)'") }
            guard unsigned.allSatisfy({ ($0.hexDigitValue ?? radix) < radix }) else {
                throw fail("bad value '\(text)'")
            }
            guard let value = Int64(plain, radix: radix) else {
                throw outOfRange(text, radix)
            }
            return .integer(value)
        }
        let parts = unsigned.split(separator: ".", omittingEmptySubsequences: false)
        let whole = parts[0].prefix { $0.isNumber }
        guard parts.count <= 2, !(whole.count > 1 && whole.first == "0"),
            parts.count == 1 || parts[0].allSatisfy(\.isNumber) && parts[1].first?.isNumber == true,
            unsigned.last?.isNumber == true
        else { throw fail("bad number '\(text)'") }
        guard let value = Double(plain) else { throw fail("bad number '\(text)'") }
        return .float(value)
    }

    /// - Parameter text: the number that has just been read.
    private func outOfRange(_ text: String, _ radix: Int) -> TOMLError {
        let start = bytes.prefix(at).lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        let end = bytes[at...].firstIndex(of: 0x0A) ?? bytes.count
        let error = fail("integer '\(text)' is out of range")
        return TOMLError(
            error.reason, line: error.line,
            range: TOMLRange(
                radix: radix, lineText: String(decoding: bytes[start..<end], as: UTF8.self), column: at - start))
    }

    func timestamp(_ text: String) throws -> String? {
        let all = Array(text.utf8)
        func digits(_ start: Int, _ count: Int) -> Int? {
            guard start + count <= all.count, all[start..<start + count].allSatisfy(Self.isDigit) else { return nil }
            return Int(String(decoding: all[start..<start + count], as: UTF8.self))
        }
        func has(_ index: Int, _ byte: Unicode.Scalar) -> Bool { index < all.count && all[index] == UInt8(ascii: byte) }
        let isDate = digits(0, 4) != nil && has(4, "-")
        let isTime = digits(0, 2) != nil && has(2, ":")
        guard isDate || isTime else { return nil }
        var normal = text
        var time = 0
        if isDate {
            guard let month = digits(5, 2), (1...12).contains(month), has(7, "-"), let day = digits(8, 2),
                (1...31).contains(day)
            else { throw fail("bad date '\(text)'") }
            if all.count > 10 {
                guard "Tt ".utf8.contains(all[10]) else { throw fail("bad date '\(text)'") }
                normal = String(text.prefix(10)) + "T" + text.dropFirst(11)
                time = 11
            }
        }
        if !isDate || all.count > 10 {
            guard let hour = digits(time, 2), hour < 24, has(time + 2, ":"), let minute = digits(time + 3, 2),
                minute < 60, has(time + 5, ":"), let second = digits(time + 6, 2), second <= 60
            else { throw fail("bad time '\(text)'") }
            normal = Self.normalizeFraction(normal, from: time + 8)
        }
        return normal
    }

    /// Fractions of a second have three, six or nine digits.
    private static func normalizeFraction(_ text: String, from offset: Int) -> String {
        let head = text.prefix(offset)
        var rest = text.dropFirst(offset)
        var fraction = ""
        if rest.first == "." {
            rest = rest.dropFirst()
            fraction = String(rest.prefix { $0.isNumber })
            rest = rest.dropFirst(fraction.count)
            fraction = String(fraction.prefix(9))
            while !fraction.count.isMultiple(of: 3) { fraction += "0" }
            while fraction.hasSuffix("000") { fraction.removeLast(3) }
        }
        let zone = rest.first == "z" ? "Z" : String(rest)
        return head + (fraction.isEmpty ? "" : "." + fraction) + zone
    }
}
