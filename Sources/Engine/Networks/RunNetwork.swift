import ContainerNetwork
import Synchronization

/// What one run of a container has taken of networks, until it is given back.
final class RunNetwork: Sendable {
    struct State: Sendable {
        var record: RunNetworkRecord
        /// The host's ports that are bound for the run.
        var reservations: [PortReservation] = []
        var proxies: [PortProxy.ID] = []
        var hasNameServer = false
        /// Whether its ports are in the firewall.
        var isPublished = false
    }

    private let state: Mutex<State>

    init(_ record: RunNetworkRecord) { state = Mutex(State(record: record)) }

    var record: RunNetworkRecord { state.withLock { $0.record } }
    var current: State { state.withLock { $0 } }

    @discardableResult
    func change<Value: Sendable>(_ body: (inout State) -> Value) -> Value { state.withLock { body(&$0) } }
}

extension RunNetworkRecord {
    /// Decides which endpoint has the container's default routes.
    /// - Returns: whether anything changed.
    package mutating func chooseDefaultRoutes(
        priority: (Endpoint) -> Int, isInternal: (Endpoint) -> Bool
    ) -> Bool {
        let candidates = endpoints.map { endpoint in
            var families: Set<IPFamily> = []
            if !isInternal(endpoint) {
                if !endpoint.address4.isEmpty, !endpoint.gateway4.isEmpty || endpoint.routesOnLink {
                    families.insert(.v4)
                }
                if !endpoint.address6.isEmpty, !endpoint.gateway6.isEmpty || endpoint.routesOnLink {
                    families.insert(.v6)
                }
            }
            return DefaultRoutes.Candidate(
                networkName: endpoint.networkName, priority: priority(endpoint), families: families)
        }
        let (v4, v6) = (DefaultRoutes.choose(.v4, among: candidates), DefaultRoutes.choose(.v6, among: candidates))
        var isChanged = false
        for index in endpoints.indices {
            if endpoints[index].isDefault4 != (index == v4) || endpoints[index].isDefault6 != (index == v6) {
                isChanged = true
            }
            endpoints[index].isDefault4 = index == v4
            endpoints[index].isDefault6 = index == v6
        }
        return isChanged
    }
}
