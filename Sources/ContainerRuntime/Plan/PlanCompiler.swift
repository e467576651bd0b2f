import Kernel
import OCI

/// Compiles a specification into a `LaunchPlan`. Nothing on the host is looked at: what depends on the host is
/// decided when the steps are executed.
struct PlanCompiler {
    let specification: RuntimeSpec
    let process: OCI.Process
    let linux: Linux
    let options: LaunchOptions
    var plan = LaunchPlan()

    /// - Throws: `.invalidSpecification`.
    init(_ specification: RuntimeSpec, _ options: LaunchOptions) throws(RuntimeError) {
        self.specification = specification
        self.options = options
        guard let process = specification.process else {
            throw RuntimeError(.invalidSpecification, "process property must not be empty")
        }
        self.process = process
        linux = specification.linux ?? Linux()
        try Validation.check(specification)
        plan.namespaces = try NamespacePlan(linux.namespaces ?? [])
        try Validation.check(specification, against: plan.namespaces)
    }

    private var namespaces: NamespacePlan { plan.namespaces }

    mutating func compile() throws(RuntimeError) -> LaunchPlan {
        plan.uidMappings = linux.uidMappings ?? []
        plan.gidMappings = linux.gidMappings ?? []
        plan.timeOffsets = linux.timeOffsets ?? [:]
        plan.netDevices = linux.netDevices ?? [:]
        plan.hooks = specification.hooks
        plan.seccomp = linux.seccomp
        plan.arguments = process.args ?? []
        plan.environment = process.env ?? []
        plan.oomScoreAdjustment = process.oomScoreAdj
        if namespaces.contains(.user) { plan.rlimits = try RlimitPlan.list(process.rlimits ?? []) }
        plan.hasTerminal = process.terminal ?? false
        plan.rootPath = joinedPath(specification.root?.path ?? "", in: options.bundle)

        addNamespaces()
        addIdentity()
        try addRoot()
        try addMounts()
        try addDevices()
        try addHooksAndPaths()
        addPivot()
        try addProcess()
        return plan
    }

    private mutating func add(_ step: LaunchStep) { plan.steps.append(step) }

    /// The order of joining matters: with a user namespace comes the power over what it owns, and gone is the power
    /// over everything else; so what is not owned by it is joined first (the executor retries after it).
    private mutating func addNamespaces() {
        add(.enterCgroup)
        add(.awaitPlacement)
        let order: [NamespaceKind] = [.ipc, .uts, .network, .cgroup, .time, .mount]
        for kind in order { if let path = namespaces.joined[kind] { add(.joinNamespace(kind, path: path)) } }
        if let path = namespaces.joined[.user] { add(.joinNamespace(.user, path: path)) }
        if namespaces.contains(.user) { add(owner) }
        if namespaces.joined[.user] != nil {
            let kinds = NamespaceKind.allCases.filter { $0 != .cgroup && $0 != .time && $0 != .user }
                .filter { namespaces.created.contains($0) }
            if !kinds.isEmpty { add(.unshare(kinds)) }
        }
        if namespaces.created.contains(.cgroup) { add(.unshare([.cgroup])) }
    }

    /// Who does the preparing in a user namespace. One that lacks user 0 gives all capabilities to any user that it has,
    /// and they stay until they are dropped.
    private var owner: LaunchStep {
        func hasRoot(_ mappings: [LinuxIDMapping]) -> Bool { mappings.contains { $0.containerID == 0 } }
        guard namespaces.created.contains(.user), let uid = plan.uidMappings.first, let gid = plan.gidMappings.first,
            !hasRoot(plan.uidMappings), !hasRoot(plan.gidMappings)
        else { return .becomeRoot }
        return .becomeUser(uid: uid.containerID, gid: gid.containerID)
    }

    private mutating func addIdentity() {
        add(.startSession)
        if !options.noNewKeyring { add(.joinSessionKeyring("_ses." + options.id)) }
        if let hostname = specification.hostname, !hostname.isEmpty { add(.setHostname(hostname)) }
        if let domainname = specification.domainname, !domainname.isEmpty { add(.setDomainname(domainname)) }
        if namespaces.created.contains(.network) { add(.bringUpLoopback) }
    }

    private mutating func addRoot() throws(RuntimeError) {
        guard namespaces.contains(.mount) else {
            add(.bindRoot(plan.rootPath))
            return
        }
        let name = linux.rootfsPropagation ?? ""
        if name.isEmpty {
            add(.setPropagation([.slave, .recursive]))
        } else if let flags = MountOptions.propagation(name) {
            add(.setPropagation(flags))
        } else {
            throw RuntimeError(.invalidSpecification, "rootfsPropagation=\(name) is not supported")
        }
        if let mount = options.rootMount {
            add(.mountRoot(mount, at: plan.rootPath))
        } else {
            add(.bindRoot(plan.rootPath))
        }
    }

    private mutating func addMounts() throws(RuntimeError) {
        for mount in specification.mounts ?? [] {
            add(.mount(try MountPlan(mount, bundle: options.bundle, label: linux.mountLabel)))
        }
    }

    private mutating func addDevices() throws(RuntimeError) {
        let mounts = specification.mounts ?? []
        // A /dev bound from outside is left as it is: it is someone else's directory.
        let hasOwnDevices = !mounts.contains {
            cleanedPath($0.destination) == "/dev" && MountOptions($0.options ?? []).isBind
                || $0.type == "bind"
                    && cleanedPath($0.destination) == "/dev"
        }
        guard hasOwnDevices, namespaces.contains(.mount) else { return }
        for device in try DevicePlan.all(linux.devices ?? [], areBound: namespaces.contains(.user)) {
            add(.makeDevice(device))
        }
        add(.link("pts/ptmx", to: "/dev/ptmx"))
        for (target, path) in [
            ("/proc/self/fd", "/dev/fd"), ("/proc/self/fd/0", "/dev/stdin"), ("/proc/self/fd/1", "/dev/stdout"),
            ("/proc/self/fd/2", "/dev/stderr"), ("/proc/kcore", "/dev/core"),
        ] { add(.link(target, to: path)) }
    }

    private mutating func addHooksAndPaths() throws(RuntimeError) {
        let hooks = specification.hooks
        let hasRuntimeHooks =
            !HookKind.prestart.hooks(in: hooks).isEmpty || !HookKind.createRuntime.hooks(in: hooks).isEmpty
        if hasRuntimeHooks || !plan.netDevices.isEmpty { add(.awaitRuntimeHooks) }
        if !HookKind.createContainer.hooks(in: hooks).isEmpty { add(.runHooks(.createContainer)) }

        for (name, value) in (linux.sysctl ?? [:]).sorted(by: { $0.key < $1.key }) { add(.setSysctl(name, value)) }
        if plan.hasTerminal {
            add(
                .openConsole(
                    width: process.consoleSize?.width ?? 0, height: process.consoleSize?.height ?? 0,
                    mounts: namespaces.contains(.mount)))
        }
        for mount in specification.mounts ?? [] where MountPlan.isMadeReadOnlyLate(mount) {
            add(.makeMountReadOnly(cleanedPath(mount.destination)))
        }
        plan.steps += ProcessSteps.labels(process)
        for path in linux.readonlyPaths ?? [] { add(.makeReadOnly(path)) }
        for path in linux.maskedPaths ?? [] { add(.mask(path)) }
    }

    private mutating func addPivot() {
        if !namespaces.contains(.mount) {
            add(.changeRoot)
        } else {
            add(options.noPivot ? .moveRoot : .pivotRoot)
            if let name = linux.rootfsPropagation, let flags = MountOptions.propagation(name) {
                add(.setPropagation(flags))
            }
        }
        if specification.root?.readonly ?? false, namespaces.contains(.mount) {
            add(.makeRootReadOnly(recursively: false))
        }
    }

    private mutating func addProcess() throws(RuntimeError) {
        if namespaces.created.contains(.time), options.isRootless { add(.unshareTime(plan.timeOffsets)) }
        plan.steps += try ProcessSteps.compile(process, linux: linux, options: options, namespaces: namespaces)
    }
}

extension LaunchPlan {
    /// Compiles a specification.
    /// - Throws: `.invalidSpecification`.
    public init(_ specification: RuntimeSpec, _ options: LaunchOptions) throws(RuntimeError) {
        var compiler = try PlanCompiler(specification, options)
        self = try compiler.compile()
    }
}

/// An absolute path without `.`, `..`, repeated or trailing slashes.
func cleanedPath(_ path: String) -> String {
    var parts: [Substring] = []
    for part in path.splitBytes("/") {
        if part == ".." { _ = parts.popLast() } else if part != "." { parts.append(part) }
    }
    return "/" + parts.joined(separator: "/")
}

/// `path`, taken relative to `directory` unless absolute.
func joinedPath(_ path: String, in directory: String) -> String {
    path.hasPrefix("/") ? path : directory + "/" + path
}
