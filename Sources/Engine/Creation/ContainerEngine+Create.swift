import EngineModel
import JSON
import Kernel
import OCI
import Storage

extension ContainerEngine {
    /// Makes a container, which does not run yet.
    /// - Parameters:
    ///   - name: with or without a leading slash; empty makes one up.
    ///   - platform: as in `linux/arm64`; empty takes the host's.
    public func createContainer(
        _ request: ContainerCreateRequest, name: String, platform: String
    ) async throws -> ContainerCreateResponse {
        try await blocking { try self.create(request, name: name, platform: platform) }
    }

    private func create(
        _ request: ContainerCreateRequest, name: String, platform: String
    ) throws -> ContainerCreateResponse {
        var request = request
        var host = request.hostConfig ?? HostConfig()
        let wantedName = name.hasPrefix("/") ? String(name.dropFirst()) : name
        if !wantedName.isEmpty, !Names.isValid(wantedName) {
            throw EngineError.invalid(
                "Invalid container name (\(wantedName)), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
        }
        let exposed = request.config.exposedPorts ?? [:]
        let image = try findImage(request.config.image, platform: platform)
        if platform.isEmpty { try image.requireRunnable() }
        if let json = image.config.config?.json { request.config.inherit(try ContainerConfig(json: json)) }
        if request.config.entrypoint?.isEmpty ?? true, request.config.cmd?.isEmpty ?? true {
            throw EngineError.invalid("no command specified")
        }
        // No limit, in whatever number.
        if let limit = host.resources.pidsLimit, limit <= 0 { host.resources.pidsLimit = nil }
        try ContainerValidation.check(&request.config)
        try ContainerValidation.check(host)
        try checkConflicts(request.config, host, exposed: !exposed.isEmpty)
        var warnings = try ResourceValidation.check(&host.resources, on: self.host, isUpdate: false)
        try complete(&host)
        request.hostConfig = host
        try checkSecurity(host)
        warnings += networkWarnings(host)

        var record = ContainerRecord()
        record.id = Names.newID()
        record.created = Timestamp.now.nanosecondsSince1970
        record.imageID = image.id.description
        record.chainID = image.chainID?.description ?? ""
        record.driver = storage.layers.driver.rawValue
        record.mounts = try MountPlan(request) { name throws(EngineError) in try findOther(name).record }.mounts
        complete(&request.config, record.id, host)
        record.config = request.config
        record.hostConfig = host
        record.networkingConfig = request.networkingConfig
        try EndpointRequests.complete(&record)
        _ = try PortPlan(record.config, record.hostConfig)
        record.name = try reserveName(wantedName, for: record.id)
        do {
            let container = try build(&record, on: image.chainID)
            post(container, "create")
        } catch {
            registry.release(record.name, of: record.id)
            throw error
        }
        return ContainerCreateResponse(id: record.id, warnings: warnings)
    }

    /// A container that another's request names. Not "not found" when it is missing: clients take that for the image.
    private func findOther(_ name: String) throws(EngineError) -> Container {
        do throws(EngineError) { return try registry.find(name) } catch { throw .invalid(error.message) }
    }

    /// The image that a create or commit names.
    func findImage(_ name: String, platform: String) throws -> Image {
        guard !name.isEmpty else { throw EngineError.invalid("invalid reference format: no image is named") }
        do throws(StorageError) {
            return try storage.images.resolve(name, platform: try self.platform(platform))
        } catch {
            guard error.code == .notFound else { throw EngineError(wrapping: error) }
            let shown = (try? ImageReference(name))?.withDefaultTag.familiarName ?? name
            throw EngineError(.notFound, "No such image: \(shown)")
        }
    }

    func platform(_ text: String) throws(StorageError) -> Platform? {
        if text.isEmpty { return nil }
        do throws(OCIError) { return try Platform(text) } catch {
            throw StorageError(.invalidInput, "\"\(text)\" is no platform, as in linux/amd64: \(error)")
        }
    }

    // MARK: Checks

    /// - Parameter exposed: whether the request itself, rather than the image, exposes ports.
    private func checkConflicts(
        _ config: ContainerConfig, _ host: HostConfig, exposed: Bool
    ) throws(EngineError) {
        if host.utsMode == "host", !config.hostname.isEmpty {
            throw .invalid("conflicting options: hostname and the UTS mode")
        }
        if ContainerReference(host.networkMode) != nil {
            if !config.hostname.isEmpty { throw .invalid("conflicting options: hostname and the network mode") }
            if !(host.portBindings?.isEmpty ?? true) || host.publishAllPorts {
                throw .invalid("conflicting options: port publishing and the container type network mode")
            }
            if exposed { throw .invalid("conflicting options: port exposing and the container type network mode") }
            if !(host.links?.isEmpty ?? true) {
                throw .invalid(
                    "conflicting options: container type network can't be used with links. This would result in undefined "
                        + "behavior")
            }
            if !(host.dns?.isEmpty ?? true) { throw .invalid("conflicting options: dns and the network mode") }
            if !(host.extraHosts?.isEmpty ?? true) {
                throw .invalid("conflicting options: custom host-to-IP mapping and the network mode")
            }
        }
        if cgroupDriver == .systemd, !host.resources.cgroupParent.isEmpty,
            !host.resources.cgroupParent.hasSuffix(".slice") || host.resources.cgroupParent.count <= 6
        {
            throw .invalid("cgroup-parent for systemd cgroup should be a valid slice named as \"xxx.slice\"")
        }
        if host.resources.cgroupParent.splitBytes("/").contains("..") {
            throw .invalid("invalid cgroup parent \"\(host.resources.cgroupParent)\": it must not contain \"..\"")
        }
    }

    // Whatever cannot work is refused now rather than at the start.
    private func checkSecurity(_ host: HostConfig) throws(EngineError) {
        let options = try SecurityOptions(host.securityOpt ?? [])
        if let text = options.seccomp, text != "unconfined", text != "builtin" { _ = try SeccompProfile(parsing: text) }
        _ = try Capabilities.resolve(
            add: host.capAdd ?? [], drop: host.capDrop ?? [], isPrivileged: host.privileged)
        for rule in host.resources.deviceCgroupRules ?? [] { _ = try SpecificationInputs.deviceRule(rule) }
        try LogOptionsCheck.check(host.logConfig)
        for name in (host.sysctls ?? [:]).keys where name.isEmpty || name.contains("..") {
            throw .invalid("sysctl \"\(name)\" is not valid")
        }
    }

    private func networkWarnings(_ host: HostConfig) -> [String] {
        if host.networkMode == "host", !(host.portBindings?.isEmpty ?? true) {
            return ["Published ports are discarded when using host network mode"]
        }
        return []
    }

    // MARK: Defaults

    private func complete(_ host: inout HostConfig) throws(EngineError) {
        host.networkMode = try network(host.networkMode)
        for path in [\HostConfig.networkMode, \HostConfig.pidMode, \HostConfig.ipcMode] {
            guard let other = ContainerReference(host[keyPath: path]) else { continue }
            host[keyPath: path] = "container:\(try findOther(other.name).id)"
        }
        if host.ipcMode.isEmpty { host.ipcMode = configuration.defaultIpcMode }
        if host.cgroupnsMode.isEmpty {
            // With private v1 cgroups there is no way to see them whole; Docker keeps the host's there, and for
            // privileged containers on v1.
            host.cgroupnsMode = configuration.defaultCgroupnsMode ?? (self.host.hasCgroupV2 ? "private" : "host")
        }
        if host.restartPolicy.name.isEmpty { host.restartPolicy.name = "no" }
        if host.runtime.isEmpty { host.runtime = "dhow-runtime" }
        if host.shmSize == 0 { host.shmSize = configuration.defaultShmSize }
        if host.logConfig.type.isEmpty {
            host.logConfig.type = configuration.logDriver
            if host.logConfig.config?.isEmpty ?? true { host.logConfig.config = configuration.logOptions }
        }
        if host.logConfig.config == nil { host.logConfig.config = [:] }
        if host.resources.memory > 0, host.resources.memorySwap == 0, self.host.hasSwapLimit {
            host.resources.memorySwap = host.resources.memory * 2
        }
        if host.resources.oomKillDisable == nil, self.host.hasOOMControl { host.resources.oomKillDisable = false }
        // The kernel's bounds, which older kernels enforced silently.
        if host.resources.cpuShares > 0 { host.resources.cpuShares = min(max(2, host.resources.cpuShares), 262_144) }
        if host.privileged {
            host.maskedPaths = nil
            host.readonlyPaths = nil
        } else {
            if host.maskedPaths == nil { host.maskedPaths = Self.maskedPaths }
            if host.readonlyPaths == nil { host.readonlyPaths = SpecificationInputs.readonlyPaths }
        }
        if host.privileged || host.pidMode == "host" || host.ipcMode == "host",
            !(host.securityOpt ?? []).contains(where: { $0.hasPrefix("label") })
        {
            host.securityOpt = (host.securityOpt ?? []) + ["label=disable"]
        }
    }

    /// The paths of `SpecificationInputs.maskedPaths`, and what tells of each processor's throttling, where it is.
    private static let maskedPaths: [String] = {
        let possible = HostFiles.line("/sys/devices/system/cpu/possible") ?? "0"
        let processors = (ResourceValidation.numbers(possible) ?? []).sorted()
        return SpecificationInputs.maskedPaths
            + processors.map { "/sys/devices/system/cpu/cpu\($0)/thermal_throttle" }.filter(HostFiles.exists)
    }()

    /// What network a container gets that asks for `mode`.
    func network(_ mode: String) throws(EngineError) -> String {
        var mode = mode
        if mode.isEmpty || mode == "default" {
            mode = configuration.network.bridge == "none" ? "none" : configuration.defaultNetwork
        }
        if let other = ContainerReference(mode) {
            guard !other.name.isEmpty else { throw .invalid("invalid network mode: \(mode)") }
            return mode
        }
        // Whether there is such a network is asked when it is needed: at the start.
        return mode
    }

    private func complete(_ config: inout ContainerConfig, _ id: String, _ host: HostConfig) {
        if config.hostname.isEmpty {
            if host.networkMode == "host" || host.utsMode == "host" {
                config.hostname = self.host.hostname
            } else if let other = ContainerReference(host.networkMode),
                let container = registry.container(id: other.name)
            {
                config.hostname = container.record.config.hostname
            } else {
                config.hostname = Names.short(id)
            }
        }
        if config.labels == nil { config.labels = [:] }
    }

    private func reserveName(_ wanted: String, for id: String) throws(EngineError) -> String {
        if !wanted.isEmpty {
            if let owner = registry.reserve(wanted, for: id) { throw ContainerRegistry.nameInUse(wanted, by: owner) }
            return wanted
        }
        for attempt in 0..<6 {
            let name = Names.random(attempt: attempt)
            if registry.reserve(name, for: id) == nil { return name }
        }
        let name = Names.short(id)
        if let owner = registry.reserve(name, for: id) { throw ContainerRegistry.nameInUse(name, by: owner) }
        return name
    }

    // MARK: Making

    /// Makes what the record names, and then the row: after a failure nothing is left, after a kill only what the
    /// next start sweeps.
    private func build(_ record: inout ContainerRecord, on chain: Digest?) throws -> Container {
        let id = record.id
        let hasAnonymousVolumes = record.mounts.contains(where: \.isAnonymous)
        var made: [String] = []
        do {
            if hasAnonymousVolumes { try store.beginCreation(id, at: record.created) }
            try mark(try storage.containers.create(id, on: chain))
            try makeVolumes(&record, &made)
            let container = Container(record, ContainerStatus())
            try store.insert(record, ContainerStatus())
            registry.insert(container)
            return container
        } catch {
            try? storage.containers.remove(id)
            for name in made { try? storage.volumes.remove(name, force: true) }
            if hasAnonymousVolumes { try? store.abandonCreation(id) }
            throw error
        }
    }

    /// Programs find out by this file that they run in one of Docker's containers.
    private func mark(_ root: ContainerRoot) throws {
        let directory =
            switch root {
            case .overlay(let overlay): overlay.upperDirectory
            case .directory(let path): path
            }
        _ = try FileDescriptor.open(directory + "/.dockerenv", [.writeOnly, .create, .noFollow], mode: 0o755)
    }

    private func makeVolumes(_ record: inout ContainerRecord, _ made: inout [String]) throws {
        var tree: FileTree?
        for place in record.mounts.indices where record.mounts[place].kind == .volume {
            let mount = record.mounts[place]
            if !mount.takenFrom.isEmpty { continue }
            let options = (record.hostConfig.mounts ?? []).first { $0.target == mount.destination }?.volumeOptions
            let isKnown = !mount.name.isEmpty && (try? storage.volumes.volume(mount.name)) != nil
            let volume: Storage.Volume
            do throws(StorageError) {
                volume = try storage.volumes.create(
                    mount.name.isEmpty ? nil : mount.name, driver: mount.driver.isEmpty ? "local" : mount.driver,
                    labels: (options?.labels ?? [:]).merging(
                        mount.isAnonymous ? ["com.docker.volume.anonymous": ""] : [:]
                    ) { own, _ in own },
                    options: options?.driverConfig?.options ?? [:])
            } catch {
                throw EngineError(wrapping: error)
            }
            if !isKnown {
                made.append(volume.name)
                events.post(type: "volume", action: "create", id: volume.name, attributes: ["driver": volume.driver])
            }
            record.mounts[place].name = volume.name
            record.mounts[place].driver = volume.driver
            record.mounts[place].source = volume.mountpoint
            guard case .directory = volume.source, !mount.noCopy, mount.subpath.isEmpty else { continue }
            if tree == nil { tree = FileTree(root: try storage.containers.mergedTree(of: record.id)) }
            if let tree { try storage.volumes.copyUp(volume.name, from: tree, path: mount.destination) }
        }
    }
}

/// Docker's checks of `--log-driver` and `--log-opt`.
enum LogOptionsCheck {
    private static let common: Set<String> = ["mode", "max-buffer-size"]
    private static let attributes: Set<String> = ["labels", "labels-regex", "env", "env-regex", "tag"]
    private static let known: [String: Set<String>] = [
        "none": [],
        "json-file": attributes.union(["max-file", "max-size", "compress"]),
        "local": ["max-file", "max-size", "compress"],
        "journald": attributes,
        "syslog": attributes.union([
            "syslog-address", "syslog-facility", "syslog-format", "syslog-tls-ca-cert", "syslog-tls-cert",
            "syslog-tls-key", "syslog-tls-skip-verify",
        ]),
    ]

    static func check(_ log: LogConfig) throws(EngineError) {
        guard let options = known[log.type] else {
            throw .invalid("logger: no log driver named '\(log.type)' is registered")
        }
        for (name, value) in (log.config ?? [:]).sorted(by: { $0.key < $1.key }) {
            guard common.contains(name) || options.contains(name) else {
                throw .invalid("unknown log opt '\(name)' for \(log.type) log driver")
            }
            switch name {
            case "max-size":
                guard let size = ByteCount.parse(value), size > 0 || value == "-1" else {
                    throw .invalid("invalid value for max-size: \(value)")
                }
            case "max-file":
                guard let count = Int(value), count >= 1 else {
                    throw .invalid("max-file cannot be less than 1")
                }
            case "compress":
                guard ["true", "false", "1", "0", "t", "f"].contains(value.lowercased()) else {
                    throw .invalid("invalid value for compress: \(value)")
                }
            case "mode":
                guard ["blocking", "non-blocking", ""].contains(value) else {
                    throw .invalid("logger: logging mode not supported: \(value)")
                }
            default: break
            }
        }
    }
}

/// Sizes such as `10m`, in powers of 1024.
enum ByteCount {
    static func parse(_ text: String) -> Int64? {
        var text = text.lowercased()[...]
        if text == "-1" { return -1 }
        if text.hasSuffix("ib") { text = text.dropLast(2) } else if text.hasSuffix("b") { text = text.dropLast() }
        var factor: Double = 1
        if let last = text.last, let power = Array("kmgtp").firstIndex(of: last) {
            for _ in 0...power { factor *= 1024 }
            text = text.dropLast()
        }
        guard let value = Double(text), value >= 0, value * factor < 9e18 else { return nil }
        return Int64(value * factor)
    }
}
