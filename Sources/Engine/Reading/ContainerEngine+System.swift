import EngineModel
import Glibc
import JSON
import Kernel

extension ContainerEngine {
    /// What happened since `since` (as far as remembered), and then what happens, until `until`.
    public func events(
        since: Timestamp?, until: Timestamp?, filters: Filters
    ) throws -> AsyncStream<EventMessage> {
        if let since, let until, until < since {
            throw EngineError.invalid("`since` time (\(since.seconds)) cannot be after `until` time (\(until.seconds))")
        }
        let filter = try EventFilter(filters)
        return events.messages(since: since, until: until) { filter.includes($0) }
    }

    public func version() -> SystemVersion {
        var version = SystemVersion()
        version.platform.name = "Dhow"
        version.version = configuration.version
        version.arch = host.architecture
        version.kernelVersion = host.kernelVersion
        var component = SystemVersion.Component(name: "Engine", version: configuration.version)
        component.details = [
            "ApiVersion": version.apiVersion, "MinAPIVersion": version.minAPIVersion, "Os": "linux",
            "Arch": host.architecture, "KernelVersion": host.kernelVersion, "GitCommit": "", "GoVersion": "",
            "BuildTime": "", "Experimental": "false",
        ]
        version.components = [
            component, .init(name: "dhow-runtime", version: configuration.version, details: ["GitCommit": ""]),
        ]
        return version
    }

    public func info() async throws -> SystemInfo {
        var info = SystemInfo()
        info.id = instanceID
        for container in registry.all {
            info.containers += 1
            switch container.status.phase {
            case .running, .restarting: info.containersRunning += 1
            case .paused: info.containersPaused += 1
            case .created, .removing, .exited, .dead: info.containersStopped += 1
            }
        }
        info.images = try await blocking { try self.storage.images.list().count }
        info.driver = storage.layers.driver.rawValue
        info.driverStatus = [["Backing Filesystem", Self.fileSystemName(configuration.dataRoot)]]
        info.plugins.volume = Self.volumeDrivers
        info.plugins.network = Self.networkDrivers
        info.plugins.log = Self.logDrivers
        info.swarm = swarmInfo
        fillHost(&info)
        info.debug = configuration.debug
        info.nfd = (try? FileDescriptor.currentDirectory.entries(of: "/proc/self/fd").count) ?? 0
        info.nGoroutines = (try? FileDescriptor.currentDirectory.entries(of: "/proc/self/task").count) ?? 0
        info.nEventsListener = events.listenerCount
        info.systemTime = Timestamp.now.description
        info.loggingDriver = configuration.logDriver
        info.cgroupDriver = cgroupDriver.rawValue
        info.cgroupVersion = host.hasCgroupV2 ? "2" : "1"
        info.dockerRootDir = configuration.dataRoot
        info.labels = configuration.labels
        info.serverVersion = configuration.version
        info.runtimes = ["dhow-runtime": ["path": .string(configuration.runtimePath)]]
        info.defaultRuntime = "dhow-runtime"
        info.liveRestoreEnabled = true
        info.initBinary = "docker-init"
        info.registryConfig = registries.configuration.info
        info.securityOptions = securityOptions
        return info
    }

    static let volumeDrivers = ["local"]
    static let networkDrivers = ["bridge", "host", "ipvlan", "macvlan", "null", "overlay"]
    static let logDrivers = ["journald", "json-file", "local", "none", "syslog"]

    private func fillHost(_ info: inout SystemInfo) {
        info.memoryLimit = host.hasMemory
        info.swapLimit = host.hasSwapLimit
        info.cpuCfsPeriod = host.hasCPU
        info.cpuCfsQuota = host.hasCPU
        info.cpuShares = host.hasCPU
        info.cpuSet = host.hasCpuset
        info.pidsLimit = host.hasPids
        info.oomKillDisable = host.hasOOMControl
        info.ipv4Forwarding = host.hasIPv4Forwarding
        info.kernelVersion = host.kernelVersion
        info.operatingSystem = host.operatingSystem
        info.osVersion = host.osVersion
        info.architecture = host.machine
        info.ncpu = host.cpuCount
        info.memTotal = host.memory
        info.name = host.hostname
        let proxies = registries.configuration.proxies
        info.httpProxy = proxies.withoutPassword.httpProxy
        info.httpsProxy = proxies.withoutPassword.httpsProxy
        info.noProxy = proxies.noProxy
        var warnings: [String] = []
        if !host.hasMemory { warnings.append("WARNING: No memory limit support") }
        if !host.hasSwapLimit { warnings.append("WARNING: No swap limit support") }
        if !host.hasCPU { warnings.append("WARNING: No cpu cfs quota support") }
        if !host.hasCpuset { warnings.append("WARNING: No cpuset support") }
        if !host.hasPids { warnings.append("WARNING: No pids limit support") }
        info.warnings = warnings.isEmpty ? nil : warnings
    }

    private var securityOptions: [String] {
        var options: [String] = []
        if host.hasAppArmor { options.append("name=apparmor") }
        if host.hasSeccomp {
            let profile = configuration.seccompProfile.flatMap { $0.isEmpty ? nil : $0 } ?? "builtin"
            options.append("name=seccomp,profile=\(profile)")
        }
        if host.hasCgroupV2 || configuration.defaultCgroupnsMode == "private" { options.append("name=cgroupns") }
        if configuration.noNewPrivileges { options.append("name=no-new-privileges") }
        return options
    }

    private static func fileSystemName(_ path: String) -> String {
        switch (try? FileSystemStatus(of: path))?.magic {
        case FileSystemStatus.extMagic?: "extfs"
        case FileSystemStatus.xfsMagic?: "xfs"
        case FileSystemStatus.btrfsMagic?: "btrfs"
        case FileSystemStatus.tmpfsMagic?: "tmpfs"
        case FileSystemStatus.overlayMagic?: "overlayfs"
        default: "<unknown>"
        }
    }
}
