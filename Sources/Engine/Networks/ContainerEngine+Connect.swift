import ContainerNetwork
import EngineModel
import Kernel

extension ContainerEngine {
    /// Puts a container on a further network: at once when it runs, else when it starts.
    public func connectContainer(_ name: String, to networkName: String, _ settings: EndpointSettings) async throws {
        let network = try networks.find(networkName)
        let container = try registry.find(name)
        try await container.lock.withLock { () async throws -> Void in
            let record = container.record
            if container.status.phase == .removing || container.status.phase == .dead {
                throw EngineError(
                    .conflict,
                    "container \(record.id) is marked for removal and cannot be connected or disconnected to the network"
                )
            }
            let mode = record.hostConfig.networkMode
            if let other = ContainerReference(mode) {
                throw EngineError(
                    .forbidden,
                    "container sharing network namespace with another container or host cannot be connected "
                        + "to any other network (it shares \(Names.short(other.name))'s)")
            }
            if mode == "host" || network.driver == "host" {
                throw EngineError(
                    .forbidden,
                    mode == "host"
                        ? "container sharing network namespace with another container or host cannot be connected to any "
                            + "other network"
                        : "cannot connect container to host network - container must be created in host network mode")
            }
            if network.driver == "null" || EndpointRequests.isNone(record) {
                throw EngineError(
                    .forbidden,
                    "container cannot be connected to multiple networks with one of the networks in private (none) mode"
                )
            }
            guard network.hasEndpoints else {
                throw EngineError(.forbidden, "cannot create endpoint on configuration-only network \(network.name)")
            }
            if isRequested(record, on: network) {
                throw EngineError(
                    .forbidden, "endpoint with name \(record.name) already exists in network \(network.name)")
            }
            try check(settings, on: network)
            var changed = record
            var config = changed.networkingConfig ?? NetworkingConfig()
            config.endpointsConfig = (config.endpointsConfig ?? [:]).merging([network.name: settings]) { _, new in new }
            changed.networkingConfig = config
            if let run = container.run, let network = container.read({ $0.network }) {
                try await connect(container, network, run, settings, changed, named: config.endpointsConfig ?? [:])
            } else {
                let changed = changed
                try await blocking { try self.store.update(changed) }
                container.change { $0.record = changed }
                post(network, "connect", ["container": container.id])
            }
        }
    }

    private func isRequested(_ record: ContainerRecord, on network: Network) -> Bool {
        EndpointRequests.of(record).contains { (try? networks.find($0.network))?.id == network.id }
    }

    /// Gives a running container one more endpoint.
    private func connect(
        _ container: Container, _ run: RunNetwork, _ containerRun: ContainerRun, _ settings: EndpointSettings,
        _ changed: ContainerRecord, named: [String: EndpointSettings?]
    ) async throws {
        let before = run.record
        let known = Set(before.endpoints.map(\.networkName))
        guard let added = EndpointRequests.of(changed).first(where: { !known.contains($0.network) }) else { return }
        let endpoint = try await blocking { () throws -> RunNetworkRecord.Endpoint in
            var endpoint = try self.takeEndpoint(
                on: try self.networks.find(added.network), named: added.network, added.settings,
                others: before.endpoints)
            do {
                let sandbox = try NetworkSandbox(pid: containerRun.processID)
                endpoint = try self.join(endpoint, added.settings, in: sandbox)
            } catch {
                self.networks.network(id: endpoint.networkID)?.release(endpoint.prefixes)
                throw error
            }
            return endpoint
        }
        do {
            try await blocking {
                try self.store.update(changed)
                container.change { $0.record = changed }
                run.change { $0.record.endpoints.append(endpoint) }
                self.register(endpoint, of: container)
                try self.settleRoutes(container, run, processID: containerRun.processID)
                try self.updateHosts(of: container, from: before, to: run.record)
                try self.updateResolver(container, run)
                try self.write(run, of: container)
                try self.openLinkedPorts()
            }
            // A container that had lost its last network gets its ports back with a new one.
            if run.record.ports.isEmpty { try await openPorts(container, run) }
            try await updateNames(changed, run, processID: containerRun.processID)
        } catch {
            logger.error(
                "a network was only partly connected", metadata: ["id": "\(container.id)", "error": "\(error)"])
            throw error
        }
        postConnection(container, endpoint, "connect")
    }

    /// Takes a container off a network.
    /// - Parameter force: a container that is gone is no error.
    public func disconnectContainer(_ name: String, from networkName: String, force: Bool) async throws {
        let network = try networks.find(networkName)
        let container: Container
        do throws(EngineError) { container = try registry.find(name) } catch {
            if force, error.code == .notFound { return }
            throw error
        }
        try await container.lock.withLock { () async throws -> Void in
            let record = container.record
            if record.hostConfig.networkMode == "host" && network.driver == "host" {
                throw EngineError(
                    .forbidden,
                    "cannot disconnect container from host network - container was created in host network mode")
            }
            if network.driver == "null", EndpointRequests.isNone(record) {
                var changed = record
                changed.networkingConfig = NetworkingConfig()
                changed.networkingConfig?.endpointsConfig = [:]
                let kept = changed
                try await blocking { try self.store.update(kept) }
                container.change { $0.record = kept }
                post(network, "disconnect", ["container": container.id])
                return
            }
            guard
                let request = EndpointRequests.of(record).first(where: {
                    (try? networks.find($0.network))?.id == network.id
                })
            else {
                throw EngineError(.forbidden, "container \(container.id) is not connected to network \(network.name)")
            }
            var changed = record
            changed.networkingConfig?.endpointsConfig?[request.network] = nil
            let kept = changed
            if let run = container.run, let own = container.read({ $0.network }) {
                try await disconnect(container, own, run, network, kept)
            } else {
                try await blocking { try self.store.update(kept) }
                container.change { $0.record = kept }
                post(network, "disconnect", ["container": container.id])
            }
        }
    }

    private func disconnect(
        _ container: Container, _ run: RunNetwork, _ containerRun: ContainerRun, _ network: Network,
        _ changed: ContainerRecord
    ) async throws {
        let before = run.record
        guard let endpoint = before.endpoints.first(where: { $0.networkID == network.id }) else {
            throw EngineError(.forbidden, "container \(container.id) is not connected to network \(network.name)")
        }
        let hadPorts = before.ports.contains { $0.networkID == network.id }
        if hadPorts { await closePorts(of: run) }
        try await blocking {
            let sandbox = try NetworkSandbox(pid: containerRun.processID)
            if let joined = endpoint.joined {
                try self.hostNetworking.driver(network.driver).leave(joined, in: sandbox)
            }
            try self.store.update(changed)
            container.change { $0.record = changed }
            run.change { $0.record.endpoints.removeAll { $0.networkID == network.id } }
            self.unregister(endpoint)
            // Before somebody else can have the address.
            try self.openLinkedPorts()
            network.release(endpoint.prefixes)
            try self.settleRoutes(container, run, processID: containerRun.processID)
            try self.updateHosts(of: container, from: before, to: run.record)
            try self.write(run, of: container)
        }
        // Its ports go on through the network that has the default route now, if there is one.
        if hadPorts { try await openPorts(container, run) }
        try await updateNames(changed, run, processID: containerRun.processID)
        postConnection(container, endpoint, "disconnect")
    }

    /// Moves the default routes to where they belong after a change; blocks.
    func settleRoutes(_ container: Container, _ run: RunNetwork, processID: Int32) throws {
        var record = run.record
        let before = record
        chooseDefaultRoutes(&record, container.record)
        let changed = record
        run.change { $0.record = changed }
        let sandbox = try NetworkSandbox(pid: processID)
        for family in IPFamily.allCases {
            let path: KeyPath<RunNetworkRecord.Endpoint, Bool> = family == .v4 ? \.isDefault4 : \.isDefault6
            let (old, new) = (
                before.endpoints.first { $0[keyPath: path] }, changed.endpoints.first { $0[keyPath: path] }
            )
            // The kernel drops a route with its interface.
            if old?.endpointID != new?.endpointID || old == nil && new != nil {
                try sandbox.setDefaultRoute(family, through: new?.joined)
            }
        }
    }

    private func closePorts(of run: RunNetwork) async {
        let state = run.current
        if let services = hostNetworking.servicesIfAny {
            for proxy in state.proxies { try? await services.proxy.stop(proxy) }
        }
        try? await blocking {
            try self.unpublish(run)
            for reservation in state.reservations { self.hostNetworking.ports.release(reservation) }
        }
        run.change { state in
            state.proxies = []
            state.reservations = []
            state.record.ports = []
        }
    }

    private func openPorts(_ container: Container, _ run: RunNetwork) async throws {
        try await blocking {
            let (ports, reservations) = try self.takePorts(container.record, run.record)
            run.change { state in
                state.record.ports = ports
                state.reservations = reservations
            }
            try self.publish(run)
            try self.write(run, of: container)
        }
        try await startProxies(run)
    }

    /// A container that came onto its first network with names asks our server from now on; blocks.
    private func updateResolver(_ container: Container, _ run: RunNetwork) throws {
        guard hasNames(run), !run.current.hasNameServer else { return }
        let path = "\(storage.containers.directory(of: container.id))/resolv.conf"
        try HostFiles.replace(path, resolverSettings(container.record).text)
    }
}
