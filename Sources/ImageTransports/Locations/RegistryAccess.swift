import Credentials
import EngineClient
import OCI
import Registry

/// How one side of a copy is reached.
public struct RegistryAccess: Sendable {
    public enum Authentication: Sendable, Equatable {
        /// What the user has stored.
        case stored
        case none
        case given(Credential)
    }

    public var authentication = Authentication.stored
    /// Where credentials are stored; the first file that has one for the registry counts.
    public var credentialFiles: [String] = []
    /// Where credential helpers are looked for; as the variable PATH.
    public var searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    /// Whether TLS and a valid certificate are required; `nil` requires them but for this machine's registries.
    public var verifiesTLS: Bool?
    public var certificateFolder: String?
    public var proxies = ProxySettings()
    public var registriesConf = RegistriesConf()
    /// Where the daemons listen.
    public var dockerHost = EngineHost.unix(path: "/var/run/docker.sock")
    public var ownHost = EngineHost.unix(path: "/run/dhow/docker.sock")
    /// Whether our own daemon is started when it does not run.
    public var startsOwnDaemon = false
    public var userAgent = "dhow"

    public init() {}

    /// A client for a registry; must be shut down.
    public func client(for domain: String) -> RegistryClient {
        var configuration = RegistryConfiguration()
        configuration.userAgent = userAgent
        configuration.proxies = proxies
        configuration.certificateFolder = certificateFolder
        configuration.certificateDirectories = ["/etc/containers/certs.d", "/etc/docker/certs.d"]
        configuration.distrustsLoopback = verifiesTLS == true
        if verifiesTLS == false { configuration.insecureRegistries = [domain] }
        configuration.registriesConf = verifiesTLS.map { registriesConf.settingInsecure(!$0) } ?? registriesConf
        return RegistryClient(configuration)
    }

    /// - Parameter repository: within the registry; its own credentials come first.
    public func credential(for domain: String, repository: String = "") throws -> Credential? {
        switch authentication {
        case .none: return nil
        case .given(let credential): return credential
        case .stored:
            for file in credentialFiles {
                if let found = try CredentialStore(file: file, searchPath: searchPath).credential(
                    for: domain, repository: repository)
                {
                    return found
                }
            }
            return nil
        }
    }

    /// A repository, with the credentials for it and for those that are read instead.
    public func repository(_ reference: ImageReference, _ client: RegistryClient) throws -> Repository {
        try client.repository(reference, credential: credential(for: reference.domain, repository: reference.path)) {
            there throws(RegistryError) in
            // Credentials on the command line are for the registry that stands there too.
            guard authentication == .stored else { return nil }
            do { return try credential(for: there.domain, repository: there.path) } catch {
                throw RegistryError(.unauthorized, "\(error)")
            }
        }
    }

    func daemon(_ kind: ImageLocation.DaemonKind) async throws -> EngineClient {
        guard kind == .own else { return EngineClient(host: dockerHost) }
        let client = EngineClient(host: ownHost)
        if startsOwnDaemon { try await DaemonStarter(host: ownHost).connect(client) }
        return client
    }
}

extension ImageLocation {
    /// The transport's name.
    public var transport: String { String("\(self)".prefix { $0 != ":" }) }

    /// The image, to be read.
    /// - Parameter client: for registries, which cannot do without; it is not shut down.
    public func source(_ access: RegistryAccess, client: RegistryClient?) async throws -> any ImageSource {
        switch self {
        case .registry(let reference):
            let client = try Self.required(client)
            return RegistrySource(try access.repository(reference, client), reference)
        case .dockerArchive(let path, let selection):
            return try await DockerArchiveSource(self, path: path, selection: selection)
        case .layout, .layoutArchive: return try LayoutSource(self)
        case .directory(let path): return try DirectorySource(path)
        case .daemon(let image, let kind):
            return try await DaemonSource(self, image: image, client: try await access.daemon(kind))
        }
    }

    /// The image's place, to be written to.
    /// - Parameters:
    ///   - client: for registries, which cannot do without; it is not shut down.
    ///   - tags: further names that the image gets, where the transport has several.
    public func destination(
        _ access: RegistryAccess, client: RegistryClient?, tags: [ImageReference] = []
    ) async throws -> any ImageDestination {
        switch self {
        case .registry(let reference):
            let client = try Self.required(client)
            return RegistryDestination(
                try access.repository(reference, client), reference,
                tags: tags.filter { $0.repository == reference.repository }.compactMap(\.tag))
        case .dockerArchive(let path, let selection):
            guard case .index = selection else {
                var name: ImageReference?
                if case .reference(let reference) = selection { name = reference }
                return try DockerArchiveDestination(path: path, name: name, tags: tags)
            }
            throw TransportError(
                .invalidInput, "Destination reference must not contain a manifest index @N: \(self): name a tag instead"
            )
        case .layout(let path, let name): return try LayoutDestination(path: path, name: name)
        case .layoutArchive(let path, let name): return try LayoutArchiveDestination(path: path, name: name)
        case .directory(let path): return try DirectoryDestination(path)
        case .daemon(let image, let kind):
            return try DaemonLoad.destination(self, image: image, tags: tags, client: try await access.daemon(kind))
        }
    }

    private static func required(_ client: RegistryClient?) throws(TransportError) -> RegistryClient {
        guard let client else {
            throw TransportError(.invalidInput, "docker: images in registries are reached by a client of registries")
        }
        return client
    }
}
