import JSON

/// Applies a parsed template to a value.
struct TemplateEvaluator {
    let root: JSONValue
    let missing: Template.MissingField
    let methods: [String: Template.Method]
    let definitions: [String: [TemplateNode]]
    let empty: (String) -> String?
    let absent: (JSONObject, String) -> JSONValue?

    private var variables: [(name: String, value: JSONValue)]
    private var callDepth = 0
    private var output = ""

    /// How deep blocks and calls may nest while they run: each of Go's 200 calls may hold a template of 200 blocks,
    /// and the stack is not that large.
    private static let depthLimit = 1000
    private var depth = 0
    /// How much one rendering may do, in steps; 64 bytes of text count as one. Templates also come from outside, and
    /// ten words of one could otherwise fill the memory.
    private static let stepLimit = 1 << 20
    private var steps = 0

    private enum Flow {
        case next
        case leave
        case skip
    }

    init(
        root: JSONValue, missing: Template.MissingField, methods: [String: Template.Method],
        definitions: [String: [TemplateNode]], empty: @escaping (String) -> String?,
        absent: @escaping (JSONObject, String) -> JSONValue?
    ) {
        self.empty = empty
        self.absent = absent
        self.root = root
        self.missing = missing
        self.methods = methods
        self.definitions = definitions
        variables = [("$", root)]
    }

    mutating func run(_ nodes: [TemplateNode]) throws(TemplateError) -> String {
        output = ""
        _ = try walk(nodes, Context(value: root, isRoot: true))
        return output
    }

    /// The value of `.`, and whether it is the data's top level, whose methods can be called.
    private struct Context {
        var value: JSONValue
        var isRoot = false
    }

    private func fail(_ place: TemplatePlace, _ message: String) -> TemplateError {
        let shown = place.source.count > 20 ? place.source.prefix(17) + "..." : Substring(place.source)
        return TemplateError("template: :\(place.line):\(place.column): executing \"\" at <\(shown)>: \(message)")
    }

    private mutating func spend(_ count: Int) throws(TemplateError) {
        steps += count
        guard steps <= Self.stepLimit else { throw TemplateError("the template does not come to an end") }
    }

    private mutating func print(_ text: String) throws(TemplateError) {
        try spend(text.utf8.count / 64)
        output += text
    }

    private mutating func walk(_ nodes: [TemplateNode], _ dot: Context) throws(TemplateError) -> Flow {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthLimit else {
            throw TemplateError("the template nests deeper than \(Self.depthLimit) levels")
        }
        for node in nodes {
            try spend(1)
            switch node {
            case .text(let text): try print(text)
            case .action(let pipeline):
                let value = try evaluate(pipeline, dot)
                if pipeline.variables.isEmpty {
                    try print(value.isNull ? printedNull(pipeline) : TemplateFunctions.printed(value))
                }
            case .condition(let pipeline, let then, let otherwise):
                let mark = variables.count
                let value = try evaluate(pipeline, dot)
                let flow = try walk(TemplateFunctions.isTrue(value) ? then : otherwise, dot)
                variables.removeLast(variables.count - mark)
                if flow != .next { return flow }
            case .with(let pipeline, let then, let otherwise):
                let mark = variables.count
                let value = try evaluate(pipeline, dot)
                let isTrue = TemplateFunctions.isTrue(value)
                let flow = try walk(isTrue ? then : otherwise, isTrue ? Context(value: value) : dot)
                variables.removeLast(variables.count - mark)
                if flow != .next { return flow }
            case .range(let pipeline, let body, let otherwise):
                try range(pipeline, body, otherwise, dot)
            case .call(let name, let pipeline, let place):
                guard let nodes = definitions[name] else { throw fail(place, "template \(goQuoted(name)) not defined") }
                let value: JSONValue = if let pipeline { try evaluate(pipeline, dot) } else { .null }
                guard callDepth < 199 else { throw fail(place, "exceeded maximum template depth (200)") }
                try call(nodes, with: value)
            case .break: return .leave
            case .continue: return .skip
            }
        }
        return .next
    }

    /// Runs a template that sees no variables but its own.
    private mutating func call(_ nodes: [TemplateNode], with value: JSONValue) throws(TemplateError) {
        let saved = variables
        callDepth += 1
        variables = [("$", value)]
        // Also after an error: the blocks around it count on their variables.
        defer {
            variables = saved
            callDepth -= 1
        }
        _ = try walk(nodes, Context(value: value))
    }

    private func printedNull(_ pipeline: TemplatePipeline) -> String {
        if pipeline.commands.count == 1, let operand = pipeline.commands[0].operands.first,
            let name = operand.fields.last, let text = empty(name)
        {
            return text
        }
        return TemplateFunctions.printed(.null)
    }

    private mutating func range(
        _ pipeline: TemplatePipeline, _ body: [TemplateNode], _ otherwise: [TemplateNode], _ dot: Context
    ) throws(TemplateError) {
        let mark = variables.count
        defer { variables.removeLast(variables.count - mark) }
        let value = try evaluate(pipeline, dot, bindsVariables: false)
        let elements: [(JSONValue, JSONValue)]
        switch value {
        case .array(let values): elements = values.enumerated().map { (.integer(Int64($0.offset)), $0.element) }
        case .object(let object):
            elements = object.members.sorted { $0.name < $1.name }.map { (.string($0.name), $0.value) }
        case .integer(let count):
            try spend(Int(clamping: min(max(0, count), Int64(Self.stepLimit) + 1)))
            elements = (0..<max(0, count)).map { (.integer($0), .integer($0)) }
        case .null: elements = []
        default: throw fail(pipeline.place, "range can't iterate over \(TemplateFunctions.printed(value))")
        }
        if elements.isEmpty {
            _ = try walk(otherwise, dot)
            return
        }
        for (key, element) in elements {
            let inner = variables.count
            if pipeline.variables.count == 1 {
                bind(pipeline.variables[0], element, declares: pipeline.declares)
            } else if pipeline.variables.count == 2 {
                bind(pipeline.variables[0], key, declares: pipeline.declares)
                bind(pipeline.variables[1], element, declares: pipeline.declares)
            }
            try spend(1)
            let flow = try walk(body, Context(value: element))
            variables.removeLast(variables.count - inner)
            if flow == .leave { break }
        }
    }

    private mutating func bind(_ name: String, _ value: JSONValue, declares: Bool) {
        if !declares, let at = variables.lastIndex(where: { $0.name == name }) {
            variables[at].value = value
        } else {
            variables.append((name, value))
        }
    }

    private mutating func evaluate(
        _ pipeline: TemplatePipeline, _ dot: Context, bindsVariables: Bool = true
    ) throws(TemplateError) -> JSONValue {
        var value: JSONValue?
        for command in pipeline.commands { value = try evaluate(command, dot, final: value) }
        let result = value ?? .null
        if bindsVariables {
            for name in pipeline.variables { bind(name, result, declares: pipeline.declares) }
        }
        return result
    }

    /// - Parameter final: the result of the command before, which becomes the last argument.
    private mutating func evaluate(
        _ command: TemplateCommand, _ dot: Context, final: JSONValue?
    ) throws(TemplateError) -> JSONValue {
        let first = command.operands[0]
        let rest = command.operands.dropFirst()
        if case .function(let name) = first.kind {
            if name == "and" || name == "or" {
                return try shortCircuit(name, rest, dot, final: final, first.place)
            }
            var arguments: [JSONValue] = []
            for operand in rest { arguments.append(try evaluate(operand, dot, arguments: [])) }
            if let final { arguments.append(final) }
            let result: JSONValue
            do throws(TemplateError) {
                result = try call(name, arguments)
            } catch {
                if error.message.hasPrefix("wrong number of args") { throw fail(first.place, error.message) }
                throw fail(command.place, "error calling \(name): \(error.message)")
            }
            return try fields(first.fields[...], of: result, isRoot: false, [], first.place)
        }
        var arguments: [JSONValue] = []
        for operand in rest { arguments.append(try evaluate(operand, dot, arguments: [])) }
        if let final { arguments.append(final) }
        if !arguments.isEmpty {
            switch (first.kind, first.fields.isEmpty) {
            case (.literal, _), (.null, _), (.pipeline, true), (.dot, true):
                throw fail(first.place, "can't give argument to non-function \(first.place.source)")
            default: break
            }
        }
        return try evaluate(first, dot, arguments: arguments)
    }

    private mutating func call(_ name: String, _ arguments: [JSONValue]) throws(TemplateError) -> JSONValue {
        let result = try TemplateFunctions.call(name, arguments)
        switch result {
        case .string(let text): try spend(1 + text.utf8.count / 64)
        case .array(let elements): try spend(1 + elements.count)
        default: try spend(1)
        }
        return result
    }

    private mutating func shortCircuit(
        _ name: String, _ operands: ArraySlice<TemplateOperand>, _ dot: Context, final: JSONValue?,
        _ place: TemplatePlace
    ) throws(TemplateError) -> JSONValue {
        var value: JSONValue?
        for operand in operands {
            let next = try evaluate(operand, dot, arguments: [])
            if TemplateFunctions.isTrue(next) == (name == "or") { return next }
            value = next
        }
        guard let result = final ?? value else {
            throw fail(place, "wrong number of args for \(name): want at least 1 got 0")
        }
        return result
    }

    private mutating func evaluate(
        _ operand: TemplateOperand, _ dot: Context, arguments: [JSONValue]
    ) throws(TemplateError) -> JSONValue {
        let base: JSONValue
        var isRoot = false
        switch operand.kind {
        case .dot:
            base = dot.value
            isRoot = dot.isRoot
        case .null: base = .null
        case .literal(let value): base = value
        case .variable(let name):
            base = variables.last { $0.name == name }?.value ?? .null
            isRoot = name == "$" && callDepth == 0
        case .function(let name):
            do throws(TemplateError) {
                base = try call(name, arguments)
            } catch { throw fail(operand.place, error.message) }
        case .pipeline(let pipeline): base = try evaluate(pipeline, dot)
        }
        return try fields(operand.fields[...], of: base, isRoot: isRoot, arguments, operand.place)
    }

    private func fields(
        _ names: ArraySlice<String>, of base: JSONValue, isRoot: Bool, _ arguments: [JSONValue], _ place: TemplatePlace
    ) throws(TemplateError) -> JSONValue {
        var value = base
        for (position, name) in names.enumerated() {
            let isLast = position == names.count - 1
            if isRoot, position == 0, let method = methods[name] {
                value = method(isLast ? arguments : [])
                continue
            }
            if isLast, !arguments.isEmpty {
                throw fail(place, "\(name) has arguments but cannot be invoked as function")
            }
            switch value {
            case .object(let object):
                if let field = object[name] ?? absent(object, name) {
                    value = field
                } else {
                    switch missing {
                    case .noValue: value = .null
                    case .failure(let type) where isRoot && position == 0:
                        throw fail(place, "can't evaluate field \(name) in type \(type)")
                    case .failure: value = .null
                    case .missingKey: throw fail(place, "map has no entry for key \(goQuoted(name))")
                    }
                }
            case .null:
                if case .noValue = missing {
                    value = .null
                } else {
                    throw fail(place, "nil pointer evaluating interface {}.\(name)")
                }
            default:
                throw fail(place, "can't evaluate field \(name) in type \(TemplateFunctions.typeName(value))")
            }
        }
        return value
    }
}
