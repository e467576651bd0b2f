import Glibc

/// The kernel's table of tracked connections (linux/netfilter/nfnetlink_conntrack.h), of the calling thread's network
/// namespace.
public enum ConnectionTracking {
    /// Forgets UDP flows from or to an address, in either direction.
    ///
    /// A flow keeps the translation that it began with for as long as packets come: after a port's publication or a
    /// container's end, those of UDP would go on to where the port led before. Connections of TCP end by themselves.
    /// - Returns: how many flows were forgotten.
    @discardableResult
    public static func forgetDatagramFlows(of address: [UInt8]) throws(KernelError) -> Int {
        try forget(addressFamily(address)) { tuples in
            tuples.contains { $0.networkProtocol == 17 && ($0.source == address || $0.destination == address) }
        }
    }

    /// Forgets UDP flows to ports of the host, whatever its address, so that a new publication holds for them too.
    @discardableResult
    public static func forgetDatagramFlows(toPorts ports: Set<UInt16>, isIPv6: Bool) throws(KernelError) -> Int {
        try forget(isIPv6 ? 10 : 2) { tuples in
            tuples.first.map { $0.networkProtocol == 17 && ports.contains($0.destinationPort) } == true
        }
    }

    private struct Tuple {
        var source: [UInt8] = []
        var destination: [UInt8] = []
        var networkProtocol: UInt8 = 0
        var destinationPort: UInt16 = 0

        /// CTA_TUPLE_IP 1 (addresses v4 1 and 2, v6 3 and 4), CTA_TUPLE_PROTO 2 (number 1, destination port 3).
        init(_ attributes: NetlinkAttributes) {
            if let ip = attributes.nested(1) {
                source = Array(ip[1] ?? ip[3] ?? [])
                destination = Array(ip[2] ?? ip[4] ?? [])
            }
            if let transport = attributes.nested(2) {
                networkProtocol = transport.integer(1) ?? 0
                destinationPort = UInt16(bigEndian: transport.integer(3) ?? 0)
            }
        }
    }

    private static func forget(_ family: UInt8, where isMatch: ([Tuple]) -> Bool) throws(KernelError) -> Int {
        let socket = try NetlinkSocket(.netfilter)
        // NFNL_SUBSYS_CTNETLINK 1: IPCTNL_MSG_CT_GET 1, IPCTNL_MSG_CT_DELETE 2. struct nfgenmsg: family, 0, 0.
        var list = NetlinkRequest(1 << 8 | 1, .dump, operation: "list tracked connections")
        list.append(bytes: [family, 0, 0, 0])
        var deletions: [NetlinkRequest] = []
        for message in try socket.query(list) {
            let attributes = message.attributes(skipping: 4)
            // CTA_TUPLE_ORIG 1, CTA_TUPLE_REPLY 2
            let tuples = [attributes.nested(1), attributes.nested(2)].compactMap { $0.map(Tuple.init) }
            guard isMatch(tuples), let original = attributes[1] else { continue }
            var request = NetlinkRequest(1 << 8 | 2, operation: "forget a tracked connection")
            request.append(bytes: [family, 0, 0, 0])
            request.attribute(1 | 0x8000, bytes: original)
            // CTA_ID 12 keeps a new flow with the same addresses from being taken for the old one.
            if let identifier = attributes[12] { request.attribute(12, bytes: identifier) }
            deletions.append(request)
        }
        var count = 0
        for start in stride(from: 0, to: deletions.count, by: 64) {
            for failure in try socket.performAll(Array(deletions[start..<min(start + 64, deletions.count)])) {
                if let failure, failure.code != .notFound { throw failure }
                if failure == nil { count += 1 }
            }
        }
        return count
    }
}
