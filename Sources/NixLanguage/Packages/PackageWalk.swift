import NixStore

/// Finds the derivations in a value as `nix-env` does: what is one, and what is in sets that say
/// `recurseForDerivations = true`. What fails by `assert` or `throw` is passed over.
struct PackageWalk {
    private let evaluator: Evaluator
    private let given: Attributes
    private(set) var packages: [Package] = []
    private var seen: Set<UnsafeMutableRawPointer> = []
    private let recurse: Symbol
    private let combine: Symbol

    init(_ evaluator: Evaluator, _ given: Attributes) {
        self.evaluator = evaluator
        self.given = given
        recurse = evaluator.symbols.intern("recurseForDerivations")
        combine = evaluator.symbols.intern("_combineChannels")
    }

    mutating func walk(_ reference: ValueRef, at path: String) throws {
        try evaluator.checkStack(.none)
        let reference = evaluator.arena.value(try evaluator.autoCall(reference, given))
        guard try !take(reference, at: path) else { return }
        let value = reference.pointee
        switch value.tag {
        case .attributes:
            let combinesAll = value.attributes.find(combine) != nil
            for attribute in value.attributes.sorted(by: evaluator.symbols) {
                let name = evaluator.symbols.text(attribute.name)
                guard Self.isWalked(name) else { continue }
                let inner = path.isEmpty ? name.string : path + "." + name.string
                if combinesAll {
                    try walk(attribute.value, at: inner)
                } else if try !take(attribute.value, at: inner) {
                    let set = attribute.value.pointee
                    guard set.tag == .attributes, let flag = set.attributes.find(recurse)?.pointee,
                        try evaluator.forceBoolean(
                            flag.value, at: flag.position,
                            "while evaluating the attribute `recurseForDerivations`")
                    else { continue }
                    try walk(attribute.value, at: inner)
                }
            }
        case .list:
            for (index, element) in value.list.enumerated() {
                let inner = path.isEmpty ? "\(index)" : "\(path).\(index)"
                if try !take(element, at: inner) { try walk(element, at: inner) }
            }
        default:
            throw EvaluationError(
                .type, "expression does not evaluate to a derivation (or a set or lists of those)")
        }
    }

    /// Takes a value if it is a derivation.
    /// - Returns: whether there is nothing more to look for in it.
    private mutating func take(_ reference: ValueRef, at path: String) throws -> Bool {
        do {
            let value = try evaluator.force(reference)
            guard value.tag == .attributes, try evaluator.isDerivation(value.attributes) else { return false }
            // `rec { x = derivation …; y = x; }` is one.
            guard seen.insert(value.attributes.pointer).inserted else { return true }
            packages.append(try Package(evaluator, at: path, value.attributes))
            return true
        } catch {
            let error = evaluator.evaluationError(error)
            guard error.isCatchable else { throw error }
            return true
        }
    }

    /// Names that an attribute path can have without quotes: `[A-Za-z_][A-Za-z0-9-_+]*`.
    private static func isWalked(_ name: Text) -> Bool {
        guard let first = name.bytes.first, Lexer.isIdentifierStart(first) else { return false }
        return name.bytes.allSatisfy {
            Lexer.isLetter($0) || Lexer.isDigit($0) || "-_+".utf8.contains($0)
        }
    }
}
