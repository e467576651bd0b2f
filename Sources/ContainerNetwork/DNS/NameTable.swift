import Kernel
import Synchronization

/// The names of one network, shared by every container in it: a container that joins is seen by all at once.
public final class NameTable: Sendable {
    /// What one endpoint is called in the network, and its addresses there.
    public struct Endpoint: Hashable, Sendable {
        /// The container's name: what its addresses are called in reverse.
        public var name: String
        /// Aliases, the short ID, service names: any may be another endpoint's, too.
        public var aliases: [String]
        public var addresses: [InternetAddress]

        public init(name: String, aliases: [String] = [], addresses: [InternetAddress]) {
            self.name = name
            self.aliases = aliases
            self.addresses = addresses
        }
    }

    /// Who is called by one name: an endpoint without addresses is, too.
    private struct Holders {
        var count = 0
        /// All addresses, one that two endpoints have twice.
        var list: [InternetAddress] = []
        /// Each once; made when it is asked for.
        var distinct: [InternetAddress]?
    }

    private struct State {
        var endpoints: [String: Endpoint] = [:]
        var addresses: [String: Holders] = [:]
        var names: [InternetAddress: [String]] = [:]
    }

    /// The network's name: `container.network` is a name of the container, too.
    public let network: String
    let key: String
    private let state = Mutex(State())

    public init(network: String) {
        self.network = network
        key = Self.fold(network)
    }

    /// Adds an endpoint, or replaces what was known of it, in one step.
    /// - Parameter id: identifies it in this table; never looked up as a name.
    /// - Complexity: the number of its names and addresses, and of those who share them.
    public func set(_ id: String, _ endpoint: Endpoint) {
        state.withLock { state in
            Self.remove(id, from: &state)
            state.endpoints[id] = endpoint
            for name in Self.names(endpoint) {
                state.addresses[name, default: Holders()].count += 1
                state.addresses[name]?.list.append(contentsOf: endpoint.addresses)
                state.addresses[name]?.distinct = nil
            }
            for address in endpoint.addresses { state.names[address, default: []].append(endpoint.name) }
        }
    }

    public func remove(_ id: String) {
        state.withLock { Self.remove(id, from: &$0) }
    }

    private static func remove(_ id: String, from state: inout State) {
        guard let old = state.endpoints.removeValue(forKey: id) else { return }
        for name in names(old) {
            state.addresses[name]?.count -= 1
            state.addresses[name]?.distinct = nil
            if state.addresses[name]?.count == 0 {
                state.addresses[name] = nil
                continue
            }
            for address in old.addresses {
                if let index = state.addresses[name]?.list.firstIndex(of: address) {
                    state.addresses[name]?.list.remove(at: index)
                }
            }
        }
        for address in old.addresses {
            if let index = state.names[address]?.firstIndex(of: old.name) { state.names[address]?.remove(at: index) }
            if state.names[address]?.isEmpty == true { state.names[address] = nil }
        }
    }

    private static func names(_ endpoint: Endpoint) -> Set<String> {
        Set(([endpoint.name] + endpoint.aliases).lazy.map(fold).filter { !$0.isEmpty })
    }

    /// The addresses of a name in folded spelling, each once; `nil` when nobody is called so.
    func addresses(of name: String) -> [InternetAddress]? {
        state.withLock { state in
            guard let holders = state.addresses[name] else { return nil }
            if holders.list.count < 2 { return holders.list }
            if let distinct = holders.distinct { return distinct }
            var seen: Set<InternetAddress> = []
            let distinct = holders.list.filter { seen.insert($0).inserted }
            state.addresses[name]?.distinct = distinct
            return distinct
        }
    }

    /// `container.network` for an address of the network.
    func name(of address: InternetAddress) -> String? {
        state.withLock { $0.names[address]?.first }.map { "\($0).\(network)" }
    }

    /// Names compare without the case of ASCII letters.
    static func fold(_ name: some StringProtocol) -> String {
        let name = name.hasSuffix(".") ? name.dropLast() : name[...]
        return String(decoding: name.utf8.map { $0 &- 65 < 26 ? $0 | 32 : $0 }, as: UTF8.self)
    }
}

/// The networks of one container, and what it calls others in them.
public struct NameScope: Sendable {
    public struct Network: Sendable {
        public var names: NameTable
        /// Names that only this container uses (`--link other:alias`): alias to name in the network.
        public var links: [String: String]

        public init(_ names: NameTable, links: [String: String] = [:]) {
            self.names = names
            self.links = Dictionary(
                links.map { (NameTable.fold($0.key), NameTable.fold($0.value)) },
                uniquingKeysWith: { first, _ in first })
        }
    }

    /// The first that knows a name answers.
    public var networks: [Network]

    public init(_ networks: [Network] = []) { self.networks = networks }

    /// The addresses of a folded name, of both families; `nil` when it is nobody's here.
    ///
    /// `a.b.c` is a name, or `a.b` in network `c`, or `a` in network `b.c`, in this order.
    func addresses(of name: String) -> [InternetAddress]? {
        if let found = addresses(of: name, in: nil) { return found }
        var rest = name[...]
        while let dot = rest.utf8.lastIndex(of: UInt8(ascii: ".")) {
            rest = name[..<dot]
            let network = String(name[name.utf8.index(after: dot)...])
            guard networks.contains(where: { $0.names.key == network }) else { continue }
            if let found = addresses(of: String(rest), in: network) { return found }
        }
        return nil
    }

    private func addresses(of name: String, in network: String?) -> [InternetAddress]? {
        for candidate in networks where network == nil || candidate.names.key == network {
            if let target = candidate.links[name], let found = candidate.names.addresses(of: target) { return found }
        }
        for candidate in networks where network == nil || candidate.names.key == network {
            if candidate.links[name] == nil, let found = candidate.names.addresses(of: name) { return found }
        }
        return nil
    }

    func name(of address: InternetAddress) -> String? {
        for network in networks {
            if let name = network.names.name(of: address) { return name }
        }
        return nil
    }
}
