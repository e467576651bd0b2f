import Testing

@testable import ContainerNetwork

@Suite struct PoolTests {
    func prefix(_ text: String) throws -> IPPrefix { try #require(IPPrefix(text)) }
    func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

    @Test func handsOutEveryAddressOfASixteenOnce() throws {
        var pool = try AddressPool(subnet: prefix("172.17.0.0/16"), reserved: [address("172.17.0.1")])
        var seen: Set<IPAddress> = []
        for _ in 0..<65533 { seen.insert(try pool.allocate()) }
        #expect(seen.count == 65533)
        #expect(seen.min()?.description == "172.17.0.2")
        #expect(seen.max()?.description == "172.17.255.254")
        #expect { try pool.allocate() } throws: { ($0 as? NetworkError)?.code == .exhausted }
        pool.release(try address("172.17.99.99"))
        #expect(try pool.allocate().description == "172.17.99.99")
    }

    @Test func reusesTheLowestOrRestsThem() throws {
        var lowest = try AddressPool(subnet: prefix("10.0.0.0/29"))
        var next = try AddressPool(subnet: prefix("10.0.0.0/29"), order: .next)
        for _ in 0..<3 {
            _ = try lowest.allocate()
            _ = try next.allocate()
        }
        lowest.release(try address("10.0.0.1"))
        next.release(try address("10.0.0.1"))
        #expect(try lowest.allocate().description == "10.0.0.1")
        #expect(try next.allocate().description == "10.0.0.4")
        _ = try next.allocate()
        _ = try next.allocate()
        #expect(try next.allocate().description == "10.0.0.1")
        #expect { try next.allocate() } throws: { ($0 as? NetworkError)?.code == .exhausted }
    }

    @Test func respectsTheRange() throws {
        var pool = try AddressPool(subnet: prefix("10.0.0.0/16"), range: prefix("10.0.5.0/30"))
        var taken: [String] = []
        while let next = try? pool.allocate() { taken.append(next.description) }
        #expect(taken == ["10.0.5.0", "10.0.5.1", "10.0.5.2", "10.0.5.3"])
        try pool.reserve(address("10.0.9.9"))
        #expect { try pool.reserve(address("10.0.9.9")) } throws: { ($0 as? NetworkError)?.code == .conflict }
        #expect { try pool.reserve(address("10.1.0.1")) } throws: { ($0 as? NetworkError)?.code == .invalidArgument }
        #expect { try pool.reserve(address("fd00::1")) } throws: { ($0 as? NetworkError)?.code == .invalidArgument }
        #expect(throws: NetworkError.self) {
            try AddressPool(subnet: prefix("10.0.0.0/24"), range: prefix("10.0.0.0/16"))
        }
    }

    @Test func keepsWhatNoHostMayHave() throws {
        var pool = try AddressPool(subnet: prefix("10.0.0.0/30"))
        for text in ["10.0.0.0", "10.0.0.3"] {
            pool.release(try address(text))
            #expect(try pool.isTaken(address(text)))
        }
        #expect(try pool.allocate().description == "10.0.0.1")
        #expect(try pool.allocate().description == "10.0.0.2")
        #expect(throws: NetworkError.self) { try pool.allocate() }
        var pair = try AddressPool(subnet: prefix("10.0.0.0/31"))
        #expect(try pair.allocate().description == "10.0.0.0")
        #expect(try pair.allocate().description == "10.0.0.1")
        #expect(throws: NetworkError.self) { try pair.allocate() }
    }

    @Test func handsOutIPv6() throws {
        var pool = try AddressPool(subnet: prefix("fd00:1::/64"))
        #expect(try pool.allocate().description == "fd00:1::1")
        try pool.reserve(address("fd00:1::ffff:ffff:ffff:ffff"))
        try pool.reserve(address("fd00:1::2"))
        #expect(try pool.allocate().description == "fd00:1::3")
        pool.release(try address("fd00:1::1"))
        #expect(try pool.allocate().description == "fd00:1::1")
    }

    @Test func agreesWithASet() throws {
        var pool = try AddressPool(subnet: prefix("10.0.0.0/22"))
        var model: Set<UInt128> = []
        var state: UInt64 = 1
        let base: UInt128 = 0x0a00_0000
        for _ in 0..<20000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let number = base + UInt128(state >> 33 & 1023)
            let address = IPAddress(family: .v4, number: number)
            switch state >> 60 {
            case 0..<7:
                let expected = (base + 1..<base + 1023).first { !model.contains($0) }
                let got = try? pool.allocate()
                #expect(got?.number == expected)
                if let got { model.insert(got.number) }
            case 7..<9:
                let isFree = number != base && number != base + 1023 && !model.contains(number)
                #expect(((try? pool.reserve(address)) != nil) == isFree)
                if isFree { model.insert(number) }
            default:
                pool.release(address)
                model.remove(number)
            }
        }
    }

    @Test func choosesSubnets() throws {
        let pools = SubnetPools.standard(seed: "a")
        var used: [IPPrefix] = []
        while let next = try? pools.allocate(.v4, avoiding: used) {
            #expect(!used.contains { $0.overlaps(next) })
            used.append(next)
        }
        // 172.17 to 172.31, then 192.168.0.0/16 in twentieths.
        #expect(used.count == 15 + 16)
        #expect(used.first?.description == "172.17.0.0/16")
        #expect(used[14].description == "172.31.0.0/16")
        #expect(used.last?.description == "192.168.240.0/20")
        #expect { try pools.allocate(.v4, avoiding: used) } throws: { ($0 as? NetworkError)?.code == .exhausted }
        let routes = [try prefix("172.16.0.0/13"), try prefix("172.24.3.0/24"), try prefix("10.0.0.0/8")]
        #expect(try pools.allocate(.v4, avoiding: routes).description == "172.25.0.0/16")
        #expect(throws: NetworkError.self) { try pools.allocate(.v4, avoiding: [prefix("0.0.0.0/0")]) }
        #expect(throws: NetworkError.self) { try pools.allocate(.v6, avoiding: [prefix("::/0")]) }
    }

    @Test func derivesUniqueLocalPrefixes() throws {
        let (a, b) = (SubnetPools.standard(seed: "machine-a"), SubnetPools.standard(seed: "machine-b"))
        let first = try a.allocate(.v6, avoiding: [])
        #expect(first.length == 64)
        #expect(try prefix("fd00::/8").contains(first))
        #expect(try first == a.allocate(.v6, avoiding: []))
        #expect(try first != b.allocate(.v6, avoiding: []))
        #expect(try a.allocate(.v6, avoiding: [first]) != first)
    }

    @Test func refusesBadPools() throws {
        let base = try prefix("10.0.0.0/16")
        for size in [15, 0, 32, 33, -1] {
            #expect(throws: NetworkError.self) { try SubnetPools.Pool(base: base, size: size) }
        }
        let pool = try SubnetPools.Pool(base: base, size: 24)
        #expect(throws: NetworkError.self) {
            try SubnetPools([pool, SubnetPools.Pool(base: prefix("10.0.128.0/17"), size: 24)])
        }
        // The last subnet of all addresses there are.
        let end = try SubnetPools([SubnetPools.Pool(base: prefix("255.255.255.0/24"), size: 25)])
        #expect(try end.allocate(.v4, avoiding: [prefix("255.255.255.0/25")]).description == "255.255.255.128/25")
        #expect(throws: NetworkError.self) { try end.allocate(.v4, avoiding: [prefix("255.255.255.0/24")]) }
    }
}

@Suite struct NetworkAddressingTests {
    let pools = SubnetPools.standard(seed: "x")
    func prefix(_ text: String) throws -> IPPrefix { try #require(IPPrefix(text)) }
    func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

    @Test func choosesWhatIsMissing() throws {
        let subnets = try NetworkAddressing.resolve(
            [], usesIPv6: true, pools: pools, networks: [prefix("172.17.0.0/16")], hostRoutes: [prefix("172.18.0.0/24")]
        )
        #expect(subnets.map(\.subnet.family) == [.v4, .v6])
        #expect(subnets[0].subnet.description == "172.19.0.0/16")
        #expect(subnets[0].gateway.description == "172.19.0.1")
        var pool = subnets[0].pool
        #expect(try pool.allocate().description == "172.19.0.2")
    }

    @Test func keepsWhatWasAsked() throws {
        let subnets = try NetworkAddressing.resolve(
            [
                SubnetRequest(
                    subnet: prefix("10.9.0.0/16"), range: prefix("10.9.5.0/24"), gateway: address("10.9.255.254"),
                    auxiliary: ["router": address("10.9.5.0")])
            ], pools: pools, hostRoutes: [prefix("10.0.0.0/8")])
        var pool = subnets[0].pool
        #expect(subnets[0].gateway.description == "10.9.255.254")
        #expect(try pool.allocate().description == "10.9.5.1")
    }

    @Test func refusesContradictions() throws {
        func refuses(
            _ code: NetworkError.Code, _ requests: SubnetRequest..., networks: [IPPrefix] = [], ipv6: Bool = false
        ) {
            #expect {
                try NetworkAddressing.resolve(requests, usesIPv6: ipv6, pools: pools, networks: networks)
            } throws: { ($0 as? NetworkError)?.code == code }
        }
        refuses(.invalidArgument, SubnetRequest(gateway: try address("10.0.0.1")))
        refuses(.invalidArgument, SubnetRequest(subnet: try prefix("10.0.0.0/24"), gateway: try address("10.0.1.1")))
        refuses(.invalidArgument, SubnetRequest(subnet: try prefix("10.0.0.1/24")))
        refuses(.invalidArgument, SubnetRequest(subnet: try prefix("10.0.0.1/32")))
        refuses(.invalidArgument, SubnetRequest(subnet: try prefix("0.0.0.0/0")))
        refuses(.invalidArgument, SubnetRequest(subnet: try prefix("fd00::/64")))
        refuses(.invalidArgument, SubnetRequest(subnet: try prefix("10.0.0.0/24"), range: try prefix("10.0.1.0/25")))
        refuses(
            .invalidArgument, SubnetRequest(subnet: try prefix("10.0.0.0/24")),
            SubnetRequest(subnet: try prefix("10.0.0.0/16")))
        refuses(.conflict, SubnetRequest(subnet: try prefix("10.0.0.0/24")), networks: [try prefix("10.0.0.0/8")])
        refuses(
            .conflict,
            SubnetRequest(
                subnet: try prefix("10.0.0.0/24"), gateway: try address("10.0.0.1"),
                auxiliary: ["a": try address("10.0.0.1")]))
        refuses(
            .invalidArgument,
            SubnetRequest(subnet: try prefix("10.0.0.0/24"), auxiliary: ["a": try address("10.1.0.1")]))
    }
}
