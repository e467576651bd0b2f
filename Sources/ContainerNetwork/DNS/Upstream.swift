import Kernel

/// A server that takes the queries which no container's name answers.
public struct Upstream: Hashable, Sendable {
    /// Where a socket to it is opened.
    public enum Origin: Hashable, Sendable {
        /// The host's network namespace: a server out of the host's own `resolv.conf`, which may be on its loopback.
        case host
        /// The container's: a server that the user named (`--dns`), as it is reached from there.
        case container
    }

    public var endpoint: InternetEndpoint
    public var origin: Origin

    public init(_ address: InternetAddress, port: UInt16 = 53, from origin: Origin) {
        endpoint = InternetEndpoint(address, port: port)
        self.origin = origin
    }

    /// As many servers are asked for one query: dockerd's figure, and the C library's.
    static let maximumCount = 3
}

/// What a container's name server knows.
public struct NameServerConfiguration: Sendable {
    public enum Upstreams: Sendable {
        /// The host's, as they change (`NameServer.setHostUpstreams`, `followHostFile`).
        case host
        case servers([Upstream])
    }

    public var names: NameScope
    public var upstreams: Upstreams
    /// Whether queries may leave through the host. A container with internal networks only may not; what it reaches
    /// in its own namespace it may still ask.
    public var forwardsThroughHost: Bool
    /// Whether the user, or the host, set `ndots`: unknown names of one label then get an empty answer, for the
    /// client to try its search domains.
    public var hasNdots: Bool

    public init(
        names: NameScope, upstreams: Upstreams = .host, forwardsThroughHost: Bool = true, hasNdots: Bool = false
    ) {
        self.names = names
        self.upstreams = upstreams
        self.forwardsThroughHost = forwardsThroughHost
        self.hasNdots = hasNdots
    }
}

/// The two sockets that a container's queries come to.
public struct NameServerSockets: Sendable {
    /// The address that a container finds its name server at.
    public static let address = InternetAddress(ipv4: 127, 0, 0, 11)

    public let datagrams: FileDescriptor
    public let listener: FileDescriptor

    public init(datagrams: FileDescriptor, listener: FileDescriptor) {
        self.datagrams = datagrams
        self.listener = listener
    }

    /// Opens both in the network namespace of the calling thread.
    ///
    /// A program in the container that serves names itself binds port 53 of every address, which fails while a socket
    /// without its consent (`SO_REUSEADDR`) has port 53 of one: with port 0 the kernel chooses, and `open(in:)` leads
    /// what is sent to port 53 there.
    public static func open(address: InternetAddress = Self.address, port: UInt16 = 53) throws(KernelError) -> Self {
        let endpoint = InternetEndpoint(address, port: port)
        return Self(
            datagrams: try Socket.bind(.udp, endpoint), listener: try Socket.bind(.tcp, endpoint, backlog: 64))
    }

    public var datagramPort: UInt16 { get throws(KernelError) { try datagrams.localEndpoint().port } }
    public var listenerPort: UInt16 { get throws(KernelError) { try listener.localEndpoint().port } }
}
