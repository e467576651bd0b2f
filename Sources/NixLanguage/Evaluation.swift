import NixStore

/// What a command asks of the language: an expression, what to choose from it, and how to print it.
public struct Evaluation {
    public enum Source: Sendable {
        /// A text whose relative paths begin at a directory.
        case expression(String, basePath: String)
        /// A file, or a directory with a `default.nix`; absolute.
        case file(String)
        /// What came from standard input.
        case standardInput([UInt8], basePath: String)
    }

    public enum Argument: Sendable {
        /// `--argstr`.
        case string(String)
        /// `--arg`.
        case expression(String)
    }

    public enum Format: Sendable {
        /// As `nix-instantiate --eval`.
        case classic
        /// As `nix eval`.
        case modern
        case json
        case xml(showsLocations: Bool)
        /// A string, without quotes.
        case raw
        /// The paths of the derivations that the value is or holds, one a line.
        case derivationPath
        /// The parsed expression, not evaluated.
        case parsed
    }

    /// A failure in words, as it is shown to the user.
    public struct Failure: Error, Sendable, CustomStringConvertible {
        public let description: String
        /// Whether it comes from a wrong use of something, for which there is help.
        public let isUsage: Bool

        init(_ error: EvaluationError, in printer: ErrorPrinter) {
            description = printer.print(error)
            isUsage = error.kind == .usage
        }
    }

    public var source: Source
    /// `a.b.0.c`; empty for the whole value.
    public var attributePath = ""
    public var arguments: [(name: String, value: Argument)] = []
    /// A function that is applied to the value before it is printed.
    public var apply: String?
    public var format = Format.classic
    /// Evaluates everything in the value, not only its outermost shape.
    public var isStrict = false
    public var settings = EvaluationSettings()

    public init(_ source: Source) { self.source = source }

    /// Evaluates and prints.
    public func run(on host: any EvaluationHost) -> Result<[UInt8], Failure> {
        evaluating(on: host, output)
    }

    /// Where `<name>` is.
    public static func find(
        _ name: String, _ settings: EvaluationSettings, on host: any EvaluationHost
    ) -> Result<String, Failure> {
        var evaluation = Evaluation(.expression("null", basePath: "/"))
        evaluation.settings = settings
        return evaluation.evaluating(on: host) { try $0.findFile(name, in: $0.settings.searchPath) }
    }

    /// Calls `body` with the value that the source is, not evaluated yet, and with what functions are given.
    func onEvaluator<Output>(
        of host: any EvaluationHost, _ body: @escaping (Evaluator, ValueRef, Attributes) throws -> Output
    ) -> Result<Output, Failure> {
        evaluating(on: host) { evaluator in
            let root = evaluator.arena.value(.thunk(try parse(evaluator), evaluator.baseEnvironment))
            return try body(evaluator, root, try givenArguments(evaluator))
        }
    }

    /// Calls `body` with an evaluator, on its own thread; what it throws is put into words.
    private func evaluating<Output>(
        on host: any EvaluationHost, _ body: @escaping (Evaluator) throws -> Output
    ) -> Result<Output, Failure> {
        EvaluationThread.run { stack -> Result<Output, Failure> in
            let evaluator = Evaluator(host: settings.fence(host), settings: settings, stack: stack)
            do { return .success(try body(evaluator)) } catch {
                let printer = ErrorPrinter(positions: evaluator.positions, showsTrace: settings.showsTrace)
                return .failure(Failure(evaluator.evaluationError(error), in: printer))
            }
        }
    }

    private func parse(_ evaluator: Evaluator) throws -> Node {
        switch source {
        case .expression(let text, let basePath):
            try evaluator.parse(Array(text.utf8), origin: .expression, basePath: basePath)
        case .standardInput(let text, let basePath):
            try evaluator.parse(text, origin: .standardInput, basePath: basePath)
        case .file(let path): try evaluator.parseFile(try evaluator.resolveExpressionPath(CanonicalPath.make(path)))
        }
    }

    private func output(_ evaluator: Evaluator) throws -> [UInt8] {
        let node = try parse(evaluator)
        if case .parsed = format {
            return Array(SyntaxPrinter(symbols: evaluator.symbols, stack: evaluator.stack).print(node).utf8)
        }
        var value = evaluator.arena.value(.thunk(node, evaluator.baseEnvironment))
        let given = try givenArguments(evaluator)
        value = try evaluator.select(attributePath, from: value, given)
        if !given.isEmpty || isAutoCalled { value = evaluator.arena.value(try evaluator.autoCall(value, given)) }
        _ = try evaluator.force(value)
        if let apply {
            let function = try evaluator.parse(Array(apply.utf8), origin: .expression, basePath: "/")
            let functionValue = evaluator.arena.value(.thunk(function, evaluator.baseEnvironment))
            value = evaluator.arena.value(try evaluator.call(functionValue, value))
        }
        return try print(value, evaluator)
    }

    private var isAutoCalled: Bool {
        if case .derivationPath = format { return true }
        return false
    }

    private func givenArguments(_ evaluator: Evaluator) throws -> Attributes {
        var basePath = "/"
        switch source {
        case .expression(_, let path), .standardInput(_, let path): basePath = path
        case .file: basePath = evaluator.host.workingDirectory
        }
        return evaluator.set(
            try arguments.map { name, argument in
                let value: Value
                switch argument {
                case .string(let text): value = evaluator.string(text)
                case .expression(let text):
                    let node = try evaluator.parse(Array(text.utf8), origin: .expression, basePath: basePath)
                    value = .thunk(node, evaluator.baseEnvironment)
                }
                return (evaluator.symbols.intern(name), evaluator.arena.value(value))
            }
        ).attributes
    }

    private func print(_ value: ValueRef, _ evaluator: Evaluator) throws -> [UInt8] {
        switch format {
        case .classic:
            if isStrict { try evaluator.forceDeeply(value) }
            var printer = ClassicPrinter(evaluator)
            try printer.write(value)
            return printer.output
        case .modern:
            if isStrict { try evaluator.forceDeeply(value) }
            return try ValuePrinter(evaluator, .evaluation).tryPrint(try evaluator.force(value))
        case .json:
            var json = JSONText(evaluator)
            try json.write(value)
            return json.bytes
        case .xml(let showsLocations):
            if isStrict { try evaluator.forceDeeply(value) }
            var printer = XMLPrinter(evaluator, isStrict: isStrict, showsLocations: showsLocations)
            try printer.print(value)
            return printer.bytes
        case .raw:
            var context = Context.none
            return try evaluator.coerce(
                value, .plain, context: &context, "while generating the eval command output"
            ).array
        case .derivationPath:
            return Array(
                try evaluator.derivations(in: value, try givenArguments(evaluator)).map(\.array).joined(
                    separator: [0x0A]))
        case .parsed: return []
        }
    }
}

extension Evaluator {
    /// The value along `a.b.0`, functions on the way called with what their arguments are given.
    func select(_ path: String, from value: ValueRef, _ given: Attributes) throws -> ValueRef {
        var value = value
        for step in try steps(path) {
            value = arena.value(try autoCall(value, given))
            let current = value.pointee
            if let index = UInt32(step) {
                guard current.tag == .list else {
                    throw EvaluationError(
                        .type,
                        "the expression selected by the selection path '\(path)' should be a list but is \(current.kindDescription)"
                    )
                }
                guard index < current.listCount else {
                    throw EvaluationError(
                        .evaluation, "list index \(index) in selection path '\(path)' is out of range")
                }
                value = current.list[Int(index)]
                continue
            }
            guard current.tag == .attributes else {
                throw EvaluationError(
                    .type,
                    "the expression selected by the selection path '\(path)' should be a set but is \(current.kindDescription)"
                )
            }
            if step.isEmpty {
                throw EvaluationError(.evaluation, "empty attribute name in selection path '\(path)'")
            }
            guard let next = current.attributes[symbols.intern(step)] else {
                let error = EvaluationError(
                    .evaluation, "attribute '\(step)' in selection path '\(path)' not found")
                error.suggestions = Suggestions.best(
                    for: step, among: current.attributes.entries.map { symbols.string($0.name) })
                throw error
            }
            value = next
        }
        return value
    }

    /// The names in a selection path; one may be quoted.
    private func steps(_ path: String) throws -> [String] {
        var steps: [String] = []
        var current = ""
        var isQuoted = false
        for character in path {
            switch character {
            case "\"": isQuoted.toggle()
            case "." where !isQuoted:
                steps.append(current)
                current = ""
            default: current.append(character)
            }
        }
        if isQuoted {
            throw EvaluationError(.parse, "missing closing quote in selection path '\(path)'")
        }
        if !current.isEmpty { steps.append(current) }
        return steps
    }
}
