import JSON
import Kernel

/// The credentials in a user's `config.json`, and in the helpers that it names.
///
/// All calls may block: helpers are programs.
public struct CredentialStore: Sendable {
    private let path: String
    private let searchPath: String
    private var document: JSONObject

    /// Reads `config.json`; a missing file is an empty one.
    /// - Parameters:
    ///   - directory: as `~/.docker`.
    ///   - searchPath: where helpers are looked for; as the variable PATH.
    public init(
        directory: String, searchPath: String = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    ) throws(CredentialError) {
        try self.init(file: directory + "/config.json", searchPath: searchPath)
    }

    public init(file path: String, searchPath: String) throws(CredentialError) {
        self.path = path
        self.searchPath = searchPath
        let bytes: [UInt8]
        do throws(KernelError) {
            bytes = try FileDescriptor.currentDirectory.readFile(path, limit: 16 << 20)
        } catch {
            if error.code == .notFound || error.code == .notDirectory {
                document = [:]
                return
            }
            throw CredentialError(.system, "Error loading config file: \(path): \(error)")
        }
        func invalid(_ reason: String) -> CredentialError {
            CredentialError(
                .invalidConfiguration, "Error loading config file: \(path): \(reason); mend the file, or move it away")
        }
        if bytes.allSatisfy({ [0x20, 0x0A, 0x0D, 0x09].contains($0) }) {
            document = [:]
            return
        }
        let value: JSONValue
        do throws(JSONError) { value = try JSONValue(parsing: bytes) } catch { throw invalid("\(error)") }
        guard case .object(let object) = value else { throw invalid("it must be a JSON object") }
        for name in ["auths", "credHelpers"] {
            guard let member = object[name], !member.isNull else { continue }
            guard member.object != nil else { throw invalid("\(name) must be an object") }
        }
        if let store = object["credsStore"], !store.isNull, store.string == nil {
            throw invalid("credsStore must be a string")
        }
        document = object
    }

    /// The helper for a registry: its own, or the one for all.
    private func helper(for key: String) -> CredentialHelper? {
        let helpers = document["credHelpers"]
        let own = helpers?[key]?.string ?? helpers?[Credential.host(of: key)]?.string
        guard let name = own ?? document["credsStore"]?.string, !name.isEmpty else { return nil }
        return CredentialHelper(name: name, searchPath: searchPath)
    }

    /// What the user has for a registry.
    /// - Parameters:
    ///   - host: host and port, as `docker.io` or `registry.example.com:5000`.
    ///   - repository: within the registry. What the file has for it, or for the innermost namespace that it is in, comes
    ///     before what it has for the registry (containers-auth.json(5)).
    public func credential(for host: String, repository: String = "") throws(CredentialError) -> Credential? {
        var namespace = Substring(repository)
        while !namespace.isEmpty {
            let key = "\(host)/\(namespace)"
            if let entry = document["auths"]?.object?[key], let found = try credential(in: entry, of: key) {
                return found
            }
            namespace = namespace.lastIndex(of: "/").map { namespace[..<$0] } ?? ""
        }
        let key = Credential.key(for: host)
        if let helper = helper(for: key) { return try helper.get(key) }
        return try entry(for: key).flatMap { entry throws(CredentialError) in try credential(in: entry, of: key) }
    }

    private func credential(in entry: JSONValue, of key: String) throws(CredentialError) -> Credential? {
        let config: AuthConfig
        do throws(JSONError) { config = try AuthConfig(json: entry) } catch {
            throw CredentialError(
                .invalidConfiguration,
                "Error loading config file: \(path): auths: \(key): \(error); log in again to write it anew")
        }
        guard let credential = config.credential else {
            guard !config.hasUnreadableAuth else {
                throw CredentialError(
                    .invalidConfiguration,
                    "Error loading config file: \(path): auths: \(key): auth has to be a user name and a password, with a colon "
                        + "between them, in base 64; log in again to write it anew")
            }
            return nil
        }
        return credential
    }

    /// What the file has under a key, also under one with a scheme or path, which older versions wrote.
    private func entry(for key: String) -> JSONValue? {
        guard let auths = document["auths"]?.object else { return nil }
        if let exact = auths[key] { return exact }
        let host = Credential.host(of: key)
        // Docker's own registry goes by `docker.io` in the files of Podman and skopeo.
        return auths.first {
            guard !Self.isNamespace($0.name) else { return false }
            let other = Credential.host(of: $0.name)
            return other == host || Credential.key(for: other) == key
        }?.value
    }

    /// Whether a key is about a part of a registry: it has a path, and is not one of those with a scheme or the version
    /// of the interface, which stood for registries once.
    private static func isNamespace(_ key: String) -> Bool {
        guard !key.contains("://"), let slash = key.firstIndex(of: "/") else { return false }
        let path = key[slash...].split(separator: "/")
        return path.first.map { $0 != "v1" && $0 != "v2" } ?? false
    }

    /// The registries with credentials in the file; those that only a helper knows are not among them.
    public var hosts: [String] { (document["auths"]?.object?.names ?? []).map(Credential.host) }

    /// Where `save` puts a credential: in a helper, or, in clear, in the file.
    public func keepsInFile(_ host: String) -> Bool { helper(for: Credential.key(for: host)) == nil }

    /// Keeps a credential.
    public mutating func save(_ credential: Credential, for host: String) throws(CredentialError) {
        let key = Credential.key(for: host)
        var auths = document["auths"]?.object ?? [:]
        if let helper = helper(for: key) {
            try helper.store(credential, for: key)
            // Says that there is one, without saying which.
            auths[key] = [:]
        } else {
            switch credential {
            case .password(let username, let password):
                auths[key] = ["auth": .string(Base64.encode(Array("\(username):\(password)".utf8)))]
            case .identityToken(let token):
                auths[key] = ["identitytoken": .string(token)]
            case .registryToken(let token): auths[key] = ["registrytoken": .string(token)]
            }
        }
        document["auths"] = .object(auths)
        try write()
    }

    /// Forgets the credentials for a registry.
    /// - Returns: whether there were any.
    public mutating func erase(_ host: String) throws(CredentialError) -> Bool {
        let key = Credential.key(for: host)
        var wasKnown = false
        if let helper = helper(for: key) {
            wasKnown = (try? helper.get(key)) != nil
            try helper.erase(key)
        }
        var auths = document["auths"]?.object ?? [:]
        let bare = Credential.host(of: key)
        for name in auths.names where name == key || Credential.host(of: name) == bare {
            auths[name] = nil
            wasKnown = true
        }
        guard wasKnown else { return false }
        document["auths"] = .object(auths)
        try write()
        return true
    }

    private func write() throws(CredentialError) {
        do throws(KernelError) {
            let here = FileDescriptor.currentDirectory
            // Someone may keep the file elsewhere, behind a link.
            var target = path
            if let link = try? here.readLinkText(path) {
                target = link.hasPrefix("/") ? link : Self.directory(of: path) + "/" + link
            }
            try here.makeDirectories(Self.directory(of: target), mode: 0o700)
            try here.replaceFile(
                target, with: JSONValue.object(document).serialized(JSONFormat(indent: "\t")) + "\n", mode: 0o600,
                durable: true)
        } catch {
            throw CredentialError(.system, "cannot keep the credentials in \(path): \(error)")
        }
    }

    private static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
