import NixStore

/// Expressions evaluated one after another, with names that stay: what an interactive prompt works on.
///
/// All of it is one thread's, the evaluator's: `run` makes that and lends a session to a function there.
public final class InteractiveSession {
    let evaluator: Evaluator
    private let basePath: String
    private let interruption: Interruption
    private var showsTrace: Bool

    /// Names of the session, and their values.
    private(set) var names: [Symbol: ValueRef] = [:]
    /// The same as an environment; made anew when a name is added.
    private var scope: (slots: [Symbol: Int], environment: Environment)?

    /// The names that were last added together, in order; `nil` when none have been.
    public private(set) var lastAdded: [String]?

    /// A failure in words, as it is shown to the user.
    public typealias Failure = Evaluation.Failure

    private init(_ evaluator: Evaluator, basePath: String, interruption: Interruption) {
        self.evaluator = evaluator
        self.basePath = basePath
        self.interruption = interruption
        showsTrace = evaluator.settings.showsTrace
    }

    /// Runs `body` on a thread with a large stack, and waits for it.
    ///
    /// - Parameters:
    ///   - basePath: where relative paths in expressions begin.
    ///   - interruption: ends what is being evaluated when another thread asks it to.
    public static func run(
        on host: any EvaluationHost, _ settings: EvaluationSettings, basePath: String, interruption: Interruption,
        _ body: @escaping (InteractiveSession) -> Void
    ) {
        EvaluationThread.run { stack in
            let evaluator = Evaluator(
                host: settings.fence(host), settings: settings, stack: stack, interruption: interruption)
            body(InteractiveSession(evaluator, basePath: basePath, interruption: interruption))
        }
    }

    // MARK: Evaluating

    /// Calls `body`, and puts what it throws into words. What asked for an end before is forgotten.
    func failing<Result>(_ body: () throws -> Result) throws(Failure) -> Result {
        interruption.forget()
        do { return try body() } catch {
            let printer = ErrorPrinter(positions: evaluator.positions, showsTrace: showsTrace)
            throw Failure(evaluator.evaluationError(error), in: printer)
        }
    }

    func thunk(_ text: String) throws -> ValueRef {
        let (slots, environment) = currentScope()
        let node = try evaluator.withBaseScope { base in
            try withUnsafePointer(to: Scope(names: .custom(slots), up: base)) { scope in
                try evaluator.parse(Array(text.utf8), origin: .expression, basePath: basePath, scope: scope)
            }
        }
        return evaluator.arena.value(.thunk(node, environment))
    }

    private func currentScope() -> (slots: [Symbol: Int], environment: Environment) {
        if let scope { return scope }
        let environment = Environment(evaluator.arena, slots: names.count, up: evaluator.baseEnvironment)
        var slots: [Symbol: Int] = [:]
        for (slot, (name, value)) in names.enumerated() {
            environment[slot] = value
            slots[name] = slot
        }
        scope = (slots, environment)
        return (slots, environment)
    }

    /// Whether `text` is the beginning of an expression and more is to come.
    public func isIncomplete(_ text: String) -> Bool {
        do { _ = try thunk(text) } catch let error as EvaluationError {
            return error.kind == .parse && error.message.contains("unexpected end of file")
        } catch {}
        return false
    }

    /// The value of an expression, printed; with `isDeep` all that is in it too, and a string as it is.
    public func print(_ text: String, isDeep: Bool = false) throws(Failure) -> String {
        try failing {
            let value = try thunk(text)
            if isDeep { try evaluator.forceDeeply(value) }
            if isDeep, case let text = try evaluator.force(value), text.tag == .string { return text.text.string }
            let printer = ValuePrinter(evaluator, .interactive(isDeep: isDeep))
            return String(decoding: try printer.tryPrint(try evaluator.force(value)), as: UTF8.self)
        }
    }

    /// What kind of value an expression has: `an integer`.
    public func kind(of text: String) throws(Failure) -> String {
        try failing { try evaluator.force(try thunk(text)).kindDescription }
    }

    // MARK: Names

    /// Whether a name can be given to a value.
    public static func isName(_ text: some StringProtocol) -> Bool {
        guard let first = text.utf8.first, Lexer.isIdentifierStart(first) else { return false }
        return text.utf8.allSatisfy(Lexer.isIdentifier)
    }

    /// Gives a name to an expression's value, which is not evaluated yet.
    public func bind(_ name: String, to text: String) throws(Failure) {
        try failing { define(evaluator.symbols.intern(name), try thunk(text)) }
    }

    private func define(_ name: Symbol, _ value: ValueRef) {
        names[name] = value
        scope = nil
    }

    /// Makes the attributes of an expression's value names.
    /// - Returns: how many they are.
    public func addAttributes(of text: String) throws(Failure) -> Int {
        try failing { try add(try evaluator.force(try thunk(text))) }
    }

    /// Makes the attributes of a file's value names; a function is called with what its arguments are given.
    /// - Returns: how many they are.
    public func load(
        _ path: String, _ arguments: [(name: String, value: Evaluation.Argument)] = []
    ) throws(Failure) -> Int {
        try failing {
            let file: String
            if path.hasPrefix("<"), path.hasSuffix(">") {
                file = try evaluator.findFile(String(path.dropFirst().dropLast()), in: evaluator.settings.searchPath)
            } else {
                file = CanonicalPath.make(path.hasPrefix("/") ? path : basePath + "/" + path)
            }
            let value = evaluator.arena.value(try evaluator.evaluateFile(file))
            return try add(try evaluator.autoCall(value, try given(arguments)))
        }
    }

    private func given(_ arguments: [(name: String, value: Evaluation.Argument)]) throws -> Attributes {
        evaluator.set(
            try arguments.map { name, argument in
                let value: ValueRef
                switch argument {
                case .string(let text): value = evaluator.arena.value(evaluator.string(text))
                case .expression(let text): value = try thunk(text)
                }
                return (evaluator.symbols.intern(name), value)
            }
        ).attributes
    }

    private func add(_ value: Value) throws -> Int {
        guard value.tag == .attributes else {
            throw EvaluationError(.type, "expected a set but found \(value.kindDescription)")
        }
        for attribute in value.attributes.entries { define(attribute.name, attribute.value) }
        lastAdded = value.attributes.entries.map { evaluator.symbols.string($0.name) }.sorted()
        return value.attributes.count
    }

    /// Forgets all names and what was read from files, so that files are read anew.
    public func reset() {
        names = [:]
        scope = nil
        evaluator.forgetFiles()
    }

    /// Whether errors show where they came from.
    public func setShowsTrace(_ shows: Bool?) -> Bool {
        showsTrace = shows ?? !showsTrace
        return showsTrace
    }
}

extension Evaluator {
    /// Files are read and evaluated again when they are next asked for.
    func forgetFiles() {
        files = [:]
        resolvedImports = [:]
        resolvedSearchPaths = [:]
        treePaths = [:]
    }
}
