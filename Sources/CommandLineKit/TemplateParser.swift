import JSON

/// Builds the tree of a template.
struct TemplateParser {
    private let tokens: [TemplateToken]
    private var at = 0
    private var variables: [String] = ["$"]
    private var rangeDepth = 0
    private var depth = 0
    private(set) var definitions: [String: [TemplateNode]] = [:]

    /// How deep blocks and parentheses may nest: hostile input must not exhaust the stack.
    private static let depthLimit = 200

    init(tokens: [TemplateToken]) { self.tokens = tokens }

    private var current: TemplateToken { tokens[min(at, tokens.count - 1)] }

    private func fail(_ message: String) -> TemplateError { TemplateError("template: :\(current.line): \(message)") }

    mutating func template() throws(TemplateError) -> [TemplateNode] {
        let (nodes, terminator) = try block()
        if let terminator { throw fail("unexpected {{\(terminator)}}") }
        return nodes
    }

    private mutating func skipSpace() { while case .space = current.kind { at += 1 } }

    private mutating func enter() throws(TemplateError) {
        depth += 1
        guard depth < Self.depthLimit else { throw fail("nested deeper than \(Self.depthLimit) levels") }
    }

    /// Reads nodes up to the end, or up to an `end` or `else`, whose word it returns.
    private mutating func block() throws(TemplateError) -> ([TemplateNode], String?) {
        try enter()
        defer { depth -= 1 }
        var nodes: [TemplateNode] = []
        while true {
            let token = current
            at += 1
            switch token.kind {
            case .end:
                at -= 1
                return (nodes, nil)
            case .text(let text): nodes.append(.text(text))
            default:
                skipSpace()
                guard case .identifier(let word) = current.kind else {
                    nodes.append(.action(try pipeline(context: "command")))
                    continue
                }
                switch word {
                case "end", "else":
                    at += 1
                    return (nodes, word)
                case "if", "with", "range":
                    at += 1
                    nodes.append(try control(word))
                case "break", "continue":
                    at += 1
                    skipSpace()
                    guard case .close = current.kind else { throw fail("unexpected \(shown) in {{\(word)}}") }
                    guard rangeDepth > 0 else { throw fail("{{\(word)}} outside {{range}}") }
                    at += 1
                    nodes.append(word == "break" ? .break : .continue)
                case "define", "block", "template":
                    at += 1
                    if let node = try named(word) { nodes.append(node) }
                default: nodes.append(.action(try pipeline(context: "command")))
                }
            }
        }
    }

    private mutating func control(_ word: String) throws(TemplateError) -> TemplateNode {
        let saved = variables.count
        defer { variables.removeLast(variables.count - saved) }
        let condition = try pipeline(context: word)
        if word == "range" { rangeDepth += 1 }
        let (body, terminator) = try block()
        if word == "range" { rangeDepth -= 1 }
        var otherwise: [TemplateNode] = []
        switch terminator {
        case "end": try close()
        case "else":
            skipSpace()
            if case .identifier(let next) = current.kind, next == word, word != "range" {
                // `{{else if}}`: a nested block that shares this one's `{{end}}`.
                at += 1
                try enter()
                defer { depth -= 1 }
                otherwise = [try control(word)]
            } else {
                try close()
                let (nodes, end) = try block()
                guard end == "end" else { throw fail(end == nil ? "unexpected EOF" : "expected end; found {{else}}") }
                otherwise = nodes
                try close()
            }
        default: throw fail("unexpected EOF")
        }
        switch word {
        case "if": return .condition(condition, then: body, otherwise: otherwise)
        case "with": return .with(condition, then: body, otherwise: otherwise)
        default: return .range(condition, body: body, otherwise: otherwise)
        }
    }

    private mutating func named(_ word: String) throws(TemplateError) -> TemplateNode? {
        skipSpace()
        let token = current
        guard case .string(let name) = token.kind else { throw fail("unexpected \(shown) in \(word) clause") }
        at += 1
        skipSpace()
        let place = TemplatePlace(line: token.line, column: token.column, source: token.source)
        var argument: TemplatePipeline?
        if word != "define" {
            if case .close = current.kind { at += 1 } else { argument = try pipeline(context: word) }
            if word == "template" { return .call(name: name, argument, place: place) }
        } else {
            try close()
        }
        let (nodes, end) = try definition()
        guard end == "end" else { throw fail("unexpected \(end.map { "{{\($0)}}" } ?? "EOF") in \(word) clause") }
        try close()
        definitions[name] = nodes
        return word == "block" ? .call(name: name, argument, place: place) : nil
    }

    /// A block that sees no variables but its own.
    private mutating func definition() throws(TemplateError) -> ([TemplateNode], String?) {
        let saved = variables
        variables = ["$"]
        // Also after an error: the blocks around it count on their variables.
        defer { variables = saved }
        return try block()
    }

    private mutating func close() throws(TemplateError) {
        skipSpace()
        guard case .close = current.kind else { throw fail("unexpected \(shown) in end") }
        at += 1
    }

    private var shown: String {
        switch current.kind {
        case .end: "EOF"
        case .identifier, .field, .variable: "<\(current.source)>"
        default: goQuoted(current.source)
        }
    }

    /// Reads a pipeline and the `}}` or `)` after it.
    private mutating func pipeline(
        context: String, inParentheses: Bool = false
    ) throws(TemplateError) -> TemplatePipeline {
        try enter()
        defer { depth -= 1 }
        skipSpace()
        let start = at
        var names: [String] = []
        var declares = false
        if !inParentheses, let declaration = assignment(context: context) {
            (names, declares) = declaration
            for name in names where !declares && !variables.contains(name) {
                throw fail("undefined variable \(goQuoted(name))")
            }
        }
        var commands: [TemplateCommand] = []
        loop: while true {
            skipSpace()
            switch current.kind {
            case .close where !inParentheses, .rightParenthesis where inParentheses:
                guard !commands.isEmpty else { throw fail("missing value for \(context)") }
                at += 1
                break loop
            case .end: throw fail("unexpected EOF")
            default: commands.append(try command())
            }
            skipSpace()
            if case .pipe = current.kind {
                at += 1
                skipSpace()
                switch current.kind {
                case .close, .rightParenthesis, .pipe: throw fail("missing value for \(context)")
                default: break
                }
            }
        }
        for command in commands.dropFirst() {
            let first = command.operands[0]
            switch (first.kind, first.fields.isEmpty) {
            case (.literal, _), (.null, _), (.dot, true):
                throw fail("non executable command in pipeline stage \(commands.count)")
            default: break
            }
        }
        if declares { variables += names }
        let end = max(start, at - 1)
        return TemplatePipeline(
            variables: names, declares: declares, commands: commands, place: place(from: start, to: end))
    }

    /// `$x :=`, `$x =`, `$i, $x :=`; leaves the place alone when there is none.
    private mutating func assignment(context: String) -> ([String], Bool)? {
        let start = at
        var names: [String] = []
        while case .variable(let name) = current.kind {
            names.append(name)
            at += 1
            skipSpace()
            switch current.kind {
            case .comma where context == "range" && names.count == 1:
                at += 1
                skipSpace()
                continue
            case .declare:
                at += 1
                return (names, true)
            case .assign:
                at += 1
                return (names, false)
            default: break
            }
            break
        }
        at = start
        return nil
    }

    private func place(from start: Int, to end: Int) -> TemplatePlace {
        let source = tokens[start..<max(start + 1, end)].map(\.source).joined()
        var trimmed = Substring(source)
        while trimmed.last == " " { trimmed.removeLast() }
        return TemplatePlace(line: tokens[start].line, column: tokens[start].column, source: String(trimmed))
    }

    private mutating func command() throws(TemplateError) -> TemplateCommand {
        let start = at
        var operands: [TemplateOperand] = []
        while true {
            operands.append(try operand())
            guard case .space = current.kind else { break }
            skipSpace()
            switch current.kind {
            case .close, .pipe, .rightParenthesis, .end:
                return TemplateCommand(operands: operands, place: place(from: start, to: at))
            default: continue
            }
        }
        switch current.kind {
        case .close, .pipe, .rightParenthesis, .end: break
        default: throw fail("unexpected \(shown) in operand")
        }
        return TemplateCommand(operands: operands, place: place(from: start, to: at))
    }

    private mutating func operand() throws(TemplateError) -> TemplateOperand {
        let start = at
        let token = current
        at += 1
        var fields: [String] = []
        let kind: TemplateOperand.Kind
        switch token.kind {
        case .dot: kind = .dot
        case .field(let name):
            kind = .dot
            fields = [name]
        case .variable(let name):
            guard variables.contains(name) else {
                at -= 1
                throw fail("undefined variable \(goQuoted(name))")
            }
            kind = .variable(name)
        case .string(let text): kind = .literal(.string(text))
        case .integer(let value), .character(let value): kind = .literal(.integer(value))
        case .number(let value): kind = .literal(.number(value))
        case .identifier("true"): kind = .literal(true)
        case .identifier("false"): kind = .literal(false)
        case .identifier("nil"): kind = .null
        case .identifier(let name):
            guard TemplateFunctions.names.contains(name) else {
                at -= 1
                throw fail("function \(goQuoted(name)) not defined")
            }
            kind = .function(name)
        case .leftParenthesis: kind = .pipeline(try pipeline(context: "parenthesized pipeline", inParentheses: true))
        default:
            at -= 1
            if case .rightParenthesis = token.kind { throw fail("unexpected right paren") }
            throw fail("unexpected \(shown) in operand")
        }
        let chain = at
        while case .field(let name) = current.kind {
            fields.append(name)
            at += 1
        }
        var place = place(from: start, to: at)
        // Go's messages give the place of the first field that follows another operand.
        if at > chain { place.column = tokens[chain].column }
        return TemplateOperand(kind: kind, fields: fields, place: place)
    }
}
