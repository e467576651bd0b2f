/// The pools that subnets come from when a network is made without one (`default-address-pools`).
public struct SubnetPools: Sendable {
    /// A block, and the prefix length of the subnets to cut it into.
    public struct Pool: Hashable, Sendable {
        public let base: IPPrefix
        public let size: Int

        /// - Throws: `.invalidArgument` when the size is not between the base's length and what leaves room for hosts.
        public init(base: IPPrefix, size: Int) throws(NetworkError) {
            let bits = base.family.bitCount
            guard (base.length...bits).contains(size), size > 0, size <= bits - 1 else {
                throw NetworkError(
                    .invalidArgument,
                    "invalid address pool \(base) of size \(size): the size must be from \(max(base.length, 1)) to \(bits - 1)"
                )
            }
            self.base = base.network
            self.size = size
        }

        fileprivate init(unchecked base: IPPrefix, _ size: Int) {
            self.base = base
            self.size = size
        }
    }

    public let pools: [Pool]

    /// - Throws: `.invalidArgument` when two pools overlap.
    public init(_ pools: [Pool]) throws(NetworkError) {
        for (index, pool) in pools.enumerated() {
            if let other = pools[..<index].first(where: { $0.base.overlaps(pool.base) }) {
                throw NetworkError(.invalidArgument, "the address pools \(other.base) and \(pool.base) overlap")
            }
        }
        self.pools = pools
    }

    private init(unchecked pools: [Pool]) { self.pools = pools }

    /// dockerd's: 172.17.0.0/16 to 172.31.0.0/16 (whole, but 172.24 to 172.31 as one block), then 192.168.0.0/16 in
    /// subnets of /20; for IPv6 a /48 of unique local addresses in subnets of /64.
    /// - Parameter seed: what tells this host from others, such as the machine ID.
    public static func standard(seed: String) -> SubnetPools {
        var pools: [Pool] = []
        func add(_ base: UInt32, _ length: Int, _ size: Int) {
            if let base = IPPrefix(.v4(IPv4Address(base)), length: length) { pools.append(Pool(unchecked: base, size)) }
        }
        add(0xac11_0000, 16, 16)
        add(0xac12_0000, 16, 16)
        add(0xac13_0000, 16, 16)
        add(0xac14_0000, 14, 16)
        add(0xac18_0000, 14, 16)
        add(0xac1c_0000, 14, 16)
        add(0xc0a8_0000, 16, 20)
        pools.append(uniqueLocalPool(seed: seed))
        return SubnetPools(unchecked: pools)
    }

    /// fd00::/8, then 40 bits made from the seed (RFC 4193, 3.2: they need only be unlikely to meet), in /64s.
    public static func uniqueLocalPool(seed: String) -> Pool {
        // FNV-1a, then a finaliser, so that seeds that differ little give prefixes that differ much.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in seed.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        hash = (hash ^ hash >> 33) &* 0xff51_afd7_ed55_8ccd
        hash = (hash ^ hash >> 33) &* 0xc4ce_b9fe_1a85_ec53
        hash ^= hash >> 33
        let number = UInt128(0xfd) << 120 | UInt128(hash & 0xff_ffff_ffff) << 80
        let base = IPAddress.v6(IPv6Address(number))
        return Pool(unchecked: IPPrefix(base, length: 48) ?? IPPrefix.everything(.v6), 64)
    }

    /// The first subnet that overlaps nothing in use.
    ///
    /// Takes time in proportion to what is in use, not to the pools' sizes.
    /// - Parameter used: subnets of networks (every engine's), and the destinations of the host's routes.
    /// - Throws: `.exhausted` when everything overlaps.
    public func allocate(_ family: IPFamily, avoiding used: [IPPrefix]) throws(NetworkError) -> IPPrefix {
        for pool in pools where pool.base.family == family {
            let step = UInt128(1) << UInt128(family.bitCount - pool.size)
            let obstacles = used.filter { $0.family == family && $0.overlaps(pool.base) }
                .sorted { $0.first < $1.first }
            var candidate = pool.base.first.number
            for obstacle in obstacles {
                if candidate + (step - 1) < obstacle.first.number { break }
                if obstacle.last.number < candidate { continue }
                // On to the first multiple of a subnet's size behind it.
                let (next, overflow) = (obstacle.last.number / step).addingReportingOverflow(1)
                let (start, overflow2) = next.multipliedReportingOverflow(by: step)
                candidate = overflow || overflow2 ? .max : start
                if candidate > pool.base.last.number { break }
            }
            if candidate <= pool.base.last.number,
                let subnet = IPPrefix(IPAddress(family: family, number: candidate), length: pool.size)
            {
                return subnet
            }
        }
        throw NetworkError(
            .exhausted,
            "all predefined address pools have been fully subnetted: for \(family), name a subnet with --subnet, "
                + "or add pools with default-address-pools")
    }
}

extension IPPrefix {
    /// All addresses of a family.
    static func everything(_ family: IPFamily) -> IPPrefix {
        IPPrefix(all: IPAddress(family: family, number: 0))
    }

    private init(all address: IPAddress) {
        self.address = address
        length = 0
    }
}
