import JSON

/// Go's `Printf`, for the values that templates have.
enum TemplatePrintf {
    static func format(_ format: String, _ arguments: [JSONValue]) throws(TemplateError) -> String {
        var result = ""
        var rest = format[...]
        var next = 0
        while let character = rest.popFirst() {
            guard character == "%" else {
                result.append(character)
                continue
            }
            var spec = Spec()
            flags: while let flag = rest.first {
                switch flag {
                case "-": spec.alignsLeft = true
                case "+": spec.showsPlus = true
                case "#": spec.isAlternate = true
                case "0": spec.padsZero = true
                case " ": spec.hasBlank = true
                default: break flags
                }
                rest.removeFirst()
            }
            func number() -> Int? {
                if rest.first == "*" {
                    rest.removeFirst()
                    defer { next += 1 }
                    return next < arguments.count ? arguments[next].integer.map { Int(clamping: $0) } : nil
                }
                let digits = rest.prefix { $0.isASCII && $0.isNumber }
                rest = rest.dropFirst(digits.count)
                return Int(digits)
            }
            // A width is bounded, as it is in Go, so that a format cannot ask for gigabytes.
            let width = number() ?? 0
            if width < 0 { spec.alignsLeft = true }
            spec.width = Int(min(width.magnitude, 1_000_000))
            if rest.first == "." {
                rest.removeFirst()
                let precision = number() ?? 0
                if precision < 0 { result += "%!(BADPREC)" } else { spec.precision = min(precision, 1_000_000) }
            }
            guard let verb = rest.popFirst() else {
                result += "%!(NOVERB)"
                break
            }
            if verb == "%" {
                result += "%"
                continue
            }
            guard next < arguments.count else {
                result += "%!\(verb)(MISSING)"
                continue
            }
            result += padded(converted(arguments[next], verb, spec), spec, verb)
            guard result.utf8.count <= TemplateFunctions.textLimit else { throw TemplateFunctions.tooLong }
            next += 1
        }
        if next < arguments.count {
            let extra = arguments[next...].map {
                "\(TemplateFunctions.typeName($0))=\(TemplateFunctions.plain($0))"
            }
            result += "%!(EXTRA \(extra.joined(separator: ", ")))"
        }
        return result
    }

    private struct Spec {
        var alignsLeft = false
        var showsPlus = false
        var isAlternate = false
        var padsZero = false
        var hasBlank = false
        var width = 0
        var precision: Int?
    }

    private static func padded(_ text: String, _ spec: Spec, _ verb: Character) -> String {
        let missing = spec.width - text.unicodeScalars.count
        guard missing > 0 else { return text }
        if spec.alignsLeft { return text + String(repeating: " ", count: missing) }
        guard spec.padsZero else { return String(repeating: " ", count: missing) + text }
        let sign = text.hasPrefix("-") || text.hasPrefix("+") ? text.prefix(1) : ""
        return sign + String(repeating: "0", count: missing) + text.dropFirst(sign.count)
    }

    private static func converted(_ value: JSONValue, _ verb: Character, _ spec: Spec) -> String {
        func wrong() -> String {
            value.isNull
                ? "%!\(verb)(<nil>)"
                : "%!\(verb)(\(TemplateFunctions.typeName(value))=\(TemplateFunctions.plain(value)))"
        }
        func signed(_ text: String) -> String {
            text.hasPrefix("-") ? text : (spec.showsPlus ? "+" : spec.hasBlank ? " " : "") + text
        }
        switch (verb, value) {
        case ("v", .string(let text)): return spec.precision.map { String(text.prefix($0)) } ?? text
        case ("v", .integer(let number)): return signed(String(number))
        case ("v", _): return TemplateFunctions.plain(value)
        case ("T", _): return TemplateFunctions.typeName(value)
        case ("t", .bool(let value)): return value ? "true" : "false"
        case ("s", .string(let text)): return spec.precision.map { String(text.prefix($0)) } ?? text
        case ("q", .string(let text)): return goQuoted(text)
        case ("x", .string(let text)), ("X", .string(let text)):
            return text.utf8.map { byte in
                let hex = String(byte, radix: 16, uppercase: verb == "X")
                return hex.count < 2 ? "0" + hex : hex
            }.joined()
        case ("s", .array(let values)), ("q", .array(let values)), ("d", .array(let values)):
            return "[" + values.map { converted($0, verb, spec) }.joined(separator: " ") + "]"
        case ("s", .object(let object)), ("q", .object(let object)):
            let members = object.members.sorted { $0.name < $1.name }
            return "map["
                + members.map { converted(.string($0.name), verb, spec) + ":" + converted($0.value, verb, spec) }
                .joined(separator: " ") + "]"
        case ("d", .integer(let number)): return signed(String(number))
        case ("d", .unsigned(let number)): return signed(String(number))
        case ("x", .integer(let number)): return (spec.isAlternate ? "0x" : "") + String(number, radix: 16)
        case ("X", .integer(let number)):
            return (spec.isAlternate ? "0X" : "") + String(number, radix: 16, uppercase: true)
        case ("o", .integer(let number)): return (spec.isAlternate ? "0" : "") + String(number, radix: 8)
        case ("b", .integer(let number)): return String(number, radix: 2)
        case ("c", .integer(let number)):
            return UInt32(exactly: number).flatMap(Unicode.Scalar.init).map(String.init) ?? "\u{FFFD}"
        case ("f", .number(let number)), ("F", .number(let number)):
            return signed(formatted("%.\(spec.precision ?? 6)f", number))
        case ("e", .number(let number)): return signed(formatted("%.\(spec.precision ?? 6)e", number))
        case ("g", .number(let number)):
            return signed(spec.precision.map { formatted("%.\($0)g", number) } ?? goFormat(number))
        default: return wrong()
        }
    }
}
