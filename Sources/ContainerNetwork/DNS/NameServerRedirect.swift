import Kernel

/// What leads a container's queries from 127.0.0.11:53 to the ports where its name server's sockets are: one small
/// nftables table in the container's network namespace.
///
/// It rewrites ports, one way and the other, and knows of no connections. Address translation would do too, but turns
/// on connection tracking for the whole namespace, which every packet of the container then pays for.
public enum NameServerRedirect {
    static let table = "dhow_names"
    /// The port that clients ask at.
    static let port: UInt16 = 53

    /// Leads queries to these ports of 127.0.0.11, in place of those of an earlier call.
    ///
    /// It takes the calling thread into the namespace and back. It blocks for a fraction of a millisecond; for some 20 ms
    /// where it replaces rules, until the kernel's processors have let go of them.
    /// - Throws: `.unavailable` when the kernel has no nf_tables, `.notPermitted` without CAP_NET_ADMIN there.
    public static func install(in namespace: NetworkNamespace, datagramPort: UInt16, streamPort: UInt16)
        throws(NetworkError)
    {
        try attempt("redirect the container's name queries") { () throws(KernelError) in
            try namespace.within { () throws(KernelError) in
                try install(datagramPort: datagramPort, streamPort: streamPort)
            }
        }
    }

    /// As `install(in:datagramPort:streamPort:)`, in the namespace of a process.
    public static func install(pid: Int32, datagramPort: UInt16, streamPort: UInt16) throws(NetworkError) {
        let namespace = try attempt("open the network namespace of process \(pid)") { () throws(KernelError) in
            try NetworkNamespace.open(pid: pid)
        }
        try install(in: namespace, datagramPort: datagramPort, streamPort: streamPort)
    }

    /// In the calling thread's namespace.
    static func install(datagramPort: UInt16, streamPort: UInt16) throws(KernelError) {
        try transaction(datagramPort: datagramPort, streamPort: streamPort).commit(on: NetlinkSocket(.netfilter))
    }

    static func transaction(datagramPort: UInt16, streamPort: UInt16) -> NFTablesTransaction {
        var transaction = NFTablesTransaction(.ipv4)
        transaction.addTable(table)
        // A container's own connection tracking (-200) must see one pair of ports, so the query changes before it and
        // the answer after it; and its own filters (0) must not see answers of a server that it did not ask.
        transaction.addFilterChain("queries", to: table, at: .output, priority: -300)
        transaction.addFilterChain("answers", to: table, at: .output, priority: -150)
        transaction.deleteRules(of: table)
        for (networkProtocol, port) in [(PortProtocol.udp, datagramPort), (.tcp, streamPort)] {
            // Offsets in the headers: IP's source 12 and destination 16; source port 0, destination port 2.
            transaction.addRule(
                rewriting(networkProtocol, addressOffset: 16, portOffset: 2, from: Self.port, to: port),
                to: "queries", of: table)
            transaction.addRule(
                rewriting(networkProtocol, addressOffset: 12, portOffset: 0, from: port, to: Self.port),
                to: "answers", of: table)
        }
        return transaction
    }

    private static func rewriting(
        _ networkProtocol: PortProtocol, addressOffset: UInt32, portOffset: UInt32, from old: UInt16, to new: UInt16
    ) -> [NFTablesExpression] {
        // The checksum in the header of UDP, of TCP.
        let checksumOffset: UInt32 = networkProtocol == .udp ? 6 : 16
        return [
            .load(.network, offset: addressOffset, count: 4), .compare(NameServerSockets.address.bytes),
            .loadTransportProtocol, .compare([networkProtocol.rawValue]),
            .load(.transport, offset: portOffset, count: 2), .compare(bytes(old)),
            .set(bytes(new)), .store(.transport, offset: portOffset, count: 2, checksumOffset: checksumOffset),
        ]
    }

    private static func bytes(_ port: UInt16) -> [UInt8] { [UInt8(port >> 8), UInt8(truncatingIfNeeded: port)] }
}

extension NameServerSockets {
    /// Opens both in a container's network namespace at ports of the kernel's choice, and leads 127.0.0.11:53 to them, so
    /// that the container's own programs may bind port 53. Brings the loopback interface up.
    ///
    /// For a new container, and for a daemon that was restarted: sockets of an earlier daemon are gone with it. Blocks as
    /// `NameServerRedirect.install` does.
    /// - Throws: as `NameServerRedirect.install`.
    public static func open(in namespace: NetworkNamespace) throws(NetworkError) -> Self {
        try attempt("open the container's name server") { () throws(KernelError) in
            try namespace.within { () throws(KernelError) in
                // Bound before the namespace's first address is there, a socket would answer from any.
                try bringLoopbackUp()
                let sockets = try open(port: 0)
                try NameServerRedirect.install(
                    datagramPort: sockets.datagramPort, streamPort: sockets.listenerPort)
                return sockets
            }
        }
    }

    /// As `open(in:)`, in the namespace of a process.
    public static func open(pid: Int32) throws(NetworkError) -> Self {
        try open(
            in: attempt("open the network namespace of process \(pid)") { () throws(KernelError) in
                try NetworkNamespace.open(pid: pid)
            })
    }
}
