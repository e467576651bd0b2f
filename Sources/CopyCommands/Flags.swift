import Archive
import CommandLineKit
import Credentials
import EngineClient
import Glibc
import ImageTransports
import OCI
import Registry

/// The flags that stand before or after the command.
struct GlobalFlags {
    let version: Flag<Bool>
    let timeout: Flag<GoDuration>
    private let architecture: Flag<String>
    private let os: Flag<String>
    private let variant: Flag<String>
    private let insecurePolicy: Flag<Bool>
    private let policy: Flag<String>
    private let temporary: Flag<String>
    private let registriesConf: Flag<String>

    struct Values {
        var architecture = ""
        var os = ""
        var variant = ""
        var isInsecure = false
        var policy = ""
        var temporary = ""
        var registriesConf = ""
    }

    init(_ flags: FlagSet) {
        version = flags.bool("version", "v", "Version for Skopeo")
        architecture = flags.string(
            "override-arch", type: "ARCH", "use ARCH instead of the architecture of the machine for choosing images")
        os = flags.string("override-os", type: "OS", "use OS instead of the running OS for choosing images")
        variant = flags.string(
            "override-variant", type: "VARIANT",
            "use VARIANT instead of the running architecture variant for choosing images")
        insecurePolicy = flags.bool("insecure-policy", "run the tool without any policy check")
        policy = flags.string("policy", "Path to a trust policy file")
        temporary = flags.string("tmpdir", "directory used to store temporary files")
        flags.bool("debug", "enable debug output")
        timeout = flags.duration("command-timeout", "timeout for the command execution")
        flags.string("registries.d", type: "DIR", "use registry configuration files in DIR")
        registriesConf = flags.string("registries-conf", "path to the registries.conf file").hidden()
    }

    var values: Values {
        Values(
            architecture: architecture.value, os: os.value, variant: variant.value, isInsecure: insecurePolicy.value,
            policy: policy.value, temporary: temporary.value, registriesConf: registriesConf.value)
    }

    /// These values where they are set, and otherwise others.
    func merged(over outer: Values) -> Values {
        var result = outer
        if architecture.isSet { result.architecture = architecture.value }
        if os.isSet { result.os = os.value }
        if variant.isSet { result.variant = variant.value }
        if insecurePolicy.isSet { result.isInsecure = insecurePolicy.value }
        if policy.isSet { result.policy = policy.value }
        if temporary.isSet { result.temporary = temporary.value }
        if registriesConf.isSet { result.registriesConf = registriesConf.value }
        return result
    }
}

extension GlobalFlags.Values {
    /// The platform to choose from lists; `nil` for this machine's.
    var platform: Platform? {
        guard !architecture.isEmpty || !os.isEmpty || !variant.isEmpty else { return nil }
        let host = Platform.host
        return Platform(
            os: os.isEmpty ? host.os : os, architecture: architecture.isEmpty ? host.architecture : architecture,
            variant: variant.isEmpty ? (architecture.isEmpty ? host.variant : nil) : variant
        ).normalized
    }

    func apply() { if !temporary.isEmpty { setenv("TMPDIR", temporary, 1) } }
}

/// The flags that say how a registry or daemon is reached.
struct AccessFlags {
    private let authfile: Flag<String>
    private let certificates: Flag<String>
    private let credentials: Flag<String>
    private let noCredentials: Flag<Bool>
    private let username: Flag<String>
    private let password: Flag<String>
    private let token: Flag<String>
    private let verify: Flag<Bool>
    private let daemon: Flag<String>

    /// - Parameter prefix: `src-`, `dest-` or nothing.
    /// - Parameter hasLetters: whether user name and password have letters, as for `login`.
    init(_ flags: FlagSet, prefix: String = "", hasLetters: Bool = false) {
        authfile = flags.string(
            prefix + "authfile", "path of the authentication file. Default is ${XDG_RUNTIME_DIR}/containers/auth.json")
        certificates = flags.string(
            prefix + "cert-dir", type: "PATH",
            "use certificates at PATH (*.crt, *.cert, *.key) to connect to the registry or daemon")
        credentials = flags.string(
            prefix + "creds", type: "USERNAME[:PASSWORD]", "Use USERNAME[:PASSWORD] for accessing the registry")
        noCredentials = flags.bool(prefix + "no-creds", "Access the registry anonymously")
        username = flags.string(prefix + "username", hasLetters ? "u" : nil, "Username for accessing the registry")
        password = flags.string(prefix + "password", hasLetters ? "p" : nil, "Password for accessing the registry")
        token = flags.string(prefix + "registry-token", "Provide a Bearer token for accessing the registry")
        verify = flags.bool(
            prefix + "tls-verify",
            "require HTTPS and verify certificates when talking to the container registry or daemon")
        daemon = flags.string(
            prefix + "daemon-host", type: "HOST", "use docker daemon host at HOST (docker-daemon: and dhow: only)")
        flags.string(
            prefix + "shared-blob-dir", type: "DIRECTORY", "DIRECTORY to use to share blobs across OCI repositories"
        ).hidden()
    }

    /// - Parameter common: the flags without a prefix, which count where those with one are not given.
    /// - Parameter password: one that was given otherwise.
    func access(_ context: Context, common: AccessFlags? = nil, password: String? = nil) throws -> RegistryAccess {
        func pick(_ path: KeyPath<AccessFlags, Flag<String>>) -> String {
            let own = self[keyPath: path]
            return own.isSet ? own.value : common?[keyPath: path].value ?? ""
        }
        var access = RegistryAccess()
        let environment = context.environment
        access.proxies = ProxySettings { environment[$0] }
        access.searchPath = environment["PATH"] ?? access.searchPath
        let file = context.globals.registriesConf
        access.registriesConf = try RegistriesConf(file: file.isEmpty ? nil : file) { environment[$0] }
        let (credentials, username) = (pick(\.credentials), pick(\.username))
        let password = password ?? pick(\.password)
        let token = pick(\.token)
        let isAnonymous = noCredentials.value || common?.noCredentials.value == true
        guard !(isAnonymous && !credentials.isEmpty) else {
            throw TransportError(.invalidInput, "creds and no-creds cannot be specified at the same time")
        }
        // As from a variable that is not set: who gave them does not mean to come without.
        guard !credentials.isEmpty || !(self.credentials.isSet || common?.credentials.isSet == true) else {
            throw TransportError(.invalidInput, "credentials can't be empty")
        }
        if isAnonymous {
            access.authentication = .none
        } else if !token.isEmpty {
            access.authentication = .given(.registryToken(token))
        } else if !credentials.isEmpty {
            let (name, secret) = try Self.split(credentials)
            access.authentication = .given(.password(username: name, password: secret))
        } else if !username.isEmpty || !password.isEmpty {
            guard !username.isEmpty, !password.isEmpty else {
                throw TransportError(
                    .invalidInput, "\(username.isEmpty ? "password" : "username") cannot be given without the other")
            }
            access.authentication = .given(.password(username: username, password: password))
        }
        access.credentialFiles = context.credentialFiles(pick(\.authfile))
        if verify.isSet {
            access.verifiesTLS = verify.value
        } else if let common, common.verify.isSet {
            access.verifiesTLS = common.verify.value
        }
        let folder = pick(\.certificates)
        if !folder.isEmpty { access.certificateFolder = folder }
        access.ownHost = .unix(path: DaemonStarter.socket(runtimeDirectory: environment["XDG_RUNTIME_DIR"]))
        access.startsOwnDaemon = true
        let host = pick(\.daemon)
        if !host.isEmpty {
            access.dockerHost = try EngineHost(host)
            access.ownHost = access.dockerHost
            access.startsOwnDaemon = false
        } else if let host = environment["DOCKER_HOST"], !host.isEmpty {
            access.dockerHost = try EngineHost(host)
        }
        access.userAgent = "skopeo/\(Program.skopeoVersion)"
        return access
    }

    private static func split(_ text: String) throws -> (String, String) {
        guard let colon = text.firstIndex(of: ":"), colon != text.startIndex else {
            throw TransportError(.invalidInput, "credentials must be given as USERNAME:PASSWORD")
        }
        return (String(text[..<colon]), String(text[text.index(after: colon)...]))
    }
}

extension Context {
    /// Where credentials are looked for, in this order.
    func credentialFiles(_ flag: String) -> [String] {
        if !flag.isEmpty { return [flag] }
        if let file = environment["REGISTRY_AUTH_FILE"], !file.isEmpty { return [file] }
        let home = environment["HOME"] ?? "/root"
        let configuration = environment["XDG_CONFIG_HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? home + "/.config"
        let docker = environment["DOCKER_CONFIG"].flatMap { $0.isEmpty ? nil : $0 } ?? home + "/.docker"
        return [
            runtimeDirectory + "/containers/auth.json", configuration + "/containers/auth.json",
            docker + "/config.json",
        ]
    }

    private var runtimeDirectory: String {
        environment["XDG_RUNTIME_DIR"].flatMap { $0.isEmpty ? nil : $0 } ?? "/run/containers/\(getuid())"
    }
}
