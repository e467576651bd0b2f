import Kernel

/// Watches for changes to nftables by others: another program's `flush ruleset`, a reload of the host's firewall.
///
/// Wait for `descriptor` to be readable in any event loop, then call `changes()`; when it says so, call
/// `Firewall.restore()`. Its socket is of the network namespace that the thread was in when this was made.
public final class FirewallMonitor: Sendable {
    private let socket: NetlinkSocket
    private let table: String

    /// Becomes readable when nftables change, by whomever.
    public var descriptor: FileDescriptor { socket.descriptor }

    public init(table: String = "dhow") throws(NetworkError) {
        self.table = table
        // NFNLGRP_NFTABLES
        socket = try attempt("watch nftables") { () throws(KernelError) in
            try NetlinkSocket(.netfilter, groups: [7], nonBlocking: true)
        }
        // SO_RCVBUFFORCE: publishing many ports at once is announced one by one.
        try? socket.descriptor.setSocketOption(33, 4 << 20)
    }

    /// Reads what has happened since the last call, without waiting.
    /// - Returns: whether someone else touched our table or the chain in which the host filters what it forwards, or may have: announcements were
    ///   lost.
    public func changes() throws(NetworkError) -> Bool {
        var isChanged = false
        var isTouched = false
        while true {
            let messages: [NetlinkMessage]
            do throws(KernelError) { messages = try socket.receive() } catch {
                if error.code == .wouldBlock { return isChanged }
                // ENOBUFS
                if error.code.name == "ENOBUFS" {
                    isChanged = true
                    continue
                }
                throw NetworkError("watch nftables", error)
            }
            for message in messages where message.type >> 8 == 10 {
                // struct nfgenmsg is 4 bytes.
                let attributes = message.attributes(skipping: 4)
                if message.type & 0xff == 15 {
                    // NFT_MSG_NEWGEN ends each transaction: NFTA_GEN_PROC_PID 2 is the thread that made it.
                    let thread = attributes.integer(2, as: UInt32.self).map { Int32(bitPattern: UInt32(bigEndian: $0)) }
                    if isTouched, !Self.isOwnThread(thread ?? 0) { isChanged = true }
                    isTouched = false
                } else if touches(message.type & 0xff, attributes) {
                    isTouched = true
                }
            }
        }
    }

    /// The first attribute of every announcement but those of generations is the table's name.
    private func touches(_ type: UInt16, _ attributes: NetlinkAttributes) -> Bool {
        guard let name = attributes.string(1) else { return false }
        if name == table { return true }
        switch type {
        // NFT_MSG_DELTABLE 2
        case 2: return HostForwarding.isConcerned(table: name, chain: nil)
        // NFT_MSG_NEWCHAIN 3, _DELCHAIN 5: NFTA_CHAIN_NAME 3.
        case 3, 5: return HostForwarding.isConcerned(table: name, chain: attributes.string(3) ?? "")
        // NEWRULE 6, DELRULE 8: NFTA_RULE_CHAIN 2.
        case 6, 8: return HostForwarding.isConcerned(table: name, chain: attributes.string(2) ?? "")
        default: return false
        }
    }

    private static func isOwnThread(_ thread: Int32) -> Bool {
        (try? FileDescriptor.currentDirectory.status(of: "/proc/self/task/\(thread)")) != nil
    }
}
