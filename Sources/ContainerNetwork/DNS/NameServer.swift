import Kernel

/// The name servers of all containers, on one event thread.
///
/// Each container has one at 127.0.0.11 in its own network namespace. It answers the names of the container's
/// networks itself and forwards everything else.
public final class NameServer: Sendable {
    public struct Options: Sendable {
        /// How long each upstream server has to answer; dockerd's 4 s.
        public var upstreamTimeoutMilliseconds: Int
        /// How many queries of all containers may wait for upstream servers.
        public var maximumPending: Int

        public init(upstreamTimeoutMilliseconds: Int = 4000, maximumPending: Int = 16384) {
            self.upstreamTimeoutMilliseconds = upstreamTimeoutMilliseconds
            self.maximumPending = maximumPending
        }
    }

    private let thread: EventThread
    private let core = LoopBound<NameServerCore>()
    private let options: Options

    public init(on thread: EventThread, options: Options = Options()) {
        self.thread = thread
        self.options = options
    }

    deinit {
        let core = core
        let options = options
        thread.post { loop in core.value(on: loop) { NameServerCore(loop, options) }.closeAll() }
    }

    private func run<Result: Sendable>(_ work: @escaping @Sendable (NameServerCore) throws -> Result) async throws
        -> Result
    {
        try await thread.run { [core, options] loop in
            try work(core.value(on: loop) { NameServerCore(loop, options) })
        }
    }

    /// Serves a container, in place of an earlier one of the same `id`; the sockets belong to the server from here on.
    public func open(_ id: String, sockets: NameServerSockets, configuration: NameServerConfiguration) async throws {
        try await run { try $0.open(id, sockets, configuration) }
    }

    /// Changes what a container's server knows, from its next query on; an unknown `id` is ignored.
    public func update(_ id: String, configuration: NameServerConfiguration) async throws {
        try await run { $0.servers[id]?.configuration = configuration }
    }

    /// Ends a container's server. When this returns no descriptor here keeps its network namespace alive.
    public func close(_ id: String) async throws {
        try await run { $0.close(id) }
    }

    /// Ends all of them.
    public func closeAll() async throws {
        try await run { $0.closeAll() }
    }

    /// Sets the servers that stand for the host's.
    public func setHostUpstreams(_ upstreams: [Upstream]) async throws {
        try await run { $0.hostUpstreams = upstreams }
    }

    /// Takes the host's servers out of its `resolv.conf`, now and whenever that file changes.
    public func followHostFile(_ location: HostResolvConf = HostResolvConf()) async throws {
        try await run { core in
            core.hostFile?.close()
            core.hostFile = nil
            core.hostFile = try HostResolvConfWatch(location, on: core.loop) { [weak core] file in
                core?.hostUpstreams = file.nameServers.map { Upstream($0.address, from: .host) }
            }
        }
    }
}
