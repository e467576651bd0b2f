import Kernel
import Testing

/// Messages beside those that `ip` and `nft` send for the same (`strace -e trace=sendmsg -e write=all`, iproute2 6.1,
/// nftables 1.0.6).
@Suite struct NetlinkMessageTests {
    private static let mac: [UInt8] = [2, 1, 2, 3, 4, 5]
    private static func fd00(_ last: UInt8) -> [UInt8] { [0xfd, 0] + [UInt8](repeating: 0, count: 13) + [last] }
    private static let fd01: [UInt8] = [0xfd, 1] + [UInt8](repeating: 0, count: 14)

    struct Case: CustomTestStringConvertible {
        let command: String
        let request: NetlinkRequest
        let bytes: String
        init(_ command: String, _ request: NetlinkRequest, _ bytes: String) {
            self.command = command
            self.request = request
            self.bytes = bytes
        }
        var testDescription: String { command }
    }

    static let interfaces: [Case] = [
        Case(
            "ip link add br0 mtu 1400 type bridge mcast_snooping 0",
            .createLink(.bridge(.init(multicastSnooping: false)), LinkSettings(name: "br0", mtu: 1400)),
            "4c000000100005062836076b000000000000000000000000000000000000000008000400780500000800030062723000"
                + "1c0012000a00010062726964676500000c0002000500170000000000"),
        Case(
            "ip link add veth0 address 02:01:02:03:04:05 type veth peer name eth0 mtu 1400",
            .createLink(
                .veth(peer: LinkSettings(name: "eth0", mtu: 1400)), LinkSettings(name: "veth0", macAddress: mac)),
            "70000000100005062836076b00000000000000000000000000000000000000000a00010002010203040500000a000300"
                + "76657468300000003800120008000100766574682c000200280001000000000000000000000000000000000008000400"
                + "78050000090003006574683000000000"),
        Case(
            "ip link set veth0 master br0",
            .setLink(4, LinkSettings(master: 2)),
            "28000000100005002836076b000000000000000004000000000000000000000008000a0002000000"),
        Case(
            "ip link set veth0 up",
            .setLink(4, isUp: true),
            "20000000100005002836076b0000000000000000040000000100000001000000"),
        Case(
            "ip link set veth0 addrgenmode none",
            .setLink(named: "veth0", withholdsLinkLocalAddress: true),
            "30000000100005002936076b000000000000000004000000000000000000000010001a000c000a000500080001000000"),
        Case(
            "ip addr add 10.0.0.2/24 broadcast + dev br0",
            .addAddress(InterfaceAddress(interface: 2, address: [10, 0, 0, 2], prefixLength: 24)),
            "30000000140005062936076b000000000218000002000000080002000a000002080001000a000002080004000a0000ff"),
        Case(
            "ip -6 addr add fd00::2/64 dev br0 nodad",
            .addAddress(InterfaceAddress(interface: 2, address: fd00(2), prefixLength: 64)),
            "40000000140005062936076b000000000a4002000200000014000200fd00000000000000000000000000000214000100"
                + "fd000000000000000000000000000002"),
        Case(
            "ip link set br0 up",
            .setLink(2, isUp: true),
            "20000000100005002936076b0000000000000000020000000100000001000000"),
        Case(
            "ip route add default via 10.0.0.1 dev br0 metric 7",
            .addRoute(.default(via: [10, 0, 0, 1], interface: 2, metric: 7)),
            "34000000180005062936076b0000000002000000fe03000100000000080005000a000001080006000700000008000400"
                + "02000000"),
        Case(
            "ip route del unicast default via 10.0.0.1 dev br0 metric 7",
            .deleteRoute(.default(via: [10, 0, 0, 1], interface: 2, metric: 7)),
            "34000000190005000e39076b0000000002000000fe00ff0100000000080005000a000001080006000700000008000400"
                + "02000000"),
        Case(
            "ip -6 route add fd01::/64 via fd00::1 dev br0",
            .addRoute(Route(family: 10, destination: fd01, prefixLength: 64, gateway: fd00(1), interface: 2)),
            "4c000000180005062936076b000000000a400000fe0300010000000014000100fd010000000000000000000000000000"
                + "14000500fd0000000000000000000000000000010800040002000000"),
        Case(
            "ip neigh replace 10.0.0.9 lladdr 02:01:02:03:04:05 dev br0 nud permanent",
            .addNeighbour(interface: 2, address: [10, 0, 0, 9], macAddress: mac),
            "300000001c0005052a36076b00000000020000000200000080000000080001000a0000090a0002000201020304050000"),
        Case(
            "ip link set dev veth0 type bridge_slave hairpin on isolated on",
            .setBridgePort(named: "veth0", BridgePortFlags(hairpin: true, isolated: true)),
            "48000000100005002a36076b000000000000000004000000000000000000000028001200100001006272696467655f73"
                + "6c6176651400050005000400010000000500210001000000"),
        Case(
            "ip link del veth0",
            .deleteLink(4),
            "20000000110005002a36076b0000000000000000040000000000000000000000"),
    ]

    @Test(arguments: interfaces) func saysWhatIPSays(_ example: Case) throws {
        let ours = try Described(example.request.finished(sequence: 1))
        var theirs = try Described(bytes(example.bytes))
        // Some that we name by number or by name, `ip` names the other way.
        #expect(ours.fixedPart == theirs.fixedPart || ours.attributes["3"] != nil)
        // It changes interfaces with RTM_NEWLINK 16, which without NLM_F_CREATE is RTM_SETLINK 19.
        #expect(ours.type == theirs.type || ours.type == 19 && theirs.type == 16)
        #expect(ours.flags == theirs.flags)
        var more = ours.attributes
        // This version of `ip` names the kind of port where that of an interface belongs; the kernel needs neither.
        if theirs.attributes["18.1"] == Array("bridge_slave".utf8) {
            theirs.attributes["18.1"] = nil
            #expect(more.removeValue(forKey: "18.4") == Array("bridge".utf8))
        }
        for (path, value) in theirs.attributes {
            #expect(more.removeValue(forKey: path) == value, "attribute \(path)")
        }
        // A route's table, which also stands in the fixed part; the name in place of a number.
        #expect(Set(more.keys).isSubset(of: [24, 25].contains(ours.type) ? ["15"] : ["3"]))
    }

    @Test func elementsAreWhatNFTSays() throws {
        let element = NFTablesElements.Element(
            set: "m", key: [6, 0, 0, 0, 0x1f, 0x90, 0, 0], value: [10, 0, 0, 2, 0, 80, 0, 0])
        for (ours, theirs) in [
            (
                NFTablesElements.requests(table: "t", remove: [], add: [element]),
                "540000000c0a01040100000000000000010000000600010074000000060002006d000000080004000000000128000380"
                    + "24000180100001800c000100060000001f900000100002800c0001000a00000200500000"
            ),
            (
                NFTablesElements.requests(table: "t", remove: [element], add: []),
                "3c0000000e0a01000100000000000000010000000600010074000000060002006d000000180003801400018010000180"
                    + "0c000100060000001f900000"
            ),
        ] {
            let ours = try Described(#require(ours.first).finished(sequence: 1))
            var theirs = try Described(bytes(theirs))
            // A set's number in its transaction, for sets that it makes.
            theirs.attributes["4"] = nil
            #expect(ours.attributes == theirs.attributes)
            #expect(ours.fixedPart == theirs.fixedPart && ours.type == theirs.type)
            #expect(ours.flags == theirs.flags | 0x4)
        }
    }

    @Test func rulesAreWhatNFTSays() throws {
        var transaction = NFTablesTransaction(.ipv4)
        transaction.addTable("dhow_names")
        transaction.addFilterChain("queries", to: "dhow_names", at: .output, priority: -300)
        transaction.addRule(
            [
                .load(.network, offset: 16, count: 4), .compare([127, 0, 0, 11]), .loadTransportProtocol,
                .compare([17]), .load(.transport, offset: 2, count: 2), .compare([0, 53]), .set([0x14, 0xb5]),
                .store(.transport, offset: 2, count: 2, checksumOffset: 6),
            ], to: "queries", of: "dhow_names")
        transaction.deleteRules(of: "dhow_names")
        let theirs = [
            "2c000000000a01000100000000000000020000000f00010064686f775f6e616d657300000800020000000000",
            "50000000030a01040200000000000000020000000f00010064686f775f6e616d657300000c0003007175657269657300"
                + "0b00070066696c746572000014000480080001000000000308000200fffffed4",
            "b4010000060a010c0500000000000000020000000f00010064686f775f6e616d657300000c0002007175657269657300"
                + "84010480340001800c0001007061796c6f61640024000280080001000000000108000200000000010800030000000010"
                + "08000400000000042c00018008000100636d700020000280080001000000000108000200000000000c00038008000100"
                + "7f00000b24000180090001006d6574610000000014000280080002000000001008000100000000012c00018008000100"
                + "636d700020000280080001000000000108000200000000000c0003800500010011000000340001800c0001007061796c"
                + "6f6164002400028008000100000000010800020000000002080003000000000208000400000000022c00018008000100"
                + "636d700020000280080001000000000108000200000000000c00038006000100003500002c0001800e000100696d6d65"
                + "64696174650000001800028008000100000000010c0002800600010014b50000440001800c0001007061796c6f616400"
                + "340002800800050000000001080002000000000208000300000000020800040000000002080006000000000108000700"
                + "00000006",
            "24000000080a01000400000000000000020000000f00010064686f775f6e616d65730000",
        ]
        #expect(transaction.requests.count == theirs.count)
        for (request, their) in zip(transaction.requests, theirs) {
            let ours = request.finished(sequence: 1)
            let their = try bytes(their)
            #expect(try Described(ours).attributes == Described(their).attributes)
            // The rest but for the acknowledgement and the number.
            #expect(Array(ours[..<6]) == Array(their[..<6]))
            #expect(Array(ours[16...]) == Array(their[16...]))
        }
    }

    @Test func whatIsCutOffEndsAMessage() {
        var whole = NetlinkRequest.setLink(named: "veth0", alias: "a").finished(sequence: 7)
        let messages = NetlinkMessage.split(whole + whole[..<20])
        #expect(messages.map(\.sequence) == [7])
        #expect(messages.first?.attributes(skipping: 16).string(3) == "veth0")
        for length: UInt8 in [0, 15, 200] {
            whole[0] = length
            #expect(NetlinkMessage.split(whole).isEmpty)
        }
        for bytes: [UInt8] in [[], [4], [3, 0, 1, 0], [9, 0, 1, 0, 1, 2, 3, 4]] {
            #expect(NetlinkAttributes(bytes[...])[1] == nil)
        }
        #expect(NetlinkAttributes([6, 0, 1, 0, 5, 6][...]).integer(1, as: UInt32.self) == nil)
    }
}

private func bytes(_ hexadecimal: String) throws -> [UInt8] {
    try stride(from: 0, to: hexadecimal.utf8.count, by: 2).map { offset in
        try #require(UInt8(hexadecimal.dropFirst(offset).prefix(2), radix: 16))
    }
}

/// A message taken apart: attributes by their path, in whatever order they stand and whether or not the outer ones carry
/// `NLA_F_NESTED`.
private struct Described {
    let type: UInt16
    let flags: UInt16
    let fixedPart: [UInt8]
    var attributes: [String: [UInt8]] = [:]

    /// Which attributes hold others, and how many bytes of a fixed part come first in those.
    private static let nests: [String: Int] = [
        "18": 0, "18.2": 0, "18.2.1": 16, "18.5": 0, "26": 0, "26.10": 0,
    ]

    init(_ message: [UInt8]) throws {
        let parsed = try #require(NetlinkMessage.split(message).first)
        (type, flags) = (parsed.type, parsed.flags)
        let isNFTables = type >> 8 == 10
        let size = isNFTables ? 4 : [16, 17, 19].contains(type) ? 16 : [20, 21].contains(type) ? 8 : 12
        fixedPart = Array(parsed.payload.prefix(size))
        read(parsed.payload.dropFirst(size), "", isNFTables)
    }

    private mutating func read(_ bytes: ArraySlice<UInt8>, _ parent: String, _ isNFTables: Bool) {
        var rest = bytes
        while rest.count >= 4 {
            let length = Int(rest.integer(at: 0, as: UInt16.self))
            let type = rest.integer(at: 2, as: UInt16.self)
            guard length >= 4, length <= rest.count else { return }
            var path = parent + (parent.isEmpty ? "" : ".") + "\(type & 0x3fff)"
            let value = rest.dropFirst(4).prefix(length - 4)
            let isNested = isNFTables && type & 0x8000 != 0
            while attributes[path] != nil { path += "'" }
            attributes[path] = []
            if isNested {
                read(value, path, true)
            } else if let skipped = Self.nests[path] {
                read(value.dropFirst(skipped), path, false)
            } else {
                // A kind of interface comes with and without its NUL.
                attributes[path] = path == "18.1" || path == "18.4" ? value.filter { $0 != 0 } : Array(value)
            }
            rest = rest.dropFirst((length + 3) & ~3)
        }
    }
}
