import Foundation

/// A host in a network namespace of its own, with a cable to a machine outside: what the tests do to interfaces and rules
/// happens in there, and ends with it.
final class TestHost: Sendable {
    let host: NetworkPlace
    /// The machine outside. It knows no way to the containers' networks.
    let outside: NetworkPlace
    private let name: String

    static let address4 = "192.0.2.1"
    static let address6 = "2001:db8:1::1"
    static let outsideAddress4 = "192.0.2.2"
    static let outsideAddress6 = "2001:db8:1::2"

    init() throws {
        name = "dhowtest-\(getpid())-\(UUID().uuidString.prefix(6))"
        host = NetworkPlace(path: "/run/netns/\(name)")
        outside = NetworkPlace(path: "/run/netns/\(name)-out")
        try Shell.sh(
            """
            ip netns add \(name)
            ip netns add \(name)-out
            ip -n \(name) link add wan0 type veth peer name wan0 netns \(name)-out
            """)
        for (place, own4, own6, via4, via6) in [
            (host, Self.address4, Self.address6, Self.outsideAddress4, Self.outsideAddress6),
            (outside, Self.outsideAddress4, Self.outsideAddress6, "", ""),
        ] {
            try place.sh(
                """
                echo 0 > /proc/sys/net/ipv4/ip_forward
                echo 0 > /proc/sys/net/ipv6/conf/all/forwarding
                ip link set lo up
                ip link set wan0 up
                ip address add \(own4)/24 dev wan0
                ip address add \(own6)/64 dev wan0 nodad
                """)
            if !via4.isEmpty {
                try place.sh("ip route add default via \(via4); ip -6 route add default via \(via6)")
            }
        }
    }

    deinit { remove() }

    /// The namespaces go, and with them everything that is in them.
    func remove() {
        for name in [name, name + "-out"] { _ = try? Shell.run(["ip", "netns", "delete", name]) }
    }

    /// What anyone could see of the host's network: to be compared with what it was before.
    func state() throws -> [String: [String]] {
        var state: [String: [String]] = [:]
        state["interfaces"] = try host.sh("ip -o link | cut -d: -f2").lines.sorted()
        state["addresses"] = try host.sh("ip -o address | awk '$4 !~ /^fe80/ {print $2, $4}'").lines.sorted()
        state["routes"] = try host.sh("(ip route; ip -6 route) | grep -v fe80 | sed 's/ linkdown//; s/ *$//'").lines
            .sorted()
        state["rules"] = try host.sh("nft list ruleset").lines
        state["sockets"] = try host.sh("ss -Hlntu | awk '{print $1, $5}'").lines.sorted()
        state["sysctls"] = try host.sh(
            "cd /proc/sys/net; grep -r . ipv4/ip_forward ipv4/conf/all ipv4/conf/default ipv4/conf/wan0 ipv6/conf/all "
                + "ipv6/conf/default ipv6/conf/wan0 ipv4/ip_local_port_range 2>/dev/null | grep -v stable_secret || true"
        ).lines.sorted()
        return state
    }

    /// What is different from `before`: a line each.
    func changes(since before: [String: [String]]) throws -> [String] {
        let now = try state()
        return now.keys.sorted().flatMap { part in
            (now[part] ?? []).difference(from: before[part] ?? []).map { change in
                switch change {
                case .insert(_, let line, _): "\(part): + \(line)"
                case .remove(_, let line, _): "\(part): - \(line)"
                }
            }
        }
    }
}
