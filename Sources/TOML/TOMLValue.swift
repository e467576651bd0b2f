/// A value of a TOML text. Strings are bytes: TOML wants UTF-8, and who reads it decides what to do with anything else.
public indirect enum TOMLValue: Sendable {
    case string([UInt8])
    case integer(Int64)
    case float(Double)
    case boolean(Bool)
    /// A date, a time or both, as it was written but for a `T` between them and fractions of three, six or nine digits.
    case timestamp(String)
    case array([TOMLValue])
    case table(TOMLTable)
}

/// A table of a TOML text, in the order in which its keys were first named.
public struct TOMLTable: Sendable {
    public struct Entry: Sendable {
        public let name: [UInt8]
        /// Where the key is, from 1.
        public let line: Int
        public let value: TOMLValue
    }

    /// Where the table begins, from 1.
    public let line: Int
    public let entries: [Entry]

    public subscript(name: String) -> Entry? { entries.first { $0.name.elementsEqual(name.utf8) } }
}

/// What is wrong with a TOML text.
public struct TOMLError: Error, CustomStringConvertible {
    public let reason: String
    /// From 1; `nil` when it is none's.
    public let line: Int?
    /// Where in the text it is seen, for numbers that are out of range.
    public let range: TOMLRange?

    public init(_ reason: String, line: Int?, range: TOMLRange? = nil) {
        (self.reason, self.line, self.range) = (reason, line, range)
    }

    public var description: String { line.map { "\(reason) (line \($0))" } ?? reason }
}

/// An integer that does not fit into 64 bits, and the line that it is in.
public struct TOMLRange: Sendable {
    /// The base of its digits.
    public let radix: Int
    /// The text of its line.
    public let lineText: String
    /// How many bytes of the line are before its end.
    public let column: Int
}
