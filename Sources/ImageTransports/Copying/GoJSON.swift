import JSON

/// JSON as Go's encoder writes it, where the bytes count.
enum GoJSON {
    /// A struct: members in their order.
    static let compact = JSONFormat(escapesHTML: true)
    /// A map: members by name.
    static let sorted = JSONFormat(sortsMembers: true, escapesHTML: true)

    static func text(_ text: String) -> [UInt8] { JSONValue.string(text).bytes(compact) }

    /// A map of values that are JSON already.
    static func map(_ members: [String: [UInt8]]) -> [UInt8] {
        var output = Array("{".utf8)
        for (name, value) in members.sorted(by: { $0.key < $1.key }) {
            if output.count > 1 { output.append(UInt8(ascii: ",")) }
            output += text(name)
            output.append(UInt8(ascii: ":"))
            output += value
        }
        output.append(UInt8(ascii: "}"))
        return output
    }

    /// The members of an object, each as it is written but for white space and what Go escapes, as `json.RawMessage`
    /// keeps them: a number keeps its digits, a text its escapes.
    /// - Throws: `TransportError.invalidImage`.
    static func members(of bytes: [UInt8], in what: String) throws(TransportError) -> [String: [UInt8]] {
        guard let value = try? JSONValue(parsing: bytes), value.object != nil else {
            throw TransportError(.invalidImage, "\(what) is no JSON object")
        }
        // What follows relies on the text being well formed, which it is.
        var scanner = Scanner(bytes: compacted(bytes))
        return scanner.members()
    }

    /// Without white space between tokens, and with what HTML minds escaped.
    private static func compacted(_ bytes: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count)
        let digits = Array("0123456789abcdef".utf8)
        var isInText = false
        var isEscaped = false
        for byte in bytes {
            if isInText {
                switch byte {
                case UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "&"):
                    output += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
                case 0xA8 where output.suffix(2) == [0xE2, 0x80], 0xA9 where output.suffix(2) == [0xE2, 0x80]:
                    output.removeLast(2)
                    output += Array("\\u202".utf8) + [digits[Int(byte & 15)]]
                default: output.append(byte)
                }
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInText = false
                }
            } else if ![0x20, 0x09, 0x0A, 0x0D].contains(byte) {
                output.append(byte)
                isInText = byte == UInt8(ascii: "\"")
            }
        }
        return output
    }

    /// Walks over a compact object that is well formed.
    private struct Scanner {
        let bytes: [UInt8]
        var at = 1

        init(bytes: [UInt8]) { self.bytes = bytes }

        mutating func members() -> [String: [UInt8]] {
            var result: [String: [UInt8]] = [:]
            while at < bytes.count, bytes[at] != UInt8(ascii: "}") {
                let name = (try? JSONValue(parsing: value()))?.string ?? ""
                at += 1
                result[name] = value()
                if at < bytes.count, bytes[at] == UInt8(ascii: ",") { at += 1 }
            }
            return result
        }

        /// The value that begins here, up to the comma, colon or bracket behind it.
        private mutating func value() -> [UInt8] {
            let start = at
            var depth = 0
            while at < bytes.count {
                switch bytes[at] {
                case UInt8(ascii: "\""): skipText()
                case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
                case UInt8(ascii: "}"), UInt8(ascii: "]"):
                    if depth == 0 { return Array(bytes[start..<at]) }
                    depth -= 1
                case UInt8(ascii: ","), UInt8(ascii: ":"):
                    if depth == 0 { return Array(bytes[start..<at]) }
                default: break
                }
                at += 1
            }
            return Array(bytes[start...])
        }

        /// To the closing quote.
        private mutating func skipText() {
            at += 1
            while at < bytes.count, bytes[at] != UInt8(ascii: "\"") {
                at += bytes[at] == UInt8(ascii: "\\") ? 2 : 1
            }
        }
    }
}
