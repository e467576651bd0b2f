/// Splits a text into tokens. What is inside quotes and paths is read by the parser, which knows where it is.
struct Lexer {
    /// The text, followed by at least one zero byte.
    let bytes: UnsafePointer<UInt8>
    let count: Int
    /// What has been scanned in vain, so that a long run of characters is not scanned from each of its tokens.
    let memory: UnsafeMutablePointer<Memory>

    struct Memory {
        /// A run of path characters that no slash follows.
        var notPath = 0..<0
        /// A run of scheme characters that no colon follows.
        var notURI = 0..<0
    }

    @inline(__always) func byte(_ at: Int) -> UInt8 { at < count ? bytes[at] : 0 }

    // MARK: Classes of characters

    private static let classes: [UInt8] = (0...255).map { byte in
        let byte = UInt8(byte)
        var bits: UInt8 = 0
        let isLetter = byte >= 0x41 && byte <= 0x5A || byte >= 0x61 && byte <= 0x7A
        let isDigit = byte >= 0x30 && byte <= 0x39
        if isLetter || byte == UInt8(ascii: "_") { bits |= 1 }
        if isLetter || isDigit || "_'-".utf8.contains(byte) { bits |= 2 }
        if isLetter || isDigit || "._-+".utf8.contains(byte) { bits |= 4 }
        if isLetter || isDigit || "%/?:@&=+$,-_.!~*'".utf8.contains(byte) { bits |= 8 }
        if isLetter || isDigit || "+-.".utf8.contains(byte) { bits |= 16 }
        if isDigit { bits |= 32 }
        if isLetter { bits |= 64 }
        return bits
    }
    // Unsafe only for the compiler: written once, before anyone reads it.
    nonisolated(unsafe) private static let table: UnsafePointer<UInt8> = {
        let table = UnsafeMutablePointer<UInt8>.allocate(capacity: 256)
        table.initialize(from: classes, count: 256)
        return UnsafePointer(table)
    }()

    @inline(__always) private static func has(_ byte: UInt8, _ bit: UInt8) -> Bool { table[Int(byte)] & bit != 0 }
    @inline(__always) static func isIdentifierStart(_ byte: UInt8) -> Bool { has(byte, 1) }
    @inline(__always) static func isIdentifier(_ byte: UInt8) -> Bool { has(byte, 2) }
    @inline(__always) static func isPath(_ byte: UInt8) -> Bool { has(byte, 4) }
    @inline(__always) static func isURI(_ byte: UInt8) -> Bool { has(byte, 8) }
    @inline(__always) static func isScheme(_ byte: UInt8) -> Bool { has(byte, 16) }
    @inline(__always) static func isDigit(_ byte: UInt8) -> Bool { has(byte, 32) }
    @inline(__always) static func isLetter(_ byte: UInt8) -> Bool { has(byte, 64) }

    // MARK: Tokens

    /// The end of the white space and comments that begin at `at`.
    func skipBlanks(_ start: Int) -> Int {
        var at = start
        while at < count {
            switch bytes[at] {
            case 0x20, 0x09, 0x0A, 0x0D: at += 1
            case UInt8(ascii: "#"):
                while at < count, bytes[at] != 0x0A, bytes[at] != 0x0D { at += 1 }
            case UInt8(ascii: "/") where byte(at + 1) == UInt8(ascii: "*"):
                guard let end = endOfComment(at + 2) else { return at }
                at = end
            default: return at
            }
        }
        return at
    }

    private func endOfComment(_ start: Int) -> Int? {
        var at = start
        while at + 1 < count {
            if bytes[at] == UInt8(ascii: "*"), bytes[at + 1] == UInt8(ascii: "/") { return at + 2 }
            at += 1
        }
        return nil
    }

    /// The token that begins after the blanks at `at`; of the patterns that match there the longest, as flex does.
    func token(at position: Int) -> Token {
        let start = skipBlanks(position)
        guard start < count else { return Token(kind: .end, start: count, end: count) }
        let first = bytes[start]

        if Self.isIdentifierStart(first) { return word(start) }
        if Self.isDigit(first) || first == UInt8(ascii: ".") && Self.isDigit(byte(start + 1)) { return number(start) }

        func token(_ kind: Token.Kind, _ length: Int) -> Token { Token(kind: kind, start: start, end: start + length) }
        let second = byte(start + 1)
        if Self.isPath(first) || first == UInt8(ascii: "/"), let path = pathToken(start) { return path }
        switch first {
        case UInt8(ascii: "\""): return token(.quote, 1)
        case UInt8(ascii: "'") where second == UInt8(ascii: "'"):
            // The rest of the line after the opening quotes is no part of the string when it is blank.
            var at = start + 2
            while byte(at) == 0x20 { at += 1 }
            return token(.indentedQuote, at < count && bytes[at] == 0x0A ? at + 1 - start : 2)
        case UInt8(ascii: "$") where second == UInt8(ascii: "{"): return token(.dollarCurly, 2)
        case UInt8(ascii: "."):
            if second == first, byte(start + 2) == first { return token(.ellipsis, 3) }
        case UInt8(ascii: "=") where second == UInt8(ascii: "="): return token(.equal, 2)
        case UInt8(ascii: "!") where second == UInt8(ascii: "="): return token(.notEqual, 2)
        case UInt8(ascii: "<"):
            if let path = searchPath(start) { return path }
            if second == UInt8(ascii: "=") { return token(.lessOrEqual, 2) }
            if second == UInt8(ascii: "|") { return token(.pipeFrom, 2) }
        case UInt8(ascii: ">") where second == UInt8(ascii: "="): return token(.greaterOrEqual, 2)
        case UInt8(ascii: "&") where second == UInt8(ascii: "&"): return token(.and, 2)
        case UInt8(ascii: "|") where second == UInt8(ascii: "|"): return token(.or, 2)
        case UInt8(ascii: "|") where second == UInt8(ascii: ">"): return token(.pipeInto, 2)
        case UInt8(ascii: "-") where second == UInt8(ascii: ">"): return token(.implies, 2)
        case UInt8(ascii: "/") where second == UInt8(ascii: "/"): return token(.update, 2)
        case UInt8(ascii: "+") where second == UInt8(ascii: "+"): return token(.concat, 2)
        case UInt8(ascii: "~"):
            if second == UInt8(ascii: "/") {
                if byte(start + 2) == UInt8(ascii: "$"), byte(start + 3) == UInt8(ascii: "{") {
                    return token(.homePath, 2)
                }
                if let end = pathEnd(start + 1) { return Token(kind: .homePath, start: start, end: end) }
            }
        default: break
        }
        return token(.symbol(first), 1)
    }

    /// An identifier, a keyword, or a path or URI that begins like one.
    private func word(_ start: Int) -> Token {
        var end = start + 1
        while end < count, Self.isIdentifier(bytes[end]) { end += 1 }
        let next = byte(end)
        if Self.isPath(next) || next == UInt8(ascii: "/") || next == UInt8(ascii: ":") {
            if let uri = uri(start), uri.end > end {
                if let path = pathToken(start), path.end > uri.end { return path }
                return uri
            }
            if let path = pathToken(start), path.end > end { return path }
        }
        return Token(kind: keyword(start, end - start), start: start, end: end)
    }

    private func keyword(_ start: Int, _ length: Int) -> Token.Kind {
        func matches(_ word: StaticString) -> Bool {
            for index in 0..<length where bytes[start + index] != word.utf8Start[index] { return false }
            return true
        }
        switch (length, bytes[start]) {
        case (2, UInt8(ascii: "i")): return matches("if") ? .ifKeyword : matches("in") ? .inKeyword : .identifier
        case (2, UInt8(ascii: "o")): return matches("or") ? .orKeyword : .identifier
        case (3, UInt8(ascii: "l")): return matches("let") ? .letKeyword : .identifier
        case (3, UInt8(ascii: "r")): return matches("rec") ? .recKeyword : .identifier
        case (4, UInt8(ascii: "t")): return matches("then") ? .thenKeyword : .identifier
        case (4, UInt8(ascii: "e")): return matches("else") ? .elseKeyword : .identifier
        case (4, UInt8(ascii: "w")): return matches("with") ? .withKeyword : .identifier
        case (6, UInt8(ascii: "a")): return matches("assert") ? .assertKeyword : .identifier
        case (7, UInt8(ascii: "i")): return matches("inherit") ? .inheritKeyword : .identifier
        default: return .identifier
        }
    }

    /// `[0-9]+`, or `(([1-9][0-9]*\.[0-9]*)|(0?\.[0-9]+))([Ee][+-]?[0-9]+)?`, or a path that is longer than either.
    private func number(_ start: Int) -> Token {
        var end = start
        while Self.isDigit(byte(end)) { end += 1 }
        var kind = Token.Kind.integer
        if byte(end) == UInt8(ascii: ".") {
            let isPlain = end > start && bytes[start] != 0x30
            let isZero = end == start || end == start + 1 && bytes[start] == 0x30
            if isPlain || isZero && Self.isDigit(byte(end + 1)) {
                kind = .float
                end += 1
                while Self.isDigit(byte(end)) { end += 1 }
                if byte(end) | 0x20 == UInt8(ascii: "e") {
                    var at = end + 1
                    if byte(at) == UInt8(ascii: "+") || byte(at) == UInt8(ascii: "-") { at += 1 }
                    if Self.isDigit(byte(at)) {
                        while Self.isDigit(byte(at)) { at += 1 }
                        end = at
                    }
                }
            }
        }
        if let path = pathToken(start), path.end > end { return path }
        return Token(kind: kind, start: start, end: end)
    }

    // MARK: Paths and URIs

    /// `PATH_CHAR*(/PATH_CHAR+)+/?` from `start`, where the first slash may be at `start`.
    func pathEnd(_ start: Int) -> Int? {
        var at = start
        while Self.isPath(byte(at)), at < count { at += 1 }
        var end: Int?
        while byte(at) == UInt8(ascii: "/"), Self.isPath(byte(at + 1)) {
            at += 1
            while Self.isPath(byte(at)), at < count { at += 1 }
            end = at
        }
        guard var end else { return nil }
        if byte(end) == UInt8(ascii: "/") { end += 1 }
        return end
    }

    /// A path, or the part of one before an interpolation.
    private func pathToken(_ start: Int) -> Token? {
        if memory.pointee.notPath.contains(start) { return nil }
        if let end = pathEnd(start) { return Token(kind: .path, start: start, end: end) }
        // `PATH_CHAR*/` directly before `${`.
        var at = start
        while Self.isPath(byte(at)), at < count { at += 1 }
        guard byte(at) == UInt8(ascii: "/"), byte(at + 1) == UInt8(ascii: "$"), byte(at + 2) == UInt8(ascii: "{") else {
            memory.pointee.notPath = start..<at
            return nil
        }
        return Token(kind: .path, start: start, end: at + 1)
    }

    /// `<PATH_CHAR+(/PATH_CHAR+)*>`.
    private func searchPath(_ start: Int) -> Token? {
        var at = start + 1
        while true {
            let segment = at
            while Self.isPath(byte(at)), at < count { at += 1 }
            guard at > segment else { return nil }
            if byte(at) == UInt8(ascii: ">") { return Token(kind: .searchPath, start: start, end: at + 1) }
            guard byte(at) == UInt8(ascii: "/") else { return nil }
            at += 1
        }
    }

    private func uri(_ start: Int) -> Token? {
        guard Self.isLetter(bytes[start]), !memory.pointee.notURI.contains(start) else { return nil }
        var at = start + 1
        while Self.isScheme(byte(at)), at < count { at += 1 }
        guard byte(at) == UInt8(ascii: ":"), Self.isURI(byte(at + 1)), at + 1 < count else {
            memory.pointee.notURI = start..<at
            return nil
        }
        at += 1
        while Self.isURI(byte(at)), at < count { at += 1 }
        return Token(kind: .uri, start: start, end: at)
    }
}
