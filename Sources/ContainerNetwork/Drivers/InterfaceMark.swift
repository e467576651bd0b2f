import Kernel

/// The text that marks the host's interfaces as ours (`ip link` shows it as alias): `dhow:OWNER:NETWORK[/ENDPOINT]`.
public struct InterfaceMark: Hashable, Sendable, CustomStringConvertible {
    /// Which daemon: two on one host, with data roots of their own, leave each other's interfaces alone.
    public var owner: String
    public var networkID: String
    public var endpointID: String?

    public init(owner: String, networkID: String, endpointID: String? = nil) {
        self.owner = owner
        self.networkID = networkID
        self.endpointID = endpointID
    }

    /// `nil` for an alias of someone else.
    public init?(_ alias: String) {
        let parts = alias.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "dhow", !parts[2].isEmpty else { return nil }
        owner = String(parts[1])
        let ids = parts[2].split(separator: "/", maxSplits: 1)
        guard let network = ids.first else { return nil }
        networkID = String(network)
        endpointID = ids.count > 1 ? String(ids[1]) : nil
    }

    public var description: String { "dhow:\(owner):\(networkID)" + (endpointID.map { "/\($0)" } ?? "") }
}

/// What crashes left on the host.
public enum HostInterfaces {
    /// The host's interfaces that this daemon made.
    public static func ours(_ netlink: NetlinkSocket, owner: String) throws(NetworkError) -> [(Link, InterfaceMark)] {
        try attempt("list the host's interfaces") { () throws(KernelError) in try netlink.links() }
            .compactMap { link in
                guard let mark = InterfaceMark(link.alias), mark.owner == owner else { return nil }
                return (link, mark)
            }
    }

    /// Deletes this daemon's interfaces that belong to no known network or endpoint.
    ///
    /// - Returns: their names.
    @discardableResult
    public static func sweep(
        _ netlink: NetlinkSocket, owner: String, networks: Set<String>, endpoints: Set<String>
    ) throws(NetworkError) -> [String] {
        var swept: [String] = []
        for (link, mark) in try ours(netlink, owner: owner) {
            let isKnown = mark.endpointID.map(endpoints.contains) ?? networks.contains(mark.networkID)
            if isKnown { continue }
            do throws(KernelError) { try netlink.perform(.deleteLink(link.index)) } catch {
                // The other end of a pair went with it.
                if error.code != .noDevice { throw NetworkError("remove interface \(link.name)", error) }
            }
            swept.append(link.name)
        }
        return swept
    }
}
