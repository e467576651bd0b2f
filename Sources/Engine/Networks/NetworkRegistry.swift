import Synchronization

/// The networks by ID, name and the beginning of an ID.
final class NetworkRegistry: Sendable {
    private let state = Mutex([String: Network]())

    var all: [Network] { state.withLock { Array($0.values) } }

    func insert(_ network: Network) { state.withLock { $0[network.id] = network } }
    func remove(_ network: Network) { state.withLock { _ = $0.removeValue(forKey: network.id) } }
    func network(id: String) -> Network? { state.withLock { $0[id] } }
    func network(named name: String) -> Network? { state.withLock { $0.values.first { $0.name == name } } }

    /// Finds a network by full ID, name, or an unambiguous beginning of an ID, in this order.
    /// - Throws: `EngineError.notFound` and `.invalidParameter`, with Docker's sentences.
    func find(_ reference: String) throws(EngineError) -> Network {
        if let network = network(id: reference) ?? network(named: reference) { return network }
        let matches = all.filter { !reference.isEmpty && $0.id.hasPrefix(reference) }
        guard let first = matches.first else { throw EngineError(.notFound, "network \(reference) not found") }
        if matches.count > 1 {
            throw .invalid("network \(reference) is ambiguous (\(matches.count) matches found on ID prefix)")
        }
        return first
    }
}
