import ContainerNetwork
import Kernel
import Logging
import Synchronization

/// The host's side of networks: drivers, firewall, ports, and the services that run for containers.
///
/// Nothing is made before a container, or a network of the user's, needs it: a daemon without networks loads no
/// libnftables, starts no thread and leaves the host alone.
final class HostNetworking: Sendable {
    let configuration: NetworkConfiguration
    /// Marks this daemon's interfaces and names its table: two daemons leave each other's alone.
    let owner: String
    let firewall: Firewall
    let ports = PortAllocator()
    private let marker: String
    private let logger: Logger
    private let state = Mutex(State())

    private struct State {
        var drivers: [String: any NetworkDriver] = [:]
        var services: NetworkServices?
        var isWatching = false
    }

    /// - Parameters:
    ///   - owner: the installation's ID.
    ///   - table: the nftables table's name.
    ///   - directory: where a note is left as long as the host has anything of ours; on a tmpfs.
    init(
        _ configuration: NetworkConfiguration, owner: String, table: String, directory: String, logger: Logger
    ) {
        self.configuration = configuration
        self.owner = owner
        self.logger = logger
        marker = directory + "/networks-in-use"
        // What an earlier daemon of this boot turned on is as much ours.
        let note = HostFiles.line(marker)
        let turnsOn =
            configuration.enablesForwarding && !configuration.keepsForeignForwarding
            && (note == Self.forwardingNote
                || note == nil && (try? NetworkSysctl.read(["ipv4", "ip_forward"])) == "0")
        firewall = Firewall(
            Firewall.Configuration(
                table: table, translatesLoopback: !configuration.usesProxy, dropsForeignForwarding: turnsOn,
                isEnabled: configuration.usesFirewall))
    }

    private static let forwardingNote = "forwarding turned on"

    /// Whether the host may have interfaces or rules of ours, from this daemon or one before it.
    var isInUse: Bool { HostFiles.exists(marker) }

    /// Notes that from here on the host has something of ours.
    private func noteUse() throws(KernelError) {
        if isInUse { return }
        try HostFiles.write(
            marker, firewall.configuration.dropsForeignForwarding ? Self.forwardingNote + "\n" : "in use\n", mode: 0o600
        )
    }

    /// The driver called `name`.
    /// - Throws: `EngineError.notFound`, with Docker's sentence.
    func driver(_ name: String) throws -> any NetworkDriver {
        // With one node an overlay network is a bridge.
        let name = name == OverlayNetwork.driver ? BridgeDriver.name : name
        return try state.withLock { state in
            if let driver = state.drivers[name] { return driver }
            let driver: any NetworkDriver
            switch name {
            case BridgeDriver.name:
                driver = try BridgeDriver(
                    BridgeDriver.Configuration(
                        owner: owner, enablesForwarding: configuration.enablesForwarding,
                        routesLoopback: !configuration.usesProxy), firewall: firewall)
            case MacvlanDriver.name: driver = try MacvlanDriver(owner: owner)
            case IpvlanDriver.name: driver = try IpvlanDriver(owner: owner)
            default:
                throw EngineError(
                    .notFound,
                    "could not find plugin \(name) in v1 plugin registry: plugin not found; the network drivers are "
                        + "bridge, overlay, macvlan, ipvlan, host and null")
            }
            state.drivers[name] = driver
            return driver
        }
    }

    /// The default bridge's interface.
    func defaultBridgeName() throws -> String {
        if let name = configuration.bridge { return name }
        guard let driver = try driver(BridgeDriver.name) as? BridgeDriver else { return "docker0" }
        return try driver.defaultBridgeName()
    }

    /// Whether an interface of this name is there, and not this daemon's.
    func isForeign(_ interface: String) throws -> Bool {
        guard let link = try NetlinkSocket().links().first(where: { $0.name == interface }) else { return false }
        return InterfaceMark(link.alias)?.owner != owner
    }

    /// Makes a network on the host; one that is there from before is taken over.
    func create(_ specification: NetworkSpecification, driver: String) throws {
        let driver = try self.driver(driver)
        try driver.check(specification)
        try noteUse()
        try driver.create(specification)
    }

    /// The destinations that no new subnet may lie over.
    func hostRoutes(ignoring bridge: String? = nil) throws -> [IPPrefix] {
        let netlink = try NetlinkSocket()
        var ignored: Set<Int32> = []
        if let bridge, let link = try? netlink.link(named: bridge) { ignored.insert(link.index) }
        return try HostRoutes.prefixes(netlink, ignoring: ignored)
    }

    func pools() throws(NetworkError) -> SubnetPools {
        let standard = SubnetPools.standard(seed: owner)
        if configuration.pools.isEmpty { return standard }
        // Pools of one family leave the other's as they are.
        let families = Set(configuration.pools.map(\.base.family))
        return try SubnetPools(configuration.pools + standard.pools.filter { !families.contains($0.base.family) })
    }

    /// Deletes interfaces of ours that no network or endpoint has.
    func sweep(networks: Set<String>, endpoints: Set<String>) throws {
        guard isInUse else { return }
        let swept = try HostInterfaces.sweep(
            try NetlinkSocket(), owner: owner, networks: networks, endpoints: endpoints)
        if !swept.isEmpty {
            logger.info("removed interfaces that an earlier daemon left", metadata: ["names": "\(swept)"])
        }
    }

    /// Removes every interface and rule of ours: for when no container runs.
    func leaveNothing() throws {
        guard isInUse else { return }
        try HostInterfaces.sweep(try NetlinkSocket(), owner: owner, networks: [], endpoints: [])
        try firewall.uninstall()
        try FileDescriptor.currentDirectory.unlinkIfPresent(marker)
    }

    // MARK: Services

    /// Names, proxies and the watch over the firewall, started when first needed.
    func services() throws -> NetworkServices {
        try state.withLock { state in
            if let services = state.services { return services }
            let services = try NetworkServices(firewall: firewall, logger: logger)
            state.services = services
            return services
        }
    }

    /// Begins to watch over the firewall, once.
    func watchFirewall() throws {
        let services = try services()
        let isFirst = state.withLock { state in
            defer { state.isWatching = true }
            return !state.isWatching
        }
        if isFirst { try services.watchFirewall() }
    }

    var servicesIfAny: NetworkServices? { state.withLock { $0.services } }

    func close() { servicesIfAny?.close() }
}
