import ContainerNetwork
import EngineModel
import Kernel

extension ContainerEngine {
    /// Reads the networks, and makes on the host what running containers and the user's networks need; blocks.
    ///
    /// The firewall's table is made once, with the ports of all containers that ran when the last daemon ended, so that
    /// connections through it never see it without them.
    /// - Parameter containers: of the database.
    func recoverNetworks(_ containers: [Container]) throws {
        recoverSwarm()
        let (records, failures) = try networkStore.load()
        for failure in failures { logger.error("cannot read a network's row", metadata: ["row": "\(failure)"]) }
        for record in [NetworkRecord.host(), .none()] + records where record.name != "bridge" {
            do { networks.insert(try Network(record)) } catch {
                logger.error("cannot use a network", metadata: ["name": "\(record.name)", "error": "\(error)"])
            }
        }
        let runs = containers.compactMap { readRunNetwork($0.id) }
        let used = Set(runs.flatMap { $0.endpoints.map(\.networkID) })
        let old = records.first { $0.name == "bridge" }
        if let bridge = try defaultBridge(old, isUsed: old.map { used.contains($0.id) } ?? false) {
            try networkStore.save(bridge)
            networks.insert(try Network(bridge))
        }
        try declareFirewall(runs, used)
        for network in networks.all where network.hasEndpoints {
            // The default bridge waits for its first container: most of what it needs is memory.
            guard !network.record.isPredefined || used.contains(network.id) else { continue }
            do { try make(network) } catch {
                // Tried again when a container needs it, whose error this will be.
                logger.error("cannot make a network", metadata: ["name": "\(network.name)", "error": "\(error)"])
            }
        }
        takeAddresses(runs)
    }

    /// Takes the addresses of all runs, before any container can get a new one.
    private func takeAddresses(_ runs: [RunNetworkRecord]) {
        for endpoint in runs.flatMap(\.endpoints) { networks.network(id: endpoint.networkID)?.take(endpoint.prefixes) }
    }

    private func declareFirewall(_ runs: [RunNetworkRecord], _ used: Set<String>) throws {
        var declared: [FirewallNetwork] = []
        for network in networks.all where used.contains(network.id) && network.isBridge {
            let specification = network.specification
            declared.append(BridgeDriver.firewallNetwork(specification, try BridgeOptions(specification)))
        }
        guard !declared.isEmpty else { return }
        var ports: [String: Set<PublishedPort>] = [:]
        for run in runs {
            for (network, published) in Self.published(run) { ports[network, default: []].formUnion(published) }
        }
        hostNetworking.firewall.declare(declared, ports: ports)
    }

    /// Takes over what a running container has of networks: its addresses, ports, names and proxies.
    func adoptNetwork(of container: Container, processID: Int32) async {
        do {
            let mode = container.record.hostConfig.networkMode
            guard mode != "host", ContainerReference(mode) == nil else { return }
            let record = try await blocking {
                self.readRunNetwork(container.id) ?? RunNetworkRecord(sandboxOf: container.id)
            }
            let run = RunNetwork(record)
            container.change { $0.network = run }
            let sockets = try await blocking { () throws -> NameServerSockets? in
                for endpoint in record.endpoints { self.register(endpoint, of: container) }
                try self.reconcile(run, of: container, processID: processID)
                let reservations = self.takePortsAgain(run.record, owner: container.name)
                run.change { $0.reservations = reservations }
                try self.publish(run)
                return self.hasNames(run) ? try NameServerSockets.open(pid: processID) : nil
            }
            if let sockets { try await serveNames(container.record, run, sockets) }
            try await startProxies(run)
        } catch {
            logger.error(
                "a running container's network could not be taken over whole",
                metadata: ["id": "\(container.id)", "error": "\(error)"])
        }
    }

    /// Closes the ports of a run that ended while no daemon was there; blocks.
    func forgetNetwork(of id: String) {
        guard let record = readRunNetwork(id) else { return }
        do {
            for (network, ports) in Self.published(record) {
                try hostNetworking.firewall.unpublish(ports, on: network)
            }
            for endpoint in record.endpoints {
                networks.network(id: endpoint.networkID)?.release(endpoint.prefixes)
            }
            forgetFlows(record)
            try FileDescriptor.currentDirectory.unlinkIfPresent(runNetworkPath(id))
        } catch {
            logger.error("cannot close the ports of a container", metadata: ["id": "\(id)", "error": "\(error)"])
        }
    }

    /// Whether an interface looks like those that drivers make in containers: a privileged one may have made others.
    private static func isOurs(_ link: Link) -> Bool {
        ["veth", "macvlan", "ipvlan"].contains(link.kind) && link.name.hasPrefix("eth")
            && link.name.dropFirst(3).allSatisfy(\.isNumber)
    }

    /// Finishes, or undoes, a connect or disconnect that the last daemon was killed in the middle of: afterwards the
    /// container has the interfaces that were asked for, and the record says so. Blocks.
    private func reconcile(_ run: RunNetwork, of container: Container, processID: Int32) throws {
        let before = run.record
        let requests = EndpointRequests.of(container.record)
        let sandbox = try NetworkSandbox(pid: processID)
        let present = Set(try sandbox.netlink.links().map(\.name))
        let wanted = Set(requests.map(\.network))
        let known = Set(before.endpoints.map(\.networkName))
        guard known != wanted || !before.endpoints.allSatisfy({ present.contains($0.interface) }) else { return }
        for endpoint in before.endpoints where !wanted.contains(endpoint.networkName) {
            if let joined = endpoint.joined, present.contains(endpoint.interface),
                let network = networks.network(id: endpoint.networkID)
            {
                try hostNetworking.driver(network.driver).leave(joined, in: sandbox)
            }
            networks.network(id: endpoint.networkID)?.release(endpoint.prefixes)
            unregister(endpoint)
        }
        // An interface that was made, but not written down, is in the way of the one to come.
        let written = Set(before.endpoints.map(\.interface))
        for link in try sandbox.netlink.links() where !written.contains(link.name) && Self.isOurs(link) {
            try? sandbox.netlink.perform(.deleteLink(link.index))
        }
        var endpoints = before.endpoints.filter { wanted.contains($0.networkName) }
        for (name, settings) in requests {
            if let index = endpoints.firstIndex(where: { $0.networkName == name }) {
                if present.contains(endpoints[index].interface) { continue }
                endpoints[index] = try join(endpoints[index], settings, in: sandbox)
                register(endpoints[index], of: container)
            } else {
                let endpoint = try takeEndpoint(on: try networks.find(name), named: name, settings, others: endpoints)
                endpoints.append(try join(endpoint, settings, in: sandbox))
                register(endpoints[endpoints.count - 1], of: container)
            }
        }
        let reconciled = endpoints
        run.change { state in
            state.record.endpoints = reconciled
            state.record.ports.removeAll { port in !reconciled.contains { $0.networkID == port.networkID } }
        }
        try settleRoutes(container, run, processID: processID)
        try updateHosts(of: container, from: before, to: run.record)
        try write(run, of: container)
    }

    private func takePortsAgain(_ record: RunNetworkRecord, owner: String) -> [PortReservation] {
        var reservations: [PortReservation] = []
        let groups = Dictionary(grouping: record.ports.filter { $0.hostPort != 0 }) {
            "\($0.hostPort)/\($0.networkProtocol)/\($0.containerPort)"
        }
        for ports in groups.values {
            guard let first = ports.first, let networkProtocol = PortProtocol(first.networkProtocol) else { continue }
            do {
                reservations.append(
                    try hostNetworking.ports.reserve(
                        networkProtocol, at: ports.compactMap { IPAddress($0.hostAddress) },
                        ports: first.hostPort...first.hostPort, owner: owner))
            } catch {
                // Someone took it while the daemon was away; what the firewall translates still arrives.
                logger.warning("cannot bind a published port again", metadata: ["error": "\(error)"])
            }
        }
        return reservations
    }

    /// Removes what crashes left of interfaces, once every running container is known; blocks.
    func sweepNetworks() throws {
        let used = registry.all.flatMap { container in
            (container.read { $0.network }?.record.endpoints ?? []).map(\.endpointID)
        }
        let made = networks.all.filter(\.isMade)
        try hostNetworking.sweep(networks: Set(made.map(\.id)), endpoints: Set(used))
        if made.isEmpty { try hostNetworking.leaveNothing() }
    }
}
