extension Evaluator {
    /// Whether two values are equal, as `==` means it. Functions are never equal; derivations are when they have the same
    /// output path.
    func areEqual(_ left: Value, _ right: Value, _ position: Position) throws -> Bool {
        switch (left.tag, right.tag) {
        case (.integer, .integer): return left.integer == right.integer
        case (.string, .string): return left.text == right.text
        case (.integer, .float): return Double(left.integer) == right.float
        case (.float, .integer): return left.float == Double(right.integer)
        case (.float, .float): return left.float == right.float
        case (.boolean, .boolean): return left.boolean == right.boolean
        case (.null, .null): return true
        case (.path, .path): return left.text == right.text
        case (.list, .list):
            guard left.listCount == right.listCount else { return false }
            return try deeper(position) {
                for (first, second) in zip(left.list, right.list)
                where !(try areEqual(first, second, position)) {
                    return false
                }
                return true
            }
        case (.attributes, .attributes):
            return try deeper(position) { try areEqual(left.attributes, right.attributes, position) }
        default: return false
        }
    }

    /// As above; the same value in the same place is equal to itself, even when it holds functions.
    func areEqual(_ left: ValueRef, _ right: ValueRef, _ position: Position) throws -> Bool {
        let first = try force(left, position)
        let second = try force(right, position)
        if left == right { return true }
        return try areEqual(first, second, position)
    }

    private func areEqual(_ left: Attributes, _ right: Attributes, _ position: Position) throws -> Bool {
        if try isDerivation(left), try isDerivation(right), let first = left[names.outPath],
            let second = right[names.outPath]
        {
            return try areEqual(first, second, position)
        }
        guard left.count == right.count else { return false }
        for (first, second) in zip(left.entries, right.entries) {
            guard first.name == second.name, try areEqual(first.value, second.value, position) else { return false }
        }
        return true
    }

    /// Whether a set says of itself that it is a derivation.
    func isDerivation(_ attributes: Attributes) throws -> Bool {
        guard let type = attributes.find(names.type) else { return false }
        let value = try force(type.pointee.value, type.pointee.position)
        return value.tag == .string && value.text == "derivation"
    }

    // MARK: Why not

    /// Throws what tells two values apart, for `assert a == b`. It follows the steps of `areEqual`.
    func assertEqual(_ left: Value, _ right: Value, _ position: Position) throws {
        func fail(_ message: String) -> EvaluationError { EvaluationError(.assertion, message) }
        let (leftText, rightText) = (describe(left), describe(right))
        func isNumber(_ value: Value) -> Bool { value.tag == .integer || value.tag == .float }
        if isNumber(left), isNumber(right), left.tag != right.tag {
            if try areEqual(left, right, position) { return }
            throw fail(
                "\(left.kindDescription) with value '\(leftText)' is not equal to \(right.kindDescription) with value '\(rightText)'"
            )
        }
        let isSameKind = left.tag == right.tag || left.isFunction && right.isFunction
        guard isSameKind else {
            throw fail(
                "\(left.kindDescription) of value '\(leftText)' is not equal to \(right.kindDescription) of value '\(rightText)'"
            )
        }
        switch left.tag {
        case .integer, .float:
            if try areEqual(left, right, position) { return }
            throw fail(
                "\(left.kindDescription) with value '\(leftText)' is not equal to \(right.kindDescription) with value '\(rightText)'"
            )
        case .boolean:
            if left.boolean != right.boolean {
                throw fail("boolean '\(leftText)' is not equal to boolean '\(rightText)'")
            }
        case .string:
            if !(left.text == right.text) {
                throw fail("string '\(leftText)' is not equal to string '\(rightText)'")
            }
        case .path:
            if !(left.text == right.text) { throw fail("path '\(leftText)' is not equal to path '\(rightText)'") }
        case .null: return
        case .list:
            guard left.listCount == right.listCount else {
                throw fail(
                    "list of size '\(left.listCount)' is not equal to list of size '\(right.listCount)', left hand side is '\(leftText)', right hand side is '\(rightText)'"
                )
            }
            for (index, (first, second)) in zip(left.list, right.list).enumerated() {
                do { try assertEqual(first, second, position) } catch {
                    throw traced(error, position, "while comparing list element \(index)")
                }
            }
        case .attributes: try assertEqualSets(left, right, position)
        default:
            throw fail("distinct functions and immediate comparisons of identical functions compare as unequal")
        }
    }

    private func assertEqual(_ left: ValueRef, _ right: ValueRef, _ position: Position) throws {
        let first = try force(left, position)
        let second = try force(right, position)
        if left != right { try deeper(position) { try assertEqual(first, second, position) } }
    }

    private func assertEqualSets(_ left: Value, _ right: Value, _ position: Position) throws {
        let (first, second) = (left.attributes, right.attributes)
        if try isDerivation(first), try isDerivation(second), let firstPath = first[names.outPath],
            let secondPath = second[names.outPath]
        {
            do { return try assertEqual(firstPath, secondPath, position) } catch {
                throw traced(error, position, "while comparing a derivation by its 'outPath' attribute")
            }
        }
        let (leftText, rightText) = (describe(left), describe(right))
        guard first.count == second.count else {
            throw EvaluationError(
                .assertion,
                "attribute names of attribute set '\(leftText)' differs from attribute set '\(rightText)'")
        }
        for (one, other) in zip(first.entries, second.entries) {
            if one.name != other.name {
                if second.find(one.name) == nil {
                    throw EvaluationError(
                        .assertion,
                        "attribute name '\(Literal.identifier(symbols.text(one.name)))' is contained in '\(leftText)', but not in '\(rightText)'"
                    )
                }
                throw EvaluationError(
                    .assertion,
                    "attribute name '\(Literal.identifier(symbols.text(other.name)))' is missing in '\(leftText)', but is contained in '\(rightText)'"
                )
            }
            do { try assertEqual(one.value, other.value, position) } catch {
                let error = evaluationError(error)
                if other.position.isKnown { error.addTrace(other.position, "where right hand side is") }
                if one.position.isKnown { error.addTrace(one.position, "where left hand side is") }
                throw error.tracing(
                    position, "while comparing attribute '\(Literal.identifier(symbols.text(one.name)))'")
            }
        }
    }

    // MARK: Order

    /// Whether `left` comes before `right`, as `<` means it: numbers, strings, paths, and lists of those.
    func isLess(_ left: Value, _ right: Value, _ context: String) throws -> Bool {
        switch (left.tag, right.tag) {
        case (.integer, .integer): return left.integer < right.integer
        case (.string, .string): return left.text < right.text
        case (.float, .float): return left.float < right.float
        case (.float, .integer): return left.float < Double(right.integer)
        case (.integer, .float): return Double(left.integer) < right.float
        case (.path, .path): return left.text < right.text
        case (.list, .list):
            do {
                return try deeper(.none) {
                    for (first, second) in zip(left.list, right.list)
                    where !(try areEqual(first, second, .none)) {
                        return try isLess(
                            try force(first), try force(second), "while comparing two list elements")
                    }
                    return left.listCount < right.listCount
                }
            } catch { throw traced(error, .none, context) }
        default:
            let kinds = "cannot compare \(left.kindDescription) with \(right.kindDescription)"
            let values = "values are \(describe(left)) and \(describe(right))"
            let isSameKind = left.tag == right.tag || left.isFunction && right.isFunction
            throw traced(
                EvaluationError(
                    .evaluation,
                    isSameKind ? "\(kinds); values of that type are incomparable (\(values))" : "\(kinds); \(values)"),
                .none, context)
        }
    }
}
