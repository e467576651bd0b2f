/// Why a text could not be parsed or evaluated.
///
/// An error is made where something is wrong and told more on its way out, frame by frame. It is a class so that throwing
/// it costs one word.
// Unchecked, and safe: only the evaluator's thread makes and changes errors, and none leaves it. `Evaluation.run` prints
// an error on that thread and hands out a `Failure`, which is text; the type is not public, so nobody else can keep one.
final class EvaluationError: Error, @unchecked Sendable {
    enum Kind {
        case parse
        case undefinedVariable
        case type
        case evaluation
        case missingArgument
        /// `assert`: `tryEval` catches it.
        case assertion
        /// `throw`: `tryEval` catches it.
        case thrown
        case abort
        case infiniteRecursion
        case stackOverflow
        /// A file or an address that the mode of evaluation forbids.
        case restricted
        /// A file that cannot be read.
        case file
        /// Something of the store's.
        case store
        /// The user does not want to wait for it.
        case interrupted
        /// A wrong use of a program or of an option.
        case usage
    }

    let kind: Kind
    let message: String
    var position: Position
    private(set) var trace: TraceFrame?
    var suggestions: [String] = []
    /// The value that was being evaluated when it was asked for again.
    var recursiveValue: ValueRef?

    init(_ kind: Kind, _ message: String, at position: Position = .none) {
        self.kind = kind
        self.message = message
        self.position = position
    }

    /// Whether `builtins.tryEval` turns it into a value.
    var isCatchable: Bool { kind == .assertion || kind == .thrown }

    /// Whether evaluating again may succeed: it failed for want of room or of patience, not for what it says.
    var isRecoverable: Bool { kind == .stackOverflow || kind == .interrupted }

    /// The same error with the trace that it has now; what is added to one is not seen in the other.
    func copy() -> EvaluationError {
        let copy = EvaluationError(kind, message, at: position)
        copy.trace = trace
        copy.suggestions = suggestions
        copy.recursiveValue = recursiveValue
        return copy
    }

    /// Adds what was being done, and where; frames are added from the inside out.
    func addTrace(_ position: Position, _ text: String, isAlwaysShown: Bool = false) {
        trace = TraceFrame(position: position, text: text, isAlwaysShown: isAlwaysShown, inner: trace)
    }

    @discardableResult
    func tracing(_ position: Position, _ text: String) -> EvaluationError {
        addTrace(position, text)
        return self
    }
}

/// One line of a trace and the frames inside it.
final class TraceFrame {
    let position: Position
    let text: String
    /// Shown even where traces are cut short.
    let isAlwaysShown: Bool
    let inner: TraceFrame?

    init(position: Position, text: String, isAlwaysShown: Bool, inner: TraceFrame?) {
        self.position = position
        self.text = text
        self.isAlwaysShown = isAlwaysShown
        self.inner = inner
    }

    /// Frames outermost first.
    var frames: [TraceFrame] {
        var frames: [TraceFrame] = []
        var frame: TraceFrame? = self
        while let current = frame {
            frames.append(current)
            frame = current.inner
        }
        return frames
    }
}
