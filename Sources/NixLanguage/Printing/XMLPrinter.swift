/// Writes a value as XML, as `builtins.toXML` and `--xml` do.
struct XMLPrinter {
    private let evaluator: Evaluator
    private let isStrict: Bool
    private let showsLocations: Bool
    private var text = XMLText()
    var bytes: [UInt8] { text.bytes }
    private(set) var context = Context.none
    /// Derivations that have been written in full.
    private var derivations: Set<Text> = []

    init(_ evaluator: Evaluator, isStrict: Bool, showsLocations: Bool) {
        self.evaluator = evaluator
        self.isStrict = isStrict
        self.showsLocations = showsLocations
    }

    mutating func print(_ reference: ValueRef) throws {
        text = XMLText()
        try element("expr") { printer in try printer.write(reference, .none) }
    }

    // MARK: Elements

    private mutating func empty(_ name: String, _ attributes: [(String, [UInt8])] = []) {
        text.empty(name, attributes)
    }

    private mutating func element(
        _ name: String, _ attributes: [(String, [UInt8])] = [], _ body: (inout XMLPrinter) throws -> Void
    ) throws {
        text.open(name, attributes)
        try body(&self)
        text.close(name)
    }

    private func location(_ position: Position) -> [(String, [UInt8])] {
        guard showsLocations, let location = evaluator.positions.location(position) else { return [] }
        var attributes = [
            ("line", Array(String(location.line).utf8)), ("column", Array(String(location.column).utf8)),
        ]
        if case .file(let path) = location.origin { attributes.append(("path", Array(path.utf8))) }
        return attributes
    }

    // MARK: Values

    private mutating func write(_ reference: ValueRef, _ position: Position) throws {
        if evaluator.callDepth > evaluator.callDepthLimit { throw evaluator.callDepthExceeded(position) }
        try evaluator.checkStack(position)
        evaluator.callDepth += 1
        defer { evaluator.callDepth -= 1 }
        let value = isStrict ? try evaluator.force(reference, position) : reference.pointee
        func single(_ text: String) -> [(String, [UInt8])] { [("value", Array(text.utf8))] }
        switch value.tag {
        case .integer: empty("int", single(String(value.integer)))
        case .float: empty("float", single(Literal.float(value.float)))
        case .boolean: empty("bool", single(value.boolean ? "true" : "false"))
        case .null: empty("null")
        case .string:
            context = evaluator.contexts.union(context, value.context)
            empty("string", [("value", value.text.array)])
        case .path: empty("path", [("value", value.text.array)])
        case .attributes: try write(attributes: value.attributes)
        case .list:
            try element("list") { printer in
                for element in value.list { try printer.write(element, position) }
            }
        case .lambda: try write(lambda: value.lambda)
        default: empty("unevaluated")
        }
    }

    private mutating func write(attributes: Attributes) throws {
        guard try evaluator.isDerivation(attributes) else {
            return try element("attrs") { printer in try printer.write(members: attributes) }
        }
        var described: [(String, [UInt8])] = []
        var path: Text?
        for (name, symbol) in [("drvPath", evaluator.names.drvPath), ("outPath", evaluator.names.outPath)] {
            guard let attribute = attributes.find(symbol)?.pointee else { continue }
            let value = isStrict ? try evaluator.force(attribute.value, attribute.position) : attribute.value.pointee
            guard value.tag == .string else { continue }
            described.append((name, value.text.array))
            if name == "drvPath" { path = value.text }
        }
        try element("derivation", described) { printer in
            if let path, !path.isEmpty, printer.derivations.insert(path).inserted {
                try printer.write(members: attributes)
            } else {
                printer.empty("repeated")
            }
        }
    }

    private mutating func write(members attributes: Attributes) throws {
        for attribute in attributes.sorted(by: evaluator.symbols) {
            let name = evaluator.symbols.text(attribute.name).array
            try element("attr", [("name", name)] + location(attribute.position)) { printer in
                try printer.write(attribute.value, attribute.position)
            }
        }
    }

    private mutating func write(lambda: UnsafeMutablePointer<LambdaNode>) throws {
        let symbols = evaluator.symbols
        try element("function", location(lambda.pointee.header.position)) { printer in
            guard lambda.pointee.hasFormals else {
                return printer.empty("varpat", [("name", symbols.text(lambda.pointee.argument).array)])
            }
            var attributes: [(String, [UInt8])] = []
            if !lambda.pointee.argument.isNone {
                attributes.append(("name", symbols.text(lambda.pointee.argument).array))
            }
            if lambda.pointee.hasEllipsis { attributes.append(("ellipsis", Array("1".utf8))) }
            try printer.element("attrspat", attributes) { printer in
                for formal in lambda.pointee.formals.elements.sorted(by: {
                    symbols.text($0.name) < symbols.text($1.name)
                }) {
                    printer.empty("attr", [("name", symbols.text(formal.name).array)])
                }
            }
        }
    }
}
