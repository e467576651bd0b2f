import Testing

@testable import ContainerNetwork

@Suite struct AddressTests {
    @Test(arguments: ["0.0.0.0", "127.0.0.1", "192.168.255.254", "255.255.255.255"])
    func readsIPv4(_ text: String) { #expect(IPv4Address(text)?.description == text) }

    @Test(arguments: [
        "", ".", "1.2.3", "1.2.3.4.5", "1.2.3.", ".1.2.3", "1..2.3", "256.1.1.1", "01.2.3.4", "1.2.3.04", "1.2.3.4 ",
        "+1.2.3.4", "1.2.3.-4", "0x1.2.3.4", "1.2.3.99999999999999999999", "１.2.3.4",
    ])
    func refusesIPv4(_ text: String) { #expect(IPv4Address(text) == nil) }

    @Test(arguments: [
        ("::", "::"), ("::1", "::1"), ("1::", "1::"), ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
        ("64:ff9b::1.2.3.4", "64:ff9b::102:304"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
        ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
        ("fe80::00ab", "fe80::ab"),
    ])
    func readsIPv6(_ text: String, _ canonical: String) { #expect(IPv6Address(text)?.description == canonical) }

    @Test(arguments: [
        "", ":", ":::", "1", "1:2", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "g::",
        "1:2:3:4:5:6:7:8::",
        "::1:2:3:4:5:6:7:8", "1:", ":1", "1::2:", "::1.2.3", "::1.2.3.4:5", "1.2.3.4::", "fe80::1%eth0", "[::1]",
        "::1/64", "1:2:3:4:5:6:7:1.2.3.4", "::+1",
    ])
    func refusesIPv6(_ text: String) { #expect(IPv6Address(text) == nil) }

    @Test func keepsEveryIPv6Value() {
        var state: UInt64 = 7
        for _ in 0..<2000 {
            var value: UInt128 = 0
            for _ in 0..<8 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                // Many zero groups, so that `::` is everywhere.
                value = value << 16 | (state >> 62 == 0 ? UInt128(state >> 20 & 0xffff) : 0)
            }
            let address = IPv6Address(value)
            #expect(IPv6Address(address.description) == address)
            #expect(IPv6Address(bytes: address.bytes) == address)
        }
    }

    @Test func comparesPrefixes() throws {
        func prefix(_ text: String) throws -> IPPrefix { try #require(IPPrefix(text)) }
        #expect(try prefix("10.0.0.0/8").contains(#require(IPAddress("10.255.1.2"))))
        #expect(try !prefix("10.0.0.0/8").contains(#require(IPAddress("11.0.0.0"))))
        #expect(try !prefix("0.0.0.0/0").contains(#require(IPAddress("::"))))
        #expect(try prefix("::/0").contains(#require(IPAddress("ffff::"))))
        #expect(try prefix("10.1.0.0/16").overlaps(prefix("10.0.0.0/8")))
        #expect(try prefix("10.0.0.0/8").overlaps(prefix("10.1.0.0/16")))
        #expect(try !prefix("10.1.0.0/16").overlaps(prefix("10.2.0.0/16")))
        #expect(try prefix("10.1.2.3/16").network.description == "10.1.0.0/16")
        #expect(try prefix("10.1.2.3/16").last.description == "10.1.255.255")
        #expect(try prefix("fd00::/64").last.description == "fd00::ffff:ffff:ffff:ffff")
        #expect(try prefix("::/0").lastOffset == .max)
        #expect(try prefix("1.2.3.4/32").last.description == "1.2.3.4")
        for text in [
            "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/08", "10.0.0.0/-1", "/8", "10.0.0.0/8/8",
        ] {
            #expect(IPPrefix(text) == nil, "\(text)")
        }
    }

    @Test func readsMACAddresses() {
        #expect(MACAddress("02:42:AC:11:00:02")?.description == "02:42:ac:11:00:02")
        #expect(MACAddress("02-42-ac-11-00-02")?.description == "02:42:ac:11:00:02")
        for text in [
            "", "02:42:ac:11:00", "02:42:ac:11:00:02:03", "02-42:ac-11:00-02", "0g:42:ac:11:00:02", "0242.ac11.0002",
        ] {
            #expect(MACAddress(text) == nil)
        }
        #expect(MACAddress.derived(from: IPv4Address(0xac11_0002)).description == "02:42:ac:11:00:02")
        for _ in 0..<100 { #expect(MACAddress.random().bytes[0] & 3 == 2) }
    }
}
