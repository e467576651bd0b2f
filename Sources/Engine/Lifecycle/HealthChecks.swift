import EngineModel
import Glibc
import JSON
import Monitor
import OCI

/// When a container counts as healthy, by the results of its probes; Docker's rules.
package struct HealthTracker: Sendable, Equatable {
    /// Consecutive failures that make it unhealthy.
    package var retries: Int
    /// While it starts, failures do not count; nanoseconds.
    package var startPeriod: Int64
    package private(set) var health: Health

    package init(_ config: HealthConfig) {
        retries = config.retries > 0 ? config.retries : 3
        startPeriod = config.startPeriod
        health = Health()
        health.status = "starting"
    }

    /// Enters a result.
    /// - Parameter elapsed: nanoseconds from the container's start to the probe's.
    /// - Returns: whether the status changed.
    package mutating func enter(_ result: Health.Result, elapsed: Int64) -> Bool {
        let old = health.status
        health.log = Array(((health.log ?? []) + [result]).suffix(5))
        if result.exitCode == 0 {
            health.failingStreak = 0
            health.status = "healthy"
        } else if health.status == "starting", elapsed < startPeriod {
            // Not counted.
        } else {
            health.failingStreak += 1
            if health.failingStreak >= retries { health.status = "unhealthy" }
        }
        return health.status != old
    }
}

/// A health check's command and times, with Docker's defaults.
package struct HealthProbe: Sendable, Equatable {
    package var command: [String]
    package var interval: Int64
    package var timeout: Int64
    package var startInterval: Int64
    package var startPeriod: Int64

    /// `nil` when there is none, or it was switched off.
    package init?(_ config: ContainerConfig) {
        guard let health = config.healthcheck, let test = health.test, let kind = test.first else { return nil }
        switch kind {
        case "CMD":
            guard test.count > 1 else { return nil }
            command = Array(test.dropFirst())
        case "CMD-SHELL":
            guard test.count > 1 else { return nil }
            command = (config.shell.flatMap { $0.isEmpty ? nil : $0 } ?? ["/bin/sh", "-c"]) + test.dropFirst()
        default: return nil
        }
        interval = health.interval > 0 ? health.interval : 30_000_000_000
        timeout = health.timeout > 0 ? health.timeout : 30_000_000_000
        startInterval = health.startInterval > 0 ? health.startInterval : 5_000_000_000
        startPeriod = health.startPeriod
    }
}

extension ContainerEngine {
    /// How much of a probe's output is kept.
    private static let outputLimit = 4096

    func startHealthChecks(_ container: Container, _ run: ContainerRun) {
        guard let probe = HealthProbe(container.record.config), let config = container.record.config.healthcheck else {
            container.change { $0.health = nil }
            return
        }
        var tracker = HealthTracker(config)
        let initial = tracker.health
        let startedAt = container.status.startedAt
        let task = Task { [weak self, weak container] in
            while !Task.isCancelled {
                let isStarting =
                    tracker.health.status == "starting"
                    && Timestamp.now.nanosecondsSince1970 - startedAt < probe.startPeriod
                let pause = isStarting ? min(probe.startInterval, probe.interval) : probe.interval
                guard (try? await Task.sleep(for: .nanoseconds(pause))) != nil else { return }
                guard let self, let container, container.run === run else { return }
                // A frozen container cannot answer, which says nothing of its health.
                if container.status.phase == .paused { continue }
                let began = Timestamp.now
                let result = await self.run(probe, in: container, run, began: began)
                guard !Task.isCancelled, container.run === run else { return }
                let changed = tracker.enter(result, elapsed: began.nanosecondsSince1970 - startedAt)
                let health = tracker.health
                container.change { $0.health = health }
                if changed { self.post(container, "health_status: \(health.status)") }
            }
        }
        container.change { state in
            state.health = initial
            state.healthTask = task
        }
    }

    func stopHealthChecks(_ container: Container) {
        let task = container.change { state in
            defer { state.healthTask = nil }
            return state.healthTask
        }
        task?.cancel()
    }

    private func run(
        _ probe: HealthProbe, in container: Container, _ run: ContainerRun, began: Timestamp
    ) async -> Health.Result {
        var result = Health.Result()
        result.start = began.description
        do {
            var request = ExecCreateRequest()
            request.cmd = probe.command
            request.attachStdout = true
            request.attachStderr = true
            let id = try await createExec(in: container, request)
            defer { execs.remove(id) }
            guard let stream = try await startExec(id, ExecStartRequest()) else { throw EngineError.noSuchExec(id) }
            let descriptor = stream.descriptor
            let milliseconds = Int(clamping: max(1, probe.timeout / 1_000_000))
            let output = try await work.runLong {
                defer { Glibc.close(descriptor) }
                return FrameReader.collect(descriptor, limit: Self.outputLimit, milliseconds: milliseconds)
            }
            result.output = output.text
            if output.isComplete {
                let code = try await execs.exitCode(of: id, within: .seconds(5))
                result.exitCode = code ?? -1
            } else {
                try? await run.connection.signal(MonitorRequest.Signal(SIGKILL, execID: id))
                result.exitCode = -1
                result.output =
                    "Health check exceeded timeout (\(Self.text(probe.timeout)))"
                    + (output.text.isEmpty ? "" : ": \(output.text)")
            }
        } catch {
            result.exitCode = -1
            result.output = "\(error)"
        }
        result.end = Timestamp.now.description
        return result
    }

    private static func text(_ nanoseconds: Int64) -> String {
        nanoseconds % 1_000_000_000 == 0
            ? "\(nanoseconds / 1_000_000_000)s" : "\(nanoseconds / 1_000_000)ms"
    }
}

/// Reads the framed output of a short command from its stream.
enum FrameReader {
    struct Output: Sendable {
        var text: String
        /// Whether the stream ended before the time did.
        var isComplete: Bool
    }

    /// Blocks until the stream ends or the time is over; what is longer than `limit` is thrown away.
    static func collect(_ descriptor: CInt, limit: Int, milliseconds: Int) -> Output {
        var raw: [UInt8] = []
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        let deadline = ContinuousClock.now.advanced(by: .milliseconds(milliseconds))
        while true {
            let left = ContinuousClock.now.duration(to: deadline)
            let wait = Int32(
                clamping: left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000)
            if wait <= 0 { return Output(text: String(decoding: text, as: UTF8.self), isComplete: false) }
            var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let ready = poll(&poller, 1, wait)
            if ready < 0, errno != EINTR { break }
            if ready <= 0 { continue }
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EAGAIN || errno == EINTR { continue }
            if count <= 0 { break }
            raw += chunk[..<count]
            while raw.count >= 8 {
                let length = raw[4..<8].reduce(0) { $0 << 8 | Int($1) }
                guard raw.count >= 8 + length else { break }
                let room = max(0, limit - text.count)
                text += raw[8..<(8 + length)].prefix(room)
                raw.removeFirst(8 + length)
            }
        }
        return Output(text: String(decoding: text, as: UTF8.self), isComplete: true)
    }
}
