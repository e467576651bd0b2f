/// Lays a pattern's structure out as states, from its end to its start.
struct PatternCompiler {
    typealias State = RegularExpression.State
    typealias Failure = RegularExpression.Failure

    private(set) var states: [State] = []
    private(set) var sets: [RegularExpression.ByteSet] = []
    private(set) var loopCount = 0

    mutating func add(_ state: State) throws(Failure) -> Int {
        guard states.count < RegularExpression.stateLimit else { throw .tooLarge }
        states.append(state)
        return states.count - 1
    }

    private mutating func index(of set: RegularExpression.ByteSet) -> Int {
        if let known = sets.firstIndex(of: set) { return known }
        sets.append(set)
        return sets.count - 1
    }

    /// The state at which `node`, followed by `next`, begins.
    mutating func emit(_ node: PatternNode, next: Int) throws(Failure) -> Int {
        switch node {
        case .empty: return next
        case .byte(let byte): return try add(State(kind: .byte(byte), next: next))
        case .set(let set): return try add(State(kind: .set(index(of: set)), next: next))
        case .lineStart: return try add(State(kind: .lineStart, next: next))
        case .lineEnd: return try add(State(kind: .lineEnd, next: next))
        case .group(let group, let inner):
            let end = try add(State(kind: .groupEnd(group), next: next))
            let body = try emit(inner, next: end)
            return try add(State(kind: .groupStart(group), next: body))
        case .sequence(let nodes):
            var next = next
            for node in nodes.reversed() { next = try emit(node, next: next) }
            return next
        case .alternatives(let branches):
            // From the left: ((a|b)|c), as the library builds them.
            var start = try emit(branches[0], next: next)
            for branch in branches.dropFirst() {
                let right = try emit(branch, next: next)
                start = try add(State(kind: .alternative(other: start), next: right))
            }
            return start
        case .repeated(let inner, let minimum, let maximum):
            var next = next
            if let maximum {
                let end = next
                for _ in 0..<maximum - minimum {
                    let body = try emit(inner, next: next)
                    loopCount += 1
                    next = try add(State(kind: .loop(body: body, count: loopCount - 1), next: end))
                }
            } else {
                next = try star(inner, next: next)
            }
            for _ in 0..<minimum { next = try emit(inner, next: next) }
            return next
        }
    }

    private mutating func star(_ inner: PatternNode, next: Int) throws(Failure) -> Int {
        switch inner {
        case .byte(let byte):
            var set = RegularExpression.ByteSet()
            set.insert(byte)
            return try add(State(kind: .run(index(of: set)), next: next))
        case .set(let set): return try add(State(kind: .run(index(of: set)), next: next))
        default:
            loopCount += 1
            let loop = try add(State(kind: .loop(body: 0, count: loopCount - 1), next: next))
            let count = loopCount - 1
            let body = try emit(inner, next: loop)
            states[loop].kind = .loop(body: body, count: count)
            return loop
        }
    }
}
