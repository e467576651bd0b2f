import Foundation
import Glibc
import JSON
import Monitor
import OCI
import Synchronization
import Testing

/// The programs under test: in `DHOW_BIN`, or beside the test's own program.
enum Programs {
    static let runtime: String? = {
        var places = [URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path]
        if let path = ProcessInfo.processInfo.environment["DHOW_BIN"] { places.insert(path, at: 0) }
        return places.map { $0 + "/dhow-runtime" }.first { access($0, X_OK) == 0 }
    }()

    static let canRun = runtime != nil && getuid() == 0 && access("/usr/bin/busybox", X_OK) == 0

    static let client = Result { try MonitorClient(runtimePath: runtime ?? "") }
}

/// A container with a busybox userland under a real monitor.
final class MonitoredContainer: Sendable {
    let directory: TemporaryDirectory
    let configuration: MonitorConfiguration
    let connection: MonitorConnection
    let events: EventList

    /// Creates the container and waits until it is created, or has failed.
    init(
        _ script: String, in directory: TemporaryDirectory? = nil, program: [String]? = nil,
        configure: (inout MonitorConfiguration, inout RuntimeSpec) -> Void = { _, _ in }
    ) async throws {
        let directory = try directory ?? TemporaryDirectory()
        try Self.makeRoot(directory.path + "/rootfs")
        var configuration = MonitorConfiguration()
        configuration.id = "monitor-test-\(UUID().uuidString.prefix(8).lowercased())"
        configuration.log.path = directory.path + "/json.log"
        configuration.rootMount = .bind(directory.path + "/rootfs")
        var specification = try RuntimeSpec(parsing: Self.template)
        specification.process?.args = program ?? ["/bin/sh", "-c", script]
        specification.linux?.cgroupsPath = "/\(configuration.id)"
        configure(&configuration, &specification)
        let events = EventList()
        self.events = events
        self.directory = directory
        self.configuration = configuration
        connection = try Programs.client.get().spawn(
            directory: directory.path, configuration: configuration, specification: specification,
            events: { events.add($0) })
        _ = try await events.first { event in
            switch event {
            case .created, .failed, .lost: true
            default: false
            }
        }
    }

    private static func makeRoot(_ path: String) throws {
        guard access(path, F_OK) != 0 else { return }
        for name in ["bin", "proc", "dev", "sys", "tmp", "etc"] {
            try FileManager.default.createDirectory(atPath: "\(path)/\(name)", withIntermediateDirectories: true)
        }
        try FileManager.default.copyItem(atPath: "/usr/bin/busybox", toPath: path + "/bin/busybox")
        for name in [
            "sh", "sleep", "cat", "echo", "seq", "stty", "dd", "kill", "true", "head", "yes", "tail", "trap", "id",
        ] {
            try FileManager.default.createSymbolicLink(atPath: "\(path)/bin/\(name)", withDestinationPath: "busybox")
        }
    }

    private static let template = #"""
        {"ociVersion": "1.2.0",
         "process": {"user": {"uid": 0, "gid": 0}, "cwd": "/", "env": ["PATH=/bin"], "args": []},
         "root": {"path": "rootfs"},
         "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]}],
         "linux": {"namespaces": [
            {"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}, {"type": "network"}]}}
        """#

    func start() async throws { try await connection.start() }

    /// Waits for the exit.
    func exit() async throws -> ExitRecord {
        guard case .exited(let record) = try await events.first(where: { if case .exited = $0 { true } else { false } })
        else { throw Unexpected() }
        return record
    }

    /// Waits until the monitor is gone.
    func gone() async throws { _ = try await events.first { $0 == .lost } }

    /// What was logged, without the log's dress.
    func logged(_ stream: String? = nil) throws -> String {
        try directory.lines("json.log").map { try JSONValue(parsing: $0) }
            .filter { stream == nil || $0["stream"]?.string == stream }
            .map { $0["log"]?.string ?? "" }.joined()
    }

    func exec(_ script: String, terminal: Bool = false) -> MonitorRequest.Exec {
        var request = MonitorRequest.Exec()
        request.execID = UUID().uuidString
        var process = OCI.Process()
        process.args = ["/bin/sh", "-c", script]
        process.cwd = "/"
        process.env = ["PATH=/bin"]
        process.terminal = terminal
        request.process = process.json
        return request
    }
}

struct Unexpected: Error {}

/// The events of one monitor, in order.
final class EventList: Sendable {
    private let list = Mutex<[MonitorEvent]>([])

    func add(_ event: MonitorEvent) { list.withLock { $0.append(event) } }

    var all: [MonitorEvent] { list.withLock { $0 } }

    func first(
        within seconds: Double = 20, where isWanted: (MonitorEvent) -> Bool
    ) async throws -> MonitorEvent {
        let end = Date().addingTimeInterval(seconds)
        while Date() < end {
            if let event = all.first(where: isWanted) { return event }
            try await Task.sleep(for: .milliseconds(2))
        }
        Issue.record("the event never came; there were \(all)")
        throw Unexpected()
    }
}

/// The client's side of a stream, read on a thread of its own.
final class StreamReader: Sendable {
    private struct State {
        var raw: [UInt8] = []
        var isOver = false
    }

    let descriptor: Int32
    private let isTerminal: Bool
    private let state = Mutex(State())

    init(_ stream: MonitorStream) {
        isTerminal = stream.isTerminal
        descriptor = stream.release()
        read()
    }

    init(descriptor: Int32, isTerminal: Bool) {
        self.isTerminal = isTerminal
        self.descriptor = descriptor
        read()
    }

    private func read() {
        Thread.detachNewThread { [self] in
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while true {
                var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                poll(&request, 1, 30_000)
                let count = Glibc.read(descriptor, &buffer, buffer.count)
                if count <= 0 { break }
                state.withLock { $0.raw.append(contentsOf: buffer[..<count]) }
            }
            state.withLock { $0.isOver = true }
        }
    }

    func send(_ text: String) {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 { sent += count } else if errno == EAGAIN { usleep(1000) } else { return }
        }
    }

    func endInput() { shutdown(descriptor, Int32(SHUT_WR)) }

    var isOver: Bool { state.withLock { $0.isOver } }

    /// What came so far: of one stream's frames, or all there is from a terminal.
    func output(_ stream: UInt8 = 1) -> [UInt8] {
        let raw = state.withLock { $0.raw }
        guard !isTerminal else { return raw }
        var output: [UInt8] = []
        var position = 0
        while position + 8 <= raw.count {
            let length = raw[position + 4..<position + 8].reduce(0) { $0 << 8 | Int($1) }
            if raw[position] == stream { output += raw[(position + 8)..<min(raw.count, position + 8 + length)] }
            position += 8 + length
        }
        return output
    }

    func text(_ stream: UInt8 = 1) -> String { String(decoding: output(stream), as: UTF8.self) }

    func waitForEnd(within seconds: Double = 30) async throws {
        let end = Date().addingTimeInterval(seconds)
        while !isOver {
            guard Date() < end else {
                Issue.record("the stream never ended; there was \(text())")
                throw Unexpected()
            }
            try await Task.sleep(for: .milliseconds(2))
        }
        close(descriptor)
    }

    func wait(for text: String, within seconds: Double = 15) async throws {
        let end = Date().addingTimeInterval(seconds)
        while !self.text().contains(text) {
            guard Date() < end else {
                Issue.record("\(text) never came; there was \(self.text())")
                throw Unexpected()
            }
            try await Task.sleep(for: .milliseconds(2))
        }
    }
}
