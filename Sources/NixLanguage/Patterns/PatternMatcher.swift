/// One attempt after another to match an expression with a text.
///
/// Trying all ways takes exponential time for some expressions. An attempt that takes long begins anew with a memory of
/// where it has been, which bounds it by the length of the text; most need none.
struct PatternMatcher {
    /// Where a group matched.
    struct Span {
        var start: Int
        var end: Int
        var isMatched: Bool
    }

    private let expression: RegularExpression
    private let text: UnsafeBufferPointer<UInt8>
    private let stack: StackLimit
    private let states: UnsafeBufferPointer<RegularExpression.State>
    private let sets: UnsafeBufferPointer<RegularExpression.ByteSet>

    private var groups: [Span]
    private var result: [Span] = []
    private var loops: [(position: Int, count: Int)]
    private var begin = 0
    private var isExact = false
    private var mustNotBeEmpty = false
    private var hasSolution = false
    private var solutionEnd: Int?
    private var failure: RegularExpression.Failure?
    /// How many steps an attempt has taken without a memory.
    private var stepCount = 0
    private var memory: PatternMemory?
    /// The loops that have been entered at a position, in the memory's words.
    private var context: (position: Int, number: UInt32) = (0, 0)

    /// As many steps as cost less than a memory does.
    private static let stepLimit = 20_000

    static func with<Result>(
        _ expression: RegularExpression, _ text: UnsafeBufferPointer<UInt8>, _ stack: StackLimit,
        _ body: (inout PatternMatcher) throws -> Result
    ) rethrows -> Result {
        try expression.states.withUnsafeBufferPointer { states in
            try expression.sets.withUnsafeBufferPointer { sets in
                var matcher = PatternMatcher(expression, text, stack, states, sets)
                return try body(&matcher)
            }
        }
    }

    private init(
        _ expression: RegularExpression, _ text: UnsafeBufferPointer<UInt8>, _ stack: StackLimit,
        _ states: UnsafeBufferPointer<RegularExpression.State>, _ sets: UnsafeBufferPointer<RegularExpression.ByteSet>
    ) {
        self.expression = expression
        self.text = text
        self.stack = stack
        self.states = states
        self.sets = sets
        groups = Array(repeating: Span(start: 0, end: 0, isMatched: false), count: expression.groupCount + 1)
        loops = Array(repeating: (0, 0), count: expression.loopCount)
    }

    /// The groups of a match of the whole text; group 0 is the whole.
    mutating func matchWhole() throws(RegularExpression.Failure) -> [Span]? {
        isExact = true
        mustNotBeEmpty = false
        memory = nil
        return try attempt(at: 0)
    }

    /// The first match at or after `start`.
    mutating func search(from start: Int) throws(RegularExpression.Failure) -> [Span]? {
        isExact = false
        mustNotBeEmpty = false
        // What led nowhere leads nowhere from a later beginning too.
        memory = nil
        for position in start...text.count {
            if let first = expression.firstBytes {
                guard position < text.count else { return nil }
                guard first.contains(text[position]) else { continue }
            }
            if let found = try attempt(at: position) { return found }
        }
        return nil
    }

    /// A match that begins at `start` and is not empty.
    mutating func matchNotEmpty(at start: Int) throws(RegularExpression.Failure) -> [Span]? {
        isExact = false
        mustNotBeEmpty = true
        memory = nil
        return try attempt(at: start)
    }

    private mutating func attempt(at position: Int) throws(RegularExpression.Failure) -> [Span]? {
        stepCount = 0
        explore(from: position)
        if stepCount > Self.stepLimit, failure == nil, memory == nil {
            memory = PatternMemory()
            explore(from: position)
        }
        if let failure { throw failure }
        guard let solutionEnd else { return nil }
        result[0] = Span(start: position, end: solutionEnd, isMatched: true)
        return result
    }

    private mutating func explore(from position: Int) {
        begin = position
        hasSolution = false
        solutionEnd = nil
        for index in groups.indices { groups[index].isMatched = false }
        for index in loops.indices { loops[index] = (0, 0) }
        context = (position, 0)
        run(expression.start, position)
    }

    /// Whether the attempt is to be given up.
    private var isOver: Bool { failure != nil || memory == nil && stepCount > Self.stepLimit }

    /// - Parameter isRemembered: whether the memory has been asked of this place.
    private mutating func run(_ index: Int, _ position: Int, isRemembered: Bool = false) {
        var (index, position, isRemembered) = (index, position, isRemembered)
        if stack.isReached {
            failure = .tooDeep
            return
        }
        stepCount += 1
        if isOver { return }
        while true {
            let state = states[index]
            if memory != nil, state.isFork, !isRemembered { return remember(index, position) }
            isRemembered = false
            switch state.kind {
            case .nothing: break
            case .byte(let byte):
                guard position < text.count, text[position] == byte else { return }
                position += 1
            case .set(let set):
                guard position < text.count, sets[set].contains(text[position]) else { return }
                position += 1
            case .lineStart: guard position == 0 else { return }
            case .lineEnd: guard position == text.count else { return }
            case .accept: return accept(position)
            case .alternative(let other):
                run(other, position)
                let had = hasSolution
                hasSolution = false
                run(state.next, position)
                hasSolution = hasSolution || had
                return
            case .run(let set):
                var end = position
                while end < text.count, sets[set].contains(text[end]) { end += 1 }
                while true {
                    run(state.next, end)
                    if hasSolution || end == position || isOver { return }
                    end -= 1
                }
            case .loop(let body, let count):
                again(body, count, position)
                if hasSolution || isOver { return }
            case .groupStart(let group):
                let before = groups[group].start
                groups[group].start = position
                run(state.next, position)
                groups[group].start = before
                return
            case .groupEnd(let group):
                let before = groups[group]
                groups[group].end = position
                groups[group].isMatched = true
                run(state.next, position)
                groups[group] = before
                return
            }
            index = state.next
        }
    }

    /// A fork's place: what the memory says of it, or what is found there.
    private mutating func remember(_ index: Int, _ position: Int) {
        let number = context.position == position ? context.number : 0
        let place = PatternMemory.Place(state: UInt32(index), context: number, position: position)
        if let known = memory?[place] {
            hasSolution = known
            return
        }
        run(index, position, isRemembered: true)
        if memory?.isFull == true { failure = .tooLarge }
        if failure == nil { memory?[place] = hasSolution }
    }

    /// A loop's body once more; at one position at most twice, so that an empty body ends.
    private mutating func again(_ body: Int, _ loop: Int, _ position: Int) {
        let before = loops[loop]
        let count = before.position == position ? before.count + 1 : 1
        guard count <= 2 else { return }
        loops[loop] = (position, count)
        let outer = context
        if memory != nil {
            let number = outer.position == position ? outer.number : 0
            context = (position, memory?.context(number, with: loop, count: count) ?? 0)
        }
        run(body, position)
        context = outer
        loops[loop] = before
    }

    private mutating func accept(_ position: Int) {
        hasSolution = !isExact || position == text.count
        if mustNotBeEmpty, position == begin { hasSolution = false }
        guard hasSolution else { return }
        if solutionEnd.map({ $0 < position }) ?? true {
            solutionEnd = position
            result = groups
        }
    }
}
