/// Changes of nf_tables that the kernel makes all at once, or none of them (linux/netfilter/nf_tables.h).
///
/// Written straight to the kernel: libnftables first lists all that the namespace has, which costs more than the change.
public struct NFTablesTransaction: Sendable {
    /// The tables that packets of one family go through (`NFPROTO_*`).
    public enum Family: UInt8, Sendable {
        case inet = 1
        case ipv4 = 2
        case ipv6 = 10
    }

    /// Where a chain of filters sees packets (`NF_INET_*`).
    public enum Hook: UInt32, Sendable {
        case prerouting = 0
        case input, forward, output, postrouting
    }

    public let family: Family
    /// The messages between the two that frame them.
    package private(set) var requests: [NetlinkRequest] = []

    public init(_ family: Family) { self.family = family }

    /// Adds a table, or leaves one that is there as it is.
    public mutating func addTable(_ table: String) {
        // NFT_MSG_NEWTABLE 0; NFTA_TABLE_NAME 1, _FLAGS 2
        append(0, [], "add nftables table", table) { request in
            request.attribute(1, string: table)
            request.attribute(2, UInt32(0))
        }
    }

    /// Adds a chain of filters that lets through what none of its rules decides, or leaves one that is there.
    /// - Parameter priority: lower ones see a packet first; connection tracking is at -200.
    /// - Throws: on commit, `EEXIST` or `EOPNOTSUPP` when the chain is there with another hook.
    public mutating func addFilterChain(_ chain: String, to table: String, at hook: Hook, priority: Int32) {
        // NFT_MSG_NEWCHAIN 3; NFTA_CHAIN_TABLE 1, _NAME 3, _HOOK 4 (NFTA_HOOK_HOOKNUM 1, _PRIORITY 2), _TYPE 7
        append(3, .create, "add nftables chain", "\(table) \(chain)") { request in
            request.attribute(1, string: table)
            request.attribute(3, string: chain)
            request.attribute(7, string: "filter")
            request.nest(4) {
                $0.attribute(1, hook.rawValue.bigEndian)
                $0.attribute(2, priority.bigEndian)
            }
        }
    }

    /// Deletes the rules of all chains of a table.
    public mutating func deleteRules(of table: String) {
        // NFT_MSG_DELRULE 8; NFTA_RULE_TABLE 1
        append(8, [], "delete the rules of nftables table", table) { $0.attribute(1, string: table) }
    }

    /// Adds a rule at the end of a chain.
    public mutating func addRule(_ expressions: [NFTablesExpression], to chain: String, of table: String) {
        // NFT_MSG_NEWRULE 6; NFTA_RULE_TABLE 1, _CHAIN 2, _EXPRESSIONS 4 (each an NFTA_LIST_ELEM 1)
        append(6, [.create, .append], "add a rule to nftables chain", "\(table) \(chain)") { request in
            request.attribute(1, string: table)
            request.attribute(2, string: chain)
            request.nest(4) { list in
                for expression in expressions { list.nest(1) { expression.write(to: &$0) } }
            }
        }
    }

    /// Makes the changes, in the namespace of a socket of `NetlinkSocket.Family.netfilter`.
    /// - Throws: the first refusal; nothing is changed then. `EOPNOTSUPP` from a kernel without nf_tables.
    public func commit(on socket: NetlinkSocket) throws(KernelError) {
        if !requests.isEmpty { try socket.perform(Self.framed(requests)) }
    }

    /// Messages of nf_tables between those that begin and end a transaction.
    static func framed(_ requests: [NetlinkRequest]) -> [NetlinkRequest] { [frame(16)] + requests + [frame(17)] }

    /// NFNL_MSG_BATCH_BEGIN 16, NFNL_MSG_BATCH_END 17, for subsystem 10 (nf_tables) in network order.
    private static func frame(_ type: UInt16) -> NetlinkRequest {
        var request = NetlinkRequest(type, .unacknowledged, operation: "change nftables")
        request.append(bytes: [0, 0, 0, 10])
        return request
    }

    /// A message's header, of a type within nf_tables: struct nfgenmsg is the family, a version, a resource.
    static func message(
        _ type: UInt16, _ flags: NetlinkRequest.Flags, _ family: Family, operation: String, subject: String
    ) -> NetlinkRequest {
        var request = NetlinkRequest(10 << 8 | type, flags, operation: operation, subject: subject)
        request.append(bytes: [family.rawValue, 0, 0, 0])
        return request
    }

    private mutating func append(
        _ type: UInt16, _ flags: NetlinkRequest.Flags, _ operation: String, _ subject: String,
        _ write: (inout NetlinkRequest) -> Void
    ) {
        var request = Self.message(type, flags, family, operation: operation, subject: subject)
        write(&request)
        requests.append(request)
    }
}
