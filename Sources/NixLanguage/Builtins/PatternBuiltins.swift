/// Regular expressions.
enum PatternBuiltins {
    static var all: [Builtin] {
        [
            Builtin("match", 2) { evaluator, arguments in
                let pattern = try evaluator.forcePlainString(
                    arguments[0], "while evaluating the first argument passed to builtins.match")
                let expression = try evaluator.regularExpression(pattern)
                let text = try evaluator.forceString(
                    arguments[1], "while evaluating the second argument passed to builtins.match"
                ).text
                let match = try failing(pattern) { () throws(RegularExpression.Failure) in
                    var found: [PatternMatcher.Span]?
                    try matching(expression, text, evaluator) { (matcher) throws(RegularExpression.Failure) in
                        found = try matcher.matchWhole()
                    }
                    return found
                }
                guard let match else { return .null }
                return groups(evaluator, match, text)
            },
            Builtin("split", 2) { evaluator, arguments in
                let pattern = try evaluator.forcePlainString(
                    arguments[0], "while evaluating the first argument passed to builtins.split")
                let expression = try evaluator.regularExpression(pattern)
                let text = try evaluator.forceString(
                    arguments[1], "while evaluating the second argument passed to builtins.split"
                ).text
                let original = arguments[1]
                var parts: [ValueRef] = []
                try failing(pattern) { () throws(RegularExpression.Failure) in
                    try matching(expression, text, evaluator) { (matcher) throws(RegularExpression.Failure) in
                        var from = 0
                        var next = try matcher.search(from: 0)
                        while let match = next {
                            parts.append(
                                evaluator.slice(UnsafeBufferPointer(rebasing: text.bytes[from..<match[0].start])))
                            parts.append(evaluator.arena.value(groups(evaluator, match, text)))
                            from = match[0].end
                            next = try following(match, &matcher, text)
                        }
                        if parts.isEmpty {
                            parts.append(original)
                        } else {
                            parts.append(evaluator.slice(UnsafeBufferPointer(rebasing: text.bytes[from...])))
                        }
                    }
                }
                return evaluator.list(parts)
            },
        ]
    }

    /// The match after `match`: after an empty one, first something longer at the same place.
    private static func following(
        _ match: [PatternMatcher.Span], _ matcher: inout PatternMatcher, _ text: Text
    ) throws(RegularExpression.Failure) -> [PatternMatcher.Span]? {
        var start = match[0].end
        if match[0].start == match[0].end {
            if start == text.count { return nil }
            if let longer = try matcher.matchNotEmpty(at: start) { return longer }
            start += 1
        }
        return try matcher.search(from: start)
    }

    private static func matching(
        _ expression: RegularExpression, _ text: Text, _ evaluator: Evaluator,
        _ body: (inout PatternMatcher) throws(RegularExpression.Failure) -> Void
    ) throws(RegularExpression.Failure) {
        var failure: RegularExpression.Failure?
        PatternMatcher.with(expression, text.bytes, evaluator.stack) { matcher in
            do throws(RegularExpression.Failure) { try body(&matcher) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    private static func groups(_ evaluator: Evaluator, _ match: [PatternMatcher.Span], _ text: Text) -> Value {
        evaluator.list(
            match.dropFirst().map { span in
                guard span.isMatched else { return evaluator.nullValue }
                return evaluator.slice(UnsafeBufferPointer(rebasing: text.bytes[span.start..<span.end]))
            })
    }

    private static func failing<Result>(
        _ pattern: Text, _ body: () throws(RegularExpression.Failure) -> Result
    ) throws -> Result {
        do throws(RegularExpression.Failure) { return try body() } catch { throw Self.error(pattern, error) }
    }

    static func error(_ pattern: Text, _ failure: RegularExpression.Failure) -> EvaluationError {
        switch failure {
        case .syntax: EvaluationError(.evaluation, "invalid regular expression '\(pattern.string)'")
        case .tooLarge, .tooDeep:
            EvaluationError(.evaluation, "memory limit exceeded by regular expression '\(pattern.string)'")
        }
    }
}

extension Evaluator {
    /// The expression that `pattern` describes; each is read once.
    func regularExpression(_ pattern: Text) throws -> RegularExpression {
        if let known = expressions[pattern] { return known }
        do throws(RegularExpression.Failure) {
            let expression = try RegularExpression(pattern.bytes, stack: stack)
            expressions[pattern] = expression
            return expression
        } catch { throw PatternBuiltins.error(pattern, error) }
    }
}
