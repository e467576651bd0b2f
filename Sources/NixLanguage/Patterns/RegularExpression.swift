/// A POSIX extended regular expression that matches what Nix's does, group for group.
///
/// Nix uses the C++ standard library's `std::regex::extended`, whose choice among matches is its own: alternatives are all
/// tried and the longest whole match wins, the first of equals; a repetition takes all that it can and gives back only
/// when nothing else matches. Groups follow from that order, so it is kept here exactly.
final class RegularExpression {
    /// What is wrong with a pattern.
    enum Failure: Error {
        case syntax
        /// The pattern unfolds to more than can be held.
        case tooLarge
        /// Matching nests too deeply.
        case tooDeep
    }

    /// A set of bytes.
    struct ByteSet: Equatable {
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

        @inline(__always) func contains(_ byte: UInt8) -> Bool {
            let bit: UInt64 = 1 << UInt64(byte & 63)
            switch byte >> 6 {
            case 0: return words.0 & bit != 0
            case 1: return words.1 & bit != 0
            case 2: return words.2 & bit != 0
            default: return words.3 & bit != 0
            }
        }

        mutating func insert(_ byte: UInt8) {
            let bit: UInt64 = 1 << UInt64(byte & 63)
            switch byte >> 6 {
            case 0: words.0 |= bit
            case 1: words.1 |= bit
            case 2: words.2 |= bit
            default: words.3 |= bit
            }
        }

        var inverted: ByteSet { ByteSet(words: (~words.0, ~words.1, ~words.2, ~words.3)) }

        static func == (left: ByteSet, right: ByteSet) -> Bool { left.words == right.words }
    }

    /// One state of the machine.
    struct State {
        enum Kind {
            case accept
            case byte(UInt8)
            case set(Int)
            /// Both ways are tried: `other` first.
            case alternative(other: Int)
            /// `body` again, or on.
            case loop(body: Int, count: Int)
            /// A loop whose body is one byte of a set.
            case run(Int)
            case groupStart(Int)
            case groupEnd(Int)
            case lineStart
            case lineEnd
            case nothing
        }
        var kind: Kind
        var next: Int

        /// Whether there are several ways on.
        var isFork: Bool {
            switch kind {
            case .alternative, .loop, .run: true
            default: false
            }
        }
    }

    static let stateLimit = 100_000

    let states: [State]
    let sets: [ByteSet]
    let start: Int
    let groupCount: Int
    let loopCount: Int
    /// The bytes that a match can begin with, unless it can be empty.
    let firstBytes: ByteSet?

    init(_ pattern: UnsafeBufferPointer<UInt8>, stack: StackLimit) throws(Failure) {
        var parser = PatternParser(pattern: pattern, stack: stack)
        let tree = try parser.parse()
        var compiler = PatternCompiler()
        let accept = try compiler.add(State(kind: .accept, next: 0))
        start = try compiler.emit(tree, next: accept)
        states = compiler.states
        sets = compiler.sets
        loopCount = compiler.loopCount
        groupCount = parser.groupCount
        firstBytes = Self.firstBytes(compiler, start)
    }

    private static func firstBytes(_ compiler: PatternCompiler, _ start: Int) -> ByteSet? {
        var result = ByteSet()
        var seen: Set<Int> = []
        var pending = [start]
        while let index = pending.popLast() {
            guard seen.insert(index).inserted else { continue }
            let state = compiler.states[index]
            switch state.kind {
            case .accept, .lineEnd: return nil
            case .byte(let byte): result.insert(byte)
            case .set(let set): result.formUnion(compiler.sets[set])
            case .run(let set):
                result.formUnion(compiler.sets[set])
                pending.append(state.next)
            case .alternative(let other): pending += [other, state.next]
            case .loop(let body, _): pending += [body, state.next]
            case .groupStart, .groupEnd, .lineStart, .nothing: pending.append(state.next)
            }
        }
        return result
    }
}

extension RegularExpression.ByteSet {
    mutating func formUnion(_ other: Self) {
        words.0 |= other.words.0
        words.1 |= other.words.1
        words.2 |= other.words.2
        words.3 |= other.words.3
    }
}
