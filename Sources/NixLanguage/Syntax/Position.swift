/// A place in some source text, as one number: the text's base plus an offset in it.
struct Position: Equatable, Hashable {
    let raw: UInt32

    static var none: Position { Position(raw: 0) }
    @inline(__always) var isKnown: Bool { raw != 0 }
}

/// Where a text comes from.
public enum SourceOrigin: Sendable, Equatable {
    case file(String)
    case standardInput
    case expression
    /// Nix code that the evaluator carries in itself.
    case builtin(String)
}

/// A position in words: where from, line and column, both from 1.
public struct SourceLocation: Sendable, Equatable, CustomStringConvertible {
    public let origin: SourceOrigin
    public let line: Int
    public let column: Int

    public var description: String {
        let name =
            switch origin {
            case .file(let path): path
            case .standardInput: "«stdin»"
            case .expression: "«string»"
            case .builtin(let name): "«nix-internal»/\(name)"
            }
        return "\(name):\(line):\(column)"
    }
}

/// Turns positions into lines and columns, lazily: only errors and `unsafeGetAttrPos` ask.
final class PositionTable {
    private struct Source {
        let origin: SourceOrigin
        let base: UInt32
        let length: UInt32
        /// The text, unless it can be read again.
        let text: [UInt8]?
        var lineStarts: [UInt32]?
    }

    private var sources: [Source] = []
    private var nextBase: UInt32 = 1
    /// Reads a file's text again.
    var read: (String) -> [UInt8]? = { _ in nil }

    /// A base for the positions in a new text.
    func add(_ origin: SourceOrigin, _ text: UnsafeBufferPointer<UInt8>) -> UInt32 {
        let base = nextBase
        let length = UInt32(clamping: text.count)
        var kept: [UInt8]?
        if case .file = origin {} else { kept = Array(text) }
        sources.append(Source(origin: origin, base: base, length: length, text: kept, lineStarts: nil))
        nextBase = base &+ length &+ 2
        return base
    }

    private func index(of position: Position) -> Int? {
        guard position.isKnown, !sources.isEmpty else { return nil }
        var (low, high) = (0, sources.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if sources[middle].base <= position.raw { low = middle } else { high = middle }
        }
        return low
    }

    func origin(of position: Position) -> SourceOrigin? { index(of: position).map { sources[$0].origin } }

    private func text(_ index: Int) -> [UInt8] {
        if let text = sources[index].text { return text }
        guard case .file(let path) = sources[index].origin else { return [] }
        return read(path) ?? []
    }

    private func lineStarts(_ index: Int) -> [UInt32] {
        if let starts = sources[index].lineStarts { return starts }
        var starts: [UInt32] = [0]
        let text = text(index)
        var at = 0
        while at < text.count {
            let byte = text[at]
            at += 1
            if byte == UInt8(ascii: "\r") {
                if at < text.count, text[at] == UInt8(ascii: "\n") { at += 1 }
                starts.append(UInt32(at))
            } else if byte == UInt8(ascii: "\n") {
                starts.append(UInt32(at))
            }
        }
        sources[index].lineStarts = starts
        return starts
    }

    func location(_ position: Position) -> SourceLocation? {
        guard let index = index(of: position) else { return nil }
        let offset = position.raw - sources[index].base
        let starts = lineStarts(index)
        var (low, high) = (0, starts.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if starts[middle] <= offset { low = middle } else { high = middle }
        }
        return SourceLocation(origin: sources[index].origin, line: low + 1, column: Int(offset - starts[low]) + 1)
    }

    /// The line of a position, and those before and after it.
    func lines(around position: Position) -> (before: String?, line: String, after: String?)? {
        guard let index = index(of: position), let location = location(position) else { return nil }
        let text = text(index)
        let starts = lineStarts(index)
        func line(_ number: Int) -> String? {
            guard number >= 0, number < starts.count else { return nil }
            let start = Int(starts[number])
            let end = number + 1 < starts.count ? Int(starts[number + 1]) : text.count
            guard start < text.count || number == location.line - 1, end <= text.count else { return nil }
            var bytes = text[min(start, text.count)..<end]
            while let last = bytes.last, last == UInt8(ascii: "\n") || last == UInt8(ascii: "\r") {
                bytes = bytes.dropLast()
            }
            return String(decoding: bytes, as: UTF8.self)
        }
        // What follows the last line's end is a line too, and empty.
        var after = line(location.line)
        if after == nil, location.line < starts.count { after = "" }
        guard let current = line(location.line - 1) else { return nil }
        return (line(location.line - 2), current, after)
    }
}
