/// One way of proving who we are that a registry offers in `WWW-Authenticate` (RFC 9110, 11.6.1).
struct Challenge: Sendable, Equatable {
    /// In lower case: `basic`, `bearer`.
    var scheme: String
    /// By names in lower case.
    var parameters: [String: String]

    /// All challenges in the values of the header, which may each hold several.
    static func parse(_ headers: [String]) -> [Challenge] { headers.flatMap { Parser(text: Array($0.utf8)).all() } }

    private struct Parser {
        let text: [UInt8]
        var at = 0

        init(text: [UInt8]) { self.text = text }

        func all() -> [Challenge] {
            var parser = self
            var challenges: [Challenge] = []
            while let word = parser.token() {
                parser.skipSpaces()
                // `name=value` belongs to the challenge before; anything else begins one.
                if parser.take("="), !challenges.isEmpty {
                    parser.skipSpaces()
                    challenges[challenges.count - 1].parameters[word.lowercased()] = parser.value()
                } else {
                    challenges.append(Challenge(scheme: word.lowercased(), parameters: [:]))
                }
                parser.skipSeparators()
            }
            return challenges
        }

        mutating func token() -> String? {
            let start = at
            while at < text.count, Self.isToken(text[at]) { at += 1 }
            return at > start ? String(decoding: text[start..<at], as: UTF8.self) : nil
        }

        mutating func value() -> String {
            guard take("\"") else { return token() ?? "" }
            var value: [UInt8] = []
            while at < text.count, text[at] != UInt8(ascii: "\"") {
                if text[at] == UInt8(ascii: "\\"), at + 1 < text.count { at += 1 }
                value.append(text[at])
                at += 1
            }
            at += 1
            return String(decoding: value, as: UTF8.self)
        }

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard at < text.count, text[at] == UInt8(ascii: character) else { return false }
            at += 1
            return true
        }

        mutating func skipSpaces() { while at < text.count, text[at] == 0x20 || text[at] == 0x09 { at += 1 } }

        mutating func skipSeparators() {
            while at < text.count, text[at] == 0x20 || text[at] == 0x09 || text[at] == UInt8(ascii: ",") { at += 1 }
        }

        /// RFC 9110's `tchar`, and what is allowed in a token68 besides.
        static func isToken(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "!#$%&'*+-.^_`|~/:".utf8.contains(byte)
            }
        }
    }
}
