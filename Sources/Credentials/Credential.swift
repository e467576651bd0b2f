/// What a user proves to a registry who they are with.
public enum Credential: Sendable, Equatable {
    case password(username: String, password: String)
    /// An OAuth 2 refresh token, which the registry's token server gave in exchange for a password.
    case identityToken(String)
    /// A bearer token for the registry itself, used as it is.
    case registryToken(String)
}

extension Credential {
    /// The key under which Docker keeps the credentials for its own registry.
    public static let dockerHubKey = "https://index.docker.io/v1/"

    /// The key of a registry in `config.json`: its host and port, but for Docker's own.
    public static func key(for host: String) -> String {
        ["docker.io", "index.docker.io", "registry-1.docker.io"].contains(host) ? dockerHubKey : host
    }

    /// The host and port of a key, as users and older versions of Docker write it: with a scheme or a path.
    public static func host(of key: String) -> String {
        var rest = Substring(key)
        for scheme in ["https://", "http://"] where rest.hasPrefix(scheme) { rest = rest.dropFirst(scheme.count) }
        return String(rest.prefix { $0 != "/" })
    }
}
