#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension Evaluator {
    /// `"a${b}c"` and `a + b`: strings are joined, numbers added; a path that comes first makes a path of the whole.
    @inline(never)
    func concatStrings(_ node: UnsafeMutablePointer<ConcatStringsNode>, _ environment: Environment) throws -> Value {
        let parts = node.pointee.parts
        let base = argumentCount
        guard base + parts.count < Self.argumentLimit else { throw stackOverflow(node.pointee.header.position) }
        argumentCount = base + parts.count
        defer { argumentCount = base }
        try checkStack(node.pointee.header.position)

        var context = Context.none
        var count = 0
        var firstTag = Value.Tag.string
        var integer: Int64 = 0
        var float = 0.0
        let isString = node.pointee.isString
        for index in 0..<parts.count {
            let part = parts.start.unsafelyUnwrapped + index
            let value: Value
            do { value = try evaluate(part.pointee.node, environment) } catch {
                throw traced(error, tracePosition(part.pointee.node), "in an operand of '+'")
            }
            if index == 0, !isString { firstTag = value.tag }
            switch firstTag {
            case .integer:
                switch value.tag {
                case .integer:
                    let (sum, overflows) = integer.addingReportingOverflow(value.integer)
                    guard !overflows else {
                        throw EvaluationError(
                            .evaluation, "integer overflow in adding \(integer) + \(value.integer)",
                            at: part.pointee.position)
                    }
                    integer = sum
                case .float:
                    firstTag = .float
                    float = Double(integer) + value.float
                default: throw cannotAdd(value, "an integer", part.pointee.position)
                }
            case .float:
                switch value.tag {
                case .integer: float += Double(value.integer)
                case .float: float += value.float
                default: throw cannotAdd(value, "a float", part.pointee.position)
                }
            default:
                let text: Text
                if value.tag == .string, value.context.isEmpty {
                    text = value.text
                } else {
                    text = try coerce(
                        value,
                        Coercion(copiesToStore: firstTag == .string, isCanonical: index > 0 || isString),
                        part.pointee.position, context: &context, "while evaluating a path segment")
                }
                count &+= text.count
                arguments[base + index] = text.pointer.assumingMemoryBound(to: Value.self)
            }
        }
        switch firstTag {
        case .integer: return .integer(integer)
        case .float: return .float(float)
        default: break
        }
        let result = Text(arena, count: count)
        var out = result.start
        for index in 0..<parts.count {
            let text = Text(pointer: UnsafeMutableRawPointer(arguments[base + index]))
            memcpy(out, text.start, text.count)
            out += text.count
        }
        guard firstTag == .path else { return .string(result, context: context) }
        guard context.isEmpty else {
            throw EvaluationError(
                .evaluation, "a string that refers to a store path cannot be appended to a path",
                at: node.pointee.header.position)
        }
        if CanonicalPath.isCanonical(result.bytes) { return .path(result) }
        return .path(Text(arena, CanonicalPath.make(result.string)))
    }

    @inline(never)
    private func cannotAdd(_ value: Value, _ to: StaticString, _ position: Position) -> EvaluationError {
        EvaluationError(.evaluation, "cannot add \(value.kindDescription) to \(to)", at: position)
    }

    // MARK: Short cuts for builtins

    @inline(__always)
    func string(_ text: String) -> Value { .string(Text(arena, text)) }

    func newString(_ bytes: [UInt8], context: Context = .none) -> Value {
        .string(Text(arena, bytes), context: context)
    }

    /// A string of some of another's bytes.
    func slice(_ bytes: UnsafeBufferPointer<UInt8>) -> ValueRef {
        if bytes.isEmpty { return emptyStringValue }
        if bytes.count == 1 { return singleBytes[Int(bytes[0])] }
        return arena.value(.string(Text(arena, bytes)))
    }

    func list(_ elements: [ValueRef]) -> Value {
        guard !elements.isEmpty else { return .emptyList }
        let start = arena.allocate(ValueRef.self, count: elements.count)
        elements.withUnsafeBufferPointer { start.initialize(from: $0.baseAddress!, count: elements.count) }
        return .list(start, count: elements.count)
    }

    /// A set of a few attributes.
    func set(_ attributes: [(Symbol, ValueRef)]) -> Value {
        let result = Attributes(arena, capacity: attributes.count)
        for (name, value) in attributes { result.append(name, value) }
        result.sort()
        return .attributes(result)
    }
}
