import ContainerNetwork
import EngineModel
import JSON

/// A swarm of one node: as much of Docker's as networks need. It runs no services, and no other node can join.
extension ContainerEngine {
    /// The swarm that this engine is, if it is one.
    var swarm: SwarmRecord? { currentSwarm.withLock { $0 } }

    private func setSwarm(_ record: SwarmRecord?) { currentSwarm.withLock { $0 = record } }

    /// - Throws: `EngineError.unavailable` without one.
    func requireSwarm() throws(EngineError) -> SwarmRecord {
        guard let swarm else { throw EngineError(.unavailable, OverlayNetwork.noManager) }
        return swarm
    }

    /// Whether requests about nodes and services make sense.
    /// - Throws: `EngineError.unavailable` without a swarm.
    public func checkSwarm() throws { _ = try requireSwarm() }

    /// Reads the swarm at the start; blocks. One that was ending is for `finishLeaving`.
    func recoverSwarm() {
        do {
            guard let record = try swarmStore.load(), !record.isLeaving else { return }
            setSwarm(record)
        } catch {
            logger.error("cannot read the swarm's row", metadata: ["error": "\(error)"])
        }
    }

    // MARK: Beginning

    /// Makes this engine a swarm, with the networks that belong to one.
    /// - Returns: the node's ID.
    public func initSwarm(_ request: SwarmInitRequest) async throws -> String {
        try await networkLock.withLock { () async throws -> String in
            if var record = swarm {
                guard request.forceNewCluster else { throw Self.alreadyInSwarm }
                // It is of this node alone already; what may have changed is where the node is.
                try await locate(&record, request)
                record.version += 1
                record.updated = Timestamp.now.nanosecondsSince1970
                try await keep(record)
                return record.nodeID
            }
            var record = try SwarmRecord(request)
            try await locate(&record, request)
            let swarm = record
            let made = try await blocking { try self.makeNetworks(of: swarm) }
            setSwarm(swarm)
            events.post(
                type: "node", action: "update", id: swarm.nodeID,
                attributes: ["name": host.hostname, "state.new": "ready", "state.old": "unknown"], scope: "swarm")
            for network in made { post(network, "create") }
            return swarm.nodeID
        }
    }

    private static let alreadyInSwarm = EngineError(
        .unavailable,
        "This node is already part of a swarm. Use \"docker swarm leave\" to leave this swarm and join another one.")

    /// Why this engine joins nobody's swarm.
    public var joinRefusal: EngineError {
        if swarm != nil { return Self.alreadyInSwarm }
        return EngineError(
            .notImplemented,
            "joining a swarm is not implemented: Dhow's swarm is of one node, which has overlay networks for its own "
                + "containers. Use \"docker swarm init\" for these, and Kubernetes for several machines")
    }

    private func locate(_ record: inout SwarmRecord, _ request: SwarmInitRequest) async throws {
        let place = try await blocking { try SwarmAddress(request, SwarmAddress.interfaces()) }
        record.address = place.address.description
        record.port = place.port
    }

    func keep(_ record: SwarmRecord) async throws {
        try await blocking { try self.swarmStore.save(record) }
        setSwarm(record)
    }

    /// Makes a new swarm's networks and writes them down with it: a kill in between leaves interfaces that the next
    /// start sweeps. Blocks.
    private func makeNetworks(of swarm: SwarmRecord) throws -> [Network] {
        if let other = networks.network(named: "ingress") {
            throw EngineError(
                .conflict,
                "cannot make the swarm's network ingress: the network \(Names.short(other.id)) has this name; "
                    + "remove it first"
            )
        }
        var templates = [OverlayNetwork.ingress()]
        // It outlives swarms, as Docker's does, and one that the user made serves as well.
        if networks.network(named: OverlayNetwork.gatewayName) == nil { templates.append(OverlayNetwork.gateway()) }
        var made: [Network] = []
        do {
            for var record in templates {
                try resolve(&record, [], pools: record.isOfSwarm ? swarm.subnetPools() : nil)
                OverlayNetwork.number(&record, beside: [])
                let network = try Network(record)
                made.append(network)
                try make(network)
            }
            try swarmStore.save(swarm, with: made.map(\.record))
        } catch {
            for network in made where network.isMade {
                try? hostNetworking.driver(network.driver).remove(network.specification)
            }
            throw error
        }
        for network in made { networks.insert(network) }
        return made
    }

    // MARK: Ending

    /// Ends the swarm, with its networks: containers that run are taken off them.
    public func leaveSwarm(force: Bool) async throws {
        try await networkLock.withLock { () async throws -> Void in
            guard var record = swarm else { throw EngineError(.unavailable, "This node is not part of a swarm") }
            guard force else {
                throw EngineError(
                    .unavailable,
                    "You are attempting to leave the swarm on a node that is participating as a manager. Removing the "
                        + "last manager erases all current state of the swarm. Use `--force` to ignore this message. ")
            }
            record.isLeaving = true
            let leaving = record
            try await blocking { try self.swarmStore.save(leaving) }
            // From here on the next start would finish it, and no container gets onto its networks any more.
            setSwarm(nil)
            try await finishLeaving()
        }
    }

    /// Removes what is left of a swarm that ends.
    func finishLeaving() async throws {
        // Who was let onto its networks before the end is known to be there when its lock is free.
        for container in registry.all { await container.lock.withLock {} }
        let own = networks.all.filter(\.record.isOfSwarm)
        for network in own {
            for id in Set(network.endpoints.values.map(\.containerID)) {
                do { try await disconnectContainer(id, from: network.id, force: true) } catch {
                    // It is gone by now, or keeps an interface that leads nowhere.
                    logger.warning(
                        "cannot take a container off a network of the swarm's",
                        metadata: ["id": "\(id)", "network": "\(network.name)", "error": "\(error)"])
                }
            }
        }
        try await blocking { try self.swarmStore.delete(with: own.map(\.id)) }
        for network in own { networks.remove(network) }
        for network in own {
            do {
                try await blocking {
                    if network.isMade {
                        try self.hostNetworking.driver(network.driver).remove(network.specification)
                    }
                }
            } catch {
                logger.error(
                    "cannot remove a network of the swarm's; the next start will",
                    metadata: ["name": "\(network.name)", "error": "\(error)"])
            }
            post(network, "destroy")
        }
    }

    // MARK: Reading and changing

    public func inspectSwarm() throws -> SwarmResource {
        let record = try requireSwarm()
        var resource = cluster(record)
        var tokens = SwarmResource.JoinTokens()
        tokens.worker = record.workerToken
        tokens.manager = record.managerToken
        resource.joinTokens = tokens
        return resource
    }

    private func cluster(_ record: SwarmRecord) -> SwarmResource {
        var resource = SwarmResource()
        resource.head = SwarmObjectHead(
            id: record.id, version: record.version, createdAt: ContainerStatus.text(record.created),
            updatedAt: ContainerStatus.text(record.updated))
        resource.spec = record.spec
        resource.defaultAddrPool = record.pools
        resource.subnetSize = record.subnetSize
        resource.dataPathPort = record.dataPathPort
        return resource
    }

    /// The part of `info` that is about swarms.
    var swarmInfo: JSONValue {
        guard let record = swarm else { return SystemInfo().swarm }
        return [
            "NodeID": .string(record.nodeID), "NodeAddr": .string(record.address), "LocalNodeState": "active",
            "ControlAvailable": true, "Error": "",
            "RemoteManagers": [["NodeID": .string(record.nodeID), "Addr": .string(managerAddress(record))]],
            "Nodes": 1, "Managers": 1, "Cluster": cluster(record).json,
        ]
    }

    /// What the head of an answer says of the swarm.
    public var swarmState: String { swarm == nil ? "inactive" : "active/manager" }

    func managerAddress(_ record: SwarmRecord) -> String {
        record.address.contains(":") ? "[\(record.address)]:\(record.port)" : "\(record.address):\(record.port)"
    }

    /// Replaces what the user sets of the swarm.
    /// - Parameter version: of the swarm that the caller saw.
    public func updateSwarm(
        _ spec: SwarmSpec, version: UInt64, rotatesWorkerToken: Bool, rotatesManagerToken: Bool
    ) async throws {
        try await networkLock.withLock { () async throws -> Void in
            var record = try requireSwarm()
            try SwarmRecord.check(spec)
            guard spec.certificates.forceRotate == record.spec.certificates.forceRotate else {
                throw EngineError(
                    .notImplemented, "the swarm's certificates cannot be rotated: " + SwarmRecord.noAuthority)
            }
            try Self.check(version, record.version)
            record.spec = spec
            record.spec.name = "default"
            record.spec.orchestration.taskHistoryRetentionLimit = spec.orchestration.taskHistoryRetentionLimit ?? 0
            if rotatesWorkerToken { record.workerToken = SwarmRecord.token(like: record.workerToken) }
            if rotatesManagerToken { record.managerToken = SwarmRecord.token(like: record.managerToken) }
            record.version += 1
            record.updated = Timestamp.now.nanosecondsSince1970
            try await keep(record)
        }
    }

    static func check(_ version: UInt64, _ current: UInt64) throws(EngineError) {
        guard version == current else {
            throw EngineError(.system, "update out of sequence: the version is \(current), not \(version)")
        }
    }
}
