import EngineModel
import NIOCore

extension ContainerEngine {
    /// - Returns: the log, raw when the container has a terminal, else in Docker's frames.
    public func logs(
        _ name: String, _ options: LogOptions
    ) async throws -> (stream: ByteStream, isTerminal: Bool) {
        let container = try registry.find(name)
        guard options.stdout || options.stderr else {
            throw EngineError.invalid("Bad parameters: you must choose at least one stream")
        }
        let isTerminal = container.record.config.tty
        var reading = LogReader.Options()
        reading.stdout = options.stdout
        reading.stderr = options.stderr
        reading.since = options.since
        reading.until = options.until
        reading.timestamps = options.timestamps
        reading.details = options.details
        reading.tail = options.tail
        reading.isFramed = !isTerminal
        return (try stream(reading, of: container, follows: options.follow, until: options.until), isTerminal)
    }

    func stream(
        _ options: LogReader.Options, of container: Container, follows: Bool, until: Timestamp? = nil
    ) throws(EngineError) -> ByteStream {
        let record = container.record
        guard ["json-file", "local"].contains(record.hostConfig.logConfig.type) else {
            throw EngineError(.notImplemented, "configured logging driver does not support reading")
        }
        let reader = LogReader(path: logPath(record), options: options)
        let work = work
        return ByteStream {
            // Waits grow while nothing comes, so that an idle follower costs next to nothing.
            var pause = 10
            while true {
                try Task.checkCancellation()
                // Looked at before reading: what is written before the end is then read in any case.
                let mayGrow = follows && container.status.isRunning && !(until.map { $0 < .now } ?? false)
                let bytes = try await work.run { try reader.read(mayGrow: mayGrow) }
                if !bytes.isEmpty { return ByteBuffer(bytes: bytes) }
                if !mayGrow || reader.isOver { return nil }
                try await Task.sleep(for: .milliseconds(pause))
                pause = min(pause * 2, 80)
            }
        }
    }
}
