import ContainerNetwork
import EngineModel
import Kernel
import Synchronization

/// A network in memory: its record, and who is on it.
package final class Network: Sendable {
    let id: String
    let name: String
    let driver: String
    /// What its containers are called.
    let names: NameTable
    private let state: Mutex<State>

    private struct State {
        var record: NetworkRecord
        var specification: NetworkSpecification
        var subnets: [AddressedSubnet]
        /// By the endpoint's ID.
        var endpoints: [String: Endpoint] = [:]
        /// Whether the host has what the driver makes.
        var isMade = false
    }

    /// A container's place on the network.
    struct Endpoint: Sendable {
        var containerID: String
        var containerName: String
        var address4: IPPrefix?
        var address6: IPPrefix?
        var macAddress: String
    }

    /// - Parameter record: with every subnet decided.
    /// - Throws: `EngineError` for a record that contradicts itself.
    package init(_ record: NetworkRecord) throws(EngineError) {
        id = record.id
        name = record.name
        driver = record.driver
        names = NameTable(network: record.name)
        state = Mutex(
            State(
                record: record, specification: try record.specification(), subnets: try Self.subnets(of: record)))
    }

    private static func subnets(of record: NetworkRecord) throws(EngineError) -> [AddressedSubnet] {
        guard record.hasEndpoints, !record.pools.isEmpty else { return [] }
        let requests = try NetworkRecord.requests(record.pools)
        do throws(NetworkError) {
            return try NetworkAddressing.resolve(
                requests, usesIPv4: record.usesIPv4, usesIPv6: record.usesIPv6, pools: try SubnetPools([]))
        } catch {
            throw EngineError(wrapping: error)
        }
    }

    var record: NetworkRecord { state.withLock { $0.record } }
    var specification: NetworkSpecification { state.withLock { $0.specification } }
    var hasEndpoints: Bool { state.withLock { $0.record.hasEndpoints } }
    /// Whether it is a bridge of the host's.
    var isBridge: Bool { state.withLock { $0.record.isBridge } }
    /// Whether containers find each other by name on it.
    var hasNames: Bool { state.withLock { $0.record.hasNames } }
    var isInternal: Bool { state.withLock { $0.record.isInternal } }
    var prefixes: [IPPrefix] { state.withLock { $0.specification.subnets.map(\.prefix) } }
    var endpoints: [String: Endpoint] { state.withLock { $0.endpoints } }

    /// Calls `body` unless the network is made already; calls of several threads one after another.
    func make(_ body: (inout NetworkRecord) throws -> Void) throws {
        try state.withLock { state in
            if state.isMade { return }
            var record = state.record
            try body(&record)
            if record.json.serialized() != state.record.json.serialized() {
                state.specification = try record.specification()
                state.subnets = try Self.subnets(of: record)
                state.record = record
            }
            state.isMade = true
        }
    }

    var isMade: Bool { state.withLock { $0.isMade } }
    func forgetMade() { state.withLock { $0.isMade = false } }

    // MARK: Addresses

    /// Takes an address of each of the network's families.
    /// - Parameter wanted: certain ones.
    /// - Throws: `NetworkError.conflict`, `.exhausted`, `.invalidArgument`. Nothing is taken then.
    package func allocate(_ wanted: [IPAddress]) throws(NetworkError) -> [IPPrefix] {
        try state.withLock { state throws(NetworkError) in
            var taken: [(subnet: Int, prefix: IPPrefix)] = []
            do throws(NetworkError) {
                for family in IPFamily.allCases {
                    let indices = state.subnets.indices.filter { state.subnets[$0].subnet.family == family }
                    let asked = wanted.first { $0.family == family }
                    if let asked {
                        guard let index = indices.first(where: { state.subnets[$0].subnet.contains(asked) }) else {
                            throw NetworkError(.invalidArgument, "no configured subnet contains IP address \(asked)")
                        }
                        try state.subnets[index].pool.reserve(asked)
                        if let prefix = IPPrefix(asked, length: state.subnets[index].subnet.length) {
                            taken.append((index, prefix))
                        }
                        continue
                    }
                    if let (index, address) = try Self.next(indices, &state),
                        let prefix = IPPrefix(address, length: state.subnets[index].subnet.length)
                    {
                        taken.append((index, prefix))
                    }
                }
            } catch {
                for (index, prefix) in taken { state.subnets[index].pool.release(prefix.address) }
                throw error
            }
            return taken.map(\.prefix)
        }
    }

    /// The next free address of the first subnet that has one; `nil` without subnets.
    private static func next(_ indices: [Int], _ state: inout State) throws(NetworkError) -> (Int, IPAddress)? {
        var failure: NetworkError?
        for index in indices {
            do throws(NetworkError) { return (index, try state.subnets[index].pool.allocate()) } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return nil
    }

    /// Takes addresses that a running container has; one that is taken already is no error.
    func take(_ addresses: [IPPrefix]) {
        state.withLock { state in
            for prefix in addresses {
                guard let index = state.subnets.firstIndex(where: { $0.subnet.contains(prefix.address) }) else {
                    continue
                }
                try? state.subnets[index].pool.reserve(prefix.address)
            }
        }
    }

    package func release(_ addresses: [IPPrefix]) {
        state.withLock { state in
            for prefix in addresses {
                guard let index = state.subnets.firstIndex(where: { $0.subnet.contains(prefix.address) }) else {
                    continue
                }
                state.subnets[index].pool.release(prefix.address)
            }
        }
    }

    // MARK: Endpoints

    func insert(_ endpoint: Endpoint, id: String) { state.withLock { $0.endpoints[id] = endpoint } }
    func removeEndpoint(_ id: String) { state.withLock { _ = $0.endpoints.removeValue(forKey: id) } }

    func rename(container: String, to name: String) {
        state.withLock { state in
            for (id, endpoint) in state.endpoints where endpoint.containerID == container {
                state.endpoints[id]?.containerName = name
            }
        }
    }
}
