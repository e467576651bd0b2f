import ContainerNetwork
import Engine
import EngineModel
import GRDB
import Testing

@Suite struct NetworkTests {
    private func record(_ subnets: [(String, String)], name: String = "lan") -> NetworkRecord {
        var record = NetworkRecord()
        record.id = Names.newID()
        record.name = name
        record.driver = "bridge"
        record.usesIPv6 = subnets.contains { $0.0.contains(":") }
        record.pools = subnets.map { subnet, gateway in
            var pool = IPAM.Pool()
            pool.subnet = subnet
            pool.gateway = gateway
            return pool
        }
        return record
    }

    @Test func addressesOfBothFamiliesAreTakenAndGivenBack() throws {
        let network = try Network(record([("10.0.0.0/29", "10.0.0.1"), ("fd00::/64", "fd00::1")]))
        #expect(try network.allocate([]).map(\.description) == ["10.0.0.2/29", "fd00::2/64"])
        let named = try network.allocate([try #require(IPAddress("10.0.0.6"))])
        #expect(named.map(\.description) == ["10.0.0.6/29", "fd00::3/64"])
        network.release(named)
        #expect(try network.allocate([]).map(\.description) == ["10.0.0.3/29", "fd00::3/64"])
    }

    @Test func nothingIsTakenWhenOneFamilyIsExhausted() throws {
        let network = try Network(record([("10.0.0.0/30", "10.0.0.1"), ("fd00::/64", "fd00::1")]))
        let first = try network.allocate([])
        #expect(throws: NetworkError.self) { try network.allocate([]) }
        network.release(first)
        // The failed try has not kept an IPv6 address.
        #expect(try network.allocate([]).map(\.description) == ["10.0.0.2/30", "fd00::2/64"])
    }

    @Test func anAddressOfAnotherSubnetIsRefused() throws {
        let network = try Network(record([("10.0.0.0/24", "10.0.0.1")]))
        #expect(throws: NetworkError.self) { try network.allocate([try #require(IPAddress("10.0.1.2"))]) }
    }

    @Test func recordsSurviveTheDatabase() throws {
        let store = try NetworkStore(try DatabaseQueue())
        var network = record([("10.0.0.0/24", "10.0.0.1")])
        network.labels = ["a": "b"]
        network.isInternal = true
        try store.save(network)
        network.name = "wan"
        try store.save(network)
        let (networks, failures) = try store.load()
        #expect(failures.isEmpty)
        #expect(networks.map { $0.json.serialized() } == [network.json.serialized()])
        try store.delete(network.id)
        #expect(try store.load().networks.isEmpty)
    }

    @Test func aRowThatCannotBeReadIsNamed() throws {
        let store = try NetworkStore(try DatabaseQueue())
        try store.database.write { database in
            try database.execute(sql: "INSERT INTO network (id, name, record) VALUES ('x', 'y', '{')")
        }
        #expect(try store.load().failures.count == 1)
    }

    @Test func theDefaultRouteGoesThroughTheHighestPriority() {
        var run = RunNetworkRecord()
        for (name, address) in [("a", "10.0.0.2/24"), ("b", "10.0.1.2/24"), ("c", "10.0.2.2/24")] {
            var endpoint = RunNetworkRecord.Endpoint()
            endpoint.networkName = name
            endpoint.address4 = address
            endpoint.gateway4 = "10.0.0.1"
            run.endpoints.append(endpoint)
        }
        do {
            let isChanged = run.chooseDefaultRoutes(
                priority: { $0.networkName == "b" ? 1 : 0 }, isInternal: { _ in false })
            #expect(isChanged)
        }
        #expect(run.endpoints.map(\.isDefault4) == [false, true, false])
        #expect(run.endpoints.allSatisfy { !$0.isDefault6 })
        // Of equals the first by name counts, but an internal network leads nowhere.
        do {
            let isChanged = run.chooseDefaultRoutes(priority: { _ in 0 }, isInternal: { _ in false })
            #expect(isChanged)
        }
        #expect(run.endpoints.map(\.isDefault4) == [true, false, false])
        do {
            let isChanged = run.chooseDefaultRoutes(priority: { _ in 0 }, isInternal: { $0.networkName == "a" })
            #expect(isChanged)
        }
        #expect(run.endpoints.map(\.isDefault4) == [false, true, false])
        do {
            let isChanged = run.chooseDefaultRoutes(priority: { _ in 0 }, isInternal: { $0.networkName == "a" })
            #expect(!isChanged)
        }
    }
}

@Suite struct EndpointRequestsTests {
    private func record(_ mode: String, _ endpoints: [String: EndpointSettings?] = [:]) -> ContainerRecord {
        var record = ContainerRecord()
        record.hostConfig.networkMode = mode
        record.networkingConfig = NetworkingConfig()
        record.networkingConfig?.endpointsConfig = endpoints
        return record
    }

    @Test func theModesNetworkComesFirst() throws {
        var container = record("lan", ["a": nil, "z": nil])
        try EndpointRequests.complete(&container)
        #expect(EndpointRequests.of(container).map(\.network) == ["lan", "a", "z"])
    }

    @Test(arguments: ["none", "host", "container:x"])
    func modesWithoutANetworkHaveNoEndpoints(_ mode: String) throws {
        var container = record(mode)
        try EndpointRequests.complete(&container)
        #expect(EndpointRequests.of(container).isEmpty)
    }

    @Test func aNetworkBesideHostIsRefused() {
        var container = record("host", ["lan": nil])
        #expect(throws: EngineError.self) { try EndpointRequests.complete(&container) }
    }

    @Test func theMACAddressBelongsToTheMainNetwork() throws {
        var container = record("bridge", ["default": nil])
        container.config.macAddress = "02:00:00:00:00:01"
        try EndpointRequests.complete(&container)
        #expect(EndpointRequests.of(container).map(\.settings.macAddress) == ["02:00:00:00:00:01"])
        container.config.macAddress = "02:00:00:00:00:02"
        #expect(throws: EngineError.self) { try EndpointRequests.complete(&container) }
    }

    @Test func theDefaultNetworkTakesNoAddressAndNoAlias() {
        var settings = EndpointSettings()
        settings.aliases = ["x"]
        #expect(throws: EngineError.self) { try EndpointRequests.check(settings, isUserDefined: false) }
        #expect(throws: Never.self) { try EndpointRequests.check(settings, isUserDefined: true) }
        settings = EndpointSettings()
        settings.ipamConfig = .init()
        settings.ipamConfig?.ipv4Address = "10.0.0.2"
        #expect(throws: EngineError.self) { try EndpointRequests.check(settings, isUserDefined: false) }
        settings.ipamConfig?.ipv4Address = "fd00::1"
        #expect(throws: EngineError.self) { try EndpointRequests.check(settings, isUserDefined: true) }
        settings = EndpointSettings()
        settings.macAddress = "01:00:00:00:00:01"
        #expect(throws: EngineError.self) { try EndpointRequests.check(settings, isUserDefined: true) }
    }
}
