#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Strings.
enum StringBuiltins {
    static var all: [Builtin] {
        [
            Builtin("toString", 1, isGlobal: true) { evaluator, arguments in
                var context = Context.none
                let text = try evaluator.coerce(
                    arguments[0], .toString, context: &context,
                    "while evaluating the first argument passed to builtins.toString")
                return .string(text, context: context)
            },
            Builtin("substring", 3) { evaluator, arguments in try substring(evaluator, arguments) },
            Builtin("stringLength", 1) { evaluator, arguments in
                var context = Context.none
                return .integer(
                    Int64(
                        try evaluator.coerce(
                            arguments[0], context: &context,
                            "while evaluating the argument passed to builtins.stringLength"
                        ).count))
            },
            Builtin("concatStringsSep", 2) { evaluator, arguments in try concat(evaluator, arguments) },
            Builtin("replaceStrings", 3) { evaluator, arguments in try replace(evaluator, arguments) },
            Builtin("baseNameOf", 1, isGlobal: true) { evaluator, arguments in
                var context = Context.none
                let text = try evaluator.coerce(
                    arguments[0], .plain, context: &context,
                    "while evaluating the first argument passed to builtins.baseNameOf")
                return .string(
                    Text(evaluator.arena, UnsafeBufferPointer(rebasing: baseName(text.bytes))), context: context)
            },
            Builtin("dirOf", 1, isGlobal: true) { evaluator, arguments in
                let value = try evaluator.force(arguments[0])
                if value.tag == .path {
                    return .path(Text(evaluator.arena, CanonicalPath.parent(CanonicalPath.make(value.text.string))))
                }
                var context = Context.none
                let text = try evaluator.coerce(
                    arguments[0], .plain, context: &context,
                    "while evaluating the first argument passed to 'builtins.dirOf'")
                guard let slash = text.bytes.lastIndex(of: UInt8(ascii: "/")) else {
                    return .string(Text(evaluator.arena, "."), context: context)
                }
                let parent = UnsafeBufferPointer(rebasing: text.bytes[..<max(slash, 1)])
                return .string(Text(evaluator.arena, parent), context: context)
            },
        ]
    }

    /// What follows the last slash; one slash at the end does not count.
    static func baseName(_ path: UnsafeBufferPointer<UInt8>) -> Slice<UnsafeBufferPointer<UInt8>> {
        guard !path.isEmpty else { return path[...] }
        var last = path.count - 1
        if path[last] == UInt8(ascii: "/"), last > 0 { last -= 1 }
        let start = path[...last].lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0
        return start <= last ? path[start...last] : path[0..<0]
    }

    private static func substring(_ evaluator: Evaluator, _ arguments: Builtin.Arguments) throws -> Value {
        let start = try evaluator.forceInteger(
            arguments[0], "while evaluating the first argument (the start offset) passed to builtins.substring")
        guard start >= 0 else { throw EvaluationError(.evaluation, "negative start position in 'substring'") }
        let length = try evaluator.forceInteger(
            arguments[1],
            "while evaluating the second argument (the substring length) passed to builtins.substring")
        if length == 0 {
            let value = try evaluator.force(arguments[2])
            if value.tag == .string {
                return .string(evaluator.emptyStringValue.pointee.text, context: value.context)
            }
        }
        var context = Context.none
        let text = try evaluator.coerce(
            arguments[2], context: &context,
            "while evaluating the third argument (the string) passed to builtins.substring")
        guard start < text.count else {
            return .string(evaluator.emptyStringValue.pointee.text, context: context)
        }
        let available = text.count - Int(start)
        let count = length < 0 ? available : min(available, Int(length))
        if count == text.count { return .string(text, context: context) }
        let part = UnsafeBufferPointer(rebasing: text.bytes[Int(start)..<Int(start) + count])
        return .string(evaluator.slice(part).pointee.text, context: context)
    }

    private static func concat(_ evaluator: Evaluator, _ arguments: Builtin.Arguments) throws -> Value {
        let separator = try evaluator.forceString(
            arguments[0],
            "while evaluating the first argument (the separator string) passed to builtins.concatStringsSep")
        var context = separator.context
        let list = try evaluator.forceList(
            arguments[1],
            "while evaluating the second argument (the list of strings to concat) passed to builtins.concatStringsSep")
        var parts: [Text] = []
        parts.reserveCapacity(list.listCount)
        var count = 0
        for element in list.list {
            let text = try evaluator.coerce(
                element, context: &context,
                "while evaluating one element of the list of strings to concat passed to builtins.concatStringsSep")
            parts.append(text)
            count += text.count
        }
        count += separator.text.count * max(parts.count - 1, 0)
        let result = Text(evaluator.arena, count: count)
        var out = result.start
        for (index, part) in parts.enumerated() {
            if index > 0 {
                memcpy(out, separator.text.start, separator.text.count)
                out += separator.text.count
            }
            memcpy(out, part.start, part.count)
            out += part.count
        }
        return .string(result, context: context)
    }

    private static func replace(_ evaluator: Evaluator, _ arguments: Builtin.Arguments) throws -> Value {
        let from = try evaluator.forceList(
            arguments[0], "while evaluating the first argument passed to builtins.replaceStrings")
        let to = try evaluator.forceList(
            arguments[1], "while evaluating the second argument passed to builtins.replaceStrings")
        guard from.listCount == to.listCount else {
            throw EvaluationError(
                .evaluation,
                "'from' and 'to' arguments passed to builtins.replaceStrings have different lengths")
        }
        var patterns: [Text] = []
        /// Which patterns may begin with a byte; an empty one begins anywhere.
        var firstBytes = [Bool](repeating: false, count: 256)
        var hasEmpty = false
        for element in from.list {
            let text = try evaluator.forceString(
                element, "while evaluating one of the strings to replace passed to builtins.replaceStrings"
            ).text
            patterns.append(text)
            if let first = text.bytes.first { firstBytes[Int(first)] = true } else { hasEmpty = true }
        }
        let value = try evaluator.forceString(
            arguments[2], "while evaluating the third argument passed to builtins.replaceStrings")
        var context = value.context
        var replacements = [Text?](repeating: nil, count: patterns.count)
        let source = value.text.bytes
        var result: [UInt8] = []
        result.reserveCapacity(source.count)
        var isChanged = false
        var at = 0
        while at <= source.count {
            let canMatch = hasEmpty || at < source.count && firstBytes[Int(source[at])]
            let match =
                canMatch
                ? patterns.firstIndex { pattern in
                    pattern.count <= source.count - at
                        && (pattern.count == 0 || memcmp(source.baseAddress! + at, pattern.start, pattern.count) == 0)
                } : nil
            guard let match else {
                if at < source.count { result.append(source[at]) }
                at += 1
                continue
            }
            isChanged = true
            let replacement: Text
            if let known = replacements[match] {
                replacement = known
            } else {
                let value = try evaluator.forceString(
                    to.list[match],
                    "while evaluating one of the replacement strings passed to builtins.replaceStrings")
                context = evaluator.contexts.union(context, value.context)
                replacement = value.text
                replacements[match] = replacement
            }
            result.append(contentsOf: replacement.bytes)
            if patterns[match].isEmpty {
                if at < source.count { result.append(source[at]) }
                at += 1
            } else {
                at += patterns[match].count
            }
        }
        return isChanged ? evaluator.newString(result, context: context) : .string(value.text, context: context)
    }
}
