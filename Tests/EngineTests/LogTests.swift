import Engine
import EngineModel
import Glibc
import JSON
import Kernel
import Testing

private typealias Timestamp = EngineModel.Timestamp

/// Reads logs that this test writes and rotates as a monitor does.
final class LogTests {
    private let directory = "/tmp/dhow-log-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
    private var path: String { directory + "/x-json.log" }
    private let here = FileDescriptor.currentDirectory

    init() throws { try here.makeDirectories(directory) }
    deinit { try? here.removeTree(directory) }

    private func line(_ number: Int, stream: String = "stdout") -> String {
        let time = Timestamp(seconds: 1_700_000_000 + Int64(number), nanoseconds: 5)
        return #"{"log":"line \#(number)\n","stream":"\#(stream)","time":"\#(time)"}"# + "\n"
    }

    private func write(_ text: String, to name: String? = nil, append: Bool = true) throws {
        let file = try FileDescriptor.open(
            name ?? path, append ? [.writeOnly, .create, .append] : [.writeOnly, .create, .truncate], mode: 0o600)
        try file.writeAll(text)
    }

    private func reader(_ change: (inout LogReader.Options) -> Void = { _ in }) -> LogReader {
        var options = LogReader.Options()
        options.isFramed = false
        change(&options)
        return LogReader(path: path, options: options)
    }

    private func all(_ reader: LogReader, mayGrow: Bool = false) throws -> String {
        var bytes: [UInt8] = []
        while true {
            let more = try reader.read(mayGrow: mayGrow)
            if more.isEmpty { return String(decoding: bytes, as: UTF8.self) }
            bytes += more
        }
    }

    private func lines(_ range: ClosedRange<Int>) -> String { range.map { "line \($0)\n" }.joined() }

    @Test func rotatedFilesComeInOrder() throws {
        try write(line(1) + line(2), to: path + ".2")
        try write(line(3), to: path + ".1")
        try write(line(4) + line(5))
        #expect(try all(reader()) == lines(1...5))
        #expect(try all(reader { $0.tail = 3 }) == lines(3...5))
        #expect(try all(reader { $0.tail = 2 }) == lines(4...5))
        #expect(try all(reader { $0.tail = 0 }) == "")
        #expect(try all(reader { $0.tail = 99 }) == lines(1...5))
        #expect(try all(reader { $0.since = Timestamp(seconds: 1_700_000_003) }) == lines(3...5))
        #expect(try all(reader { $0.until = Timestamp(seconds: 1_700_000_003, nanoseconds: 9) }) == lines(1...3))
    }

    @Test func aLongTailIsFoundFromTheEnd() throws {
        try write((1...5000).map { line($0) }.joined())
        #expect(try all(reader { $0.tail = 1500 }) == lines(3501...5000))
    }

    @Test func framesTimesAndStreams() throws {
        try write(line(1) + line(2, stream: "stderr"))
        let framed = try reader { $0.isFramed = true }.read(mayGrow: false)
        #expect(Array(framed[0..<8]) == [1, 0, 0, 0, 0, 0, 0, 7])
        #expect(Array(framed[15..<23]) == [2, 0, 0, 0, 0, 0, 0, 7])
        #expect(try all(reader { $0.stdout = false }) == "line 2\n")
        #expect(
            try all(
                reader {
                    $0.timestamps = true
                    $0.tail = 1
                }) == "2023-11-14T22:13:22.000000005Z line 2\n")
    }

    @Test func aFollowerMissesAndRepeatsNothingWhileTheLogRotates() throws {
        try write(line(1))
        let reader = reader()
        #expect(try all(reader, mayGrow: true) == lines(1...1))
        // Half a line is kept until its end comes.
        let second = line(2)
        try write(String(second.prefix(20)))
        #expect(try all(reader, mayGrow: true) == "")
        try write(String(second.dropFirst(20)) + line(3))
        // Two rotations between two looks.
        try here.rename(path, to: path + ".1")
        try write(line(4))
        try here.rename(path + ".1", to: path + ".2")
        try here.rename(path, to: path + ".1")
        try write(line(5))
        #expect(try all(reader, mayGrow: true) == lines(2...5))
        // And one more, where the file that is read has gone.
        try write(line(6))
        #expect(try all(reader, mayGrow: true) == lines(6...6))
        try here.unlink(path + ".2")
        try here.unlink(path + ".1")
        try write(line(5) + line(6) + line(7), to: path + ".1")
        try here.unlink(path)
        try write(line(8))
        #expect(try all(reader, mayGrow: true) == lines(7...8))
    }

    @Test func aFollowerWaitsForTheFirstFile() throws {
        let reader = reader()
        #expect(try reader.read(mayGrow: true).isEmpty)
        try write(line(1))
        #expect(try all(reader, mayGrow: true) == lines(1...1))
    }

    @Test func whatIsNoLineIsPassedOver() throws {
        try write("garbage\n" + line(1) + "{\"log\":\n\n[1]\n{}\n" + line(2) + "{\"log\":\"cut")
        #expect(try all(reader()) == lines(1...2))
    }
}
