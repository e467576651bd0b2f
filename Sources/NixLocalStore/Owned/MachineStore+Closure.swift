import NixStore

/// Which way a closure goes.
public enum ClosureDirection: Sendable {
    /// To what objects need.
    case references
    /// To what needs them.
    case referrers
}

extension MachineStore {
    /// `paths`, and all that is reached from them.
    /// - Parameters:
    ///   - includesOutputs: a derivation brings its valid outputs along.
    ///   - includesDerivers: an object brings the derivations along that it is an output of.
    /// - Throws: `StoreError.notValid` for a path without whose references the closure cannot be known.
    public func closure(
        of paths: some Sequence<StorePath>, _ direction: ClosureDirection = .references, includesOutputs: Bool = false,
        includesDerivers: Bool = false
    ) throws -> Set<StorePath> {
        var closure: Set<StorePath> = []
        var pending = Array(paths)
        while let path = pending.popLast() {
            guard closure.insert(path).inserted else { continue }
            switch direction {
            case .references: pending += try references(of: path)
            case .referrers: pending += try referrers(of: path)
            }
            if includesOutputs {
                switch direction {
                case .references:
                    if path.isDerivation { pending += try validPaths(among: Set(outputs(of: path).values)) }
                case .referrers: pending += try derivers(of: path)
                }
            }
            guard includesDerivers else { continue }
            switch direction {
            case .references:
                if let deriver = try info(of: path)?.deriver, try isValid(deriver) { pending.append(deriver) }
            case .referrers:
                guard path.isDerivation else { continue }
                // Only those that say that this derivation made them.
                for output in try validPaths(among: Set(outputs(of: path).values))
                where try info(of: output)?.deriver == path { pending.append(output) }
            }
        }
        return closure
    }

    /// Valid paths in an order in which what refers stands before what it refers to.
    public func sortedByReferences(_ paths: Set<StorePath>) throws -> [StorePath] {
        var sorted: [StorePath] = []
        var state: [StorePath: Bool] = [:]
        // An explicit stack: chains of references may be longer than the machine's.
        for start in paths.sorted() where state[start] == nil {
            var stack: [(path: StorePath, rest: ArraySlice<StorePath>)] = []
            func enter(_ path: StorePath) throws {
                state[path] = false
                let next = (try references(ifValid: path) ?? []).filter { $0 != path && paths.contains($0) }
                stack.append((path, next.sorted()[...]))
            }
            try enter(start)
            while let top = stack.last {
                guard let next = top.rest.first else {
                    state[top.path] = true
                    sorted.append(top.path)
                    stack.removeLast()
                    continue
                }
                stack[stack.count - 1].rest = top.rest.dropFirst()
                switch state[next] {
                case nil: try enter(next)
                case false?:
                    throw StoreError(
                        .badDatabase,
                        "the references of '\(directory.print(next))' and '\(directory.print(top.path))' form a cycle")
                case true?: continue
                }
            }
        }
        return sorted.reversed()
    }
}
