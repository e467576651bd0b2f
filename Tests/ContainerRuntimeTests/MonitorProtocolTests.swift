import JSON
import Monitor
import Testing

@Suite struct MonitorFrameTests {
    private func decode(_ bytes: [UInt8], piece: Int = .max) throws -> [JSONValue] {
        var decoder = FrameDecoder()
        var messages: [JSONValue] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let next = rest.prefix(min(piece, rest.count))
            rest = rest.dropFirst(next.count)
            decoder.append(next)
            while let message = try decoder.next() { messages.append(message) }
        }
        return messages
    }

    @Test(arguments: [1, 2, 3, 5, 7, 1000]) func survivesAnyCut(piece: Int) throws {
        let messages: [JSONValue] = [
            ["id": 1, "request": "start"], [:], ["text": .string(String(repeating: "å", count: 3000))],
        ]
        let bytes = try messages.flatMap { try Frame.encode($0) }
        #expect(try decode(bytes, piece: piece) == messages)
    }

    @Test func tellsHowMuchIsMissing() throws {
        let frame = try Frame.encode(["a": 1])
        var decoder = FrameDecoder()
        #expect(decoder.missing == 4)
        decoder.append(frame.prefix(2))
        #expect(decoder.missing == 2)
        decoder.append(frame[2..<4])
        #expect(decoder.missing == frame.count - 4)
        decoder.append(frame[4...])
        #expect(decoder.missing == 0)
        #expect(try decoder.next() == ["a": 1])
        #expect(decoder.missing == 4)
    }

    @Test func refusesHostileFrames() {
        let hostile: [[UInt8]] = [
            [0xff, 0xff, 0xff, 0xff],  // 4 GiB
            [0x01, 0x00, 0x00, 0x01],  // one byte past the limit
            [0, 0, 0, 0],
            [1, 0, 0, 0, 0x7b],
            [2, 0, 0, 0, 0x7b, 0x7b],  // {{
            [2, 0, 0, 0, 0x5b, 0x5d],  // []
            [4, 0, 0, 0, 0xff, 0xfe, 0xfd, 0xfc],
        ]
        for bytes in hostile {
            #expect(throws: MonitorError.self, "\(bytes)") { try decode(bytes) }
        }
        let deep = Array((String(repeating: #"{"a":"#, count: 5000) + "1" + String(repeating: "}", count: 5000)).utf8)
        let length = (0..<4).map { UInt8(truncatingIfNeeded: deep.count >> (8 * $0)) }
        #expect(throws: MonitorError.self) { try decode(length + deep) }
    }

    @Test func keepsNothingOfATruncatedFrame() throws {
        let frame = try Frame.encode(["a": "b"])
        for count in 0..<frame.count { #expect(try decode(Array(frame.prefix(count))).isEmpty) }
    }

    @Test func survivesNoise() {
        var random = SplitMix(seed: 7)
        for _ in 0..<3000 {
            let count = Int.random(in: 0..<64, using: &random)
            var bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            if bytes.count > 4, Bool.random(using: &random) {
                bytes[0] = UInt8(bytes.count - 4)
                bytes[1] = 0
                bytes[2] = 0
                bytes[3] = 0
                if Bool.random(using: &random) { bytes[4] = 0x7b }
            }
            // A message or an error, never a crash.
            for json in (try? decode(bytes)) ?? [] { _ = try? Message(json: json) }
        }
    }

    @Test func refusesToSendMoreThanTheLimit() {
        let message: JSONValue = ["a": "xxxx"]
        #expect(throws: Never.self) { try Frame.encode(message, limit: message.bytes().count) }
        #expect(throws: MonitorError.self) { try Frame.encode(message, limit: message.bytes().count - 1) }
    }
}

@Suite struct MonitorMessageTests {
    static var requests: [MonitorRequest] {
        var exec = MonitorRequest.Exec()
        exec.execID = "e1"
        exec.process = ["args": ["sh"], "cwd": "/"]
        exec.stdin = true
        exec.attach = MonitorRequest.Attach(stdin: true, stdout: true)
        return [
            .start, .pause, .resume, .state, .subscribe, .shutdown, .signal(.init(9, all: true)),
            .signal(.init(0, execID: "x")), .resize(.init(width: 80, height: 24)), .closeStdin(execID: nil),
            .closeStdin(execID: "x"), .update(resources: ["memory": ["limit": 1]]),
            .attach(.init(stdin: false, stdout: true, stderr: true, execID: "x")), .exec(exec),
        ]
    }

    @Test(arguments: requests) func requestsSurviveTheWire(request: MonitorRequest) throws {
        let text = Message.request(id: .max, request).json.bytes()
        #expect(try Message(json: JSONValue(parsing: text)) == .request(id: .max, request))
    }

    @Test func eventsSurviveTheWire() throws {
        var record = ExitRecord()
        record.exitCode = 137
        record.signal = 9
        record.oomKilled = true
        record.startedAt = 1_700_000_000_123_456_789
        let events: [MonitorEvent] = [
            .cloned(processID: 7, monitorProcessID: 6), .created(processID: 7),
            .failed(MonitorError(.startFailed, "no such file", exitCode: 127)), .exited(record),
            .outOfMemory, .execExited(execID: "a", exitCode: 3),
        ]
        for event in events {
            #expect(try Message(json: JSONValue(parsing: Message.event(event).json.bytes())) == .event(event))
        }
        #expect(ExitRecord().json["signal"] == nil)
        #expect(try Message(json: ["event": "news", "data": 5]) == .unknownEvent("news"))
    }

    @Test func answersWhatItCannotUnderstand() throws {
        let bad: [JSONValue] = [
            ["id": 1, "request": "dance"], ["id": 2, "request": "signal"],
            ["id": 3, "request": "resize", "parameters": ["width": 100_000, "height": 1]],
            ["id": 4, "request": "exec", "parameters": ["execID": 5]],
        ]
        for json in bad {
            guard case .badRequest(_, let error) = try Message(json: json) else {
                Issue.record("accepted \(json)")
                continue
            }
            #expect(error.code == .invalidArgument)
        }
        for json: JSONValue in [[:], ["id": -1, "request": "start"], ["event": "created"], ["re": "x"]] {
            #expect(throws: MonitorError.self) { try Message(json: json) }
        }
    }

    @Test func configurationSurvivesItsFile() throws {
        var configuration = MonitorConfiguration()
        configuration.id = "abc"
        var overlay = RootMount.Overlay()
        overlay.lowerDirectories = ["/b", "/a"]
        overlay.upperDirectory = "/u"
        overlay.workDirectory = "/w"
        configuration.rootMount = .overlay(overlay)
        configuration.log.driver = .local
        configuration.log.attributes = ["a": "b"]
        #expect(try MonitorConfiguration(parsing: configuration.json.bytes()) == configuration)
        configuration.rootMount = .bind("/x")
        #expect(try MonitorConfiguration(parsing: configuration.json.bytes()) == configuration)
        #expect(throws: JSONError.self) { try MonitorConfiguration(parsing: #"{"id":"a","rootMount":{"type":"nfs"}}"#) }
    }
}

/// A small generator with a seed, so that a failure repeats.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
