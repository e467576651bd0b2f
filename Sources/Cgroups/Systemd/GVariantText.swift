/// The text form of GVariant, as `org.systemd.property.*` annotations have it: `true`, `'text'`, `uint64 5`, `[1, 2]`.
enum GVariantText {
    static func parse(_ text: String, of name: String) throws(CgroupError) -> DBusValue {
        var rest = text[...]
        let value = parseValue(&rest, depth: 0)
        skipSpace(&rest)
        guard let value, rest.isEmpty else {
            throw CgroupError(
                .systemd,
                "the systemd property \(name) has the value \(text), which is no GVariant such as 'text' or uint64 5")
        }
        return value
    }

    private static func skipSpace(_ rest: inout Substring) { rest = rest.drop { $0 == " " || $0 == "\t" } }

    private static func parseValue(_ rest: inout Substring, depth: Int) -> DBusValue? {
        skipSpace(&rest)
        guard let first = rest.first, depth < 8 else { return nil }
        if first == "'" || first == "\"" { return parseString(&rest, quote: first).map { .string($0) } }
        if first == "[" { return parseArray(&rest, depth: depth) }
        let word = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || "+-.".contains($0)) }
        rest = rest.dropFirst(word.count)
        switch word {
        case "true": return .boolean(true)
        case "false": return .boolean(false)
        case "byte", "int32", "uint32", "int64", "uint64", "double":
            skipSpace(&rest)
            let number = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || "+-.".contains($0)) }
            rest = rest.dropFirst(number.count)
            switch word {
            case "byte": return UInt8(number).map { .byte($0) }
            case "int32": return Int32(number).map { .int32($0) }
            case "uint32": return UInt32(number).map { .uint32($0) }
            case "int64": return Int64(number).map { .int64($0) }
            case "uint64": return UInt64(number).map { .uint64($0) }
            default: return Double(number).map { .double($0) }
            }
        default:
            if let number = Int32(word) { return .int32(number) }
            return word.contains(".") ? Double(word).map { .double($0) } : nil
        }
    }

    private static func parseString(_ rest: inout Substring, quote: Character) -> String? {
        rest = rest.dropFirst()
        var result = ""
        while let character = rest.popFirst() {
            if character == quote { return result }
            guard character == "\\" else {
                result.append(character)
                continue
            }
            guard let escaped = rest.popFirst() else { return nil }
            switch escaped {
            case "n": result.append("\n")
            case "t": result.append("\t")
            default: result.append(escaped)
            }
        }
        return nil
    }

    private static func parseArray(_ rest: inout Substring, depth: Int) -> DBusValue? {
        rest = rest.dropFirst()
        var values: [DBusValue] = []
        while true {
            skipSpace(&rest)
            if rest.first == "]" {
                rest = rest.dropFirst()
                // An empty array of an unknown type: strings are what systemd has most.
                return .array(of: values.first?.signature ?? "s", values)
            }
            if !values.isEmpty {
                guard rest.first == "," else { return nil }
                rest = rest.dropFirst()
            }
            guard let value = parseValue(&rest, depth: depth + 1),
                values.isEmpty || value.signature == values[0].signature
            else { return nil }
            values.append(value)
        }
    }
}
