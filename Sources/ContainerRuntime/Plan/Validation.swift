import OCI

/// What a specification must fulfil beyond its syntax.
enum Validation {
    static func check(_ specification: RuntimeSpec) throws(RuntimeError) {
        let version = specification.ociVersion.split(separator: ".")
        if let major = version.first, let number = Int(major), number > 1 {
            throw RuntimeError(
                .invalidSpecification, "specification version \(specification.ociVersion) is not supported; 1.x is")
        }
        guard let root = specification.root, !root.path.isEmpty else {
            throw RuntimeError(.invalidSpecification, "root must be specified, with the path of the root file system")
        }
        if let process = specification.process { try check(process) }
    }

    static func check(_ process: OCI.Process) throws(RuntimeError) {
        guard !process.cwd.isEmpty else { throw RuntimeError(.invalidSpecification, "Cwd property must not be empty") }
        guard process.cwd.hasPrefix("/") else {
            throw RuntimeError(.invalidSpecification, "Cwd must be an absolute path")
        }
        guard process.args?.isEmpty == false else {
            throw RuntimeError(.invalidSpecification, "args must not be empty")
        }
        for text in (process.args ?? []) + (process.env ?? []) + [process.cwd] where text.utf8.contains(0) {
            throw RuntimeError(.invalidSpecification, "\"\(text)\" holds a zero byte")
        }
        if let score = process.oomScoreAdj, !(-1000...1000).contains(score) {
            throw RuntimeError(.invalidSpecification, "oomScoreAdj \(score) is not between -1000 and 1000")
        }
    }

    static func check(_ specification: RuntimeSpec, against namespaces: NamespacePlan) throws(RuntimeError) {
        let linux = specification.linux ?? Linux()
        func require(_ kind: NamespaceKind, _ isNeeded: Bool, _ reason: String) throws(RuntimeError) {
            if isNeeded && !namespaces.contains(kind) { throw RuntimeError(.invalidSpecification, reason) }
        }
        try require(
            .uts, specification.hostname?.isEmpty == false, "unable to set hostname without a private UTS namespace")
        try require(
            .uts, specification.domainname?.isEmpty == false,
            "unable to set domainname without a private UTS namespace")
        try require(
            .mount, linux.maskedPaths?.isEmpty == false || linux.readonlyPaths?.isEmpty == false,
            "unable to restrict sys entries without a private MNT namespace")
        try require(
            .user, linux.uidMappings?.isEmpty == false || linux.gidMappings?.isEmpty == false,
            "user namespace mappings specified, but USER namespace isn't enabled in the config")
        try require(
            .time, linux.timeOffsets?.isEmpty == false,
            "time namespace offsets specified, but TIME namespace isn't enabled in the config")
        try require(
            .network, linux.netDevices?.isEmpty == false,
            "unable to move network devices without a private NET namespace")
        if namespaces.created.contains(.user) {
            guard linux.uidMappings?.isEmpty == false, linux.gidMappings?.isEmpty == false else {
                throw RuntimeError(
                    .invalidSpecification, "a new user namespace needs uidMappings and gidMappings")
            }
        }
        for clock in (linux.timeOffsets ?? [:]).keys where clock != "monotonic" && clock != "boottime" {
            throw RuntimeError(
                .invalidSpecification, "time namespaces have no clock \"\(clock)\"; it is monotonic or boottime")
        }
        for name in (linux.sysctl ?? [:]).keys { try checkSysctl(name, namespaces, hasHostname: specification) }
        for hook in HookKind.allCases.flatMap({ $0.hooks(in: specification.hooks) }) {
            guard hook.path.hasPrefix("/") else {
                throw RuntimeError(.invalidSpecification, "hook path \"\(hook.path)\" is not absolute")
            }
            if let timeout = hook.timeout, timeout <= 0 {
                throw RuntimeError(.invalidSpecification, "hook \(hook.path): timeout \(timeout) is not above 0")
            }
        }
    }

    /// A sysctl may be set only if it is the container's own: everything else would change the host.
    private static func checkSysctl(
        _ name: String, _ namespaces: NamespacePlan, hasHostname specification: RuntimeSpec
    ) throws(RuntimeError) {
        let dotted = sysctlWithDots(name)
        let ipc: Set<String> = [
            "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax",
            "kernel.shmmni", "kernel.shm_rmid_forced",
        ]
        let needed: NamespaceKind?
        if ipc.contains(dotted) || dotted.hasPrefix("fs.mqueue.") {
            needed = .ipc
        } else if dotted.hasPrefix("net.") {
            needed = .network
        } else if dotted == "kernel.domainname" {
            needed = .uts
        } else if dotted.hasPrefix("user.") {
            needed = .user
        } else if dotted == "kernel.hostname" {
            throw RuntimeError(
                .invalidSpecification,
                "sysctl \"\(name)\" is not allowed as it conflicts with the OCI \"hostname\" field")
        } else {
            needed = nil
        }
        guard let needed else {
            throw RuntimeError(.invalidSpecification, "sysctl \"\(name)\" is not in a separate kernel namespace")
        }
        guard namespaces.contains(needed) else {
            throw RuntimeError(
                .invalidSpecification,
                needed == .network
                    ? "sysctl \"\(name)\" not allowed in host network namespace"
                    : "sysctl \"\(name)\" is not allowed in the hosts \(needed.rawValue) namespace")
        }
    }
}

/// A sysctl's name with dots between its parts. Written with slashes first (`net/ipv4/conf/eth0.1/forwarding`), its
/// dots belong to names and become slashes.
func sysctlWithDots(_ name: String) -> String {
    guard let separator = name.first(where: { $0 == "." || $0 == "/" }), separator == "/" else { return name }
    return String(name.map { $0 == "/" ? "." : $0 == "." ? "/" : $0 })
}
