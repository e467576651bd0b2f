import JSON

/// The engine's line to one monitor. Every request throws what the monitor answered, `.timedOut` after its time-out, or
/// `.lost` when the monitor is gone; it may be used from any task, and closes when it is deallocated.
public final class MonitorConnection: Sendable {
    /// The directory of the monitor's socket and records.
    public let directory: String
    private let reactor: MonitorReactor
    private let channel: Channel

    init(directory: String, reactor: MonitorReactor, channel: Channel) {
        self.directory = directory
        self.reactor = reactor
        self.channel = channel
    }

    deinit { channel.close() }

    /// Closes the connection; the monitor runs on. `lost` is not delivered.
    public func close() { channel.close() }

    /// Lets the container's program run; returns once its exec succeeded.
    /// - Throws: `.startFailed` with exit code 126 or 127; `exited` follows.
    public func start(timeout: Duration = .seconds(60)) async throws(MonitorError) {
        _ = try await ask(.start, timeout)
    }

    public func signal(_ signal: MonitorRequest.Signal, timeout: Duration = .seconds(10)) async throws(MonitorError) {
        _ = try await ask(.signal(signal), timeout)
    }

    public func resize(_ size: MonitorRequest.Resize, timeout: Duration = .seconds(10)) async throws(MonitorError) {
        _ = try await ask(.resize(size), timeout)
    }

    public func pause(timeout: Duration = .seconds(30)) async throws(MonitorError) {
        _ = try await ask(.pause, timeout)
    }

    public func resume(timeout: Duration = .seconds(30)) async throws(MonitorError) {
        _ = try await ask(.resume, timeout)
    }

    /// - Parameter resources: the OCI specification's `linux.resources`; what it leaves out stays as it is.
    public func update(
        resources: some JSONConvertible, timeout: Duration = .seconds(30)
    ) async throws(MonitorError) {
        _ = try await ask(.update(resources: resources.json), timeout)
    }

    /// Starts a program without a client; returns its process ID once its exec succeeded. Its end is told as
    /// `execExited`.
    public func exec(
        _ request: MonitorRequest.Exec, timeout: Duration = .seconds(60)
    ) async throws(MonitorError) -> Int32 {
        var request = request
        request.attach = nil
        return Self.processID(try await ask(.exec(request), timeout))
    }

    /// Starts a program and attaches to it, on a connection of its own.
    ///
    /// The monitor has sent `execExited` before it ends the stream; who must know the exit code right after the end of
    /// the stream, before the event was delivered, asks `state()`.
    /// - Returns: its process ID and the stream, which the caller owns.
    public func execAttached(
        _ request: MonitorRequest.Exec, timeout: Duration = .seconds(60)
    ) async throws(MonitorError) -> (processID: Int32, stream: MonitorStream) {
        var request = request
        request.attach = request.attach ?? MonitorRequest.Attach()
        let (reply, stream) = try await openStream(.exec(request), timeout)
        return (Self.processID(reply), stream)
    }

    /// Attaches to the container or a running exec, on a connection of its own.
    public func attach(
        _ request: MonitorRequest.Attach, timeout: Duration = .seconds(10)
    ) async throws(MonitorError) -> MonitorStream {
        try await openStream(.attach(request), timeout).stream
    }

    /// Attaches `descriptor`, one end of a connected stream socket, to the container: the monitor uses it as the
    /// stream.
    ///
    /// The descriptor stays the caller's to close, after this returns.
    /// - Returns: whether the bytes are a terminal's (raw) rather than Docker's frames.
    public func attach(
        _ request: MonitorRequest.Attach, stream descriptor: Int32, timeout: Duration = .seconds(10)
    ) async throws(MonitorError) -> Bool {
        try await handOver(.attach(request), descriptor, timeout)["terminal"]?.bool ?? false
    }

    /// Starts a program with `descriptor` as the stream of its input and output, as `attach(_:stream:timeout:)` does.
    /// - Returns: its process ID.
    public func execAttached(
        _ request: MonitorRequest.Exec, stream descriptor: Int32, timeout: Duration = .seconds(60)
    ) async throws(MonitorError) -> Int32 {
        var request = request
        request.attach = request.attach ?? MonitorRequest.Attach()
        return Self.processID(try await handOver(.exec(request), descriptor, timeout))
    }

    public func state(timeout: Duration = .seconds(10)) async throws(MonitorError) -> MonitorState {
        try MonitorState(reply: try await ask(.state, timeout))
    }

    public func closeStdin(execID: String? = nil, timeout: Duration = .seconds(10)) async throws(MonitorError) {
        _ = try await ask(.closeStdin(execID: execID), timeout)
    }

    /// Kills the container if it lives and lets the monitor leave; `exited` follows.
    public func shutdown(timeout: Duration = .seconds(10)) async throws(MonitorError) {
        _ = try await ask(.shutdown, timeout)
    }

    // MARK: Asking

    func ask(_ request: MonitorRequest, _ timeout: Duration) async throws(MonitorError) -> JSONValue {
        try await channel.ask(request, timeout)
    }

    private func openStream(
        _ request: MonitorRequest, _ timeout: Duration
    ) async throws(MonitorError) -> (JSONValue, stream: MonitorStream) {
        let descriptor = try UnixSocket.connect(directory + "/monitor.sock")
        let channel = try Channel(descriptor, reactor: reactor, events: { _ in })
        let stream = ReplyStream()
        let reply = await withCheckedContinuation { continuation in
            channel.send(request, timeout: timeout) { reply in
                // On the reactor's thread: it reads nothing more of this socket, so that the stream starts whole.
                if case .success = reply { stream.take(channel) } else { channel.close() }
                continuation.resume(returning: reply)
            }
        }
        let value = try reply.get()
        return (value, stream.finish(isTerminal: value["terminal"]?.bool ?? false))
    }

    private func handOver(
        _ request: MonitorRequest, _ descriptor: Int32, _ timeout: Duration
    ) async throws(MonitorError) -> JSONValue {
        let socket = try UnixSocket.connect(directory + "/monitor.sock")
        let channel = try Channel(socket, reactor: reactor, events: { _ in })
        defer { channel.close() }
        return try await withCheckedContinuation { continuation in
            channel.send(request, timeout: timeout, stream: descriptor) { continuation.resume(returning: $0) }
        }.get()
    }

    private static func processID(_ reply: JSONValue) -> Int32 {
        reply["processID"]?.integer.flatMap { Int32(exactly: $0) } ?? 0
    }
}

extension Channel {
    func ask(_ request: MonitorRequest, _ timeout: Duration) async throws(MonitorError) -> JSONValue {
        try await withCheckedContinuation { continuation in
            send(request, timeout: timeout) { continuation.resume(returning: $0) }
        }.get()
    }
}

extension MonitorState {
    init(reply: JSONValue) throws(MonitorError) {
        do throws(JSONError) {
            try self.init(json: reply)
        } catch {
            throw MonitorError(.invalidData, "the monitor answered with no state: \(error)")
        }
    }
}
