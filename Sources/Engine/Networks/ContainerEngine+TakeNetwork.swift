import ContainerNetwork
import EngineModel
import Kernel

extension ContainerEngine {
    // MARK: Before the start

    /// Takes addresses and ports for a container that is about to start; blocks. What fails takes nothing.
    /// - Returns: `nil` for a container without a network of its own.
    func takeNetwork(for container: Container) throws -> RunNetwork? {
        let record = container.record
        let requests = EndpointRequests.of(record)
        let mode = record.hostConfig.networkMode
        guard mode != "host", ContainerReference(mode) == nil else { return nil }
        var run = RunNetworkRecord(sandboxOf: record.id)
        var reservations: [PortReservation] = []
        do {
            for request in requests {
                let network = try networks.find(request.network)
                run.endpoints.append(
                    try takeEndpoint(on: network, named: request.network, request.settings, others: run.endpoints))
            }
            chooseDefaultRoutes(&run, record)
            do { (run.ports, reservations) = try takePorts(record, run) } catch let error as NetworkError {
                // In the words that programs look for to try another port.
                throw EngineError(
                    .system,
                    "failed to set up container networking: driver failed programming external connectivity on endpoint "
                        + "\(record.name) (\(run.endpoints.first?.endpointID ?? "")): \(error.message)")
            }
        } catch {
            for endpoint in run.endpoints { networks.network(id: endpoint.networkID)?.release(endpoint.prefixes) }
            for reservation in reservations { hostNetworking.ports.release(reservation) }
            throw error
        }
        let result = RunNetwork(run)
        result.change { $0.reservations = reservations }
        return result
    }

    /// Takes a place on a network, which is made if it is not yet.
    func takeEndpoint(
        on network: Network, named name: String, _ settings: EndpointSettings, others: [RunNetworkRecord.Endpoint]
    ) throws -> RunNetworkRecord.Endpoint {
        guard network.hasEndpoints else {
            throw EngineError(
                .forbidden,
                network.record.isConfigOnly
                    ? "cannot create endpoint on configuration-only network \(network.name)"
                    : "cannot connect a container to the network \(network.name) beside others: it must be created in "
                        + "that network mode")
        }
        if others.contains(where: { $0.networkID == network.id }) {
            throw EngineError.invalid("network \(name) is specified multiple times")
        }
        try checkAttachable(network)
        try check(settings, on: network)
        try make(network)
        var endpoint = RunNetworkRecord.Endpoint()
        endpoint.networkID = network.id
        endpoint.networkName = name
        endpoint.endpointID = Names.newID()
        for prefix in try allocate(EndpointRequests.addresses(settings), on: network) {
            let text = network.specification.gateway(for: prefix).map { $0.description } ?? ""
            switch prefix.family {
            case .v4: (endpoint.address4, endpoint.gateway4) = (prefix.description, text)
            case .v6: (endpoint.address6, endpoint.gateway6) = (prefix.description, text)
            }
        }
        endpoint.macAddress = settings.macAddress
        return endpoint
    }

    /// Takes addresses; a refusal is in the words that programs look for.
    private func allocate(_ wanted: [IPAddress], on network: Network) throws -> [IPPrefix] {
        do throws(NetworkError) { return try network.allocate(wanted) } catch {
            switch error.code {
            case .conflict: throw EngineError(.forbidden, "Address already in use: \(error.message)")
            case .exhausted:
                let family = network.record.usesIPv4 ? "IPv4" : "IPv6"
                throw EngineError(
                    .system,
                    "no available \(family) addresses on this network's address pools: \(network.name) (\(network.id)): "
                        + error.message)
            default: throw error
            }
        }
    }

    /// A network of the swarm's is for services, unless it says otherwise, and for nobody once the swarm ends.
    private func checkAttachable(_ network: Network) throws(EngineError) {
        guard network.record.isOfSwarm else { return }
        guard swarm != nil else { throw EngineError(.notFound, "network \(network.name) not found") }
        guard network.record.isAttachable else {
            throw EngineError(
                .forbidden,
                "Could not attach to network \(network.name): rpc error: code = PermissionDenied desc = network "
                    + "\(network.name) not manually attachable")
        }
    }

    /// Docker's checks of a request against its network.
    func check(_ settings: EndpointSettings, on network: Network) throws(EngineError) {
        let record = network.record
        do throws(EngineError) {
            try EndpointRequests.check(settings, isUserDefined: !record.isPredefined)
            let addresses = EndpointRequests.addresses(settings)
            if !addresses.isEmpty, !record.hasNamedSubnets {
                throw EngineError.invalid(
                    "user specified IP address is supported only when connecting to networks with user configured subnets"
                )
            }
            for address in addresses where !network.prefixes.contains(where: { $0.contains(address) }) {
                throw EngineError.invalid("no configured subnet contains IP address \(address)")
            }
        } catch {
            throw .invalid("invalid endpoint settings:\n\(error.message)")
        }
    }

    func chooseDefaultRoutes(_ run: inout RunNetworkRecord, _ record: ContainerRecord) {
        let requests = Dictionary(
            EndpointRequests.of(record).map { ($0.network, $0.settings.gwPriority) },
            uniquingKeysWith: { first, _ in first })
        _ = run.chooseDefaultRoutes(
            priority: { requests[$0.networkName] ?? 0 },
            isInternal: { self.networks.network(id: $0.networkID)?.isInternal ?? false })
    }

    // MARK: Ports

    /// Reserves the host's ports for a container, on the networks that have its default routes.
    func takePorts(
        _ record: ContainerRecord, _ run: RunNetworkRecord
    ) throws -> (ports: [RunNetworkRecord.Port], reservations: [PortReservation]) {
        var ports: [RunNetworkRecord.Port] = []
        var reservations: [PortReservation] = []
        do {
            for mapping in try PortPlan(record.config, record.hostConfig).mappings {
                try take(mapping, record.name, run, &ports, &reservations)
            }
        } catch {
            for reservation in reservations { hostNetworking.ports.release(reservation) }
            throw error
        }
        return (ports, reservations)
    }

    /// An endpoint that ports may lead to.
    private struct Way {
        var network: Network
        var address: IPAddress
        var mode: GatewayMode
        var binding: IPAddress?
    }

    private func way(_ family: IPFamily, _ run: RunNetworkRecord) throws -> Way? {
        guard let endpoint = run.endpoints.first(where: { family == .v4 ? $0.isDefault4 : $0.isDefault6 }),
            let network = networks.network(id: endpoint.networkID), network.isBridge,
            let prefix = family == .v4 ? endpoint.prefix4 : endpoint.prefix6
        else { return nil }
        let options = try BridgeOptions(network.specification)
        return Way(
            network: network, address: prefix.address,
            mode: family == .v4 ? options.gatewayMode4 : options.gatewayMode6,
            binding: options.hostBinding)
    }

    private func take(
        _ mapping: PortPlan.Mapping, _ owner: String, _ run: RunNetworkRecord, _ ports: inout [RunNetworkRecord.Port],
        _ reservations: inout [PortReservation]
    ) throws {
        let ways = (v4: try way(.v4, run), v6: try way(.v6, run))
        func port(_ host: IPAddress, _ hostPort: UInt16, _ way: Way) -> RunNetworkRecord.Port {
            var port = RunNetworkRecord.Port()
            port.networkProtocol = "\(mapping.networkProtocol)"
            port.containerPort = mapping.containerPort
            port.hostAddress = host.description
            port.hostPort = hostPort
            port.networkID = way.network.id
            port.target = way.address.description
            return port
        }
        // Where and through which way; a routed network opens the container's own port and none of the host's.
        var targets: [(host: IPAddress, way: Way)] = []
        for family in IPFamily.allCases {
            let any = IPAddress(family: family, number: 0)
            let own = family == .v4 ? ways.v4 : ways.v6
            let asked = mapping.hostAddress ?? own?.binding ?? ways.v4?.binding
            // No address, or 0.0.0.0 as the network's default, stands for both families.
            let isAny = asked == nil || mapping.hostAddress == nil && asked?.isUnspecified == true
            guard isAny || asked?.family == family else { continue }
            let host = isAny ? any : asked ?? any
            if isAny, family == .v6, !HostFacts.hasIPv6 { continue }
            if let own {
                if own.mode == .routed {
                    ports.append(port(any, 0, own))
                } else if own.mode.translates {
                    targets.append((host, own))
                }
            } else if let other = family == .v4 ? ways.v6 : ways.v4, other.mode.translates {
                // Only a proxy leads from one family to the other.
                if hostNetworking.configuration.usesProxy {
                    targets.append((host, other))
                } else if !isAny {
                    throw EngineError.invalid(
                        "cannot publish \(mapping.containerPort)/\(mapping.networkProtocol) at \(host): the container has no "
                            + "\(family) address, and the userland proxy is off")
                }
            }
        }
        guard !targets.isEmpty else { return }
        let reservation = try hostNetworking.ports.reserve(
            mapping.networkProtocol, at: targets.map(\.host), ports: mapping.hostPorts, owner: owner)
        reservations.append(reservation)
        ports += targets.map { port($0.host, reservation.port, $0.way) }
    }
}
