import Kernel

/// A query that waits for the answer of an upstream server.
final class PendingQuery {
    enum Client {
        case datagram(InternetEndpoint)
        case stream(NameServerStream)
    }

    let server: SandboxNameServer
    let client: Client
    /// The client's message; the first two bytes change with each server that is asked.
    var message: [UInt8]
    let query: DNSQuery
    let upstreams: [Upstream]
    /// Which of the upstreams is being asked, and the ones before have failed.
    var position = 0
    /// The number of what is being tried: what belongs to an earlier attempt is stale.
    var attempt = 0
    /// Ends what is being tried.
    var cancel: (() -> Void)?
    var isFinished = false

    init(
        server: SandboxNameServer, client: Client, message: UnsafeRawBufferPointer, query: DNSQuery,
        upstreams: [Upstream]
    ) {
        self.server = server
        self.client = client
        self.message = Array(message)
        self.query = query
        self.upstreams = upstreams
    }

    var isStream: Bool {
        switch client {
        case .datagram: false
        case .stream: true
        }
    }

    /// The question, spelt the same for all who ask it.
    var question: String { "\(query.type) \(query.name.text)" }
}
