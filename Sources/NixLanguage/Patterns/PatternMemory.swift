/// What a matcher knows of places that it has been at, so that it tries none twice.
///
/// What can follow a state at a position depends on these two and on the loops that have been entered at this very
/// position, and on nothing else. A second visit finds the same ends as the first, and only a longer match than those
/// would count, so that all it has to say is whether there was one.
struct PatternMemory {
    struct Place: Hashable {
        var state: UInt32
        var context: UInt32
        var position: Int
    }

    private struct Step: Hashable {
        var context: UInt32
        var loop: UInt32
        var count: UInt32
    }

    /// More than this is refused: some 400 MiB.
    static let limit = 1 << 22

    private var known: [Place: Bool] = [:]
    /// Contexts by what they say: pairs of a loop and how often it was entered, in order of loops. The first says nothing.
    private var contexts: [[UInt64]] = [[]]
    private var numbers: [[UInt64]: UInt32] = [[]: 0]
    private var steps: [Step: UInt32] = [:]

    /// Only loops within loops within loops have so many.
    private static let contextLimit = 1 << 15

    var isFull: Bool { known.count > Self.limit || contexts.count > Self.contextLimit }

    subscript(place: Place) -> Bool? {
        get { known[place] }
        set { known[place] = newValue }
    }

    /// The context in which `loop` was entered `count` times, and else what `context` says.
    mutating func context(_ context: UInt32, with loop: Int, count: Int) -> UInt32 {
        let step = Step(context: context, loop: UInt32(loop), count: UInt32(count))
        if let known = steps[step] { return known }
        var pairs = contexts[Int(context)].filter { $0 >> 32 != UInt64(loop) }
        pairs.append(UInt64(loop) << 32 | UInt64(count))
        pairs.sort()
        let number = numbers[pairs] ?? UInt32(contexts.count)
        if number == contexts.count {
            contexts.append(pairs)
            numbers[pairs] = number
        }
        steps[step] = number
        return number
    }
}
