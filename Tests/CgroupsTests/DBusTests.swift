import Cgroups
import Testing

@Suite struct DBusTests {
    private let message: DBusMessage = {
        var message = DBusMessage(.signal)
        message.serial = 7
        message.replySerial = 3
        message.path = "/org/freedesktop/systemd1"
        message.interface = "a.b"
        message.member = "JobRemoved"
        message.destination = ":1.1"
        message.body = [
            .uint32(1), .objectPath("/job/1"), .string("ü.scope"), .byte(9), .boolean(true), .int64(-5), .double(1.5),
            .array(
                of: "(sv)",
                [
                    .structure([.string("PIDs"), .variant(.array(of: "u", [.uint32(1), .uint32(2)]))]),
                    .structure([.string("Delegate"), .variant(.boolean(true))]),
                ]),
            .array(of: "t", []), .array(of: "{sv}", [.dictionaryEntry(.string("k"), .variant(.uint64(.max)))]),
            .signature("a{sv}"), .array(of: "y", [.byte(1), .byte(2), .byte(3)]), .string(""),
        ]
        return message
    }()

    @Test func messagesSurviveTheWire() throws {
        #expect(try DBusMessage.decoded(message.encoded()) == message)
    }

    /// A message that systemd 252 sent.
    @Test func bytesOfSystemdAreUnderstood() throws {
        func text(_ value: String) -> [UInt8] { Array(value.utf8) }
        func field(_ code: UInt8, _ type: String, _ value: String) -> [UInt8] {
            let length = UInt8(value.utf8.count)
            let string = [code, 1] + text(type) + [0, length, 0, 0, 0] + text(value) + [0]
            return string + [UInt8](repeating: 0, count: (8 - string.count % 8) % 8)
        }
        var header: [UInt8] = field(1, "o", "/org/freedesktop/systemd1")
        header += field(2, "s", "org.freedesktop.systemd1.Manager")
        header += field(3, "s", "JobRemoved")
        header += field(7, "s", "org.freedesktop.systemd1")
        header += [8, 1] + text("g") + [0, 4] + text("uoss") + [0]
        let length = header.count
        header += [UInt8](repeating: 0, count: (8 - length % 8) % 8)
        var body: [UInt8] = [8, 0, 0, 0, 6, 0, 0, 0] + text("/job/8") + [0, 0]
        body += [7, 0, 0, 0] + text("a.scope") + [0] + [4, 0, 0, 0] + text("done") + [0]
        let start: [UInt8] = [108, 4, 1, 1, UInt8(body.count), 0, 0, 0, 3, 0, 0, 0, UInt8(length), 0, 0, 0]
        let message = try #require(try DBusMessage.decoded(start + header + body))
        #expect(message.kind == .signal && message.member == "JobRemoved")
        #expect(message.body == [.uint32(8), .objectPath("/job/8"), .string("a.scope"), .string("done")])
    }

    @Test func damagedMessagesAreRefusedNotTrusted() throws {
        let bytes = message.encoded()
        for length in 0..<bytes.count {
            #expect(throws: CgroupError.self) { _ = try DBusMessage.decoded(Array(bytes.prefix(length))) }
        }
        // Whatever single byte is wrong: an answer or an error, no crash, no endless loop.
        for index in bytes.indices {
            for value in [0, 1, 40, 97, 118, 255] as [UInt8] {
                var damaged = bytes
                damaged[index] = value
                _ = try? DBusMessage.decoded(damaged)
            }
        }
        // Deep nesting.
        var deep = DBusMessage(.signal)
        deep.body = [.signature(String(repeating: "a", count: 200))]
        var nested = deep.encoded()
        _ = try DBusMessage.decoded(nested)
        nested[4] = 255
        #expect(throws: CgroupError.self) { _ = try DBusMessage.decoded(nested) }
    }
}
