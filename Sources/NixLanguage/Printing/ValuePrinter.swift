/// Writes values in the language's own syntax.
struct ValuePrinter {
    struct Options {
        /// Evaluates what is not yet.
        var forces = false
        /// Derivations as `«derivation /nix/store/…»`; needs `forces`.
        var namesDerivations = false
        /// A set or list met before is `«repeated»`.
        var tracksRepetition = true
        var depthLimit = Int.max
        var attributeLimit = Int.max
        var itemLimit = Int.max
        var stringLimit = Int.max
        /// Columns to indent by; 0 prints on one line.
        var indentation = 0
        /// Errors in parts are shown in their place.
        var showsErrors = true

        /// Short, for messages.
        static var error: Options {
            Options(depthLimit: 10, attributeLimit: 10, itemLimit: 10, stringLimit: 1024)
        }
        /// Whole, and nothing evaluated for it.
        static var trace: Options { Options() }
        /// As `nix eval` prints.
        static var evaluation: Options { Options(forces: true, namesDerivations: true) }
        /// As the interactive prompt prints.
        static func interactive(isDeep: Bool) -> Options {
            Options(forces: true, namesDerivations: true, depthLimit: isDeep ? .max : 1, indentation: 2)
        }
    }

    private let evaluator: Evaluator
    private let options: Options
    private var output: [UInt8] = []
    private var seenSets: Set<UnsafeMutableRawPointer> = []
    private var attributesPrinted = 0
    private var itemsPrinted = 0
    private var indent = 0

    init(_ evaluator: Evaluator, _ options: Options) {
        self.evaluator = evaluator
        self.options = options
    }

    /// The text of a value; errors on the way are shown in their place.
    func print(_ value: Value) -> [UInt8] {
        (try? tryPrint(value)) ?? Array("«error»".utf8)
    }

    func tryPrint(_ value: Value) throws -> [UInt8] {
        var printer = self
        try printer.write(value, 0)
        return printer.output
    }

    private mutating func write(_ text: String) { output.append(contentsOf: text.utf8) }

    private mutating func write(_ reference: ValueRef, _ depth: Int) throws {
        if !options.forces { return try write(reference.pointee, depth) }
        do { try write(try evaluator.force(reference, evaluator.position(of: reference.pointee)), depth) } catch {
            let error = evaluator.evaluationError(error)
            if error.kind == .stackOverflow || !options.showsErrors || depth == 0 { throw error }
            write("«error: \(error.message)»")
        }
    }

    private mutating func write(_ value: Value, _ depth: Int) throws {
        if depth > evaluator.callDepthLimit { throw evaluator.callDepthExceeded(evaluator.position(of: value)) }
        try evaluator.checkStack(.none)
        switch value.tag {
        case .integer: write(String(value.integer))
        case .float: write(Literal.float(value.float))
        case .boolean: write(value.boolean ? "true" : "false")
        case .null: write("null")
        case .string: output.append(contentsOf: Literal.quoted(value.text.bytes, limit: options.stringLimit))
        case .path: output.append(contentsOf: value.text.bytes)
        case .attributes: try write(attributes: value.attributes, depth)
        case .list: try write(list: value, depth)
        case .lambda:
            let lambda = value.lambda
            var text = "«lambda"
            if !lambda.pointee.name.isNone {
                text += " " + Literal.identifier(evaluator.symbols.text(lambda.pointee.name))
            }
            let place = evaluator.positions.location(lambda.pointee.header.position)?.description ?? "«none»"
            write(text + " @ \(place)»")
        case .builtin: write("«primop \(value.builtin.pointee.name)»")
        case .partialBuiltin: write("«partially applied primop \(value.partialRoot.pointee.name)»")
        case .blackHole: write("«potential infinite recursion»")
        case .thunk, .application, .failed, .uninitialized: write("«thunk»")
        }
    }

    private mutating func space(_ isPretty: Bool) {
        output.append(isPretty ? 0x0A : 0x20)
        if isPretty { output.append(contentsOf: repeatElement(0x20, count: indent)) }
    }

    /// Whether a container goes over several lines: when it has several elements, or one that is a container.
    private func isPretty(_ count: Int, _ only: ValueRef?) throws -> Bool {
        guard options.indentation > 0, count > 0 else { return false }
        guard count == 1, let only else { return true }
        let value = try evaluator.force(only, evaluator.position(of: only.pointee))
        return value.tag == .list || value.tag == .attributes
    }

    private func elided(_ count: Int, _ one: String, _ many: String) -> String {
        "«\(count) \(count == 1 ? one : many) elided»"
    }

    private mutating func write(attributes: Attributes, _ depth: Int) throws {
        if options.tracksRepetition, !seenSets.insert(attributes.pointer).inserted { return write("«repeated»") }
        if options.forces, options.namesDerivations, try evaluator.isDerivation(attributes) {
            return try write(derivation: attributes)
        }
        guard depth < options.depthLimit else { return write("{ ... }") }
        indent += options.indentation
        write("{")
        var sorted = attributes.sorted(by: evaluator.symbols)
        if options.attributeLimit != .max {
            // What says the kind of a set comes first, so that it is not left out.
            func isImportant(_ attribute: Attribute) -> Bool {
                let name = evaluator.symbols.text(attribute.name)
                return name == "type" || name == "_type"
            }
            sorted = sorted.filter(isImportant) + sorted.filter { !isImportant($0) }
        }
        let isPretty = try isPretty(sorted.count, sorted.first?.value)
        for (index, attribute) in sorted.enumerated() {
            space(isPretty)
            if attributesPrinted >= options.attributeLimit {
                write(elided(sorted.count - index, "attribute", "attributes"))
                break
            }
            output.append(contentsOf: Literal.attributeName(evaluator.symbols.text(attribute.name)))
            write(" = ")
            try write(attribute.value, depth + 1)
            write(";")
            attributesPrinted += 1
        }
        indent -= options.indentation
        space(isPretty)
        write("}")
    }

    private mutating func write(derivation: Attributes) throws {
        write("«derivation")
        if let path = derivation.find(evaluator.names.drvPath)?.pointee {
            var context = Context.none
            let text = try evaluator.coerce(
                path.value, .plain, path.position, context: &context, "while evaluating the drvPath of a derivation"
            ).string
            guard (try? evaluator.host.store.parse(text)) != nil else {
                throw EvaluationError(.evaluation, "path '\(text)' is not in the Nix store")
                    .tracing(path.position, "while evaluating the drvPath of a derivation")
            }
            write(" " + text)
        }
        write("»")
    }

    private mutating func write(list value: Value, _ depth: Int) throws {
        let list = value.list
        if options.tracksRepetition, let start = list.baseAddress,
            !seenSets.insert(UnsafeMutableRawPointer(start)).inserted
        {
            return write("«repeated»")
        }
        guard depth < options.depthLimit else { return write("[ ... ]") }
        indent += options.indentation
        write("[")
        let isPretty = try isPretty(list.count, list.first)
        for (index, element) in list.enumerated() {
            space(isPretty)
            if itemsPrinted >= options.itemLimit {
                write(elided(list.count - index, "item", "items"))
                break
            }
            try write(element, depth + 1)
            itemsPrinted += 1
        }
        indent -= options.indentation
        space(isPretty)
        write("]")
    }
}
