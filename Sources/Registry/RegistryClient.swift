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
    /// - Parameters:
    ///   - reference: its digest, too, decides who is asked.
    ///   - name: as the user wrote it: a short name may stand for images of several registries.
    ///   - credential: goes to the registry itself (and its token server), never to mirrors.
    ///   - other: credentials for the repositories that are read instead, where there are any.
    public func repository(
        _ reference: ImageReference, named name: String? = nil, credential: Credential?,
        other: (ImageReference) throws(RegistryError) -> Credential? = { _ in nil }
    ) throws(RegistryError) -> Repository {
        let candidates = try name.flatMap(configuration.registriesConf.candidates)
        var readers: [Exchange] = []
        for var place in candidates ?? [reference] {
            (place.tag, place.digest) = (reference.tag, reference.digest)
            for var endpoint in try configuration.endpointsForReading(place) {
                if place.repository != reference.repository, endpoint.repository == nil {
                    endpoint.repository = place.repository
                }
                let there = endpoint.repository ?? reference.repository
                let isOwn = !endpoint.isMirror && there.domain == reference.domain
                readers.append(
                    exchange(endpoint, credential: isOwn ? credential : try endpoint.repository.flatMap(other)))
            }
        }
        // Who looks a short name up elsewhere does not write.
        let registry =
            try candidates == nil
            ? configuration.endpointForWriting(reference) : configuration.endpoint(for: reference.domain)
        return Repository(
            client: self, reference: reference.repository, readers: readers,
            registry: exchange(registry, credential: credential))
    }

    func exchange(_ endpoint: Endpoint, credential: Credential?) -> Exchange {
        Exchange(
            endpoint, transport: transport, configuration: configuration,
            authorizer: Authorizer(
                credential, name: endpoint.name,
                server: TokenServer(transport: transport, configuration: configuration)), schemes: schemes)
    }
}
