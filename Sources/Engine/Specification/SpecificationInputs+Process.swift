import EngineModel
import OCI

extension SpecificationInputs {
    /// The whole specification.
    /// - Throws: `EngineError.invalidParameter` when a device, profile or option is none.
    package func makeSpecification() throws(EngineError) -> RuntimeSpec {
        var specification = RuntimeSpec()
        specification.ociVersion = "1.2.0"
        specification.process = try makeProcess()
        // The monitor mounts the root file system; this is only a name.
        specification.root = Root(path: "rootfs", readonly: hostConfig.readonlyRootfs ? true : nil)
        if hostConfig.utsMode != "host" {
            specification.hostname = hostname
            if !config.domainname.isEmpty { specification.domainname = config.domainname }
        }
        let (mounts, propagation) = try makeMounts()
        specification.mounts = mounts
        specification.annotations = hostConfig.annotations
        specification.linux = try makeLinux()
        specification.linux?.rootfsPropagation = propagation
        return specification
    }

    /// The process of an exec, whose own environment comes after the container's.
    package func makeProcess(environment: [String]) throws(EngineError) -> Process {
        var process = try makeProcess()
        process.consoleSize = nil
        process.env = Environment.merge(process.env ?? [], environment)
        return process
    }

    private func makeProcess() throws(EngineError) -> Process {
        var process = Process()
        if config.tty {
            process.terminal = true
            let size = hostConfig.consoleSize
            if size.count == 2, size[0] > 0, size[1] > 0 {
                process.consoleSize = Box(height: UInt32(clamping: size[0]), width: UInt32(clamping: size[1]))
            }
        }
        process.user = User(uid: user.userID, gid: user.groupID)
        process.user.additionalGids = user.additionalGroupIDs
        process.args = (initPath.map { [$0, "--"] } ?? []) + record.command
        process.env = environment
        process.cwd = config.workingDir.isEmpty ? "/" : config.workingDir
        process.capabilities = try processCapabilities(isPrivileged: false)
        process.rlimits = rlimits
        let noNewPrivileges =
            security.noNewPrivileges ?? (hostConfig.privileged ? false : configuration.noNewPrivileges)
        if noNewPrivileges { process.noNewPrivileges = true }
        process.apparmorProfile = appArmorProfile
        process.oomScoreAdj = hostConfig.oomScoreAdj
        return process
    }

    /// Docker's sets: root has its capabilities effective; others have them only within bounds, for programs that are
    /// set-user-ID.
    package func processCapabilities(isPrivileged: Bool) throws(EngineError) -> LinuxCapabilities {
        let names = isPrivileged ? Capabilities.available : try capabilities
        var sets = LinuxCapabilities()
        sets.bounding = names
        if user.userID == 0 {
            sets.effective = names
            sets.permitted = names
        }
        return sets
    }

    package static let standardPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    private var environment: [String] {
        var defaults = [Self.standardPath, "HOSTNAME=\(hostname)"]
        if config.tty { defaults.append("TERM=xterm") }
        var result = Environment.merge(defaults + linkEnvironment, config.env ?? [])
        // The C library does this in login; programs in containers expect it.
        if !user.home.isEmpty, !result.contains(where: { $0.hasPrefix("HOME=") }) { result.append("HOME=\(user.home)") }
        return result
    }

    private var rlimits: [POSIXRlimit]? {
        var limits: [String: (soft: Int64, hard: Int64)] = configuration.defaultUlimits
        for limit in hostConfig.resources.ulimits ?? [] { limits[limit.name] = (limit.soft, limit.hard) }
        if limits.isEmpty { return nil }
        return limits.sorted { $0.key < $1.key }.map { name, limit in
            POSIXRlimit(
                type: "RLIMIT_\(name.uppercased())", hard: UInt64(bitPattern: limit.hard),
                soft: UInt64(bitPattern: limit.soft))
        }
    }

    package var appArmorProfile: String? {
        guard host.hasAppArmor else { return nil }
        if let profile = security.appArmor { return profile == "unconfined" ? nil : profile }
        return hostConfig.privileged ? nil : "docker-default"
    }

    package func seccomp(capabilities: [String]) throws(EngineError) -> LinuxSeccomp? {
        guard host.hasSeccomp, !hostConfig.privileged else { return nil }
        let profile: SeccompProfile
        switch security.seccomp {
        case "unconfined": return nil
        case "builtin": profile = .standard
        case let text?: profile = try SeccompProfile(parsing: text)
        case nil:
            guard let seccompProfile else { return nil }
            profile = seccompProfile
        }
        return profile.resolve(
            capabilities: Set(capabilities), architecture: host.architecture, kernel: host.kernel)
    }
}
