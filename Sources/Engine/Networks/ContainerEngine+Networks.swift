import ContainerNetwork
import EngineModel
import Kernel

extension ContainerEngine {
    // MARK: Reading

    public func networks(_ filters: Filters) async throws -> [NetworkResource] {
        let filter = try NetworkFilter(filters)
        return networks.all.filter { filter.includes($0.record, isUsed: !$0.endpoints.isEmpty) }
            .sorted { ($0.name, $0.id) < ($1.name, $1.id) }
            .map { resource($0, withContainers: false) }
    }

    /// - Parameter scope: `local` or `swarm`; `nil` for either.
    public func inspectNetwork(_ name: String, scope: String? = nil) async throws -> NetworkResource {
        let network = try networks.find(name)
        if let scope, scope != network.record.scope {
            throw EngineError(.notFound, "network \(name) not found")
        }
        return resource(network, withContainers: true)
    }

    private func resource(_ network: Network, withContainers: Bool) -> NetworkResource {
        let record = network.record
        var result = NetworkResource()
        result.name = record.name
        result.id = record.id
        result.created = ContainerStatus.text(record.created)
        result.scope = record.scope
        result.driver = record.driver
        result.enableIPv4 = record.usesIPv4
        result.enableIPv6 = record.usesIPv6
        result.ipam.driver = record.ipamDriver
        result.ipam.options = record.ipamOptions
        // IPv4 first, as Docker shows them; its command sends several in any order.
        let pools = record.pools.filter { !$0.subnet.contains(":") } + record.pools.filter { $0.subnet.contains(":") }
        result.ipam.config = pools.isEmpty && !record.hasEndpoints && !record.isConfigOnly ? nil : pools
        result.isInternal = record.isInternal
        result.isAttachable = record.isAttachable
        result.isIngress = record.isIngress
        result.configFrom.network = record.configFrom
        result.isConfigOnly = record.isConfigOnly
        result.options = record.options
        result.labels = record.labels
        guard withContainers else { return result }
        for (id, endpoint) in network.endpoints {
            var shown = NetworkResource.EndpointResource()
            shown.name = endpoint.containerName
            shown.endpointID = id
            shown.macAddress = endpoint.macAddress
            shown.ipv4Address = endpoint.address4.map { "\($0)" } ?? ""
            shown.ipv6Address = endpoint.address6.map { "\($0)" } ?? ""
            result.containers?[endpoint.containerID] = shown
        }
        return result
    }

    // MARK: Creating

    /// Makes a network, with what its driver needs on the host.
    public func createNetwork(_ request: NetworkCreateRequest) async throws -> NetworkCreateResponse {
        try await networkLock.withLock { () async throws -> NetworkCreateResponse in
            let network = try await blocking { try self.create(request) }
            if network.record.isOfSwarm {
                for action in ["create", "update"] { postOfSwarm(network, action) }
            } else {
                post(network, "create")
            }
            var response = NetworkCreateResponse()
            response.id = network.id
            return response
        }
    }

    private func create(_ request: NetworkCreateRequest) throws -> Network {
        try NetworkValidation.check(request)
        let isOfSwarm = try OverlayNetwork.isOfSwarm(
            request, isActive: swarm != nil, ingress: networks.all.first { $0.record.isIngress }?.id)
        if networks.network(named: request.name) != nil {
            throw EngineError(.conflict, "network with name \(request.name) already exists")
        }
        var record = NetworkRecord()
        record.id = isOfSwarm ? Names.newSwarmID() : Names.newID()
        record.isOfSwarm = isOfSwarm
        record.isIngress = request.isIngress
        record.name = request.name
        record.created = Timestamp.now.nanosecondsSince1970
        record.driver = request.driver.isEmpty ? BridgeDriver.name : request.driver
        record.usesIPv4 = request.enableIPv4 ?? true
        record.usesIPv6 = request.enableIPv6 ?? false
        record.isInternal = request.isInternal
        record.isAttachable = request.isAttachable
        record.isConfigOnly = request.isConfigOnly
        record.ipamOptions = request.ipam?.options
        record.pools = (request.ipam?.config ?? []).filter { $0 != IPAM.Pool() }
        record.options = request.options ?? [:]
        record.labels = request.labels ?? [:]
        if let source = request.configFrom?.network, !source.isEmpty { try borrow(source, into: &record) }
        // As Docker has it: what is said of IPv6 holds once it is enabled.
        if !record.usesIPv6 { record.pools.removeAll { IPPrefix($0.subnet)?.family == .v6 } }
        record.hasNamedSubnets = !record.pools.isEmpty
        if record.isConfigOnly {
            record.driver = "null"
            _ = try NetworkRecord.requests(record.pools)
            return try keep(record)
        }
        for (name, value) in configuration.network.defaultOptions[record.driver] ?? [:]
        where record.options[name] == nil {
            record.options[name] = value
        }
        let requests = try NetworkRecord.requests(record.pools)
        try resolve(&record, requests, pools: record.driver == OverlayNetwork.driver ? swarm?.subnetPools() : nil)
        OverlayNetwork.number(&record, beside: networks.all.map(\.record))
        return try keep(record)
    }

    private func borrow(_ source: String, into record: inout NetworkRecord) throws(EngineError) {
        guard let lender = (try? networks.find(source))?.record else {
            throw EngineError(.notFound, "configuration network \"\(source)\" does not exist")
        }
        guard lender.isConfigOnly else { throw .invalid("network \(source) is not a configuration network") }
        guard record.pools.isEmpty, record.options.isEmpty, record.labels.isEmpty else {
            throw EngineError(
                .forbidden,
                "user specified configurations are not supported if the network depends on a configuration network")
        }
        record.configFrom = lender.name
        record.usesIPv4 = lender.usesIPv4
        record.usesIPv6 = lender.usesIPv6
        record.ipamOptions = lender.ipamOptions
        record.pools = lender.pools
        record.options = lender.options
        record.labels = lender.labels.merging(record.labels) { _, own in own }
    }

    /// Chooses the subnets that were not named; blocks.
    /// - Parameter pools: from where; `nil` for the daemon's own.
    func resolve(
        _ record: inout NetworkRecord, _ requests: [SubnetRequest], ignoring bridge: String? = nil,
        pools: SubnetPools? = nil
    ) throws {
        let others = networks.all.filter { $0.id != record.id && $0.isBridge }.flatMap(\.prefixes)
        let pools = try pools ?? hostNetworking.pools()
        let needsRoutes =
            requests.contains { $0.subnet == nil }
            || IPFamily.allCases.contains { family in
                (family == .v4 ? record.usesIPv4 : record.usesIPv6)
                    && !requests.contains { $0.subnet?.family == family }
            }
        let routes = needsRoutes ? try hostNetworking.hostRoutes(ignoring: bridge) : []
        let subnets: [AddressedSubnet]
        do throws(NetworkError) {
            subnets = try NetworkAddressing.resolve(
                requests, usesIPv4: record.usesIPv4, usesIPv6: record.usesIPv6, pools: pools,
                networks: record.isBridge ? others : [], hostRoutes: routes)
        } catch {
            // As Docker has it: an overlap is not allowed rather than a conflict.
            if error.code == .conflict {
                throw EngineError(
                    .forbidden,
                    "invalid pool request: Pool overlaps with other one on this address space: \(error.message)")
            }
            if error.code == .exhausted, record.driver == OverlayNetwork.driver {
                throw EngineError(
                    .system,
                    "no subnet of the swarm's address pools is free of the host's routes and other networks: name one "
                        + "with --subnet, or other pools with swarm init --default-addr-pool")
            }
            if error.code == .invalidArgument { throw EngineError.invalid("invalid network config:\n\(error.message)") }
            throw error
        }
        record.pools = subnets.map { subnet in
            var pool = IPAM.Pool()
            pool.subnet = subnet.subnet.description
            pool.ipRange = subnet.range.map { $0.description } ?? ""
            pool.gateway = subnet.gateway.description
            let auxiliary = subnet.auxiliary.mapValues(\.description)
            pool.auxiliaryAddresses = auxiliary.isEmpty ? nil : auxiliary
            return pool
        }
    }

    /// Makes a network on the host and writes it down: a kill in between leaves an interface that the next start sweeps.
    private func keep(_ record: NetworkRecord) throws -> Network {
        let network = try Network(record)
        if record.hasEndpoints { try make(network) }
        do {
            try networkStore.save(record)
        } catch {
            try? hostNetworking.driver(record.driver).remove(network.specification)
            throw error
        }
        networks.insert(network)
        return network
    }

    /// Makes what the host needs for a network, unless it is there; blocks.
    func make(_ network: Network) throws {
        try network.make { record in
            if record.name == "bridge" { try completeDefaultBridge(&record) }
            if record.name == OverlayNetwork.gatewayName,
                record.options[OverlayNetwork.bridgeNameOption] == OverlayNetwork.gatewayName,
                try hostNetworking.isForeign(OverlayNetwork.gatewayName)
            {
                // Another engine's: ours is called after its network, as any other.
                record.options[OverlayNetwork.bridgeNameOption] = nil
            }
            try hostNetworking.create(try record.specification(), driver: record.driver)
            if record.name == "bridge" { try networkStore.save(record) }
        }
        if network.isBridge, configuration.network.usesFirewall {
            try hostNetworking.watchFirewall()
        }
    }

    // MARK: Removing

    public func removeNetwork(_ name: String) async throws {
        try await networkLock.withLock { () async throws -> Void in
            let network = try networks.find(name)
            if network.record.isPredefined {
                throw EngineError(.forbidden, "\(network.name) is a pre-defined network and cannot be removed")
            }
            if network.record.isConfigOnly,
                let user = networks.all.first(where: { $0.record.configFrom == network.name })
            {
                throw EngineError(
                    .forbidden,
                    "error while removing network: configuration network \"\(network.name)\" is in use by \(user.name)")
            }
            if isHeldBySwarm(network) {
                throw EngineError(
                    .forbidden,
                    "error while removing network: network \(network.name) id \(network.id) has active endpoints: the "
                        + "swarm holds it until \"docker swarm leave --force\"")
            }
            let users = network.endpoints
            if !users.isEmpty {
                let list = users.map { "name:\"\($0.value.containerName)\" id:\"\(Names.short($0.key))\"" }.sorted()
                throw EngineError(
                    .forbidden,
                    "error while removing network: network \(network.name) has active endpoints "
                        + "(\(list.joined(separator: ", ")))")
            }
            try await remove(network)
        }
    }

    private func remove(_ network: Network) async throws {
        networks.remove(network)
        do {
            try await blocking {
                try self.networkStore.delete(network.id)
                // From here on the next start would finish it.
                if network.isMade { try self.hostNetworking.driver(network.driver).remove(network.specification) }
            }
        } catch {
            if (try? await blocking { try self.networkStore.load().networks.contains { $0.id == network.id } }) == true
            {
                networks.insert(network)
            }
            throw error
        }
        if network.record.isOfSwarm { postOfSwarm(network, "remove") } else { post(network, "destroy") }
    }

    private func isHeldBySwarm(_ network: Network) -> Bool {
        network.name == OverlayNetwork.gatewayName && swarm != nil
    }

    private func postOfSwarm(_ network: Network, _ action: String) {
        events.post(
            type: "network", action: action, id: network.id, attributes: ["name": network.name], scope: "swarm")
    }

    /// Removes the user's networks that no container uses.
    public func pruneNetworks(_ filters: Filters) async throws -> NetworkPruneReport {
        let filter = try PruneFilter(filters)
        var report = NetworkPruneReport()
        for network in networks.all.sorted(by: { $0.name < $1.name }) {
            let record = network.record
            guard !record.isPredefined, !record.isIngress, !isHeldBySwarm(network), network.endpoints.isEmpty,
                !isRequested(network),
                filter.includes(labels: record.labels, created: record.created)
            else { continue }
            do {
                try await removeNetwork(record.id)
                report.networksDeleted = (report.networksDeleted ?? []) + [record.name]
            } catch {
                logger.warning("cannot prune a network", metadata: ["name": "\(record.name)", "error": "\(error)"])
            }
        }
        events.post(type: "network", action: "prune", id: "", attributes: ["reclaimed": "0"])
        return report
    }

    /// Whether a container is to be on the network when it starts.
    private func isRequested(_ network: Network) -> Bool {
        registry.all.contains { container in
            container.status.isActive
                && EndpointRequests.of(container.record).contains { (try? networks.find($0.network))?.id == network.id }
        }
    }
}
