extension Evaluator {
    /// The derivations that a value is or holds, as `nix-instantiate` finds them: itself, the elements of a list, the
    /// attributes of a set, and of sets in it that say `recurseForDerivations = true`.
    /// - Returns: the path of each, with `!output` behind it where that is not `out`.
    func derivations(in value: ValueRef, _ given: Attributes) throws -> [Text] {
        var found: [Text] = []
        var seen: Set<UnsafeMutableRawPointer> = []
        try collect(value, given, &found, &seen)
        return found
    }

    private func collect(
        _ reference: ValueRef, _ given: Attributes, _ found: inout [Text], _ seen: inout Set<UnsafeMutableRawPointer>
    ) throws {
        let value = try autoCall(reference, given)
        switch value.tag {
        case .attributes:
            if try add(value, &found, &seen) { return }
            for attribute in value.attributes.sorted(by: symbols) {
                let inner = try force(attribute.value, attribute.position)
                guard inner.tag == .attributes, !(try add(inner, &found, &seen)) else { continue }
                guard let recurses = inner.attributes.find(symbols.intern("recurseForDerivations"))?.pointee,
                    try forceBoolean(
                        recurses.value, at: recurses.position,
                        "while evaluating the attribute `recurseForDerivations`")
                else { continue }
                try collect(attribute.value, given, &found, &seen)
            }
        case .list:
            for element in value.list { try collect(element, given, &found, &seen) }
        default:
            throw EvaluationError(
                .type, "expression does not evaluate to a derivation (or a set or lists of those)")
        }
    }

    /// Adds a value that is a derivation, once.
    /// - Returns: whether it is one.
    private func add(
        _ value: Value, _ found: inout [Text], _ seen: inout Set<UnsafeMutableRawPointer>
    ) throws -> Bool {
        guard try isDerivation(value.attributes) else { return false }
        guard seen.insert(value.attributes.pointer).inserted else { return true }
        let path = try attribute(names.drvPath, of: value.attributes, "in a derivation").pointee
        let text = try forceString(
            path.value, at: path.position, "while evaluating the 'drvPath' attribute of a derivation"
        ).text
        guard let parsed = try? host.store.parse(text.string), parsed.isDerivation else {
            throw EvaluationError(.store, "store path '\(text.string)' is not a valid derivation path")
        }
        var output = "out"
        if let name = value.attributes[symbols.intern("outputName")] {
            output = try forcePlainString(name, "while evaluating the output name of a derivation").string
        }
        found.append(output == "out" ? text : Text(arena, text.string + "!" + output))
        return true
    }
}
