import Kernel
import Synchronization

/// The packet filter and address translation of all bridge networks: one nftables table of our own.
///
/// It keeps a description of everything in the table, so that `restore` can make it again whatever happened to it. It
/// blocks (briefly), so it is called from a thread that may. It works in the network namespace that the thread was in at
/// the first call that needed nftables.
public final class Firewall: Sendable {
    public struct Configuration: Sendable {
        /// The table's name: a letter, then letters, digits and underscores.
        public var table: String
        /// A bit of the packet mark for hosts whose own filter drops what it does not know: set in packets that are
        /// let through, and accepted there.
        public var mark: UInt32
        /// Whether 127.0.0.0/8 reaches published ports by translation: for bridges with `route_localnet`, without the
        /// userland proxy. ::1 always needs the proxy.
        public var translatesLoopback: Bool
        /// Whether the host forwards nothing but containers' packets: for when it was Dhow that turned forwarding on
        /// (dockerd sets the policy of FORWARD to DROP then, unless `ip-forward-no-drop`).
        public var dropsForeignForwarding: Bool
        /// `--iptables=false`: nothing is done to nftables; whoever says so sees to rules of his own.
        public var isEnabled: Bool

        public init(
            table: String = "dhow", mark: UInt32 = 0x0100_0000, translatesLoopback: Bool = false,
            dropsForeignForwarding: Bool = false, isEnabled: Bool = true
        ) {
            self.table = table
            self.mark = mark
            self.translatesLoopback = translatesLoopback
            self.dropsForeignForwarding = dropsForeignForwarding
            self.isEnabled = isEnabled
        }
    }

    public let configuration: Configuration

    private struct State: ~Copyable {
        var library: NFTablesLibrary?
        var writer: NFTablesElements?
        var isInstalled = false
        var networks: [String: FirewallNetwork] = [:]
        /// Ports by network.
        var ports: [String: Set<PublishedPort>] = [:]
        /// The ports' elements, and by how many ports each is wanted: several ports of the host may open one port of a
        /// container in a routed network.
        var elements: [FirewallElement.Place: (element: FirewallElement, count: Int)] = [:]
        var links: Set<LinkedPort> = []
    }

    // The library's handle is only touched under the lock.
    private let state = Mutex(State())

    public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

    /// Says what the table is to hold, without making it yet: for the start of a daemon whose containers run. The first
    /// `add` then makes all of it in one transaction, so that nothing that is published is closed for a moment.
    /// - Parameter ports: by network.
    public func declare(_ networks: [FirewallNetwork], ports: [String: Set<PublishedPort>]) {
        state.withLock { state in
            for network in networks { state.networks[network.id] = network }
            for (id, ports) in ports where state.networks[id] != nil { state.ports[id, default: []].formUnion(ports) }
            rebuildElements(&state)
        }
    }

    // MARK: Networks

    /// Adds a network, or changes it. The first one makes the table.
    /// - Throws: `.unavailable` without libnftables or nf_tables, `.invalidArgument` for a name that is none,
    ///   `.conflict` when another network has the bridge. Nothing is changed then.
    public func add(_ network: FirewallNetwork) throws(NetworkError) {
        for name in [network.bridge] + network.trustedInterfaces { try InterfaceName.check(name) }
        try state.withLock { state throws(NetworkError) in
            if let other = state.networks.values.first(where: { $0.bridge == network.bridge && $0.id != network.id }) {
                throw NetworkError(.conflict, "bridge \(network.bridge) belongs to network \(other.id) already")
            }
            let old = state.networks.updateValue(network, forKey: network.id)
            if old == network, state.isInstalled { return }
            do throws(NetworkError) {
                if old == nil {
                    try write(&state, remove: [], add: network.elements)
                } else {
                    // What is published may look different in another mode.
                    rebuildElements(&state)
                    try install(&state)
                }
            } catch {
                state.networks[network.id] = old
                if old != nil { rebuildElements(&state) }
                throw error
            }
        }
    }

    /// Removes a network with what is published on it; an unknown one is ignored. The table goes with the last.
    public func remove(network id: String) throws(NetworkError) {
        try state.withLock { state throws(NetworkError) in
            guard let network = state.networks.removeValue(forKey: id) else { return }
            let ports = state.ports.removeValue(forKey: id)
            if state.networks.isEmpty {
                state.elements = [:]
                try uninstall(&state)
            } else if ports?.isEmpty == false {
                rebuildElements(&state)
                try install(&state)
            } else {
                try write(&state, remove: network.elements, add: [])
            }
        }
    }

    /// The networks that the table is to hold.
    public var networks: [FirewallNetwork] { state.withLock { Array($0.networks.values) } }

    // MARK: Ports

    /// Opens ports on a network, all of them or none. One that is open already is ignored.
    ///
    /// What this does depends on the network's gateway mode: translation, or only a way through; on an internal or
    /// isolated network nothing. The time does not depend on how many are open.
    /// - Throws: `.notFound` for an unknown network, `.invalidArgument` when a port's families differ, `.conflict`
    ///   when the host's port leads elsewhere.
    public func publish(_ ports: [PublishedPort], on networkID: String) throws(NetworkError) {
        try state.withLock { state throws(NetworkError) in
            guard let network = state.networks[networkID] else {
                throw NetworkError(.notFound, "network \(networkID) is not known to the firewall")
            }
            var fresh: [FirewallElement.Place: FirewallElement] = [:]
            var accepted: [PublishedPort] = []
            for port in Set(ports) where state.ports[networkID]?.contains(port) != true {
                try port.check()
                accepted.append(port)
                guard let element = network.element(of: port) else { continue }
                if let present = state.elements[element.place]?.element ?? fresh[element.place] {
                    guard present == element else {
                        throw NetworkError(
                            .conflict,
                            "port \(port.hostPort)/\(port.networkProtocol) of \(port.hostAddress) already leads to "
                                + (present.value?.text ?? "another container"))
                    }
                } else {
                    fresh[element.place] = element
                }
            }
            try writePorts(&state, remove: [], add: Array(fresh.values))
            Self.forgetFlows(of: accepted)
            for port in accepted {
                state.ports[networkID, default: []].insert(port)
                Self.count(network.element(of: port), by: 1, &state)
            }
        }
    }

    /// Closes ports; those that are not open are ignored.
    public func unpublish(_ ports: [PublishedPort], on networkID: String) throws(NetworkError) {
        try state.withLock { state throws(NetworkError) in
            guard let network = state.networks[networkID] else { return }
            var stale: [FirewallElement] = []
            var closed: [PublishedPort] = []
            for port in Set(ports) where state.ports[networkID]?.remove(port) != nil {
                closed.append(port)
                guard let element = network.element(of: port) else { continue }
                Self.count(element, by: -1, &state)
                if state.elements[element.place] == nil { stale.append(element) }
            }
            try writePorts(&state, remove: stale, add: [])
            Self.forgetFlows(of: closed)
        }
    }

    /// Opens the ports of linked containers to each other, and no others.
    /// - Parameter ports: works out all of them; called while nobody else changes the firewall, so that of two that
    ///   change links at the same time the later one sees what the earlier one saw.
    public func link(_ ports: () -> Set<LinkedPort>) throws(NetworkError) {
        try state.withLock { state throws(NetworkError) in
            let ports = ports()
            let old = state.links
            // Should the table have to be made anew, it must not have what is removed.
            state.links.formIntersection(ports)
            do throws(NetworkError) {
                try writePorts(
                    &state, remove: old.subtracting(ports).map(\.element), add: ports.subtracting(old).map(\.element))
            } catch {
                state.links = old
                throw error
            }
            state.links = ports
        }
    }

    /// Flows of UDP that began before must not go on to where the port led then. A kernel that cannot list them is no
    /// obstacle.
    private static func forgetFlows(of ports: [PublishedPort]) {
        let datagrams = ports.filter { $0.networkProtocol == .udp }
        for family in IPFamily.allCases {
            let numbers = Set(datagrams.filter { $0.hostAddress.family == family }.map(\.hostPort))
            if !numbers.isEmpty {
                _ = try? ConnectionTracking.forgetDatagramFlows(toPorts: numbers, isIPv6: family == .v6)
            }
        }
    }

    private static func count(_ element: FirewallElement?, by change: Int, _ state: inout State) {
        guard let element else { return }
        let count = (state.elements[element.place]?.count ?? 0) + change
        state.elements[element.place] = count > 0 ? (element, count) : nil
    }

    private func rebuildElements(_ state: inout State) {
        state.elements = [:]
        for (id, ports) in state.ports {
            for port in ports { Self.count(state.networks[id]?.element(of: port), by: 1, &state) }
        }
    }

    // MARK: The table

    /// Makes the table again as it should be, in one transaction: connections that exist go on, and no packet sees half
    /// of it. Without networks there is no table.
    ///
    /// Also looks again at whether the host's own filter needs to be told.
    public func restore() throws(NetworkError) {
        try state.withLock { state throws(NetworkError) in
            if state.networks.isEmpty { try uninstall(&state) } else { try install(&state) }
        }
    }

    /// Removes the table and what was added to the host's own filter, and forgets nothing: `restore` brings it back.
    ///
    /// For an end of the daemon that is to leave nothing, or a start that finds the table of one that crashed and has
    /// no networks. Someone else's tables are left alone.
    public func uninstall() throws(NetworkError) {
        try state.withLock { state throws(NetworkError) in try uninstall(&state) }
    }

    /// Whether the kernel has the table.
    public func isInstalled() throws(NetworkError) -> Bool {
        try state.withLock { state throws(NetworkError) in
            let library = try Self.library(&state)
            do throws(NetworkError) {
                try library.run("list chain inet \(configuration.table) forward\n")
                return true
            } catch {
                if error.code == .notFound { return false }
                throw error
            }
        }
    }

    private static func library(_ state: inout State) throws(NetworkError) -> NFTablesLibrary {
        if let library = state.library { return library }
        let library = try NFTablesLibrary()
        state.library = library
        return library
    }

    private func install(_ state: inout State) throws(NetworkError) {
        guard configuration.isEnabled else { return }
        let library = try Self.library(&state)
        let host = HostForwarding(library: library, mark: configuration.mark, table: configuration.table)
        let isNeeded = try host.accept()
        var text = FirewallTable.text(
            name: configuration.table, mark: isNeeded ? configuration.mark : nil,
            translatesLoopback: configuration.translatesLoopback,
            dropsForeignForwarding: configuration.dropsForeignForwarding)
        text += FirewallElement.adding(
            state.networks.values.flatMap(\.elements) + state.elements.values.map(\.element)
                + state.links.map(\.element), to: configuration.table)
        try library.run(text)
        state.isInstalled = true
    }

    private func uninstall(_ state: inout State) throws(NetworkError) {
        guard configuration.isEnabled else { return }
        let library = try Self.library(&state)
        // Adding first makes deleting one that is not there no error.
        try library.run("add table inet \(configuration.table)\ndelete table inet \(configuration.table)\n")
        state.isInstalled = false
        HostForwarding(library: library, mark: configuration.mark, table: configuration.table).withdraw()
    }

    /// Changes elements of networks, or makes the table when it is not there (the state is already as it should be).
    private func write(_ state: inout State, remove: [FirewallElement], add: [FirewallElement]) throws(NetworkError) {
        guard state.isInstalled, configuration.isEnabled else { return try install(&state) }
        let commands =
            FirewallElement.deleting(remove, from: configuration.table)
            + FirewallElement.adding(add, to: configuration.table)
        do throws(NetworkError) {
            try Self.library(&state).run(commands)
        } catch {
            // Someone removed the table or elements of it.
            guard error.code == .notFound else { throw error }
            try install(&state)
        }
    }

    /// Changes elements of ports (not yet in the state when they are added).
    private func writePorts(_ state: inout State, remove: [FirewallElement], add: [FirewallElement])
        throws(NetworkError)
    {
        if remove.isEmpty && add.isEmpty || !configuration.isEnabled { return }
        func binary(_ elements: [FirewallElement]) -> [NFTablesElements.Element] {
            elements.compactMap { element in
                element.binary.map { .init(set: element.place.set, key: $0.key, value: $0.value) }
            }
        }
        if !state.isInstalled { try install(&state) }
        for isLast in [false, true] {
            do throws(KernelError) {
                if state.writer == nil { state.writer = try NFTablesElements() }
                try state.writer?.update(table: configuration.table, remove: binary(remove), add: binary(add))
                return
            } catch {
                // Someone removed the table: made anew, it has all that the state knows, without what is removed.
                guard error.code == .notFound, !isLast else {
                    throw NetworkError("change the published ports", error)
                }
            }
            try install(&state)
            if add.isEmpty { return }
        }
    }
}

extension FirewallNetwork {
    fileprivate func element(of port: PublishedPort) -> FirewallElement? {
        isInternal ? nil : port.element(gatewayMode(port.target.family))
    }
}

extension PublishedPort {
    fileprivate func check() throws(NetworkError) {
        if hostAddress.family != target.family || hostPort == 0 || targetPort == 0 {
            throw NetworkError(
                .invalidArgument, "cannot publish \(target) port \(targetPort) at \(hostAddress) port \(hostPort)")
        }
    }
}
