import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// Sends single requests: connections, proxies, TLS. What the answers mean is for others to say.
final class Transport: Sendable {
    private let configuration: RegistryConfiguration
    private let group: any EventLoopGroup
    private let threads: NIOThreadPool
    private let state = Mutex(State())
    /// Hosts with the addresses to reach them at, instead of asking the resolver.
    private let addresses: [String: String]

    private struct ClientKey: Hashable {
        var proxy: ProxySettings.Proxy?
        var isPatient: Bool
    }

    private struct State {
        /// A client has one proxy or none, and one idea of how long an answer may take.
        var clients: [ClientKey: HTTPClient] = [:]
        var isShutDown = false
    }

    init(
        _ configuration: RegistryConfiguration, group: any EventLoopGroup, threads: NIOThreadPool,
        addresses: [String: String]
    ) {
        self.configuration = configuration
        self.group = group
        self.threads = threads
        self.addresses = addresses
    }

    func shutdown() async {
        let clients = state.withLock { state in
            state.isShutDown = true
            defer { state.clients = [:] }
            return Array(state.clients.values)
        }
        for client in clients { try? await client.shutdown() }
    }

    /// Sends a request; the answer's body is still to come.
    /// - Parameter isPatient: whether the answer may take its time, as that to the end of an upload may.
    /// - Throws: AsyncHTTPClient's and NIO's errors, which `RegistryError.init(transport:)` explains.
    func send(
        _ method: HTTPMethod, _ address: WebAddress, headers: HTTPHeaders, body: RequestBody, isInsecure: Bool,
        isPatient: Bool = false
    ) async throws -> HTTPClientResponse {
        let client = try client(for: address, isPatient: isPatient)
        var request = HTTPClientRequest(url: address.description)
        request.method = method
        request.headers = headers
        request.headers.replaceOrAdd(name: "User-Agent", value: configuration.userAgent)
        switch body {
        case .none: break
        case .bytes(let bytes): request.body = .bytes(ByteBuffer(bytes: bytes))
        case .stream(let length, let open): request.body = .stream(try await open(), length: .known(length))
        }
        if address.scheme == .https {
            // Read anew each time, so that a certificate that was just put there counts. It is three small files.
            let folders =
                configuration.certificateFolder.map { [$0] }
                ?? configuration.certificateDirectories.map { "\($0)/\(address.authority)" }
            request.tlsConfiguration = try await threads.runIfActive {
                try HostCertificates.configuration(folders: folders, isInsecure: isInsecure)
            }
        }
        return try await client.execute(request, deadline: .distantFuture)
    }

    private func client(for address: WebAddress, isPatient: Bool) throws -> HTTPClient {
        let key = ClientKey(proxy: try configuration.proxies.proxy(for: address), isPatient: isPatient)
        return try state.withLock { state in
            guard !state.isShutDown else { throw CancellationError() }
            if let client = state.clients[key] { return client }
            let client = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: settings(key))
            state.clients[key] = client
            return client
        }
    }

    private func settings(_ key: ClientKey) -> HTTPClient.Configuration {
        var settings = HTTPClient.Configuration(
            // Redirects are followed with care for credentials, elsewhere.
            redirectConfiguration: .disallow,
            timeout: .init(
                connect: configuration.connectTimeout,
                read: key.isPatient ? configuration.commitTimeout : configuration.stallTimeout,
                write: configuration.stallTimeout),
            // A digest is that of the bytes as they are.
            decompression: .disabled)
        // What fails is tried again where it is known whether that makes sense.
        settings.connectionPool.retryConnectionEstablishment = false
        settings.connectionPool.idleTimeout = .seconds(15)
        settings.dnsOverride = addresses
        settings.proxy = key.proxy?.configuration
        return settings
    }
}

extension ProxySettings.Proxy {
    /// As AsyncHTTPClient wants to know it.
    package var configuration: HTTPClient.Configuration.Proxy {
        guard let login else { return .server(host: host, port: port) }
        let parts = login.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        return .server(
            host: host, port: port,
            authorization: .basic(username: String(parts[0]), password: parts.count > 1 ? String(parts[1]) : ""))
    }
}

/// What a request carries. It can be sent more than once.
enum RequestBody: Sendable {
    case none
    case bytes([UInt8])
    case stream(length: Int64, open: @Sendable () async throws -> BlobStream)
}

/// The bytes of a blob as they come, read no faster than they are taken. For one consumer.
public struct BlobStream: AsyncSequence, Sendable {
    public typealias Element = ByteBuffer

    private let source: @Sendable () async throws -> ByteBuffer?

    /// - Parameter source: gives the next piece, or `nil` at the end; never called twice at once.
    public init(_ source: @escaping @Sendable () async throws -> ByteBuffer?) { self.source = source }

    public struct AsyncIterator: AsyncIteratorProtocol, Sendable {
        let source: @Sendable () async throws -> ByteBuffer?
        public mutating func next() async throws -> ByteBuffer? { try await source() }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(source: source) }
}
