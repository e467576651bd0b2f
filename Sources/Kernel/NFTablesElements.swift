/// Elements of nf_tables sets and maps, written straight to the kernel.
///
/// libnftables first asks the kernel for all tables, chains and sets of the host whenever they changed since it last
/// looked, which each element added here is such a change: its cost grows with what others keep in nftables. These
/// messages (linux/netfilter/nf_tables.h) cost the same whatever else there is.
public struct NFTablesElements: Sendable {
    private let socket: NetlinkSocket

    /// In the calling thread's network namespace.
    public init() throws(KernelError) {
        socket = try NetlinkSocket(.netfilter)
        // SO_SNDBUFFORCE, SO_RCVBUFFORCE: a transaction is one datagram.
        try? socket.descriptor.setSocketOption(32, 8 << 20)
        try? socket.descriptor.setSocketOption(33, 8 << 20)
    }

    public struct Element: Sendable {
        public var set: String
        public var key: [UInt8]
        /// The value, in a map.
        public var value: [UInt8]?
        public init(set: String, key: [UInt8], value: [UInt8]? = nil) {
            self.set = set
            self.key = key
            self.value = value
        }
    }

    /// Deletes and adds elements of sets in a table of the family `inet`, in one transaction.
    /// - Throws: `ENOENT` when the table, a set or an element to delete is not there; `EEXIST` when an element is there
    ///   with another value. Nothing is changed then.
    public func update(table: String, remove: [Element], add: [Element]) throws(KernelError) {
        let requests = Self.requests(table: table, remove: remove, add: add)
        if !requests.isEmpty { try socket.perform(NFTablesTransaction.framed(requests)) }
    }

    /// The messages of a transaction.
    package static func requests(table: String, remove: [Element], add: [Element]) -> [NetlinkRequest] {
        var requests: [NetlinkRequest] = []
        // NFT_MSG_DELSETELEM 14, NFT_MSG_NEWSETELEM 12
        for (elements, type, words) in [(remove, UInt16(14), "delete from"), (add, 12, "add to")] {
            for (set, members) in Dictionary(grouping: elements, by: \.set).sorted(by: { $0.key < $1.key }) {
                // An attribute holds 64 KB.
                for start in stride(from: 0, to: members.count, by: 256) {
                    requests.append(
                        Self.message(type, words, table, set, members[start..<min(start + 256, members.count)]))
                }
            }
        }
        return requests
    }

    private static func message(
        _ type: UInt16, _ words: String, _ table: String, _ set: String, _ elements: ArraySlice<Element>
    ) -> NetlinkRequest {
        var request = NFTablesTransaction.message(
            type, type == 12 ? [.create] : [], .inet, operation: "\(words) nftables set", subject: "\(table) \(set)")
        // NFTA_SET_ELEM_LIST_TABLE 1, _SET 2, _ELEMENTS 3
        request.attribute(1, string: table)
        request.attribute(2, string: set)
        request.nest(3) { list in
            for element in elements {
                // NFTA_LIST_ELEM 1: NFTA_SET_ELEM_KEY 1, _DATA 2, each with an NFTA_DATA_VALUE 1.
                list.nest(1) { item in
                    item.nest(1) { $0.attribute(1, bytes: element.key) }
                    if let value = element.value, type == 12 { item.nest(2) { $0.attribute(1, bytes: value) } }
                }
            }
        }
        return request
    }
}
