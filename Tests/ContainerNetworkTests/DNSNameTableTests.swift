import Kernel
import Testing

@testable import ContainerNetwork

@Suite struct DNSNameTableTests {
    private let a = InternetAddress(ipv4: 172, 20, 0, 2)
    private let b = InternetAddress(ipv4: 172, 20, 0, 3)

    @Test func endpointsComeAndGo() {
        let table = NameTable(network: "front")
        table.set("1", .init(name: "web-1", aliases: ["web", "0123456789ab"], addresses: [a]))
        table.set("2", .init(name: "web-2", aliases: ["web"], addresses: [b]))
        #expect(table.addresses(of: "web") == [a, b])
        #expect(table.addresses(of: "0123456789ab") == [a])
        #expect(table.name(of: a) == "web-1.front")
        table.set("1", .init(name: "renamed", aliases: ["web"], addresses: [a]))
        #expect(table.addresses(of: "web-1") == nil)
        #expect(table.name(of: a) == "renamed.front")
        table.remove("2")
        #expect(table.addresses(of: "web") == [a])
        table.remove("1")
        table.remove("1")
        #expect(table.addresses(of: "web") == nil)
        #expect(table.name(of: a) == nil)
    }

    @Test func aNameWithoutAddressesExists() {
        let table = NameTable(network: "n")
        table.set("1", .init(name: "x", addresses: []))
        table.set("2", .init(name: "y", aliases: ["x"], addresses: [a, a]))
        #expect(table.addresses(of: "x") == [a])
        table.remove("2")
        #expect(table.addresses(of: "x") == [])
    }

    @Test func scopesTryNamesThenNetworks() {
        let front = NameTable(network: "front")
        let dotted = NameTable(network: "b.c")
        front.set("1", .init(name: "Web", addresses: [a]))
        dotted.set("2", .init(name: "a", addresses: [b]))
        let scope = NameScope([.init(front, links: ["Database": "web"]), .init(dotted)])
        #expect(scope.addresses(of: "web") == [a])
        #expect(scope.addresses(of: "web.front") == [a])
        #expect(scope.addresses(of: "web.b.c") == nil)
        #expect(scope.addresses(of: "a.b.c") == [b])
        #expect(scope.addresses(of: "database") == [a])
        #expect(scope.addresses(of: "database.front") == [a])
        #expect(scope.addresses(of: "nobody") == nil)
        #expect(scope.name(of: b) == "a.b.c")
        // A name with dots in it comes before a name in a network.
        front.set("3", .init(name: "a.b.c", addresses: [a]))
        #expect(scope.addresses(of: "a.b.c") == [a])
    }
}
