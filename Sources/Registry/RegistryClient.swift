import Credentials
import NIOCore
import NIOPosix
import OCI

/// A client of registries that speak the OCI distribution specification, or Docker's own, which it came from.
///
/// One for a process: it holds the connections, and the limits on how much goes on at a time.
///
///     let client = RegistryClient(RegistryConfiguration())
///     let debian = try client.repository(ImageReference("debian:12"), credential: nil)
///     let manifest = try await debian.manifest(.tag("12"))
public final class RegistryClient: Sendable {
    public let configuration: RegistryConfiguration
    let transport: Transport
    let downloads: ConcurrencyLimit
    let uploads: ConcurrencyLimit
    private let schemes = SchemeMemory()

    /// - Parameters:
    ///   - addresses: by host, the address to reach it at, instead of asking the resolver.
    public init(
        _ configuration: RegistryConfiguration, group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        threads: NIOThreadPool = .singleton, addresses: [String: String] = [:]
    ) {
        self.configuration = configuration
        transport = Transport(configuration, group: group, threads: threads, addresses: addresses)
        downloads = ConcurrencyLimit(configuration.maximumDownloads)
        uploads = ConcurrencyLimit(configuration.maximumUploads)
    }

    /// Closes the connections; must be called before the client goes.
    public func shutdown() async { await transport.shutdown() }

    /// A repository, as one user sees it.
    /// - Parameter credential: goes to the registry itself (and its token server), never to mirrors.
    public func repository(_ reference: ImageReference, credential: Credential?) throws(RegistryError) -> Repository {
        let endpoints = try configuration.endpointsForReading(reference.domain)
        let readers = endpoints.map { exchange($0, credential: $0.isMirror ? nil : credential) }
        // The registry itself is always there, and last.
        guard let registry = readers.last else {
            throw RegistryError(.invalidInput, "there is no registry for \(reference.familiarName)")
        }
        return Repository(client: self, reference: reference.repository, readers: readers, registry: registry)
    }

    func exchange(_ endpoint: Endpoint, credential: Credential?) -> Exchange {
        Exchange(
            endpoint, transport: transport, configuration: configuration,
            authorizer: Authorizer(
                credential, name: endpoint.name,
                server: TokenServer(transport: transport, configuration: configuration)), schemes: schemes)
    }
}
