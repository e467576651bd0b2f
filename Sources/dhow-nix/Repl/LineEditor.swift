import Glibc
import Kernel

/// Reads lines from a terminal: editing, history, completion.
///
/// A line longer than the terminal is wide is shown in part. Between lines the terminal is as it was.
struct LineEditor {
    enum Line: Equatable {
        case text(String)
        /// Ctrl-C: what was typed is given up.
        case interrupted
        /// Ctrl-D on an empty line, or the terminal has gone.
        case end
    }

    /// Lines from before, the oldest first.
    var history: [String] = []
    /// What the word before the cursor may go on to be, each as a whole.
    var completions: (String) -> [String] = { _ in [] }

    private let input = FileDescriptor.standardInput
    private var buffer: [Character] = []
    private var cursor = 0
    private var prompt = ""
    /// Where in the history we are; its end is the line being typed.
    private var place = 0
    private var draft: [Character] = []
    private var killed: [Character] = []
    private var columns = 80

    private static let historyLimit = 1000

    /// Shows `prompt` and reads a line.
    mutating func read(_ prompt: String) throws -> Line {
        self.prompt = prompt
        (buffer, cursor, draft) = ([], 0, [])
        place = history.count
        let width = Int((try? input.terminalSize())?.columns ?? 0)
        columns = width == 0 ? 80 : max(20, width)
        let old = try input.makeTerminalRaw()
        let line = Result { try typedLine() }
        try? input.setTerminalSettings(old)
        // Not before: whoever sees the next line may use Ctrl-C as a signal.
        Output.standard.write("\n")
        return try line.get()
    }

    private mutating func typedLine() throws -> Line {
        show()
        var hasOffered = false
        while true {
            guard let key = try nextKey() else { return finish(.end) }
            let isCompletion = key == .control("i")
            switch key {
            case .control("m"), .control("j"):
                let text = String(buffer)
                remember(text)
                return finish(.text(text))
            case .control("c"): return finish(.interrupted)
            case .control("d") where buffer.isEmpty: return finish(.end)
            case .control("i"): complete(listing: hasOffered)
            default: edit(key)
            }
            hasOffered = isCompletion
            show()
        }
    }

    private mutating func finish(_ line: Line) -> Line {
        cursor = buffer.count
        show()
        return line
    }

    private mutating func remember(_ text: String) {
        guard !text.allSatisfy(\.isWhitespace), history.last != text else { return }
        history.append(text)
        if history.count > Self.historyLimit { history.removeFirst() }
    }

    // MARK: Keys

    private enum Key: Equatable {
        case character(Character)
        case control(Character)
        /// Alt, or Escape before it.
        case meta(Character)
        case up, down, left, right, home, end, delete, backspace
        case wordLeft, wordRight
        case unknown
    }

    private func byte() throws -> UInt8? { try input.read(count: 1).first }

    private func nextKey() throws -> Key? {
        guard let first = try byte() else { return nil }
        switch first {
        case 0x1B: return try escape()
        case 0x7F, 0x08: return .backspace
        case 0..<0x20: return .control(Character(UnicodeScalar(first + 0x60)))
        case 0..<0x80: return .character(Character(UnicodeScalar(first)))
        default:
            let count = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2
            var bytes = [first]
            while bytes.count < count, let next = try byte() { bytes.append(next) }
            return String(decoding: bytes, as: UTF8.self).first.map { .character($0) } ?? .unknown
        }
    }

    private func escape() throws -> Key? {
        guard let second = try byte() else { return nil }
        guard second == UInt8(ascii: "[") || second == UInt8(ascii: "O") else {
            return .meta(Character(UnicodeScalar(second)))
        }
        var parameters = ""
        while let next = try byte() {
            let character = Character(UnicodeScalar(next))
            guard next < 0x40 else { return Self.key(character, parameters) }
            parameters.append(character)
        }
        return nil
    }

    private static func key(_ final: Character, _ parameters: String) -> Key {
        let isWord = parameters.hasSuffix(";5") || parameters.hasSuffix(";3")
        switch (final, parameters) {
        case ("A", _): return .up
        case ("B", _): return .down
        case ("C", _): return isWord ? .wordRight : .right
        case ("D", _): return isWord ? .wordLeft : .left
        case ("H", _), ("~", "1"), ("~", "7"): return .home
        case ("F", _), ("~", "4"), ("~", "8"): return .end
        case ("~", "3"): return .delete
        default: return .unknown
        }
    }

    private mutating func edit(_ key: Key) {
        switch key {
        case .character(let character):
            buffer.insert(character, at: cursor)
            cursor += 1
        case .left, .control("b"): cursor = max(0, cursor - 1)
        case .right, .control("f"): cursor = min(buffer.count, cursor + 1)
        case .home, .control("a"): cursor = 0
        case .end, .control("e"): cursor = buffer.count
        case .wordLeft, .meta("b"): cursor = wordStart
        case .wordRight, .meta("f"): cursor = wordEnd
        case .backspace: if cursor > 0 { cut(cursor - 1..<cursor, keeping: false) }
        case .delete, .control("d"): if cursor < buffer.count { cut(cursor..<cursor + 1, keeping: false) }
        case .control("k"): cut(cursor..<buffer.count)
        case .control("u"): cut(0..<cursor)
        case .control("w"), .meta("\u{7F}"): cut(wordStart..<cursor)
        case .meta("d"): cut(cursor..<wordEnd)
        case .control("y"):
            buffer.insert(contentsOf: killed, at: cursor)
            cursor += killed.count
        case .control("t"):
            if cursor > 0, buffer.count > 1 {
                let right = min(cursor, buffer.count - 1)
                buffer.swapAt(right - 1, right)
                cursor = right + 1
            }
        case .control("l"): Output.standard.write("\u{1B}[H\u{1B}[2J")
        case .up, .control("p"): move(to: place - 1)
        case .down, .control("n"): move(to: place + 1)
        case .control, .meta, .unknown: break
        }
    }

    private mutating func cut(_ range: Range<Int>, keeping: Bool = true) {
        if keeping, !range.isEmpty { killed = Array(buffer[range]) }
        buffer.removeSubrange(range)
        cursor = range.lowerBound
    }

    private var wordStart: Int {
        var at = cursor
        while at > 0, !Self.isWord(buffer[at - 1]) { at -= 1 }
        while at > 0, Self.isWord(buffer[at - 1]) { at -= 1 }
        return at
    }

    private var wordEnd: Int {
        var at = cursor
        while at < buffer.count, !Self.isWord(buffer[at]) { at += 1 }
        while at < buffer.count, Self.isWord(buffer[at]) { at += 1 }
        return at
    }

    private static func isWord(_ character: Character) -> Bool { character.isLetter || character.isNumber }

    private mutating func move(to next: Int) {
        guard (0...history.count).contains(next), next != place else { return }
        if place == history.count { draft = buffer }
        place = next
        buffer = place == history.count ? draft : Array(history[place])
        cursor = buffer.count
    }

    // MARK: Completion

    private mutating func complete(listing: Bool) {
        let start = buffer[..<cursor].lastIndex { !Self.isPartOfPath($0) }.map { $0 + 1 } ?? 0
        let word = String(buffer[start..<cursor])
        let found = completions(word)
        guard let first = found.first else { return }
        var common = Array(first)
        for candidate in found.dropFirst() {
            common = Array(zip(common, candidate).prefix { $0 == $1 }.map { $0.0 })
        }
        if common.count > word.count {
            buffer.replaceSubrange(start..<cursor, with: common)
            cursor = start + common.count
        } else if found.count > 1, listing {
            list(found)
        }
    }

    private static func isPartOfPath(_ character: Character) -> Bool {
        isWord(character) || "._-'/~<".contains(character)
    }

    private func list(_ candidates: [String]) {
        // What is before the last dot is the same in all.
        let names = candidates.prefix(500).map { $0.split(separator: ".").last.map(String.init) ?? $0 }
        let width = (names.map(\.count).max() ?? 0) + 2
        let perLine = max(1, columns / width)
        var text = "\r\n"
        for (index, name) in names.enumerated() {
            let isLast = index % perLine == perLine - 1 || index == names.count - 1
            text += isLast ? name + "\r\n" : name + String(repeating: " ", count: width - name.count)
        }
        if candidates.count > names.count { text += "… and \(candidates.count - names.count) more\r\n" }
        Output.standard.write(text)
    }

    // MARK: Showing

    /// Draws the line anew, and the part of it around the cursor if it is too long.
    private func show() {
        let room = max(10, columns - prompt.count - 1)
        let first = cursor < room ? 0 : cursor - room + 1
        let visible = String(buffer[first..<min(buffer.count, first + room)])
        let column = prompt.count + cursor - first
        Output.standard.write("\r\(prompt)\(visible)\u{1B}[K\r" + (column > 0 ? "\u{1B}[\(column)C" : ""))
    }
}
