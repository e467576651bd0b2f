import ContainerNetwork
import Engine
import EngineModel
import Testing

@Suite struct PortPlanTests {
    private func plan(
        _ bindings: [String: [PortBinding]] = [:], exposed: [String] = [], all: Bool = false
    ) throws -> PortPlan {
        var config = ContainerConfig()
        config.exposedPorts = Dictionary(uniqueKeysWithValues: exposed.map { ($0, .init()) })
        var host = HostConfig()
        host.portBindings = bindings.mapValues { $0 }
        host.publishAllPorts = all
        return try PortPlan(config, host)
    }

    @Test func bindingsBecomeMappings() throws {
        let mappings = try plan([
            "80/tcp": [PortBinding(hostIP: "127.0.0.1", hostPort: "8080"), PortBinding(hostIP: "::1", hostPort: "")],
            "53/udp": [PortBinding(hostIP: "", hostPort: "5000-5010")],
        ]).mappings
        #expect(
            mappings == [
                .init(networkProtocol: .udp, containerPort: 53, hostPorts: 5000...5010),
                .init(
                    networkProtocol: .tcp, containerPort: 80, hostAddress: IPAddress("127.0.0.1"),
                    hostPorts: 8080...8080),
                .init(networkProtocol: .tcp, containerPort: 80, hostAddress: IPAddress("::1"), hostPorts: nil),
            ])
    }

    @Test func exposedPortsArePublishedOnlyWhenAllAre() throws {
        let one = try plan(["80/tcp": [PortBinding(hostIP: "", hostPort: "80")]], exposed: ["80/tcp", "443", "9/udp"])
        #expect(one.unpublished == ["9/udp", "443/tcp"])
        #expect(one.mappings.count == 1)
        let all = try plan(exposed: ["443", "9/udp"], all: true)
        #expect(all.unpublished.isEmpty)
        #expect(
            all.mappings == [
                .init(networkProtocol: .udp, containerPort: 9), .init(networkProtocol: .tcp, containerPort: 443),
            ])
    }

    @Test(arguments: ["0/tcp", "65536/tcp", "http", "80/icmp", "80/", "-1", "80/tcp/x", ""])
    func refusesWhatIsNoPort(_ text: String) {
        #expect(throws: EngineError.self) { try plan([text: [PortBinding(hostIP: "", hostPort: "80")]]) }
    }

    @Test(arguments: ["x", "80-", "-80", "90-80", "0-10", "65536", "1-2-3"])
    func refusesWhatIsNoHostPort(_ text: String) {
        #expect(throws: EngineError.self) { try plan(["80/tcp": [PortBinding(hostIP: "", hostPort: text)]]) }
    }

    @Test func refusesWhatIsNoAddress() {
        #expect(throws: EngineError.self) { try plan(["80/tcp": [PortBinding(hostIP: "localhost", hostPort: "80")]]) }
    }
}
