import ContainerNetwork
import EngineModel

/// Networks of the swarm's.
///
/// Docker's overlay reaches from host to host through VXLAN tunnels. The swarm is of one node, so there is nobody to
/// tunnel to: an overlay network is a bridge of its own on this host, with everything that a bridge network has, and
/// nothing of it leaves the host. What its options say of tunnels (`encrypted`, the VXLAN's number) is kept and shown.
enum OverlayNetwork {
    static let driver = "overlay"
    static let identifiersOption = "com.docker.network.driver.overlay.vxlanid_list"
    /// The first number that swarms give.
    private static let firstIdentifier = 4096
    /// The network by which Docker's overlays reach the outside. Here each has its own way there; this one is for those
    /// who look for it.
    static let gatewayName = "docker_gwbridge"
    static let bridgeNameOption = "com.docker.network.bridge.name"

    static let noManager =
        "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to "
        + "swarm and try again."

    /// Docker's checks of what a request says of swarms.
    /// - Parameters:
    ///   - isActive: whether there is a swarm.
    ///   - ingress: the ID of the swarm's ingress network.
    /// - Returns: whether the network is to be the swarm's.
    static func isOfSwarm(
        _ request: NetworkCreateRequest, isActive: Bool, ingress: String?
    ) throws(EngineError) -> Bool {
        let isOverlay = request.driver == driver
        if isOverlay, request.scope == "local" {
            throw EngineError(.forbidden, "cannot downgrade network scope for overlay networks")
        }
        if request.isIngress, !isOverlay {
            throw EngineError(.forbidden, "Ingress network can only be global scope network")
        }
        guard isOverlay || !["", "local"].contains(request.scope) else { return false }
        guard isActive else {
            throw request.scope == "swarm"
                ? EngineError(.forbidden, "cannot create a swarm scoped network when swarm is not active")
                : EngineError(.unavailable, noManager)
        }
        guard ["", "swarm"].contains(request.scope) else {
            throw .invalid("invalid network scope \"\(request.scope)\": it is local or swarm")
        }
        if request.isConfigOnly { throw .invalid("a configuration only network has the scope local") }
        if request.isIngress {
            if request.isAttachable { throw .invalid("ingress network cannot be attachable") }
            if request.isInternal { throw .invalid("ingress network cannot be internal") }
            if let ingress {
                throw EngineError(.conflict, "ingress network (\(ingress)) is already present")
            }
        }
        if isOverlay { _ = try identifiers(request.options ?? [:]) }
        return true
    }

    /// The numbers of a network's VXLANs.
    /// - Throws: `EngineError.invalidParameter` for what is no number of 24 bits.
    private static func identifiers(_ options: [String: String]) throws(EngineError) -> [Int] {
        var result: [Int] = []
        for text in (options[identifiersOption] ?? "").split(separator: ",") {
            guard let number = Int(text), (1..<1 << 24).contains(number) else {
                throw .invalid(
                    "invalid \(identifiersOption) \"\(text)\": the number of a VXLAN is from 1 to \((1 << 24) - 1)")
            }
            result.append(number)
        }
        return result
    }

    /// Gives a network numbers, one a subnet, that no other has.
    static func number(_ record: inout NetworkRecord, beside others: [NetworkRecord]) {
        guard record.driver == driver, record.options[identifiersOption] == nil else { return }
        let used = Set(others.flatMap { (try? identifiers($0.options)) ?? [] })
        let free = (firstIdentifier...).lazy.filter { !used.contains($0) }
        record.options[identifiersOption] = free.prefix(record.pools.count).map(String.init).joined(separator: ",")
    }

    /// The network for published ports of services, of which there are none.
    static func ingress() -> NetworkRecord {
        var record = NetworkRecord()
        record.id = Names.newSwarmID()
        record.name = "ingress"
        record.created = Timestamp.now.nanosecondsSince1970
        record.driver = driver
        record.isOfSwarm = true
        record.isIngress = true
        return record
    }

    static func gateway() -> NetworkRecord {
        var record = NetworkRecord()
        record.id = Names.newID()
        record.name = gatewayName
        record.created = Timestamp.now.nanosecondsSince1970
        record.driver = BridgeDriver.name
        record.options = [
            "com.docker.network.bridge.enable_icc": "false",
            "com.docker.network.bridge.enable_ip_masquerade": "true",
            bridgeNameOption: gatewayName,
        ]
        return record
    }
}
