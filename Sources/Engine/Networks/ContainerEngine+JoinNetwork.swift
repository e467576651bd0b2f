import ContainerNetwork
import EngineModel
import JSON
import Kernel
import Monitor

extension ContainerEngine {
    /// Connects a container whose namespaces exist and whose program does not run yet: when this returns it is reachable
    /// from the first packet on.
    func joinNetworks(_ container: Container, _ run: RunNetwork, _ process: RunSignals.Process) async throws {
        let record = container.record
        let sockets = try await blocking { () throws -> NameServerSockets? in
            let sandbox = try NetworkSandbox(pid: process.id)
            if let parent = process.parentID {
                // Opened first, looked at then: what is open belongs to the process that is seen now.
                guard try ProcessFiles.statistics(of: process.id).parentID == parent else {
                    throw EngineError(.system, "the container's process has ended")
                }
            }
            try self.join(container, run, in: sandbox)
            try self.publish(run)
            try self.write(run, of: container)
            return self.hasNames(run) ? try NameServerSockets.open(in: sandbox.namespace) : nil
        }
        if let sockets { try await serveNames(record, run, sockets) }
        try await startProxies(run)
        for endpoint in run.record.endpoints { postConnection(container, endpoint, "connect") }
    }

    /// Makes the interfaces of all endpoints that have none yet; blocks.
    private func join(_ container: Container, _ run: RunNetwork, in sandbox: NetworkSandbox) throws {
        let settings = Dictionary(
            EndpointRequests.of(container.record).map { ($0.network, $0.settings) },
            uniquingKeysWith: { first, _ in first })
        for (index, endpoint) in run.record.endpoints.enumerated() where endpoint.interface.isEmpty {
            let joined = try join(endpoint, settings[endpoint.networkName] ?? EndpointSettings(), in: sandbox)
            run.change { $0.record.endpoints[index] = joined }
            register(joined, of: container)
        }
    }

    /// Makes one endpoint's interface; blocks.
    func join(
        _ endpoint: RunNetworkRecord.Endpoint, _ settings: EndpointSettings, in sandbox: NetworkSandbox
    ) throws -> RunNetworkRecord.Endpoint {
        let network = try networks.find(endpoint.networkID)
        var families: Set<IPFamily> = []
        if endpoint.isDefault4 { families.insert(.v4) }
        if endpoint.isDefault6 { families.insert(.v6) }
        let joined = try hostNetworking.driver(network.driver).join(
            EndpointSpecification(
                id: endpoint.endpointID, address4: endpoint.prefix4, address6: endpoint.prefix6,
                macAddress: MACAddress(endpoint.macAddress), interfaceName: EndpointRequests.interfaceName(settings),
                defaultRoutes: families, sysctls: EndpointRequests.sysctls(settings)),
            to: network.specification, in: sandbox)
        var endpoint = endpoint
        endpoint.interface = joined.interface
        endpoint.macAddress = joined.macAddress.description
        endpoint.hostInterface = joined.hostInterface ?? ""
        endpoint.routesOnLink = joined.routesOnLink
        return endpoint
    }

    /// Makes an endpoint known to its network: in its list of containers, and by name.
    func register(_ endpoint: RunNetworkRecord.Endpoint, of container: Container) {
        guard let network = networks.network(id: endpoint.networkID) else { return }
        let record = container.record
        network.insert(
            Network.Endpoint(
                containerID: record.id, containerName: record.name, address4: endpoint.prefix4,
                address6: endpoint.prefix6, macAddress: endpoint.macAddress), id: endpoint.endpointID)
        guard network.hasNames else { return }
        network.names.set(
            endpoint.endpointID,
            NameTable.Endpoint(
                name: record.name, aliases: Array(dnsNames(record, endpoint.networkName).dropFirst()),
                addresses: endpoint.prefixes.compactMap { InternetAddress(bytes: $0.address.bytes) }))
    }

    func unregister(_ endpoint: RunNetworkRecord.Endpoint) {
        guard let network = networks.network(id: endpoint.networkID) else { return }
        network.removeEndpoint(endpoint.endpointID)
        network.names.remove(endpoint.endpointID)
    }

    /// What a container is called on a network: its name, aliases, short ID and host name, each once.
    func dnsNames(_ record: ContainerRecord, _ network: String) -> [String] {
        let settings = EndpointRequests.of(record).first { $0.network == network }?.settings
        var names: [String] = []
        for name in [record.name] + (settings?.aliases ?? []) + [Names.short(record.id), record.config.hostname]
        where !name.isEmpty && !names.contains(name) {
            names.append(name)
        }
        return names
    }

    // MARK: Ports

    /// Opens the run's ports in the firewall; blocks.
    func publish(_ run: RunNetwork) throws {
        for (network, ports) in Self.published(run.record) { try hostNetworking.firewall.publish(ports, on: network) }
        run.change { $0.isPublished = true }
        try openLinkedPorts()
    }

    func unpublish(_ run: RunNetwork) throws {
        guard run.current.isPublished else { return }
        for (network, ports) in Self.published(run.record) { try hostNetworking.firewall.unpublish(ports, on: network) }
        run.change { $0.isPublished = false }
    }

    static func published(_ record: RunNetworkRecord) -> [String: [PublishedPort]] {
        var result: [String: [PublishedPort]] = [:]
        for port in record.ports {
            if let published = port.published { result[port.networkID, default: []].append(published) }
        }
        return result
    }

    /// Serves the bound sockets for what the firewall does not translate: the host's own connections by way of its
    /// loopback, and IPv6 in front of an IPv4 container.
    func startProxies(_ run: RunNetwork) async throws {
        let state = run.current
        guard !state.reservations.isEmpty else { return }
        let proxy = try hostNetworking.services().proxy
        for reservation in state.reservations {
            for binding in reservation.bindings {
                guard let socket = binding.socket else { continue }
                let port = state.record.ports.first { port in
                    port.hostPort == reservation.port && port.hostAddress == binding.address.description
                        && port.networkProtocol == "\(reservation.networkProtocol)"
                }
                // Without the proxy 127.0.0.1 is translated; ::1 cannot be.
                let isServed = hostNetworking.configuration.usesProxy || binding.address.family == .v6
                guard let port, isServed, let target = InternetAddress(port.target) else { continue }
                let transport: Socket.Transport =
                    switch reservation.networkProtocol {
                    case .tcp: .tcp
                    case .udp: .udp
                    case .sctp: .sctp
                    }
                let id = try await proxy.start(
                    transport, listener: socket, backend: InternetEndpoint(target, port: port.containerPort))
                run.change { $0.proxies.append(id) }
            }
            if !hostNetworking.configuration.usesProxy,
                reservation.bindings.contains(where: { $0.address.family == .v4 })
            {
                try await blocking { try reservation.discardTraffic(.v4) }
            }
        }
    }

    // MARK: Names

    /// Whether a run needs a name server of its own.
    func hasNames(_ run: RunNetwork) -> Bool {
        run.record.endpoints.contains { networks.network(id: $0.networkID)?.hasNames ?? false }
    }

    func serveNames(_ record: ContainerRecord, _ run: RunNetwork, _ sockets: NameServerSockets) async throws {
        let services = try hostNetworking.services()
        try await services.followHostServers()
        try await services.names.open(
            record.id, sockets: sockets, configuration: nameServerConfiguration(record, run.record))
        run.change { $0.hasNameServer = true }
    }

    /// Tells a container's name server what changed.
    func updateNames(_ record: ContainerRecord, _ run: RunNetwork, processID: Int32) async throws {
        if run.current.hasNameServer {
            try await hostNetworking.services().names.update(
                record.id, configuration: nameServerConfiguration(record, run.record))
        } else if hasNames(run) {
            let sockets = try await blocking {
                try NameServerSockets.open(pid: processID)
            }
            try await serveNames(record, run, sockets)
        }
    }

    private func nameServerConfiguration(
        _ record: ContainerRecord, _ run: RunNetworkRecord
    ) -> NameServerConfiguration {
        let requests = EndpointRequests.of(record)
        var scopes: [NameScope.Network] = []
        var isInternal = true
        for endpoint in run.endpoints {
            guard let network = networks.network(id: endpoint.networkID) else { continue }
            if !network.isInternal { isInternal = false }
            guard network.hasNames else { continue }
            let links = requests.first { $0.network == endpoint.networkName }?.settings.links ?? []
            scopes.append(NameScope.Network(network.names, links: Self.links(links)))
        }
        let (upstreams, hasNdots) = resolverSettings(record).upstreams
        return NameServerConfiguration(
            names: NameScope(scopes), upstreams: upstreams.map { .servers($0) } ?? .host,
            forwardsThroughHost: !isInternal, hasNdots: hasNdots)
    }

    /// `name:alias` as alias to name.
    static func links(_ links: [String]) -> [String: String] {
        var result: [String: String] = [:]
        for link in links {
            let parts = link.split(separator: ":", maxSplits: 1).map(String.init)
            guard let name = parts.first else { continue }
            result[parts.count == 2 ? parts[1] : name] = name
        }
        return result
    }

    // MARK: The record of the run

    func runNetworkPath(_ id: String) -> String { runDirectory(id) + "/network.json" }

    /// Writes down what the run has, for the next daemon; blocks.
    func write(_ run: RunNetwork, of container: Container) throws {
        try HostFiles.write(runNetworkPath(container.id), run.record.json.serialized(), mode: 0o600)
    }

    /// What the run of a container has; `nil` without a record that can be read. Blocks.
    func readRunNetwork(_ id: String) -> RunNetworkRecord? {
        guard let text = HostFiles.text(runNetworkPath(id)) else { return nil }
        do { return try RunNetworkRecord(parsing: Array(text.utf8)) } catch {
            logger.error(
                "cannot read what a container has of networks", metadata: ["id": "\(id)", "error": "\(error)"])
            return nil
        }
    }

    func postConnection(_ container: Container, _ endpoint: RunNetworkRecord.Endpoint, _ action: String) {
        guard let network = networks.network(id: endpoint.networkID) else { return }
        post(network, action, ["container": container.id])
    }

    func post(_ network: Network, _ action: String, _ more: [String: String] = [:]) {
        var attributes = ["name": network.name, "type": network.driver]
        attributes.merge(more) { _, new in new }
        events.post(type: "network", action: action, id: network.id, attributes: attributes)
    }

    // MARK: The end of a run

    /// Gives back everything that a run took of networks. Its interfaces end with its namespace.
    func releaseNetwork(of container: Container) async {
        let run = container.change { state in
            defer { state.network = nil }
            return state.network
        }
        guard let run else { return }
        let state = run.current
        if state.hasNameServer || !state.proxies.isEmpty, let services = hostNetworking.servicesIfAny {
            if state.hasNameServer { try? await services.names.close(container.id) }
            for proxy in state.proxies { try? await services.proxy.stop(proxy) }
        }
        do {
            try await blocking {
                try? FileDescriptor.currentDirectory.unlinkIfPresent(self.runNetworkPath(container.id))
                for endpoint in state.record.endpoints { self.unregister(endpoint) }
                defer {
                    // Before somebody else can have the addresses, whatever went wrong before.
                    do { try self.openLinkedPorts() } catch {
                        self.logger.error("cannot close the ports of links", metadata: ["error": "\(error)"])
                    }
                    for reservation in state.reservations { self.hostNetworking.ports.release(reservation) }
                    for endpoint in state.record.endpoints {
                        self.networks.network(id: endpoint.networkID)?.release(endpoint.prefixes)
                    }
                }
                try self.unpublish(run)
                self.forgetFlows(state.record)
            }
        } catch {
            logger.error(
                "cannot close the ports of a container", metadata: ["id": "\(container.id)", "error": "\(error)"])
        }
        for endpoint in state.record.endpoints where !endpoint.interface.isEmpty {
            postConnection(container, endpoint, "disconnect")
        }
    }

    /// A flow of UDP to an address that is gone would go on to whoever gets the address next.
    func forgetFlows(_ record: RunNetworkRecord) {
        guard record.ports.contains(where: { $0.networkProtocol == "udp" }) else { return }
        for prefix in record.endpoints.flatMap(\.prefixes) {
            _ = try? ConnectionTracking.forgetDatagramFlows(of: prefix.address.bytes)
        }
    }
}
