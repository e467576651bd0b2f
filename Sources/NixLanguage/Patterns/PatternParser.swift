/// A pattern's structure.
indirect enum PatternNode {
    case empty
    case byte(UInt8)
    case set(RegularExpression.ByteSet)
    case lineStart
    case lineEnd
    case group(Int, PatternNode)
    case sequence([PatternNode])
    case alternatives([PatternNode])
    /// At least so often, at most so often (`nil`: any number of times).
    case repeated(PatternNode, Int, Int?)
}

/// Reads POSIX extended syntax as the C++ library does.
struct PatternParser {
    typealias ByteSet = RegularExpression.ByteSet
    typealias Failure = RegularExpression.Failure

    let pattern: UnsafeBufferPointer<UInt8>
    let stack: StackLimit
    private var at = 0
    private(set) var groupCount = 0

    init(pattern: UnsafeBufferPointer<UInt8>, stack: StackLimit) {
        self.pattern = pattern
        self.stack = stack
    }

    private var current: UInt8? { at < pattern.count ? pattern[at] : nil }

    mutating func parse() throws(Failure) -> PatternNode {
        let node = try alternatives()
        guard at == pattern.count else { throw .syntax }
        return node
    }

    private mutating func alternatives() throws(Failure) -> PatternNode {
        if stack.isReached { throw .tooLarge }
        var branches = [try sequence()]
        while current == UInt8(ascii: "|") {
            at += 1
            branches.append(try sequence())
        }
        return branches.count == 1 ? branches[0] : .alternatives(branches)
    }

    private mutating func sequence() throws(Failure) -> PatternNode {
        var terms: [PatternNode] = []
        while let term = try term() { terms.append(term) }
        return terms.isEmpty ? .empty : terms.count == 1 ? terms[0] : .sequence(terms)
    }

    private mutating func term() throws(Failure) -> PatternNode? {
        guard let byte = current else { return nil }
        var node: PatternNode
        switch byte {
        case UInt8(ascii: "|"), UInt8(ascii: ")"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"),
            UInt8(ascii: "{"):
            return nil
        case UInt8(ascii: "^"):
            at += 1
            return .lineStart
        case UInt8(ascii: "$"):
            at += 1
            return .lineEnd
        case UInt8(ascii: "("):
            at += 1
            groupCount += 1
            let group = groupCount
            let inner = try alternatives()
            guard current == UInt8(ascii: ")") else { throw .syntax }
            at += 1
            node = .group(group, inner)
        case UInt8(ascii: "["):
            at += 1
            node = .set(try bracket())
        case UInt8(ascii: "."):
            at += 1
            var nul = ByteSet()
            nul.insert(0)
            node = .set(nul.inverted)
        case UInt8(ascii: "\\"):
            at += 1
            // Only what means something may be escaped.
            guard let escaped = current, ".[\\()*+?{|^$".utf8.contains(escaped) else { throw .syntax }
            at += 1
            node = .byte(escaped)
        case 0: throw .syntax
        default:
            at += 1
            node = .byte(byte)
        }
        while let quantified = try quantifier(node) { node = quantified }
        return node
    }

    private mutating func quantifier(_ node: PatternNode) throws(Failure) -> PatternNode? {
        switch current {
        case UInt8(ascii: "*"):
            at += 1
            return .repeated(node, 0, nil)
        case UInt8(ascii: "+"):
            at += 1
            return .repeated(node, 1, nil)
        case UInt8(ascii: "?"):
            at += 1
            return .repeated(node, 0, 1)
        case UInt8(ascii: "{"):
            at += 1
            guard let minimum = try number() else { throw .syntax }
            var maximum: Int? = minimum
            if current == UInt8(ascii: ",") {
                at += 1
                maximum = try number()
            }
            guard current == UInt8(ascii: "}") else { throw .syntax }
            at += 1
            if let maximum, maximum < minimum { throw .syntax }
            return .repeated(node, minimum, maximum)
        default: return nil
        }
    }

    private mutating func number() throws(Failure) -> Int? {
        var value: Int?
        while let digit = current, Lexer.isDigit(digit) {
            value = (value ?? 0) * 10 + Int(digit - 0x30)
            if value! > RegularExpression.stateLimit { throw .tooLarge }
            at += 1
        }
        return value
    }

    // MARK: Bracket expressions

    private mutating func bracket() throws(Failure) -> ByteSet {
        var set = ByteSet()
        var isInverted = false
        if current == UInt8(ascii: "^") {
            isInverted = true
            at += 1
        }
        var isFirst = true
        var pending: UInt8?
        func isDash(_ index: Int) -> Bool { index < pattern.count && pattern[index] == UInt8(ascii: "-") }
        while true {
            guard let byte = current else { throw .syntax }
            if byte == UInt8(ascii: "]"), !isFirst {
                at += 1
                break
            }
            if byte == UInt8(ascii: "["), at + 1 < pattern.count, ":.=".utf8.contains(pattern[at + 1]) {
                let kind = pattern[at + 1]
                let name = try bracketName(kind)
                if kind == UInt8(ascii: ":") {
                    set.formUnion(try Self.characterClass(name))
                    isFirst = false
                    continue
                }
                guard name.utf8.count == 1, let only = name.utf8.first else { throw .syntax }
                pending = only
            } else if byte == UInt8(ascii: "-"), !isFirst,
                !(at + 1 < pattern.count && pattern[at + 1] == UInt8(ascii: "]"))
            {
                // A dash in the middle must stand between two ends.
                throw .syntax
            } else {
                pending = byte
                at += 1
            }
            isFirst = false
            guard let low = pending else { continue }
            pending = nil
            if isDash(at), at + 1 < pattern.count, pattern[at + 1] != UInt8(ascii: "]") {
                at += 1
                let high: UInt8
                if pattern[at] == UInt8(ascii: "["), at + 1 < pattern.count, ".=".utf8.contains(pattern[at + 1]) {
                    let name = try bracketName(pattern[at + 1])
                    guard name.utf8.count == 1, let only = name.utf8.first else { throw .syntax }
                    high = only
                } else {
                    high = pattern[at]
                    at += 1
                }
                guard low <= high else { throw .syntax }
                for byte in low...high { set.insert(byte) }
            } else {
                set.insert(low)
            }
        }
        return isInverted ? set.inverted : set
    }

    /// `[:name:]`, `[.name.]` or `[=name=]`.
    private mutating func bracketName(_ kind: UInt8) throws(Failure) -> String {
        at += 2
        let start = at
        while at + 1 < pattern.count, !(pattern[at] == kind && pattern[at + 1] == UInt8(ascii: "]")) { at += 1 }
        guard at + 1 < pattern.count else { throw .syntax }
        let name = String(decoding: pattern[start..<at], as: UTF8.self)
        at += 2
        return name
    }

    private static func characterClass(_ name: String) throws(Failure) -> ByteSet {
        let isMember: (UInt8) -> Bool
        func isUpper(_ byte: UInt8) -> Bool { byte >= 0x41 && byte <= 0x5A }
        func isLower(_ byte: UInt8) -> Bool { byte >= 0x61 && byte <= 0x7A }
        func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }
        func isAlnum(_ byte: UInt8) -> Bool { isUpper(byte) || isLower(byte) || isDigit(byte) }
        func isGraph(_ byte: UInt8) -> Bool { byte > 0x20 && byte < 0x7F }
        switch name.lowercased() {
        case "alnum": isMember = isAlnum
        case "alpha": isMember = { isUpper($0) || isLower($0) }
        case "blank": isMember = { $0 == 0x20 || $0 == 0x09 }
        case "cntrl": isMember = { $0 < 0x20 || $0 == 0x7F }
        case "digit", "d": isMember = isDigit
        case "graph": isMember = isGraph
        case "lower": isMember = isLower
        case "print": isMember = { $0 >= 0x20 && $0 < 0x7F }
        case "punct": isMember = { isGraph($0) && !isAlnum($0) }
        case "space", "s": isMember = { $0 == 0x20 || $0 >= 0x09 && $0 <= 0x0D }
        case "upper": isMember = isUpper
        case "xdigit": isMember = { isDigit($0) || $0 >= 0x41 && $0 <= 0x46 || $0 >= 0x61 && $0 <= 0x66 }
        case "w": isMember = { isAlnum($0) || $0 == UInt8(ascii: "_") }
        default: throw .syntax
        }
        var set = ByteSet()
        for byte in UInt8.min...UInt8.max where isMember(byte) { set.insert(byte) }
        return set
    }
}
