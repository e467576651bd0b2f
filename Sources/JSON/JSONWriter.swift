/// How a JSON value is written.
public struct JSONFormat: Sendable {
    /// The white space of one level, or `nil` for one line.
    public var indent: String?
    /// Whether members are sorted by name, for output that must not depend on where a value came from.
    public var sortsMembers: Bool
    /// Whether `<`, `>`, `&`, U+2028 and U+2029 are escaped, as Go's encoder does unless told otherwise.
    public var escapesHTML: Bool

    public init(indent: String? = nil, sortsMembers: Bool = false, escapesHTML: Bool = false) {
        self.indent = indent
        self.sortsMembers = sortsMembers
        self.escapesHTML = escapesHTML
    }

    public static let compact = JSONFormat()
    /// Four spaces, as Docker prints.
    public static let pretty = JSONFormat(indent: "    ")
    /// As Go's `json.Marshal` writes a map.
    public static let canonical = JSONFormat(sortsMembers: true)
}

extension JSONValue {
    /// The text of this value.
    public func serialized(_ format: JSONFormat = .compact) -> String {
        String(decoding: bytes(format), as: UTF8.self)
    }

    /// The text of this value in UTF-8.
    public func bytes(_ format: JSONFormat = .compact) -> [UInt8] {
        var output: [UInt8] = []
        write(to: &output, format: format, level: 0)
        return output
    }

    /// Appends `text` as a quoted JSON string.
    public static func write(
        string text: some Sequence<UInt8>, escapesHTML: Bool = false, to output: inout [UInt8]
    ) {
        output.append(UInt8(ascii: "\""))
        var tail: (UInt8, UInt8) = (0, 0)
        for byte in text {
            switch byte {
            case UInt8(ascii: "\""): output.append(contentsOf: [0x5C, 0x22])
            case UInt8(ascii: "\\"): output.append(contentsOf: [0x5C, 0x5C])
            case 0x0A: output.append(contentsOf: [0x5C, UInt8(ascii: "n")])
            case 0x0D: output.append(contentsOf: [0x5C, UInt8(ascii: "r")])
            case 0x09: output.append(contentsOf: [0x5C, UInt8(ascii: "t")])
            case 0..<0x20: appendEscape(byte, to: &output)
            case UInt8(ascii: "<") where escapesHTML, UInt8(ascii: ">") where escapesHTML,
                UInt8(ascii: "&") where escapesHTML:
                appendEscape(byte, to: &output)
            case 0xA8 where escapesHTML && tail == (0xE2, 0x80), 0xA9 where escapesHTML && tail == (0xE2, 0x80):
                output.removeLast(2)
                output.append(contentsOf: Array("\\u202\(byte == 0xA8 ? "8" : "9")".utf8))
            default: output.append(byte)
            }
            tail = (tail.1, byte)
        }
        output.append(UInt8(ascii: "\""))
    }

    private static func appendEscape(_ byte: UInt8, to output: inout [UInt8]) {
        let digits = Array("0123456789abcdef".utf8)
        output.append(contentsOf: [0x5C, UInt8(ascii: "u"), UInt8(ascii: "0"), UInt8(ascii: "0")])
        output.append(digits[Int(byte >> 4)])
        output.append(digits[Int(byte & 15)])
    }

    func write(to output: inout [UInt8], format: JSONFormat, level: Int) {
        switch self {
        case .null: output.append(contentsOf: "null".utf8)
        case .bool(let value): output.append(contentsOf: (value ? "true" : "false").utf8)
        case .integer(let value): output.append(contentsOf: String(value).utf8)
        case .unsigned(let value): output.append(contentsOf: String(value).utf8)
        case .number(let value): output.append(contentsOf: Self.text(of: value).utf8)
        case .string(let value): Self.write(string: value.utf8, escapesHTML: format.escapesHTML, to: &output)
        case .array(let elements):
            Self.writeList(elements, brackets: ("[", "]"), to: &output, format: format, level: level) {
                element, output in
                element.write(to: &output, format: format, level: level + 1)
            }
        case .object(let object):
            let members = format.sortsMembers ? object.members.sorted { $0.name < $1.name } : object.members
            Self.writeList(members, brackets: ("{", "}"), to: &output, format: format, level: level) {
                member, output in
                Self.write(string: member.name.utf8, escapesHTML: format.escapesHTML, to: &output)
                output.append(UInt8(ascii: ":"))
                if format.indent != nil { output.append(0x20) }
                member.value.write(to: &output, format: format, level: level + 1)
            }
        }
    }

    private static func writeList<Element>(
        _ elements: [Element], brackets: (Unicode.Scalar, Unicode.Scalar), to output: inout [UInt8],
        format: JSONFormat, level: Int, each: (Element, inout [UInt8]) -> Void
    ) {
        func newLine(_ level: Int) {
            guard let indent = format.indent else { return }
            output.append(0x0A)
            for _ in 0..<level { output.append(contentsOf: indent.utf8) }
        }
        output.append(UInt8(ascii: brackets.0))
        var isFirst = true
        for element in elements {
            if !isFirst { output.append(UInt8(ascii: ",")) }
            isFirst = false
            newLine(level + 1)
            each(element, &output)
        }
        if !isFirst { newLine(level) }
        output.append(UInt8(ascii: brackets.1))
    }

    /// A number as Go writes it: no fraction when there is none, an exponent only outside 1e-6 ..< 1e21.
    private static func text(of value: Double) -> String {
        guard value.isFinite else { return "null" }
        if let whole = Int64(exactly: value), abs(value) < 1e15 { return String(whole) }
        return "\(value)"
    }
}
