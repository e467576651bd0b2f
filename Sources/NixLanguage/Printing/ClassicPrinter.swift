/// Writes values as `nix-instantiate --eval` does: nothing is evaluated, and functions and promises are in angle brackets.
struct ClassicPrinter {
    private let evaluator: Evaluator
    private(set) var output: [UInt8] = []
    private var seen: Set<UnsafeMutableRawPointer> = []

    init(_ evaluator: Evaluator) { self.evaluator = evaluator }

    private mutating func write(_ text: String) { output.append(contentsOf: text.utf8) }

    mutating func write(_ reference: ValueRef, depth: Int = 0) throws {
        let value = reference.pointee
        if depth > evaluator.callDepthLimit { throw evaluator.callDepthExceeded(evaluator.position(of: value)) }
        try evaluator.checkStack(.none)
        switch value.tag {
        case .integer: write(String(value.integer))
        case .float: write(Literal.float(value.float))
        case .boolean: write(value.boolean ? "true" : "false")
        case .null: write("null")
        case .string: output.append(contentsOf: Literal.quoted(value.text.bytes))
        case .path: output.append(contentsOf: value.text.bytes)
        case .attributes:
            if !value.attributes.isEmpty, !seen.insert(value.attributes.pointer).inserted { return write("«repeated»") }
            write("{ ")
            for attribute in value.attributes.sorted(by: evaluator.symbols) {
                write(Literal.identifier(evaluator.symbols.text(attribute.name)))
                write(" = ")
                try write(attribute.value, depth: depth + 1)
                write("; ")
            }
            write("}")
        case .list:
            if value.listCount > 0, !seen.insert(UnsafeMutableRawPointer(reference)).inserted {
                return write("«repeated»")
            }
            write("[ ")
            for element in value.list {
                try write(element, depth: depth + 1)
                write(" ")
            }
            write("]")
        case .lambda: write("<LAMBDA>")
        case .builtin: write("<PRIMOP>")
        case .partialBuiltin: write("<PRIMOP-APP>")
        case .blackHole: write("«potential infinite recursion»")
        case .thunk, .application, .failed, .uninitialized: write("<CODE>")
        }
    }
}
