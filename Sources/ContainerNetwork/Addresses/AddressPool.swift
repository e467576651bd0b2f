/// The addresses of one subnet: which are taken.
///
/// A value: whoever shares it guards it. Taking the next address and giving one back take the same time however many
/// are taken.
public struct AddressPool: Sendable {
    public enum Order: Sendable {
        /// The lowest free address, as dockerd: the first container of a network gets the same one each time.
        case lowestFree
        /// On from the last one taken, round the subnet: an address rests as long as possible before it is used again.
        case next
    }

    public let subnet: IPPrefix
    /// From where addresses are taken when nobody asks for a certain one: all of the subnet, or `--ip-range`.
    public let range: IPPrefix
    public let order: Order

    private var taken: Bitmap
    /// Nothing below is free (`lowestFree`), or the place to go on from (`next`); an offset in the subnet.
    private var cursor: UInt128

    /// - Parameters:
    ///   - reserved: the gateway, auxiliary addresses, addresses of containers known from before.
    /// - Throws: `.invalidArgument` when the range is not inside the subnet or a reserved address is not; `.conflict`
    ///   when an address is reserved twice.
    public init(
        subnet: IPPrefix, range: IPPrefix? = nil, reserved: [IPAddress] = [], order: Order = .lowestFree
    ) throws(NetworkError) {
        let subnet = subnet.network
        let range = (range ?? subnet).network
        guard subnet.contains(range) else {
            throw NetworkError(
                .invalidArgument, "invalid ip-range \(range): it is not inside the subnet \(subnet)")
        }
        self.subnet = subnet
        self.range = range
        self.order = order
        taken = Bitmap(last: subnet.lastOffset)
        cursor = range.first.number - subnet.first.number
        // The network's own address (of IPv6 the routers' anycast address) and the broadcast address. A subnet of one
        // or two addresses has neither (RFC 3021, RFC 6164).
        if subnet.hostBitCount > 1 {
            taken.insert(0)
            if subnet.family == .v4 { taken.insert(subnet.lastOffset) }
        }
        for address in reserved { try reserve(address) }
    }

    /// How many addresses are taken, with those that no host may have.
    public var takenCount: UInt128 { taken.count }

    public func isTaken(_ address: IPAddress) -> Bool {
        subnet.contains(address) && taken.contains(address.number - subnet.first.number)
    }

    /// Takes a certain address of the subnet; it need not be in the range.
    /// - Throws: `.invalidArgument` outside the subnet, `.conflict` when it is taken.
    public mutating func reserve(_ address: IPAddress) throws(NetworkError) {
        guard subnet.contains(address) else {
            throw NetworkError(.invalidArgument, "invalid address \(address): it is not in the subnet \(subnet)")
        }
        guard taken.insert(address.number - subnet.first.number) else {
            throw NetworkError(
                .conflict, "address \(address) is already in use in \(subnet): choose another, or leave it out")
        }
    }

    /// Takes a free address of the range.
    /// - Throws: `.exhausted` when there is none.
    public mutating func allocate() throws(NetworkError) -> IPAddress {
        let low = range.first.number - subnet.first.number
        let high = range.last.number - subnet.first.number
        let start = min(max(cursor, low), high)
        var found = taken.firstFree(in: start...high)
        if found == nil, order == .next, start > low { found = taken.firstFree(in: low...start) }
        guard let offset = found else {
            throw NetworkError(
                .exhausted,
                "no free address is left in \(range): remove containers that are not needed, or use a larger subnet")
        }
        taken.insert(offset)
        cursor = offset == high ? (order == .next ? low : high) : offset + 1
        return IPAddress(family: subnet.family, number: subnet.first.number + offset)
    }

    /// Gives an address back; one that is not taken is ignored, and so are the network's own and the broadcast address.
    public mutating func release(_ address: IPAddress) {
        guard subnet.contains(address) else { return }
        let offset = address.number - subnet.first.number
        if subnet.hostBitCount > 1, offset == 0 || (subnet.family == .v4 && offset == subnet.lastOffset) { return }
        if taken.remove(offset), order == .lowestFree { cursor = min(cursor, offset) }
    }
}
