import Kernel
import Testing

@testable import ContainerNetwork

@Suite struct DNSMessageTests {
    private func parse(_ bytes: [UInt8], at start: Int = 12) throws -> (DNSName, Int) {
        try bytes.withUnsafeBytes {
            var offset = start
            return (try DNSName($0, at: &offset), offset)
        }
    }

    private let header = [UInt8](repeating: 0, count: 12)

    @Test func namesAreReadInOneSpelling() throws {
        let (name, end) = try parse(header + Wire.name("Web.Example"))
        #expect(name.text == "web.example")
        #expect(end == 12 + 13)
        #expect(try parse(header + [0]).0.text == "")
        #expect(try !parse(header + [3, 97, 46, 98, 0]).0.isPlain)
    }

    @Test func pointersAreFollowedBackwardsOnly() throws {
        let bytes = header + Wire.name("example") + [3, 119, 119, 119, 0xc0, 12]
        let (name, end) = try parse(bytes, at: 21)
        #expect(name.text == "www.example")
        #expect(end == bytes.count)
        for bad in [[0xc0, 12], [0xc0, 14, 0, 0], [1, 97, 0xc0, 12], [0xc0, 0], [0xff, 0xff]] as [[UInt8]] {
            #expect(throws: DNSFormatError.badPointer) { try parse(header + bad) }
        }
        // Two that point at each other.
        #expect(throws: DNSFormatError.badPointer) { try parse(header + [0xc0, 14, 0xc0, 12], at: 14) }
    }

    @Test func hostileNamesAreRefused() {
        #expect(throws: DNSFormatError.truncated) { try parse(header + [5, 97]) }
        #expect(throws: DNSFormatError.truncated) { try parse(header) }
        #expect(throws: DNSFormatError.truncated) { try parse(header + [0xc0]) }
        #expect(throws: DNSFormatError.badLabel) { try parse(header + [0x40, 97, 0]) }
        let long: [UInt8] = (0..<4).flatMap { _ in [63] + [UInt8](repeating: 97, count: 63) } + [0]
        #expect(throws: DNSFormatError.nameTooLong) { try parse(header + long) }
        let longest: [UInt8] = (0..<3).flatMap { _ in [63] + [UInt8](repeating: 97, count: 63) }
        let fits: [UInt8] = longest + [61] + [UInt8](repeating: 97, count: 61) + [0]
        let exceeds: [UInt8] = longest + [62] + [UInt8](repeating: 97, count: 62) + [0]
        #expect(throws: Never.self) { try parse(header + fits) }
        #expect(throws: DNSFormatError.nameTooLong) {
            try parse(header + exceeds)
        }
    }

    @Test func namesAreWritten() {
        #expect(DNSName.encode("web.net.") == [3, 119, 101, 98, 3, 110, 101, 116, 0])
        #expect(DNSName.encode("") == [0])
        #expect(DNSName.encode("a..b") == nil)
        #expect(DNSName.encode(String(repeating: "a", count: 64)) == nil)
    }

    private func query(_ bytes: [UInt8]) throws(DNSQuery.Refusal) -> DNSQuery {
        let result = bytes.withUnsafeBytes { bytes in Result { () throws(DNSQuery.Refusal) in try DNSQuery(bytes) } }
        return try result.get()
    }

    @Test func queriesAreRead() throws {
        let plain = try query(Wire.query("db", 28))
        #expect((plain.id, plain.name.text, plain.type) == (0x1234, "db", 28))
        #expect(plain.payloadSize == nil && plain.datagramLimit(atMost: 4096) == 512)
        let extended = try query(Wire.query("db", 1, edns: 1232))
        #expect(extended.payloadSize == 1232 && extended.datagramLimit(atMost: 4096) == 1232)
        #expect(try query(Wire.query("db", 1, edns: 9)).datagramLimit(atMost: 4096) == 512)
    }

    @Test func whatIsNoQueryIsRefused() {
        #expect(throws: DNSQuery.Refusal.ignored) { try query([]) }
        #expect(throws: DNSQuery.Refusal.ignored) { try query([0, 1, 2]) }
        #expect(throws: DNSQuery.Refusal.ignored) { try query(Wire.response(Wire.query("a", 1))) }
        var update = Wire.query("a", 1)
        update[2] = 5 << 3
        #expect(throws: DNSQuery.Refusal.answered(.notImplemented)) { try query(update) }
        var two = Wire.query("a", 1)
        two[5] = 2
        #expect(throws: DNSQuery.Refusal.answered(.formatError)) { try query(two) }
        var none = Wire.query("a", 1)
        none[5] = 0
        #expect(throws: DNSQuery.Refusal.answered(.formatError)) { try query(none) }
        for end in 12..<Wire.query("abc.de", 1, edns: 512).count {
            let cut = Array(Wire.query("abc.de", 1, edns: 512)[..<end])
            #expect(throws: DNSQuery.Refusal.answered(.formatError)) { try query(cut) }
        }
    }

    @Test func addressesAreFoundInPointerNames() {
        #expect(DNSPointerName.address("2.0.20.172.in-addr.arpa") == InternetAddress("172.20.0.2"))
        let digits = "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4"
        #expect(
            DNSPointerName.address(digits + ".ip6.arpa") == InternetAddress("4321:0:1:2:3:4:567:89ab"))
        for bad in ["1.2.3.in-addr.arpa", "01.2.3.4.in-addr.arpa", "256.2.3.4.in-addr.arpa", "a.ip6.arpa", "arpa"] {
            #expect(DNSPointerName.address(bad) == nil)
        }
    }

    @Test func answersMustBelongToTheQuestion() {
        let asked = Wire.query("Abc", 1)
        func accepts(_ change: (inout [UInt8]) -> Void) -> Bool {
            var reply = Wire.response(asked, addresses: [[1, 2, 3, 4]])
            change(&reply)
            return reply.withUnsafeBytes { DNSUpstreamReply($0, to: asked, questionEnd: 12 + 5 + 4) != nil }
        }
        #expect(accepts { _ in })
        #expect(accepts { $0[13] ^= 32 })
        #expect(!accepts { $0[14] = 120 })
        #expect(!accepts { $0[18] = 28 })
        #expect(!accepts { $0[2] &= 0x7f })
        #expect(!accepts { $0 = Array($0[..<15]) })
    }

    /// Mutations of good messages, and noise, through everything that reads.
    @Test func noBytesBreakTheReaders() {
        var generator = SystemRandomNumberGenerator()
        let seeds = [
            Wire.query("web.example", 1, edns: 1232), Wire.response(Wire.query("a.b", 1), addresses: [[1, 2, 3, 4]]),
            header + Wire.name("example") + [3, 119, 119, 119, 0xc0, 12],
        ]
        for round in 0..<30_000 {
            var bytes = seeds[round % seeds.count]
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes[index] ^= 1 << UInt8.random(in: 0...7, using: &generator)
                case 2: bytes.insert(contentsOf: [0xc0, UInt8.random(in: 0...60, using: &generator)], at: index)
                default: bytes = Array(bytes[...index])
                }
            }
            bytes.withUnsafeBytes(fuzzDNSMessage)
        }
        [UInt8](repeating: 0xc0, count: 65535).withUnsafeBytes(fuzzDNSMessage)
        [UInt8](repeating: 1, count: 65535).withUnsafeBytes(fuzzDNSMessage)
    }
}
