import ContainerRuntime
import Glibc
import JSON
import Monitor
import Testing

@Suite struct MonitorLineTests {
    private struct Line: Equatable {
        var text: String
        var partial: PartialLine?
    }

    /// Feeds `text` in pieces of `piece` bytes.
    private func split(_ text: String, piece: Int = .max) -> [Line] {
        var splitter = LineSplitter()
        var lines: [Line] = []
        let emit: LineSplitter.Emit = { bytes, _, partial in
            lines.append(Line(text: String(decoding: bytes, as: UTF8.self), partial: partial))
        }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            Array(rest.prefix(min(piece, rest.count))).withUnsafeBytes { splitter.split($0, time: 1, emit) }
            rest = rest.dropFirst(min(piece, rest.count))
        }
        splitter.finish(time: 2, emit)
        return lines
    }

    @Test(arguments: [1, 3, 4096, 100_000]) func cutsAtNewlines(piece: Int) {
        #expect(split("a\n\nbc\nd", piece: piece).map(\.text) == ["a", "", "bc", "d"])
        let last = split("d", piece: piece)
        #expect(last == [Line(text: "d", partial: PartialLine(id: 1, ordinal: 1, isLast: false))])
    }

    @Test(arguments: [1, 1000, 16_384, 65_536]) func cutsLongLinesAsDockerDoes(piece: Int) {
        let limit = LineSplitter.limit
        let text = String(repeating: "x", count: 2 * limit + 5) + "\nshort\n"
        let lines = split(text, piece: piece)
        #expect(lines.map(\.text.count) == [limit, limit, 5, 5])
        #expect(
            lines.map(\.partial) == [
                PartialLine(id: 1, ordinal: 1, isLast: false), PartialLine(id: 1, ordinal: 2, isLast: false),
                PartialLine(id: 1, ordinal: 3, isLast: true), nil,
            ])
        let exact = split(String(repeating: "y", count: limit) + "\n", piece: piece)
        #expect(exact.map(\.text.count) == [limit, 0])
        #expect(exact.last?.partial?.isLast == true)
        let below = split(String(repeating: "y", count: limit - 1) + "\n", piece: piece)
        #expect(below.map(\.partial) == [nil])
    }

    @Test func losesNothingWhateverTheCut() {
        var random = SplitMix(seed: 3)
        for _ in 0..<200 {
            let count = Int.random(in: 0..<60_000, using: &random)
            let gap = Int.random(in: 1..<40_000, using: &random)
            var text = ""
            for position in 0..<count {
                text.unicodeScalars.append(position % gap == gap - 1 ? "\n" : Unicode.Scalar(UInt8(97 + position % 26)))
            }
            var rebuilt = ""
            for line in split(text, piece: Int.random(in: 1..<70_000, using: &random)) {
                #expect(line.text.utf8.count <= LineSplitter.limit)
                rebuilt += line.text + (line.partial?.isLast ?? true ? "\n" : "")
            }
            #expect(rebuilt == text)
        }
    }
}

@Suite struct MonitorJSONFileLogTests {
    private func escape(_ bytes: [UInt8]) -> String {
        var out: [UInt8] = []
        bytes.withUnsafeBytes { JSONEscape.append($0, to: &out) }
        return String(decoding: out, as: UTF8.self)
    }

    @Test func escapesAsDocker() {
        #expect(escape(Array("plain ütf 😀".utf8)) == "plain ütf 😀")
        #expect(escape(Array("\"\\\n\r\t\u{1b}<&>".utf8)) == #"\"\\\n\r\u0009\u001b\u003c\u0026\u003e"#)
        #expect(escape([0x61, 0xff, 0x62]) == #"a\ufffdb"#)
        #expect(escape([0xe2, 0x82]) == #"\ufffd\ufffd"#)
        #expect(escape([0xc0, 0x80, 0xed, 0xa0, 0x80]) == String(repeating: #"\ufffd"#, count: 5))
        #expect(escape(Array("\u{2028}\u{2029}".utf8)) == #"\u2028\u2029"#)
        #expect(escape([0, 0x7f]) == "\\u0000\u{7f}")
        #expect(escape([]) == "")
    }

    @Test func escapedTextIsAlwaysJSON() throws {
        var random = SplitMix(seed: 11)
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 0..<40, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            #expect(throws: Never.self) { try JSONValue(parsing: "\"\(escape(bytes))\"") }
        }
    }

    @Test func writesTimesAsGo() {
        #expect(TimestampFormatter.text(0) == "1970-01-01T00:00:00Z")
        #expect(TimestampFormatter.text(1_700_000_000_120_000_000) == "2023-11-14T22:13:20.12Z")
        #expect(TimestampFormatter.text(951_782_399_999_999_999) == "2000-02-28T23:59:59.999999999Z")
        #expect(TimestampFormatter.text(1_709_164_800_000_000_001) == "2024-02-29T00:00:00.000000001Z")
        #expect(TimestampFormatter.text(4_107_542_400_000_000_000) == "2100-03-01T00:00:00Z")
    }

    private func write(_ text: String, to log: ContainerLog, _ stream: OutputStream = .stdout) {
        Array(text.utf8).withUnsafeBytes { log.write($0, stream) }
        log.flush()
    }

    @Test func writesDockersLines() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/x-json.log"
        let loop = try EventLoop()
        let log = ContainerLog(
            JSONFileLog(try RotatingFile(path, .init(), loop: loop), attributes: ["b": "<", "a": "1"]))
        write("hello\nwor", to: log)
        write("oops\n", to: log, .stderr)
        write("ld\ntail", to: log)
        log.finish(.stdout)
        log.close()
        let lines = try directory.lines("x-json.log")
        #expect(lines.count == 4)
        let values = try lines.map { try JSONValue(parsing: $0) }
        #expect(values.map { $0["log"]?.string } == ["hello\n", "oops\n", "world\n", "tail"])
        #expect(values.map { $0["stream"]?.string } == ["stdout", "stderr", "stdout", "stdout"])
        #expect(lines[0].hasPrefix(#"{"log":"hello\n","stream":"stdout","attrs":{"a":"1","b":"\u003c"},"time":"2"#))
        #expect(lines[0].hasSuffix("Z\"}"))
    }

    @Test func rotatesByWholeLines() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/log"
        let loop = try EventLoop()
        let file = try RotatingFile(path, .init(maxSize: 2000, maxFiles: 3), loop: loop)
        let log = ContainerLog(JSONFileLog(file, attributes: [:]))
        for number in 0..<200 { write("line \(number)\n", to: log) }
        log.close()
        #expect(try directory.names() == ["log", "log.1", "log.2"])
        var numbers: [Int] = []
        for name in ["log.2", "log.1", "log"] {
            #expect(try directory.size(name) <= 2000)
            for line in try directory.lines(name) {
                let text = try #require(try JSONValue(parsing: line)["log"]?.string)
                numbers.append(try #require(Int(text.dropFirst(5).dropLast())))
            }
        }
        #expect(numbers.count > 40)
        #expect(numbers == Array((200 - numbers.count)..<200))
    }

    @Test func rotatesWithinOneBatch() throws {
        let directory = try TemporaryDirectory()
        let loop = try EventLoop()
        let file = try RotatingFile(directory.path + "/log", .init(maxSize: 5000, maxFiles: 100), loop: loop)
        let log = ContainerLog(JSONFileLog(file, attributes: [:]))
        write((0..<1000).map { "line \($0)\n" }.joined(), to: log)
        log.close()
        var count = 0
        for name in try directory.names() {
            #expect(try directory.size(name) <= 5000)
            count += try directory.lines(name).count
        }
        #expect(count == 1000)
    }

    @Test func keepsOneFileByEmptyingIt() throws {
        let directory = try TemporaryDirectory()
        let loop = try EventLoop()
        let file = try RotatingFile(directory.path + "/log", .init(maxSize: 500, maxFiles: 1), loop: loop)
        let log = ContainerLog(JSONFileLog(file, attributes: [:]))
        for number in 0..<100 { write("line \(number)\n", to: log) }
        log.close()
        #expect(try directory.names() == ["log"])
        #expect(try directory.size("log") <= 500)
        #expect(try directory.lines("log").last?.contains("line 99") == true)
    }

    @Test func aLineLargerThanTheLimitIsWritten() throws {
        let directory = try TemporaryDirectory()
        let loop = try EventLoop()
        let file = try RotatingFile(directory.path + "/log", .init(maxSize: 100, maxFiles: 2), loop: loop)
        let log = ContainerLog(JSONFileLog(file, attributes: [:]))
        write(String(repeating: "x", count: 300) + "\n" + String(repeating: "y", count: 300) + "\n", to: log)
        log.close()
        #expect(try directory.lines("log").first?.contains("yyy") == true)
        #expect(try directory.lines("log.1").first?.contains("xxx") == true)
    }

    @Test func mendsATornLine() throws {
        let directory = try TemporaryDirectory()
        try directory.write("log", #"{"log":"torn"#)
        let loop = try EventLoop()
        let log = ContainerLog(
            JSONFileLog(try RotatingFile(directory.path + "/log", .init(), loop: loop), attributes: [:]))
        write("next\n", to: log)
        log.close()
        let lines = try directory.lines("log")
        #expect(lines.count == 2)
        #expect(try JSONValue(parsing: lines[1])["log"]?.string == "next\n")
    }

    @Test func compressesAndRestores() throws {
        let directory = try TemporaryDirectory()
        let text = (0..<20_000).map { "line \($0)\n" }.joined()
        try directory.write("a", text)
        #expect(RotatingFile.gzip(directory.path + "/a", directory.path + "/a.gz"))
        #expect(try directory.names() == ["a.gz"])
        #expect(try directory.size("a.gz") < text.utf8.count / 3)
        #expect(try run("gzip", "-dc", directory.path + "/a.gz") == text)
        #expect(!RotatingFile.gzip(directory.path + "/none", directory.path + "/b.gz"))
        #expect(try directory.names() == ["a.gz"])
    }

    @Test func aFullDiskLosesWholeLines() throws {
        let loop = try EventLoop()
        let log = ContainerLog(JSONFileLog(try RotatingFile("/dev/full", .init(), loop: loop), attributes: [:]))
        write("gone\n", to: log)
        log.close()
    }
}

@Suite struct MonitorRemoteLogTests {
    private func configuration() -> MonitorConfiguration {
        var configuration = MonitorConfiguration()
        configuration.id = "0123456789abcdef0123456789abcdef"
        configuration.name = "box"
        return configuration
    }

    @Test func speaksToTheJournal() throws {
        let directory = try TemporaryDirectory()
        let receiver = try DatagramReceiver(directory.path + "/socket")
        var configuration = configuration()
        configuration.log.attributes = ["com.example-x": "y"]
        let journal = try JournalLog(configuration, path: directory.path + "/socket")
        Array("hi".utf8).withUnsafeBytes { journal.write($0, .stderr, time: 0, nil) }
        let entry = receiver.receive()
        for field in [
            "CONTAINER_ID=0123456789ab\n", "CONTAINER_ID_FULL=0123456789abcdef0123456789abcdef\n",
            "CONTAINER_NAME=box\n",
            "CONTAINER_TAG=0123456789ab\n", "PRIORITY=3\n", "COM_EXAMPLE_X=y\n",
        ] {
            #expect(entry.contains(field), "\(field)")
        }
        #expect(entry.hasSuffix("MESSAGE\n\u{2}\0\0\0\0\0\0\0hi\n"))
        Array("part".utf8).withUnsafeBytes {
            journal.write($0, .stdout, time: 0, PartialLine(id: 1, ordinal: 1, isLast: false))
        }
        #expect(receiver.receive().contains("CONTAINER_PARTIAL_MESSAGE=true\n"))
        journal.close()
        #expect(JournalLog.fieldName("_9a.b") == "A_B")
        #expect(JournalLog.fieldName("") == "FIELD")
    }

    @Test func speaksSyslog() throws {
        let directory = try TemporaryDirectory()
        let receiver = try DatagramReceiver(directory.path + "/log")
        var configuration = configuration()
        configuration.log.options = [
            "syslog-address": "unixgram://\(directory.path)/log", "syslog-facility": "local3",
            "syslog-format": "rfc5424",
        ]
        configuration.log.tag = "web"
        let syslog = try SyslogLog(configuration)
        Array("hello".utf8).withUnsafeBytes { syslog.write($0, .stdout, time: 1_700_000_000_000_000_000, nil) }
        let message = receiver.receive()
        // 19 * 8 + 6
        #expect(message.hasPrefix("<158>1 2023-11-14T22:13:20Z "))
        #expect(message.hasSuffix(" web \(getpid()) web - hello\n"))
        syslog.close()
        let old = SyslogLog.header(.rfc3164, 30, 1_700_000_000_000_000_000, host: "h", tag: "t", pid: 4)
        #expect(old == "<30>Nov 14 22:13:20 h t[4]: ")
    }

    @Test func refusesBadSyslogOptions() {
        for options in [
            ["syslog-address": "ftp://x"], ["syslog-address": "udp://127.0.0.1:x"], ["syslog-facility": "local8"],
            ["syslog-format": "rfc1"], ["syslog-address": "tcp://example.org:514"],
        ] {
            var configuration = configuration()
            configuration.log.options = options
            if options["syslog-address"] == nil { configuration.log.options["syslog-address"] = "udp://127.0.0.1:9" }
            #expect(throws: MonitorError.self, "\(options)") { try SyslogLog(configuration) }
        }
    }
}
