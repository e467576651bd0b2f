import CommandLineKit
import Engine
import EngineAPI
import JSON

/// The daemon's flags, each of which is also a key of the configuration file: dockerd's names, as far as this version
/// honours them.
package struct DaemonFlags {
    /// How a key's JSON value becomes the text that its flag takes.
    enum Kind {
        case boolean, text, integer, size, list, map, ulimits, pools, networkOptions
    }

    struct Option {
        let flag: String
        let key: String
        let kind: Kind
        /// Whether a running daemon takes a new value on SIGHUP.
        var isReloadable = false
    }

    let flags = FlagSet()
    private(set) var options: [Option] = []

    let configFile: Flag<String>
    let validate: Flag<Bool>
    let version: Flag<Bool>
    let dataRoot: Flag<String>
    let execRoot: Flag<String>
    let hosts: Flag<[String]>
    let allowInsecureTCP: Flag<Bool>
    let pidFile: Flag<String>
    let group: Flag<String>
    let debug: Flag<Bool>
    let logLevel: Flag<String>
    let logFormat: Flag<String>
    let storageDriver: Flag<String>
    let storageOptions: Flag<[String]>
    let execOptions: Flag<[String]>
    let cgroupParent: Flag<String>
    let defaultCgroupnsMode: Flag<String>
    let defaultIpcMode: Flag<String>
    let defaultShmSize: Flag<Int64>
    let defaultUlimits: Flag<[String]>
    let logDriver: Flag<String>
    let logOptions: Flag<[String: String]>
    let labels: Flag<[String]>
    let liveRestore: Flag<Bool>
    let seccompProfile: Flag<String>
    let noNewPrivileges: Flag<Bool>
    let initByDefault: Flag<Bool>
    let dns: Flag<[String]>
    let dnsOptions: Flag<[String]>
    let dnsSearch: Flag<[String]>
    let shutdownTimeout: Flag<Int64>
    let idleExit: Flag<String>
    let registries: RegistryFlags
    let network: NetworkFlags

    package init(defaults: DefaultPaths) {
        let flags = flags
        configFile = flags.string("config-file", nil, default: defaults.configurationFile, "Daemon configuration file")
        validate = flags.bool("validate", nil, "Validate daemon configuration and exit")
        version = flags.bool("version", "v", "Print version information and quit")
        dataRoot = flags.string("data-root", nil, default: defaults.dataRoot, "Root directory of persistent state")
        execRoot = flags.string(
            "exec-root", nil, default: defaults.execRoot, "Root directory for execution state files")
        hosts = flags.strings("host", "H", "Daemon socket(s) to connect to")
        allowInsecureTCP = flags.bool(
            "allow-insecure-tcp", nil, "Listen on tcp:// without TLS: whoever reaches the port is root on this machine")
        pidFile = flags.string("pidfile", "p", "Path to use for daemon PID file (default \"EXEC-ROOT/dhowd.pid\")")
        group = flags.string("group", "G", default: "docker", "Group for the unix socket")
        debug = flags.bool("debug", "D", "Enable debug mode")
        logLevel = flags.string(
            "log-level", "l", default: "info", #"Set the logging level ("debug"|"info"|"warn"|"error"|"fatal")"#)
        logFormat = flags.string("log-format", nil, default: "text", #"Set the logging format ("text"|"json")"#)
        storageDriver = flags.string("storage-driver", "s", "Storage driver to use")
        storageOptions = flags.strings(
            "storage-opt", nil,
            "Storage options: layer.max-bytes=SIZE, layer.max-inodes=NUMBER bound what a layer unpacks to")
        execOptions = flags.strings("exec-opt", nil, "Runtime execution options")
        cgroupParent = flags.string("cgroup-parent", nil, "Set parent cgroup for all containers")
        defaultCgroupnsMode = flags.string(
            "default-cgroupns-mode", nil, #"Default mode for containers cgroup namespace ("host" | "private")"#)
        defaultIpcMode = flags.string(
            "default-ipc-mode", nil, default: "private",
            #"Default mode for containers ipc ("shareable" | "private")"#)
        defaultShmSize = flags.bytes("default-shm-size", nil, default: 64 << 20, "Default shm size for containers")
        defaultUlimits = flags.strings("default-ulimit", nil, type: "ulimit", "Default ulimits for containers")
        logDriver = flags.string("log-driver", nil, default: "json-file", "Default driver for container logs")
        logOptions = flags.map("log-opt", nil, "Default log driver options for containers")
        labels = flags.strings("label", nil, "Set key=value labels to the daemon")
        liveRestore = flags.bool(
            "live-restore", nil, default: true, "Leave containers running without the daemon (always)")
        seccompProfile = flags.string("seccomp-profile", nil, "Path to seccomp profile, or \"unconfined\"")
        noNewPrivileges = flags.bool("no-new-privileges", nil, "Set no-new-privileges by default for new containers")
        initByDefault = flags.bool("init", nil, "Run an init in the container to forward signals and reap processes")
        dns = flags.strings("dns", nil, "DNS server to use")
        dnsOptions = flags.strings("dns-opt", nil, "DNS options to use")
        dnsSearch = flags.strings("dns-search", nil, "DNS search domains to use")
        shutdownTimeout = flags.int("shutdown-timeout", nil, default: 15, "Seconds for requests in progress at the end")
        idleExit = flags.string(
            "idle-exit", nil, type: "duration",
            "Leave after so long (minutes, or as in 90s) without a client and a running container")
        registries = RegistryFlags(flags)
        network = NetworkFlags(flags)

        options =
            [
                Option(flag: "data-root", key: "data-root", kind: .text),
                Option(flag: "exec-root", key: "exec-root", kind: .text),
                Option(flag: "host", key: "hosts", kind: .list),
                Option(flag: "allow-insecure-tcp", key: "allow-insecure-tcp", kind: .boolean),
                Option(flag: "pidfile", key: "pidfile", kind: .text),
                Option(flag: "group", key: "group", kind: .text),
                Option(flag: "debug", key: "debug", kind: .boolean, isReloadable: true),
                Option(flag: "log-level", key: "log-level", kind: .text, isReloadable: true),
                Option(flag: "log-format", key: "log-format", kind: .text),
                Option(flag: "storage-driver", key: "storage-driver", kind: .text),
                Option(flag: "storage-opt", key: "storage-opts", kind: .list),
                Option(flag: "exec-opt", key: "exec-opts", kind: .list),
                Option(flag: "cgroup-parent", key: "cgroup-parent", kind: .text),
                Option(flag: "default-cgroupns-mode", key: "default-cgroupns-mode", kind: .text),
                Option(flag: "default-ipc-mode", key: "default-ipc-mode", kind: .text),
                Option(flag: "default-shm-size", key: "default-shm-size", kind: .size),
                Option(flag: "default-ulimit", key: "default-ulimits", kind: .ulimits),
                Option(flag: "log-driver", key: "log-driver", kind: .text),
                Option(flag: "log-opt", key: "log-opts", kind: .map),
                Option(flag: "label", key: "labels", kind: .list, isReloadable: true),
                Option(flag: "live-restore", key: "live-restore", kind: .boolean),
                Option(flag: "seccomp-profile", key: "seccomp-profile", kind: .text),
                Option(flag: "no-new-privileges", key: "no-new-privileges", kind: .boolean),
                Option(flag: "init", key: "init", kind: .boolean),
                Option(flag: "dns", key: "dns", kind: .list),
                Option(flag: "dns-opt", key: "dns-opts", kind: .list),
                Option(flag: "dns-search", key: "dns-search", kind: .list),
                Option(flag: "shutdown-timeout", key: "shutdown-timeout", kind: .integer),
                Option(flag: "idle-exit", key: "idle-exit", kind: .text),
            ] + NetworkFlags.options + RegistryFlags.options
    }

    /// Flags of dockerd's that this version does not honour: refused by name rather than ignored.
    private static let absent: Set<String> = [
        "add-runtime", "allow-nondistributable-artifacts", "api-cors-header", "authorization-plugin", "cdi-spec-dir",
        "containerd", "containerd-namespace", "containerd-plugins-namespace", "cpu-rt-period", "cpu-rt-runtime",
        "cri-containerd", "default-runtime", "experimental", "feature",
        "firewall-backend", "init-path", "metrics-addr", "network-control-plane-mtu", "node-generic-resource",
        "oom-score-adjust", "raw-logs", "rootless", "selinux-enabled", "swarm-default-advertise-addr", "tls",
        "tlscacert", "tlscert", "tlskey", "tlsverify", "userland-proxy-path", "userns-remap",
    ]

    /// Parses a command line, without the program's name.
    /// - Throws: `ConfigurationError` with a sentence for stderr.
    package func parse(_ arguments: [String]) throws(ConfigurationError) -> DaemonFlags? {
        do throws(FlagError) {
            let rest = try flags.parse(arguments)
            guard rest.isEmpty else {
                throw FlagError(.arguments, "\"dhowd\" accepts no arguments, but was given \"\(rest[0])\"")
            }
            return self
        } catch {
            switch error.code {
            case .help: return nil
            case .unknownFlag:
                let name = error.message.split(separator: "-", maxSplits: 2).last.map(String.init) ?? ""
                if Self.absent.contains(name) {
                    throw ConfigurationError(
                        "unsupported flag: --\(name): dockerd has it, but this version of dhowd does not honour it")
                }
                throw ConfigurationError("\(error.message)\nSee 'dhowd --help'.")
            default: throw ConfigurationError("\(error.message)\nSee 'dhowd --help'.")
            }
        }
    }

    package func help() -> String {
        "Usage:  dhowd [OPTIONS]\n\nA container engine that answers Docker's clients.\n\nOptions:\n" + flags.help()
    }
}
