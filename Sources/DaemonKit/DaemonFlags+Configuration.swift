import CommandLineKit
import Engine
import EngineAPI

extension DaemonFlags {
    /// What the flags, and the file if it was merged, amount to.
    /// - Throws: `ConfigurationError` for a value that the daemon cannot have.
    package func configuration() throws(ConfigurationError) -> DaemonConfiguration {
        var configuration = DaemonConfiguration()
        configuration.file = configFile.value
        configuration.engine = try engineConfiguration()
        configuration.group = group.value
        configuration.isGroupRequired = group.isSet && !group.value.isEmpty
        configuration.allowsInsecureTCP = allowInsecureTCP.value
        configuration.pidFile = pidFile.value.isEmpty ? execRoot.value + "/dhowd.pid" : pidFile.value
        configuration.hosts = try listenAddresses()
        guard liveRestore.value else {
            throw ConfigurationError("live-restore cannot be switched off: containers never depend on the daemon")
        }
        guard let level = DaemonLog.Level(rawValue: logLevel.value) else {
            throw ConfigurationError(
                "invalid logging level: \(logLevel.value): should be one of debug, info, warn, error, fatal")
        }
        configuration.logLevel = debug.value ? .debug : level
        guard ["text", "json"].contains(logFormat.value) else {
            throw ConfigurationError("invalid log format: \(logFormat.value): should be text or json")
        }
        configuration.logsJSON = logFormat.value == "json"
        guard shutdownTimeout.value >= 0 else {
            throw ConfigurationError("invalid shutdown timeout: \(shutdownTimeout.value): should not be negative")
        }
        configuration.shutdownTimeout = .seconds(shutdownTimeout.value)
        if !idleExit.value.isEmpty {
            if let minutes = Int64(idleExit.value), minutes > 0 {
                // 2^27 minutes are 255 years, the most that nanoseconds in 64 bits hold.
                configuration.idleExit = .seconds(60 * min(minutes, 1 << 27))
            } else if let duration = GoDuration(idleExit.value), duration.nanoseconds > 0 {
                configuration.idleExit = .nanoseconds(duration.nanoseconds)
            } else {
                throw ConfigurationError("invalid idle-exit: \(idleExit.value): should be a time such as 5m")
            }
        }
        return configuration
    }

    private func listenAddresses() throws(ConfigurationError) -> [ListenAddress] {
        var addresses: [ListenAddress] = []
        for text in hosts.value.isEmpty ? ["unix://\(execRoot.value)/docker.sock"] : hosts.value {
            do throws(ListenError) {
                let address = try ListenAddress(text)
                if !addresses.contains(address) { addresses.append(address) }
            } catch {
                throw ConfigurationError(error.message)
            }
        }
        for case .tcp(let host, let port) in addresses where !allowInsecureTCP.value {
            throw ConfigurationError(
                "refusing to listen on tcp://\(host):\(port) without TLS client verification, which this version does "
                    + "not have yet: whoever reaches the port would be root on this machine. Use a unix socket (over "
                    + "ssh from elsewhere), or say --allow-insecure-tcp")
        }
        return addresses
    }

    private func apply(storageOption option: String, to engine: inout EngineConfiguration) throws(ConfigurationError) {
        let parts = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        switch parts.first {
        case "layer.max-bytes" where parts.count == 2:
            do throws(FlagError) { engine.layerByteLimit = try ByteSize.parseBinary(parts[1]) } catch {
                throw ConfigurationError("invalid storage-opt: \(option): \(error.message)")
            }
        case "layer.max-inodes" where parts.count == 2:
            guard let number = Int64(parts[1]), number > 0 else {
                throw ConfigurationError("invalid storage-opt: \(option): want a positive number")
            }
            engine.layerInodeLimit = number
        default:
            throw ConfigurationError(
                "invalid storage-opt: \(option): layer.max-bytes=SIZE and layer.max-inodes=NUMBER are known")
        }
    }

    private func engineConfiguration() throws(ConfigurationError) -> EngineConfiguration {
        var engine = EngineConfiguration()
        for (name, path) in [("data-root", dataRoot.value), ("exec-root", execRoot.value)] where !path.hasPrefix("/") {
            throw ConfigurationError("invalid \(name): \(path): should be an absolute path")
        }
        engine.dataRoot = dataRoot.value
        engine.execRoot = execRoot.value
        engine.storageDriver = storageDriver.value.isEmpty ? nil : storageDriver.value
        engine.cgroupParent = cgroupParent.value.isEmpty ? nil : cgroupParent.value
        for option in storageOptions.value { try apply(storageOption: option, to: &engine) }
        for option in execOptions.value {
            let parts = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, parts[0] == "native.cgroupdriver" else {
                throw ConfigurationError("invalid exec-opt: \(option): only native.cgroupdriver=… is known")
            }
            guard ["systemd", "cgroupfs"].contains(parts[1]) else {
                throw ConfigurationError("invalid native.cgroupdriver: \(parts[1]): use systemd or cgroupfs")
            }
            engine.cgroupDriver = parts[1]
        }
        engine.defaultCgroupnsMode = try choice(defaultCgroupnsMode, ["host", "private"])
        engine.defaultIpcMode = try choice(defaultIpcMode, ["shareable", "private"]) ?? "private"
        guard defaultShmSize.value > 0 else {
            throw ConfigurationError("invalid default-shm-size: should be more than 0")
        }
        engine.defaultShmSize = defaultShmSize.value
        for text in defaultUlimits.value { try addUlimit(text, to: &engine) }
        engine.logDriver = logDriver.value
        engine.logOptions = logOptions.value
        for label in labels.value {
            guard let equals = label.firstIndex(of: "="), equals != label.startIndex else {
                throw ConfigurationError("bad attribute format: \(label): a label is key=value")
            }
            let name = label[..<equals]
            if labels.value.contains(where: { $0 != label && $0.hasPrefix(name + "=") }) {
                throw ConfigurationError("conflict labels for \(name)= : a label can have one value only")
            }
        }
        engine.labels = labels.value
        engine.seccompProfile =
            ["", "builtin"].contains(seccompProfile.value) ? nil : seccompProfile.value
        engine.noNewPrivileges = noNewPrivileges.value
        engine.initByDefault = initByDefault.value
        engine.dns = dns.value
        engine.dnsOptions = dnsOptions.value
        engine.dnsSearch = dnsSearch.value
        engine.debug = debug.value
        engine.registries = try registries.configuration(
            userAgent: "dhow/\(engine.version)", environment: variable)
        engine.network = try network.configuration()
        return engine
    }

    private func choice(_ flag: Flag<String>, _ values: [String]) throws(ConfigurationError) -> String? {
        guard !flag.value.isEmpty else { return nil }
        guard values.contains(flag.value) else {
            throw ConfigurationError(
                "invalid \(flag.name): \(flag.value): should be \(values.joined(separator: " or "))")
        }
        return flag.value
    }

    /// `nofile=1024:2048`, or one number for both.
    private func addUlimit(_ text: String, to engine: inout EngineConfiguration) throws(ConfigurationError) {
        let names = [
            "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio",
            "rttime", "sigpending", "stack",
        ]
        let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
        let values = parts.count == 2 ? parts[1].split(separator: ":", omittingEmptySubsequences: false) : []
        guard let soft = values.first.flatMap({ Int64($0) }), let hard = values.last.flatMap({ Int64($0) }),
            values.count <= 2
        else { throw ConfigurationError("invalid ulimit: \(text): should be name=soft[:hard]") }
        guard names.contains(parts[0]) else { throw ConfigurationError("invalid ulimit type: \(parts[0])") }
        guard hard == -1 || (soft != -1 && soft <= hard) else {
            throw ConfigurationError(
                "ulimit soft limit must be less than or equal to hard limit: \(soft) > \(hard)")
        }
        engine.defaultUlimits[parts[0]] = (soft, hard)
    }
}
