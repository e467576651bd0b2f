import CommandLineKit
import EngineModel
import JSON

/// The request that a set of flags asks for, checked as Docker's client checks it.
package struct CreateRequest {
    package var request = ContainerCreateRequest()

    var config: ContainerConfig { request.config }

    /// - Parameters:
    ///   - arguments: the image, and the command if there is one.
    ///   - variables: added to the environment unless the flags set them.
    /// - Throws: `CommandLineError` with what is wrong.
    package init(_ flags: CreateFlags, arguments: [String], variables: [String: String] = [:]) throws(CommandLineError)
    {
        do throws(FlagError) {
            let (config, host) = try Self.build(flags, arguments: arguments, variables: variables)
            request.config = config
            request.hostConfig = host
        } catch {
            throw CommandLineError(error.message)
        }
        try Self.addPorts(flags, to: &request)
        request.networkingConfig = try Self.networks(flags)
    }

    private static func build(
        _ flags: CreateFlags, arguments: [String], variables: [String: String]
    ) throws(FlagError) -> (ContainerConfig, HostConfig) {
        var config = ContainerConfig()
        var host = HostConfig()
        if flags.macAddress.isSet, !MACAddress.isValid(flags.macAddress.value.trimmed) {
            throw .invalid("\(flags.macAddress.value) is not a valid mac address")
        }
        let swappiness = flags.memorySwappiness.value
        guard swappiness == -1 || (0...100).contains(swappiness) else {
            throw .invalid("invalid value: \(swappiness). Valid memory swappiness range is 0-100")
        }
        try addProcess(flags, arguments, variables, to: &config)
        try addVolumes(flags, to: &config, &host)
        try addModes(flags, to: &host)
        try addSecurity(flags, to: &host)
        host.resources = try resources(flags)
        config.healthcheck = try healthcheck(flags)
        try addLife(flags, to: &host)
        host.dns = flags.dns.value
        host.dnsOptions = flags.dnsOption.value
        host.dnsSearch = flags.dnsSearch.value
        host.extraHosts = flags.addHost.value.isEmpty ? nil : flags.addHost.value
        host.links = flags.link.value.isEmpty ? nil : flags.link.value
        host.publishAllPorts = flags.publishAll.value
        return (config, host)
    }

    private static func optional(_ list: [String]) -> [String]? { list.isEmpty ? nil : list }

    private static func addProcess(
        _ flags: CreateFlags, _ arguments: [String], _ variables: [String: String], to config: inout ContainerConfig
    ) throws(FlagError) {
        config.image = arguments.first ?? ""
        config.cmd = arguments.count > 1 ? Array(arguments.dropFirst()) : nil
        config.hostname = flags.hostname.value
        config.domainname = flags.domainname.value
        config.user = flags.user.value
        config.workingDir = flags.workdir.value
        if flags.entrypoint.isSet { config.entrypoint = [flags.entrypoint.value] }
        config.tty = flags.tty.value
        config.openStdin = flags.interactive.value
        let streams = flags.attach.value
        config.attachStdin = streams.contains("stdin") || flags.interactive.value
        config.attachStdout = streams.isEmpty || streams.contains("stdout")
        config.attachStderr = streams.isEmpty || streams.contains("stderr")
        // Whoever attaches brings the input; when that client goes, the process sees the end.
        config.stdinOnce = config.openStdin && config.attachStdin
        var environment: [String] = []
        for path in flags.envFile.value { environment += try OptionText.file(path, inherits: true) }
        // The last of a name wins, at the place of the first.
        var places: [String: Int] = [:]
        var own: [String] = []
        for text in flags.env.value {
            let name = String(text.prefix { $0 != "=" })
            if let place = places[name] {
                own[place] = text
            } else {
                places[name] = own.count
                own.append(text)
            }
        }
        for (name, value) in variables.sorted(by: { $0.key < $1.key }) where places[name] == nil {
            own.append("\(name)=\(value)")
        }
        config.env = optional(environment + own)
        var labels: [String] = []
        for path in flags.labelFile.value { labels += try OptionText.file(path, inherits: false) }
        labels += flags.label.value
        if let nameless = labels.first(where: { $0.hasPrefix("=") }) {
            throw .invalid("invalid label '\(nameless)': empty name")
        }
        config.labels = OptionText.pairs(labels)
        config.stopSignal = flags.stopSignal.value
        if flags.stopTimeout.isSet { config.stopTimeout = Int(flags.stopTimeout.value) }
    }

    private static func addVolumes(
        _ flags: CreateFlags, to config: inout ContainerConfig, _ host: inout HostConfig
    ) throws(FlagError) {
        var volumes: [String: JSONObject] = [:]
        var binds: [String] = []
        for text in flags.volume.value {
            let volume = try VolumeOption(text)
            if let bind = volume.bind { binds.append(bind) } else { volumes[volume.target] = JSONObject() }
        }
        config.volumes = volumes
        host.binds = optional(binds)
        host.volumesFrom = optional(flags.volumesFrom.value)
        host.volumeDriver = flags.volumeDriver.value
        if !flags.tmpfs.value.isEmpty {
            var tmpfs: [String: String] = [:]
            for text in flags.tmpfs.value {
                let (path, options) = OptionText.cut(text, ":") ?? (text, "")
                tmpfs[path] = options
            }
            host.tmpfs = tmpfs
        }
        if !flags.mount.value.isEmpty { host.mounts = flags.mount.value.map(\.mount) }
        host.readonlyRootfs = flags.readOnly.value
        if !flags.storageOpt.value.isEmpty {
            var options: [String: String] = [:]
            for text in flags.storageOpt.value {
                guard let (name, value) = OptionText.cut(text, "=") else { throw .invalid("invalid storage option") }
                options[name] = value
            }
            host.storageOpt = options
        }
        host.shmSize = flags.shmSize.value
    }

    private static func addModes(_ flags: CreateFlags, to host: inout HostConfig) throws(FlagError) {
        let pid = flags.pid.value
        guard pid.isEmpty || pid == "host" || (pid.hasPrefix("container:") && pid.count > 10) else {
            throw .invalid("--pid: invalid PID mode")
        }
        guard ["", "host"].contains(flags.uts.value) else { throw .invalid("--uts: invalid UTS mode") }
        guard ["", "host"].contains(flags.userns.value) else { throw .invalid("--userns: invalid USER mode") }
        guard ["", "host", "private"].contains(flags.cgroupns.value) else {
            throw .invalid("--cgroupns: invalid CGROUP mode")
        }
        host.pidMode = pid
        host.utsMode = flags.uts.value
        host.usernsMode = flags.userns.value
        host.cgroupnsMode = flags.cgroupns.value
        host.ipcMode = flags.ipc.value
        host.isolation = flags.isolation.value
        host.runtime = flags.runtime.value
        // The host's name with the host's network is the daemon's to refuse.
        host.networkMode = flags.network.value.first?.target ?? "default"
    }

    private static func addSecurity(_ flags: CreateFlags, to host: inout HostConfig) throws(FlagError) {
        host.privileged = flags.privileged.value
        host.capAdd = optional(OptionText.capabilities(flags.capAdd.value))
        host.capDrop = optional(OptionText.capabilities(flags.capDrop.value))
        host.groupAdd = optional(flags.groupAdd.value)
        host.sysctls = flags.sysctl.value.isEmpty ? nil : flags.sysctl.value
        if flags.useInit.isSet { host.`init` = flags.useInit.value }
        var options: [String] = []
        for text in flags.securityOpt.value {
            if text == "systempaths=unconfined" {
                host.maskedPaths = []
                host.readonlyPaths = []
                continue
            }
            options.append(try securityOption(text))
        }
        host.securityOpt = optional(options)
    }

    /// Reads the seccomp profile that an option names, because the file is the client's.
    private static func securityOption(_ text: String) throws(FlagError) -> String {
        let flag = "no-new-privileges"
        if text == flag { return text }
        guard let (name, value) = OptionText.cut(text, "=") ?? OptionText.cut(text, ":"), !value.isEmpty || name == flag
        else { throw .invalid("Invalid --security-opt: \(goQuoted(text))") }
        guard name == "seccomp", value != "unconfined", value != "builtin" else { return text }
        guard let bytes = File.read(value) else {
            throw .invalid(
                "opening seccomp profile (\(value)) failed: open \(value): \(File.lastError().lowercased())")
        }
        do throws(JSONError) {
            return "seccomp=" + (try JSONValue(parsing: bytes)).serialized()
        } catch {
            throw .invalid("compacting json for seccomp profile (\(value)) failed: \(error)")
        }
    }

    private static func resources(_ flags: CreateFlags) throws(FlagError) -> Resources {
        var resources = Resources()
        resources.cgroupParent = flags.cgroupParent.value
        resources.memory = flags.memory.value
        resources.memoryReservation = flags.memoryReservation.value
        resources.memorySwap = flags.memorySwap.value
        resources.memorySwappiness = flags.memorySwappiness.value
        resources.kernelMemory = flags.kernelMemory.value
        resources.oomKillDisable = flags.oomKillDisable.value
        resources.nanoCpus = flags.nanoCPUs.value
        resources.cpuCount = flags.cpuCount.value
        resources.cpuPercent = flags.cpuPercent.value
        resources.cpuShares = flags.cpuShares.value
        resources.cpuPeriod = flags.cpuPeriod.value
        resources.cpuQuota = flags.cpuQuota.value
        resources.cpuRealtimePeriod = flags.cpuRealtimePeriod.value
        resources.cpuRealtimeRuntime = flags.cpuRealtimeRuntime.value
        resources.cpusetCpus = flags.cpusetCPUs.value
        resources.cpusetMems = flags.cpusetMems.value
        resources.pidsLimit = flags.pidsLimit.value
        resources.blkioWeight = UInt16(truncatingIfNeeded: flags.blkioWeight.value)
        resources.blkioWeightDevice = flags.blkioWeightDevice.value.map {
            WeightDevice(path: $0.path, weight: UInt16(truncatingIfNeeded: $0.rate))
        }
        func rates(_ flag: Flag<[DeviceRate]>) -> [ThrottleDevice] {
            flag.value.map { ThrottleDevice(path: $0.path, rate: $0.rate) }
        }
        resources.blkioDeviceReadBps = rates(flags.deviceReadBps)
        resources.blkioDeviceWriteBps = rates(flags.deviceWriteBps)
        resources.blkioDeviceReadIOps = rates(flags.deviceReadIOps)
        resources.blkioDeviceWriteIOps = rates(flags.deviceWriteIOps)
        resources.ioMaximumIOps = flags.ioMaxIOps.value
        resources.ioMaximumBandwidth = UInt64(flags.ioMaxBandwidth.value)
        resources.ulimits = flags.ulimit.value.sorted { $0.name < $1.name }
            .map { Ulimit(name: $0.name, soft: $0.soft, hard: $0.hard) }
        resources.deviceCgroupRules = optional(flags.deviceCgroupRule.value)
        var devices: [DeviceMapping] = []
        var named: [String] = []
        for text in flags.device.value {
            if DeviceOption.isCDIName(text) {
                named.append(text)
            } else {
                devices.append(try DeviceOption.mapping(text))
            }
        }
        resources.devices = devices
        var requests = flags.gpus.value.map(\.request)
        if !named.isEmpty {
            var request = DeviceRequest()
            request.driver = "cdi"
            request.deviceIDs = named
            requests.append(request)
        }
        resources.deviceRequests = requests.isEmpty ? nil : requests
        return resources
    }

    private static func healthcheck(_ flags: CreateFlags) throws(FlagError) -> HealthConfig? {
        let isAsked =
            !flags.healthCmd.value.isEmpty || flags.healthInterval.value != .zero || flags.healthTimeout.value != .zero
            || flags.healthStartPeriod.value != .zero || flags.healthRetries.value != 0
            || flags.healthStartInterval.value != .zero
        var config = HealthConfig()
        if flags.noHealthcheck.value {
            if isAsked { throw .invalid("--no-healthcheck conflicts with --health-* options") }
            config.test = ["NONE"]
            return config
        }
        guard isAsked else { return nil }
        for (flag, name) in [
            (flags.healthInterval, "--health-interval"), (flags.healthTimeout, "--health-timeout"),
            (flags.healthStartPeriod, "--health-start-period"), (flags.healthStartInterval, "--health-start-interval"),
        ] where flag.value < .zero { throw .invalid("\(name) cannot be negative") }
        if flags.healthRetries.value < 0 { throw .invalid("--health-retries cannot be negative") }
        if !flags.healthCmd.value.isEmpty { config.test = ["CMD-SHELL", flags.healthCmd.value] }
        config.interval = flags.healthInterval.value.nanoseconds
        config.timeout = flags.healthTimeout.value.nanoseconds
        config.startPeriod = flags.healthStartPeriod.value.nanoseconds
        config.startInterval = flags.healthStartInterval.value.nanoseconds
        config.retries = Int(flags.healthRetries.value)
        return config
    }

    private static func addLife(_ flags: CreateFlags, to host: inout HostConfig) throws(FlagError) {
        host.restartPolicy = try OptionText.restartPolicy(flags.restart.value)
        host.autoRemove = flags.remove.value
        if host.autoRemove, !["", "no"].contains(host.restartPolicy.name) {
            throw .invalid("conflicting options: cannot specify both --restart and --rm")
        }
        host.containerIDFile = flags.cidfile.value
        host.oomScoreAdj = Int(flags.oomScoreAdj.value)
        if !flags.annotation.value.isEmpty { host.annotations = flags.annotation.value }
        let options = OptionText.pairs(flags.logOpt.value)
        if flags.logDriver.value == "none", !options.isEmpty {
            throw .invalid("invalid logging opts for driver \(flags.logDriver.value)")
        }
        host.logConfig = LogConfig(type: flags.logDriver.value, config: options)
    }

    private static func addPorts(
        _ flags: CreateFlags, to request: inout ContainerCreateRequest
    ) throws(CommandLineError) {
        var ports = PortOptions()
        for text in flags.publish.value { try ports.publish(text) }
        for text in flags.expose.value { try ports.expose(text) }
        request.hostConfig?.portBindings = ports.bindings
        if !ports.exposed.isEmpty {
            request.config.exposedPorts = Dictionary(uniqueKeysWithValues: ports.exposed.map { ($0, JSONObject()) })
        }
    }

    private static func networks(_ flags: CreateFlags) throws(CommandLineError) -> NetworkingConfig {
        var options = flags.network.value
        if options.isEmpty { options = [NetworkOption(target: "default")] }
        var endpoints: [String: EndpointSettings?] = [:]
        for position in options.indices {
            if position == 0 { try apply(flags, to: &options[0]) }
            let option = options[position]
            guard endpoints[option.target] == nil else {
                throw CommandLineError("network \(goQuoted(option.target)) is specified multiple times")
            }
            let endpoint = try option.endpoint()
            // One of the daemon's own networks, with nothing to say about it, is named by the mode alone.
            if flags.network.isSet, !option.isUserDefined, endpoint == EndpointSettings() { continue }
            endpoints[option.target] = endpoint
        }
        if options.contains(where: \.isUserDefined), !options.allSatisfy(\.isUserDefined) {
            throw CommandLineError(
                "conflicting options: cannot attach both user-defined and non-user-defined network-modes")
        }
        var config = NetworkingConfig()
        config.endpointsConfig = endpoints
        return config
    }

    /// The flags that speak of the network without naming one belong to the first.
    private static func apply(_ flags: CreateFlags, to option: inout NetworkOption) throws(CommandLineError) {
        func conflict(_ flag: String, _ what: String) -> CommandLineError {
            CommandLineError("conflicting options: cannot specify both --\(flag) and per-network \(what)")
        }
        if !flags.networkAlias.value.isEmpty {
            if !option.aliases.isEmpty { throw conflict("network-alias", "alias") }
            option.aliases = flags.networkAlias.value
        }
        if option.isUserDefined { option.links = flags.link.value }
        if !flags.ip.value.isEmpty {
            if !option.ipv4.isEmpty { throw conflict("ip", "IPv4 address") }
            option.ipv4 = flags.ip.value
        }
        if !flags.ip6.value.isEmpty {
            if !option.ipv6.isEmpty { throw conflict("ip6", "IPv6 address") }
            option.ipv6 = flags.ip6.value
        }
        if !flags.macAddress.value.isEmpty {
            if !option.macAddress.isEmpty { throw conflict("mac-address", "MAC address") }
            option.macAddress = flags.macAddress.value.trimmed
        }
        if !flags.linkLocalIP.value.isEmpty {
            if !option.linkLocal.isEmpty { throw conflict("link-local-ip", "link-local IP addresses") }
            option.linkLocal = flags.linkLocalIP.value
        }
    }
}
