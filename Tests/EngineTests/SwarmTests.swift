import ContainerNetwork
import Engine
import EngineModel
import GRDB
import JSON
import Testing

@Suite struct SwarmTests {
    private func request(_ change: (inout SwarmInitRequest) -> Void = { _ in }) -> SwarmInitRequest {
        var request = SwarmInitRequest()
        request.listenAddr = "0.0.0.0:2377"
        change(&request)
        return request
    }

    // MARK: What was asked for

    @Test func defaultsAreDockers() throws {
        let record = try SwarmRecord(request())
        #expect(record.spec.name == "default")
        #expect(record.spec.orchestration.taskHistoryRetentionLimit == 5)
        #expect(record.spec.raft.electionTick == 10 && record.spec.raft.heartbeatTick == 1)
        #expect(record.pools == ["10.0.0.0/8"] && record.subnetSize == 24 && record.dataPathPort == 4789)
        #expect(record.node.role == "manager" && record.node.availability == "active")
        let (worker, manager) = (record.workerToken.split(separator: "-"), record.managerToken.split(separator: "-"))
        #expect(worker.map(\.count) == [6, 1, 50, 25] && worker[2] == manager[2] && worker[3] != manager[3])
        #expect(record.id.count == 25 && record.nodeID.count == 25 && record.id != record.nodeID)
    }

    @Test(arguments: [
        ("swarm spec must be named", #"{"Spec":{"Name":"other"}}"#),
        ("invalid Availability: \"away\"", #"{"Availability":"away"}"#),
        ("(1024-49151) : 80", #"{"DataPathPort":80}"#),
        ("invalid base pool 10.0.0.0/33", #"{"DefaultAddrPool":["10.0.0.0/33"]}"#),
        ("invalid base pool fd00::/8", #"{"DefaultAddrPool":["fd00::/8"]}"#),
        ("Subnet size is too small for pool: 7", #"{"SubnetSize":7}"#),
        ("it is 30 at most", #"{"SubnetSize":31}"#),
        ("overlap", #"{"DefaultAddrPool":["10.1.0.0/16","10.1.1.0/24"]}"#),
        ("cannot be locked", #"{"AutoLockManagers":true}"#),
        ("cannot be locked", #"{"Spec":{"EncryptionConfig":{"AutoLockManagers":true}}}"#),
        ("certificate authority", #"{"Spec":{"CAConfig":{"SigningCACert":"PEM"}}}"#),
    ]) func badRequestsAreRefused(_ part: String, _ body: String) throws {
        let wrong = try SwarmInitRequest(parsing: Array(body.utf8))
        let error = #expect(throws: EngineError.self) { try SwarmRecord(wrong) }
        #expect(error?.message.contains(part) == true, "\(error?.message ?? "")")
    }

    // MARK: Where the node is

    private static let host = [
        SwarmAddress.Interface(
            name: "lo", addresses: [IPAddress("127.0.0.1")].compactMap { $0 }, isCandidate: false),
        SwarmAddress.Interface(
            name: "eth0", addresses: [IPAddress("192.0.2.1"), IPAddress("2001:db8::1")].compactMap { $0 },
            isCandidate: true),
        SwarmAddress.Interface(
            name: "docker0", addresses: [IPAddress("172.17.0.1")].compactMap { $0 }, isCandidate: false),
        SwarmAddress.Interface(
            name: "two", addresses: [IPAddress("192.0.2.8"), IPAddress("192.0.2.9")].compactMap { $0 },
            isCandidate: false),
    ]

    @Test(arguments: [
        ("0.0.0.0:2377", "", "192.0.2.1 2377"), ("[::]:99", "", "192.0.2.1 99"), ("192.0.2.1", "", "192.0.2.1 2377"),
        ("eth0:7", "", "192.0.2.1 7"), ("lo", "", "127.0.0.1 2377"), ("0.0.0.0:5", "10.9.9.9", "10.9.9.9 5"),
        ("0.0.0.0", "[2001:db8::7]:8", "2001:db8::7 8"), ("::", "2001:db8::7", "2001:db8::7 2377"),
        ("0.0.0.0", "docker0", "172.17.0.1 2377"),
    ]) func anAddressIsFound(_ listen: String, _ advertise: String, _ expected: String) throws {
        let asked = request {
            $0.listenAddr = listen
            $0.advertiseAddr = advertise
        }
        let place = try SwarmAddress(asked, Self.host)
        #expect("\(place.address) \(place.port)" == expected)
    }

    @Test(arguments: [
        ("", "", "invalid empty address"), ("bogus", "", "listen address must be"),
        ("0.0.0.0:99999", "", "invalid port"),
        ("0.0.0.0:0", "", "invalid port"), ("192.0.2.77", "", "no interface of this host"),
        ("0.0.0.0", "0.0.0.0", "advertise address must be"), ("0.0.0.0", "nosuch", "advertise address must be"),
        ("0.0.0.0", "two", "more than one IPv4 address (192.0.2.8 and 192.0.2.9)"),
    ]) func noAddressIsMadeUp(_ listen: String, _ advertise: String, _ part: String) throws {
        let asked = request {
            $0.listenAddr = listen
            $0.advertiseAddr = advertise
        }
        let error = #expect(throws: EngineError.self) { try SwarmAddress(asked, Self.host) }
        #expect(error?.message.contains(part) == true, "\(error?.message ?? "")")
    }

    @Test func aHostWithSeveralAddressesOrNoneMustBeToldOne() throws {
        let asked = request()
        for (interfaces, part) in [
            (Array(Self.host.prefix(1)), "could not find the system's IP address"),
            (
                Array(Self.host.prefix(2))
                    + [SwarmAddress.Interface(name: "eth1", addresses: Self.host[2].addresses, isCandidate: true)],
                "(192.0.2.1 on eth0 and 172.17.0.1 on eth1)"
            ),
        ] {
            let error = #expect(throws: EngineError.self) { try SwarmAddress(asked, interfaces) }
            #expect(error?.message.contains(part) == true, "\(error?.message ?? "")")
        }
    }

    // MARK: The database

    @Test func theSwarmComesAndGoesWithItsNetworks() throws {
        let database = try DatabaseQueue()
        let (networks, store) = (try NetworkStore(database), try SwarmStore(database))
        #expect(try store.load() == nil && !store.isLeaving())
        var network = NetworkRecord()
        network.id = Names.newSwarmID()
        network.name = "ingress"
        network.driver = "overlay"
        network.isOfSwarm = true
        network.isIngress = true
        var record = try SwarmRecord(request())
        try store.save(record, with: [network])
        #expect(try store.load()?.json.serialized() == record.json.serialized())
        #expect(try networks.load().networks.map { $0.json.serialized() } == [network.json.serialized()])
        record.isLeaving = true
        try store.save(record)
        #expect(try store.isLeaving())
        try store.delete(with: [network.id])
        #expect(try store.load() == nil && networks.load().networks.isEmpty)
    }
}
