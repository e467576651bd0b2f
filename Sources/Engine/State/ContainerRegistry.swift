import Synchronization

/// The containers by ID, name and the beginning of an ID.
final class ContainerRegistry: Sendable {
    private struct State {
        var containers: [String: Container] = [:]
        /// Names to IDs; a name is taken before its container exists.
        var names: [String: String] = [:]
    }

    private let state = Mutex(State())

    var all: [Container] { state.withLock { Array($0.containers.values) } }

    /// Finds a container by full ID, name (with or without a slash), or an unambiguous beginning of an ID.
    /// - Throws: `EngineError.notFound` and `.invalidParameter`, with Docker's sentences.
    func find(_ reference: String) throws(EngineError) -> Container {
        guard !reference.isEmpty else { throw .invalid("No container name supplied") }
        let matches = state.withLock { state -> [Container] in
            if let container = state.containers[reference] { return [container] }
            let name = reference.hasPrefix("/") ? String(reference.dropFirst()) : reference
            if let id = state.names[name], let container = state.containers[id] { return [container] }
            guard Names.isHexadecimal(reference) else { return [] }
            return state.containers.values.filter { $0.id.hasPrefix(reference) }
        }
        guard let first = matches.first else { throw .noSuchContainer(reference) }
        if matches.count > 1 {
            throw .invalid("Multiple IDs found with provided prefix: \(reference)")
        }
        return first
    }

    func container(id: String) -> Container? { state.withLock { $0.containers[id] } }

    /// Takes a name for a container that is to be.
    /// - Returns: the ID of the container that has it already.
    func reserve(_ name: String, for id: String) -> String? {
        state.withLock { state in
            if let owner = state.names[name] { return owner }
            state.names[name] = id
            return nil
        }
    }

    func release(_ name: String, of id: String) {
        state.withLock { state in
            if state.names[name] == id { state.names[name] = nil }
        }
    }

    func insert(_ container: Container) {
        let name = container.name
        state.withLock { state in
            state.containers[container.id] = container
            state.names[name] = container.id
        }
    }

    func remove(_ container: Container) {
        let name = container.name
        state.withLock { state in
            state.containers[container.id] = nil
            if state.names[name] == container.id { state.names[name] = nil }
        }
    }

    static func nameInUse(_ name: String, by owner: String) -> EngineError {
        EngineError(
            .conflict,
            "Conflict. The container name \"/\(name)\" is already in use by container \"\(owner)\". You have to remove "
                + "(or rename) that container to be able to reuse that name.")
    }
}
