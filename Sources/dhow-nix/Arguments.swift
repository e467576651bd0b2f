import NixStore

/// What is wrong with how the program was called.
struct UsageError: Error {
    let reason: String

    init(_ reason: String) { self.reason = reason }
}

/// Somebody asked for a command's help.
struct HelpRequest: Error {
    let text: String
}

/// A command's arguments, taken one by one.
struct Arguments {
    private var pending: ArraySlice<String>
    /// After `--`, nothing is an option.
    private(set) var isLiteral = false
    private let bytes: [ByteString]

    /// - Parameter bytes: what the arguments are before anything that is not UTF-8 was replaced in them.
    init(_ arguments: [String], bytes: [ByteString]) {
        pending = arguments[...]
        self.bytes = bytes
    }

    /// The word that `next` has just returned, byte by byte, as names of files are.
    var wordBytes: ByteString { bytes[bytes.count - pending.count - 1] }

    enum Item {
        case option(String)
        case word(String)
    }

    /// The next option or word. Short options may be written together, but for those that take a value.
    mutating func next() -> Item? {
        guard let item = pending.popFirst() else { return nil }
        if isLiteral || item == "-" || !item.hasPrefix("-") { return .word(item) }
        if item == "--" {
            isLiteral = true
            return next()
        }
        // `-Ipath`, `--option=value`.
        if item.hasPrefix("-I"), item.count > 2 {
            pending = [String(item.dropFirst(2))] + pending
            return .option("-I")
        }
        return .option(item)
    }

    /// Takes all that is left. `option` may take values; `--help` asks for `help`.
    /// - Parameter separates: whether short options may be written together, as Nix's old tools have it.
    mutating func takeAll(
        help: String, separates: Bool = false, word: (String) throws -> Void,
        option take: (String, inout Arguments) throws -> Void
    ) throws {
        while let item = next() {
            switch item {
            case .word(let text): try word(text)
            case .option("--help"): throw HelpRequest(text: help)
            case .option(let option):
                for option in separates ? Self.separate(option) : [option] { try take(option, &self) }
            }
        }
    }

    /// The options that `option` stands for: `-qR` is `-q` and `-R`.
    static func separate(_ option: String) -> [String] {
        let isCluster = !option.hasPrefix("--") && option.utf8.count > 2 && !option.hasPrefix("-j")
        return isCluster ? option.dropFirst().map { "-\($0)" } : [option]
    }

    /// The two values of `option`.
    mutating func pair(of option: String) throws(UsageError) -> (String, String) {
        guard let first = pending.popFirst(), let second = pending.popFirst() else {
            throw UsageError("flag '\(option)' requires 2 argument(s)")
        }
        return (first, second)
    }

    /// The value of `option`.
    mutating func value(of option: String) throws(UsageError) -> String {
        guard let value = pending.popFirst() else { throw UsageError("flag '\(option)' requires 1 argument(s)") }
        return value
    }
}
