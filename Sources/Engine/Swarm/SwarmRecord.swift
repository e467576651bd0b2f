import ContainerNetwork
import EngineModel
import JSON
import Kernel

/// What the engine keeps of the swarm that it is: one node, its manager, which no other can join.
package struct SwarmRecord: JSONRecord {
    package var id = ""
    package var nodeID = ""
    /// Nanoseconds since 1970.
    package var created: Int64 = 0
    package var updated: Int64 = 0
    package var nodeUpdated: Int64 = 0
    package var version: UInt64 = 1
    package var nodeVersion: UInt64 = 1
    package var spec = SwarmSpec()
    package var node = SwarmNodeSpec()
    /// Where others would find the node. Nothing listens there.
    package var address = ""
    package var port: UInt16 = 0
    package var pools: [String] = []
    package var subnetSize: UInt32 = 0
    package var dataPathPort: UInt32 = 0
    package var workerToken = ""
    package var managerToken = ""
    /// Whether it ends: what is left of it is removed by whoever reads this.
    package var isLeaving = false
    package var unknownMembers = JSONObject()

    package init() {}

    package mutating func members(_ json: inout JSONMembers) {
        json.required("id", &id)
        json.required("nodeID", &nodeID)
        json.always("created", &created)
        json.always("updated", &updated)
        json.always("nodeUpdated", &nodeUpdated)
        json.always("version", &version)
        json.always("nodeVersion", &nodeVersion)
        json.always("spec", &spec)
        json.always("node", &node)
        json.always("address", &address)
        json.always("port", &port)
        json.always("pools", &pools)
        json.always("subnetSize", &subnetSize)
        json.always("dataPathPort", &dataPathPort)
        json.always("workerToken", &workerToken)
        json.always("managerToken", &managerToken)
        json.omitEmpty("isLeaving", &isLeaving)
    }

    /// A new swarm as it was asked for, with dockerd's defaults, still without an address.
    /// - Throws: `EngineError.invalidParameter`, and `.notImplemented` for what one node does not have.
    package init(_ request: SwarmInitRequest) throws(EngineError) {
        spec = request.spec
        if request.autoLockManagers { spec.encryption.autoLockManagers = true }
        try Self.check(spec)
        spec.name = "default"
        func complete<Number: BinaryInteger>(_ value: inout Number, _ standard: Number) {
            if value == 0 { value = standard }
        }
        spec.orchestration.taskHistoryRetentionLimit = spec.orchestration.taskHistoryRetentionLimit ?? 5
        complete(&spec.raft.snapshotInterval, 10_000)
        complete(&spec.raft.logEntriesForSlowFollowers, 500)
        complete(&spec.raft.electionTick, 10)
        complete(&spec.raft.heartbeatTick, 1)
        complete(&spec.dispatcher.heartbeatPeriod, 5_000_000_000)
        complete(&spec.certificates.nodeCertExpiry, 90 * 24 * 3600 * 1_000_000_000)
        node.role = "manager"
        node.availability = request.availability.isEmpty ? "active" : request.availability
        try Self.check(availability: node.availability)
        dataPathPort = request.dataPathPort == 0 ? 4789 : request.dataPathPort
        guard (1024...49151).contains(dataPathPort) else {
            throw .invalid("Datapath port number is not in valid range (1024-49151) : \(dataPathPort)")
        }
        pools = request.defaultAddrPool ?? []
        if pools.isEmpty { pools = ["10.0.0.0/8"] }
        subnetSize = request.subnetSize == 0 ? 24 : request.subnetSize
        _ = try subnetPools()
        id = Names.newSwarmID()
        nodeID = Names.newSwarmID()
        created = Timestamp.now.nanosecondsSince1970
        updated = created
        nodeUpdated = created
        workerToken = Self.token()
        managerToken = Self.token(like: workerToken)
    }

    /// From where overlay networks get their subnets.
    /// - Throws: `EngineError.invalidParameter`, in dockerd's words where it has some.
    func subnetPools() throws(EngineError) -> SubnetPools {
        guard pools.count <= 256 else { throw .invalid("too many address pools: \(pools.count), and 256 at most") }
        var result: [SubnetPools.Pool] = []
        for text in pools {
            guard let base = IPPrefix(text), base.family == .v4 else {
                throw .invalid("invalid base pool \(text): invalid CIDR address: \(text)")
            }
            guard Int(subnetSize) >= base.length else {
                throw .invalid("invalid CIDR: \"\(text)\". Subnet size is too small for pool: \(subnetSize)")
            }
            // A /30 has room for the gateway and one container.
            guard subnetSize <= 30 else {
                throw .invalid("invalid subnet size \(subnetSize) of the address pool \(text): it is 30 at most")
            }
            do throws(NetworkError) { result.append(try SubnetPools.Pool(base: base, size: Int(subnetSize))) } catch {
                throw EngineError(wrapping: error)
            }
        }
        result.append(SubnetPools.uniqueLocalPool(seed: id))
        do throws(NetworkError) { return try SubnetPools(result) } catch { throw EngineError(wrapping: error) }
    }

    static func check(availability: String) throws(EngineError) {
        guard ["active", "pause", "drain"].contains(availability) else {
            throw .invalid("invalid Availability: \"\(availability)\"")
        }
    }

    /// - Throws: `EngineError.invalidParameter`, and `.notImplemented` for what one node does not have.
    static func check(_ spec: SwarmSpec) throws(EngineError) {
        guard ["", "default"].contains(spec.name) else { throw .invalid("swarm spec must be named \"default\"") }
        guard !spec.encryption.autoLockManagers else {
            throw EngineError(
                .notImplemented,
                "managers cannot be locked: Dhow's swarm is of one node and keeps no log with keys to encrypt")
        }
        let certificates = spec.certificates
        guard certificates.externalCAs.isEmpty, certificates.signingCACert.isEmpty, certificates.signingCAKey.isEmpty
        else {
            throw EngineError(.notImplemented, "the swarm's certificate authority cannot be set: " + noAuthority)
        }
    }

    static let noAuthority = "Dhow's swarm is of one node and has no certificate authority"

    /// A token in the form of dockerd's: a version, what would be the digest of the authority's certificate, a secret.
    /// - Parameter other: one of the same swarm.
    static func token(like other: String? = nil) -> String {
        let start = other?.split(separator: "-").dropLast().joined(separator: "-")
        return (start ?? "SWMTKN-1-" + Names.newSwarmID() + Names.newSwarmID()) + "-" + Names.newSwarmID()
    }
}

extension Names {
    /// 25 digits of base 36, as swarms, their nodes and networks have them.
    package static func newSwarmID() -> String {
        String((0..<25).map { _ in swarmDigits[Int.random(in: 0..<36)] })
    }

    private static let swarmDigits = Array("0123456789abcdefghijklmnopqrstuvwxyz")
}
