import ContainerNetwork
import EngineModel

/// Docker's checks of a request that need no knowledge of the host.
package enum ContainerValidation {
    /// - Throws: `EngineError.invalidParameter`.
    package static func check(_ config: inout ContainerConfig) throws(EngineError) {
        if !config.workingDir.isEmpty {
            guard PathText.isAbsolute(config.workingDir) else {
                throw .invalid(
                    "the working directory '\(config.workingDir)' is invalid, it needs to be an absolute path")
            }
            config.workingDir = PathText.clean(config.workingDir)
        }
        if !config.stopSignal.isEmpty { _ = try Signals.number(config.stopSignal) }
        for entry in config.env ?? [] where entry.isEmpty || entry.hasPrefix("=") {
            throw .invalid("invalid environment variable: \(entry)")
        }
        for entry in config.env ?? [] where entry.utf8.contains(0) {
            throw .invalid("invalid environment variable: a value must not contain a NUL byte")
        }
        for word in (config.cmd ?? []) + (config.entrypoint ?? []) where word.utf8.contains(0) {
            throw .invalid("invalid command: a word must not contain a NUL byte")
        }
        guard config.hostname.utf8.count <= 64 else {
            throw .invalid(
                "invalid hostname: \"\(config.hostname)\" is longer than the 64 bytes that the kernel allows")
        }
        if let health = config.healthcheck { try check(health) }
        if let timeout = config.stopTimeout, timeout < -1 { throw .invalid("invalid stop timeout: \(timeout)") }
    }

    private static func check(_ health: HealthConfig) throws(EngineError) {
        for (name, value) in [
            ("Interval", health.interval), ("Timeout", health.timeout), ("StartPeriod", health.startPeriod),
            ("StartInterval", health.startInterval),
        ] where value != 0 && value < 1_000_000 {
            throw .invalid("\(name) in Healthcheck cannot be less than 1ms")
        }
        if health.retries < 0 { throw .invalid("Retries in Healthcheck cannot be negative") }
    }

    /// - Throws: `EngineError.invalidParameter`.
    package static func check(_ host: HostConfig) throws(EngineError) {
        try check(host.restartPolicy)
        if host.autoRemove, !["", "no"].contains(host.restartPolicy.name) {
            throw .invalid("can't create 'AutoRemove' container with restart policy")
        }
        try check("IPC", host.ipcMode, words: ["none", "private", "shareable", "host"], container: true)
        try check("PID", host.pidMode, words: ["host"], container: true)
        try check("UTS", host.utsMode, words: ["host"], container: false)
        try check("cgroup namespace", host.cgroupnsMode, words: ["private", "host"], container: false)
        guard host.usernsMode.isEmpty || host.usernsMode == "host" else {
            throw .invalid("invalid user namespace mode: \(host.usernsMode)")
        }
        if host.shmSize < 0 { throw .invalid("SHM size can not be less than 0") }
        guard (-1000...1000).contains(host.oomScoreAdj) else {
            throw .invalid("Invalid value \(host.oomScoreAdj), range for oom score adj is [-1000, 1000]")
        }
        guard ["", "default"].contains(host.isolation) else {
            throw .invalid("invalid isolation '\(host.isolation)' on linux")
        }
        if host.annotations?[""] != nil {
            throw .invalid("invalid Annotations: the empty string is not permitted as an annotation key")
        }
        for entry in host.extraHosts ?? [] { try check(extraHost: entry) }
        guard ["", "dhow-runtime", "dhow", "runc", "io.containerd.runc.v2"].contains(host.runtime) else {
            throw .invalid("unknown or invalid runtime name: \(host.runtime)")
        }
        guard host.storageOpt?.isEmpty ?? true else {
            throw .invalid("--storage-opt is not supported by this storage driver")
        }
        if let requests = host.resources.deviceRequests, !requests.isEmpty {
            let request = requests[0]
            let what = request.driver.isEmpty ? "\(request.capabilities ?? [])" : "\"\(request.driver)\""
            throw EngineError(
                .notImplemented, "could not select device driver \(what): device requests are not supported")
        }
        if !host.cgroup.isEmpty {
            throw EngineError(.notImplemented, "joining another container's cgroup is not supported")
        }
    }

    package static func check(_ policy: RestartPolicy) throws(EngineError) {
        switch policy.name {
        case "always", "unless-stopped", "no":
            guard policy.maximumRetryCount == 0 else {
                throw .invalid(
                    "invalid restart policy: maximum retry count can only be used with 'on-failure'"
                        + (policy.maximumRetryCount < 0 ? " and cannot be negative" : ""))
            }
        case "on-failure":
            guard policy.maximumRetryCount >= 0 else {
                throw .invalid("invalid restart policy: maximum retry count cannot be negative")
            }
        case "": break
        default:
            throw .invalid(
                "invalid restart policy: unknown policy '\(policy.name)'; use one of 'no', 'always', 'on-failure', or "
                    + "'unless-stopped'")
        }
    }

    private static func check(
        _ what: String, _ mode: String, words: [String], container: Bool
    ) throws(EngineError) {
        if mode.isEmpty || words.contains(mode) { return }
        if container, let other = ContainerReference(mode), !other.name.isEmpty { return }
        throw .invalid("invalid \(what) mode: \(mode)")
    }

    private static func check(extraHost entry: String) throws(EngineError) {
        let invalid = EngineError.invalid("bad format for add-host: \"\(entry)\"")
        guard let colon = entry.firstIndex(where: { $0 == ":" || $0 == "=" }), colon != entry.startIndex else {
            throw invalid
        }
        let address = entry[entry.index(after: colon)...]
        guard !entry.contains(where: { $0.isNewline || $0 == " " || $0 == "\t" }) else { throw invalid }
        if address == "host-gateway" { return }
        guard IPAddress(address) != nil else {
            throw .invalid("invalid IP address in add-host: \"\(address)\"")
        }
    }
}

/// A mode in the form `container:<name or id>`.
package struct ContainerReference: Equatable, Sendable {
    package var name: String

    package init?(_ mode: String) {
        guard mode.hasPrefix("container:") else { return nil }
        name = String(mode.dropFirst(10))
    }
}
