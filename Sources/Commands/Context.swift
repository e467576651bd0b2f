import CommandLineKit
import EngineClient
import EngineModel
import Glibc
import JSON

/// What a command does with its arguments. It throws `ExitStatus` to leave with a status of its own.
public typealias Action = (Context, [String]) async throws -> Void

/// What all commands share: who is called, with which global options, and the daemon.
public final class Context {
    /// The program's name in messages, as `dhow`, or `docker` when called so.
    public let programName: String
    public let environment: [String: String]
    /// The path of the command in use, as `container ls`.
    public internal(set) var path: [String] = []
    let globals: GlobalOptions
    let configuration: ClientConfiguration
    private var connected: EngineClient?

    init(programName: String, environment: [String: String], globals: GlobalOptions) {
        self.programName = programName
        self.environment = environment
        self.globals = globals
        configuration = ClientConfiguration(directory: globals.configDirectory(environment))
    }

    /// The daemon, which is found, and if need be started, at the first use.
    func client() async throws -> EngineClient {
        if let connected { return connected }
        let location = try DaemonLocation(globals: globals, environment: environment, configuration: configuration)
        var version: APIVersion?
        if let text = environment["DOCKER_API_VERSION"], !text.isEmpty {
            guard let parsed = APIVersion(text) else {
                throw CommandLineError("\(programName): DOCKER_API_VERSION is no version: \(text)")
            }
            version = parsed
        }
        let client = EngineClient(host: location.host, version: version)
        if location.isDefault {
            do { try await DaemonStarter(host: location.host).connect(client) } catch let error as DaemonStartFailure {
                throw CommandLineError("\(error)")
            }
        }
        connected = client
        return client
    }

    /// Sends a request and reads the answer.
    @discardableResult
    func call(
        _ method: String, _ path: String, _ query: [(String, String)] = [], body: JSONValue? = nil
    ) async throws -> JSONValue {
        try await client().call(EngineClient.Request(method, path, query, body: body))
    }

    /// Sends a request and reads the answer as a `Value`.
    func call<Value: JSONConvertible>(
        _ method: String, _ path: String, _ query: [(String, String)] = [], body: JSONValue? = nil, as type: Value.Type
    ) async throws -> Value {
        try await client().call(EngineClient.Request(method, path, query, body: body), as: type)
    }

    /// Does `body` for each argument, goes on after failures, and fails in the end if there were any.
    func forEach(_ arguments: [String], _ body: (String) async throws -> Void) async throws {
        var failed = false
        for argument in arguments {
            do {
                try await body(argument)
            } catch let error as EngineClientError where error.code != .connection {
                Output.error("\(error)")
                failed = true
            } catch let error as CommandLineError {
                Output.error(error.message)
                failed = true
            }
        }
        if failed { throw ExitStatus(1) }
    }
}

/// Leaves the program with a status, after a message if there is one.
struct ExitStatus: Error {
    var status: Int32
    var message: String?

    init(_ status: Int32, _ message: String? = nil) {
        self.status = status
        self.message = message
    }
}

/// The options before the first command.
struct GlobalOptions {
    var hosts: Flag<[String]>
    var context: Flag<String>
    var config: Flag<String>
    var debug: Flag<Bool>
    var version: Flag<Bool>

    static func declare(_ flags: FlagSet) -> GlobalOptions {
        let options = GlobalOptions(
            hosts: flags.strings("host", "H", "Daemon socket to connect to"),
            context: flags.string(
                "context", "c",
                "Name of the context that says where the daemon is (overrides DOCKER_HOST and the current context)"),
            config: flags.string("config", "Directory of the client's configuration files"),
            debug: flags.bool("debug", "D", "Enable debug mode"),
            version: flags.bool("version", "v", "Print version information and quit"))
        flags.string("log-level", "l", default: "info", "Set the logging level (debug, info, warn, error, fatal)")
        for (name, help) in [
            ("tlscacert", "Trust certificates signed only by this CA"), ("tlscert", "Path of the TLS certificate"),
            ("tlskey", "Path of the TLS key"),
        ] { flags.string(name, help).hidden() }
        flags.bool("tls", "Use TLS; implied by --tlsverify").hidden()
        flags.bool("tlsverify", "Use TLS and verify the remote").hidden()
        return options
    }

    func configDirectory(_ environment: [String: String]) -> String {
        if config.isSet { return config.value }
        if let directory = environment["DOCKER_CONFIG"], !directory.isEmpty { return directory }
        return (environment["HOME"] ?? "/root") + "/.docker"
    }
}

/// The client's own configuration: `config.json` and the contexts beside it. A file that is missing is empty.
struct ClientConfiguration {
    var directory: String
    private var json: JSONValue

    init(directory: String) {
        self.directory = directory
        json = File.read(directory + "/config.json").flatMap { try? JSONValue(parsing: $0) } ?? [:]
    }

    var currentContext: String? { json["currentContext"]?.string }
    /// The `--format` that the user prefers for a list, as `psFormat`.
    func format(_ name: String) -> String? { json[name]?.string }
    var detachKeys: String? { json["detachKeys"]?.string }
    /// Environment variables that new containers get, for proxies.
    func proxyVariables(host: String) -> [String: String] {
        let proxies = json["proxies"]
        let chosen = proxies?[host] ?? proxies?["default"]
        var result: [String: String] = [:]
        for (key, name) in [
            ("httpProxy", "HTTP_PROXY"), ("httpsProxy", "HTTPS_PROXY"), ("noProxy", "NO_PROXY"),
            ("ftpProxy", "FTP_PROXY"), ("allProxy", "ALL_PROXY"),
        ] {
            if let value = chosen?[key]?.string, !value.isEmpty {
                result[name] = value
                result[name.lowercased()] = value
            }
        }
        return result
    }

    /// The contexts' metadata files, by name.
    func contexts() -> [String: JSONValue] {
        var result: [String: JSONValue] = [:]
        let root = directory + "/contexts/meta"
        for entry in File.entries(root) {
            guard let bytes = File.read("\(root)/\(entry)/meta.json"), let meta = try? JSONValue(parsing: bytes),
                let name = meta["Name"]?.string
            else { continue }
            result[name] = meta
        }
        return result
    }
}

/// Where the daemon is, and how that was decided.
struct DaemonLocation {
    var host: EngineHost
    /// Nobody said where: it is our own socket, and the daemon may be started.
    var isDefault = false
    /// The context that decided; `default` for none.
    var contextName = "default"

    /// Asks, in this order: `-H`, `--context`, `DOCKER_HOST`, `DOCKER_CONTEXT`, the current context, our default.
    init(globals: GlobalOptions, environment: [String: String], configuration: ClientConfiguration) throws {
        if globals.hosts.isSet {
            guard globals.hosts.value.count == 1, let text = globals.hosts.value.first else {
                throw CommandLineError("Specify only one -H")
            }
            if globals.context.isSet {
                throw CommandLineError("conflicting options: cannot specify both --host and --context")
            }
            host = try Self.host(text)
            return
        }
        var name = globals.context.value
        if name.isEmpty {
            if let text = environment["DOCKER_HOST"], !text.isEmpty {
                host = try Self.host(text)
                return
            }
            name = environment["DOCKER_CONTEXT"] ?? ""
        }
        if name.isEmpty { name = configuration.currentContext ?? "" }
        if name.isEmpty || name == "default" {
            host = .unix(path: Self.defaultSocket(environment))
            isDefault = true
            return
        }
        guard let meta = configuration.contexts()[name] else {
            throw CommandLineError(
                "Failed to initialize: unable to resolve docker endpoint: context \(goQuoted(name)): "
                    + "context not found: open \(configuration.directory)/contexts/meta: no such file or directory")
        }
        guard let text = meta["Endpoints"]?["docker"]?["Host"]?.string, !text.isEmpty else {
            throw CommandLineError("the context \(goQuoted(name)) has no docker endpoint")
        }
        host = try Self.host(text)
        contextName = name
    }

    private static func host(_ text: String) throws -> EngineHost {
        do throws(EngineClientError) {
            return try EngineHost(text)
        } catch {
            throw CommandLineError("Failed to initialize: unable to resolve docker endpoint: \(error.message)")
        }
    }

    /// Our own socket: the system's for root, else one for each user.
    static func defaultSocket(_ environment: [String: String]) -> String {
        DaemonStarter.socket(runtimeDirectory: environment["XDG_RUNTIME_DIR"])
    }
}
