import Kernel

/// One container's name server, on the event loop's thread.
final class SandboxNameServer {
    /// How many connections a container may keep to it.
    static let maximumStreams = 64
    /// How many of its queries may wait for upstream servers: dockerd's figure.
    static let maximumPending = 1024
    /// How often one question may wait at once. Clients repeat themselves a few times; a loop does so without end.
    static let maximumRepetitions = 32

    let sockets: NameServerSockets
    let listeningEndpoint: InternetEndpoint?
    var configuration: NameServerConfiguration
    var watches: [EventLoop.Watch] = []
    var streams: [ObjectIdentifier: NameServerStream] = [:]
    var channels: [Upstream: UpstreamSocket] = [:]
    var pending: [ObjectIdentifier: PendingQuery] = [:]
    var questions: [String: Int] = [:]
    var isClosed = false

    init(_ sockets: NameServerSockets, _ configuration: NameServerConfiguration) {
        self.sockets = sockets
        self.configuration = configuration
        listeningEndpoint = try? sockets.datagrams.localEndpoint()
    }

    /// The servers to forward to, but ourselves.
    func upstreams(host: [Upstream]) -> [Upstream] {
        let all =
            switch configuration.upstreams {
            case .host: host
            case .servers(let servers): servers
            }
        return Array(
            all.lazy.filter { [self] in
                switch $0.origin {
                case .host: configuration.forwardsThroughHost
                case .container:
                    $0.endpoint != listeningEndpoint && $0.endpoint.address != NameServerSockets.address
                }
            }.prefix(Upstream.maximumCount))
    }

    /// Registers a query that will wait; `false` when there are too many.
    func admit(_ query: PendingQuery) -> Bool {
        guard pending.count < Self.maximumPending, questions[query.question, default: 0] < Self.maximumRepetitions
        else { return false }
        pending[ObjectIdentifier(query)] = query
        questions[query.question, default: 0] += 1
        return true
    }

    func dismiss(_ query: PendingQuery) {
        guard pending.removeValue(forKey: ObjectIdentifier(query)) != nil else { return }
        let count = questions[query.question, default: 1] - 1
        questions[query.question] = count == 0 ? nil : count
    }
}
