import Credentials
import EngineClient
import OCI

extension Context {
    /// The user's credentials: `config.json`, and the helpers that it names.
    func credentialStore() throws -> CredentialStore {
        do throws(CredentialError) {
            return try CredentialStore(
                file: configuration.directory + "/config.json", searchPath: environment["PATH"] ?? "/usr/bin:/bin")
        } catch { throw ExitStatus(1, error.message) }
    }

    /// The header that gives the daemon the user's credentials for a registry; it is sent without any, too, since the
    /// interface asks for it.
    func registryHeader(for domain: String) throws -> (String, String) {
        do throws(CredentialError) {
            let credential = try CredentialStore(
                file: configuration.directory + "/config.json", searchPath: environment["PATH"] ?? "/usr/bin:/bin"
            ).credential(for: domain)
            let config = AuthConfig(credential, serverAddress: credential == nil ? "" : Credential.key(for: domain))
            return ("X-Registry-Auth", config.header)
        } catch { throw ExitStatus(1, error.message) }
    }

    /// An image's name, for a registry.
    func imageReference(_ text: String) throws -> ImageReference {
        do throws(OCIError) { return try ImageReference(text) } catch { throw ExitStatus(1, error.message) }
    }

    /// What `DOCKER_DEFAULT_PLATFORM` or a flag says; empty for none.
    func platform(_ flag: String) -> String { flag.isEmpty ? environment["DOCKER_DEFAULT_PLATFORM"] ?? "" : flag }
}
