import ContainerRuntime
import Kernel
import Monitor
import OCI
import Testing

@Suite struct LaunchPlanTests {
    /// The template of `spec`, changed.
    private func plan(
        _ options: LaunchOptions = LaunchOptions(id: "c", bundle: "/bundle"),
        _ change: (inout RuntimeSpec) -> Void = { _ in }
    ) throws -> LaunchPlan {
        var specification = RuntimeSpec.template
        change(&specification)
        return try LaunchPlan(specification, options)
    }

    private func position(_ plan: LaunchPlan, _ matches: (LaunchStep) -> Bool) -> Int? {
        plan.steps.firstIndex(where: matches)
    }

    @Test func clonesWithNamespacesThatCanBeMadeAtOnce() throws {
        let plan = try plan()
        #expect(plan.cloneFlags == [.pid, .network, .ipc, .uts, .mount])
        // The cgroup namespace is made by the child, when it is in its cgroup.
        let unshare = try #require(position(plan) { $0 == .unshare([.cgroup]) })
        #expect(unshare > plan.steps.firstIndex(of: .awaitPlacement) ?? .max)
    }

    @Test func interfacesComeAfterSettingsOfTheNetwork() throws {
        #expect(try plan().hasNetworkOnceCloned)
        #expect(try plan { $0.linux?.sysctl = ["kernel.msgmax": "1"] }.hasNetworkOnceCloned)
        for name in ["net.ipv4.conf.default.forwarding", "net/ipv4/conf/default/forwarding"] {
            #expect(try !plan { $0.linux?.sysctl = [name: "1"] }.hasNetworkOnceCloned)
        }
        #expect(
            try !plan {
                $0.linux?.namespaces = [
                    LinuxNamespace(type: "network", path: "/run/netns/n"), LinuxNamespace(type: "mount"),
                    LinuxNamespace(type: "uts"),
                ]
            }.hasNetworkOnceCloned)
        // Made later, to belong to that user namespace.
        #expect(
            try !plan {
                $0.linux?.namespaces = [
                    LinuxNamespace(type: "network"), LinuxNamespace(type: "mount"), LinuxNamespace(type: "uts"),
                    LinuxNamespace(type: "user", path: "/proc/1/ns/user"),
                ]
            }.hasNetworkOnceCloned)
    }

    // To Swift a slash with a combining mark after it is another character than a slash; to the kernel it is none.
    @Test func destinationsDoNotClimb() throws {
        let plan = try plan {
            $0.mounts?.append(Mount(destination: "/a/../../\u{301}", type: "tmpfs", source: "tmpfs"))
        }
        #expect(
            plan.steps.contains { if case .mount(let mount) = $0 { mount.destination == "/\u{301}" } else { false } })
    }

    @Test func joinsNamespacesByPathBeforeTheUserNamespace() throws {
        let plan = try plan {
            $0.linux?.namespaces = [
                LinuxNamespace(type: "user", path: "/proc/1/ns/user"),
                LinuxNamespace(type: "network", path: "/run/netns/n"),
                LinuxNamespace(type: "mount"), LinuxNamespace(type: "pid"), LinuxNamespace(type: "uts"),
            ]
        }
        #expect(plan.cloneFlags.isEmpty)
        let network = try #require(position(plan) { $0 == .joinNamespace(.network, path: "/run/netns/n") })
        let user = try #require(position(plan) { $0 == .joinNamespace(.user, path: "/proc/1/ns/user") })
        let made = try #require(
            position(plan) { if case .unshare(let kinds) = $0 { kinds.contains(.pid) } else { false } })
        #expect(network < user && user < made)
    }

    @Test func ordersWhatDependsOnEachOther() throws {
        let plan = try plan {
            $0.linux?.seccomp = LinuxSeccomp()
            $0.linux?.sysctl = ["net.ipv4.ip_forward": "1"]
            var hooks = Hooks()
            hooks.createRuntime = [Hook(path: "/a")]
            hooks.createContainer = [Hook(path: "/b")]
            hooks.startContainer = [Hook(path: "/c")]
            $0.hooks = hooks
        }
        func at(_ matches: (LaunchStep) -> Bool) throws -> Int {
            let found = position(plan, matches)
            return try #require(found)
        }
        let order = [
            try at { if case .bindRoot = $0 { true } else { false } },
            try at { if case .mount = $0 { true } else { false } },
            try at { if case .makeDevice = $0 { true } else { false } },
            try at { $0 == .awaitRuntimeHooks }, try at { $0 == .runHooks(.createContainer) },
            try at { if case .setSysctl = $0 { true } else { false } },
            try at { if case .makeReadOnly = $0 { true } else { false } },
            try at { if case .mask = $0 { true } else { false } },
            try at { $0 == .pivotRoot }, try at { $0 == .makeRootReadOnly(recursively: false) },
            try at { $0 == .setNoNewPrivileges }, try at { $0 == .closeDescriptorsOnExec },
            try at { if case .dropPrivileges = $0 { true } else { false } },
            try at { $0 == .findExecutable }, try at { $0 == .awaitStart }, try at { $0 == .runHooks(.startContainer) },
            try at { $0 == .loadSeccomp }, try at { $0 == .execute },
        ]
        #expect(order == order.sorted())
    }

    @Test func loadsTheFilterWhileItStillMay() throws {
        let plan = try plan {
            $0.linux?.seccomp = LinuxSeccomp()
            $0.process?.noNewPrivileges = false
        }
        let load = try #require(position(plan) { $0 == .loadSeccomp })
        let drop = try #require(position(plan) { if case .dropPrivileges = $0 { true } else { false } })
        #expect(load < drop)
    }

    @Test func bindsDevicesInAUserNamespace() throws {
        let plan = try plan {
            $0.linux?.namespaces?.append(LinuxNamespace(type: "user"))
            $0.linux?.uidMappings = [LinuxIDMapping(containerID: 0, hostID: 100_000, size: 65536)]
            $0.linux?.gidMappings = [LinuxIDMapping(containerID: 0, hostID: 100_000, size: 65536)]
        }
        let devices = plan.steps.compactMap { if case .makeDevice(let device) = $0 { device } else { nil } }
        #expect(devices.count == 6)
        #expect(devices.filter(\.isBound).count == 6)
        #expect(plan.steps.contains(.becomeRoot))
        #expect(plan.makesUserNamespace)
    }

    @Test func leavesADeviceDirectoryOfTheHostAlone() throws {
        let plan = try plan {
            $0.mounts?.append(OCI.Mount(destination: "/dev", type: "bind", source: "/dev", options: ["rbind"]))
        }
        #expect(!plan.steps.contains { if case .makeDevice = $0 { true } else { false } })
    }

    @Test func closesReadOnlyFileSystemsAfterTheyAreFilled() throws {
        let plan = try plan {
            $0.mounts = [
                OCI.Mount(destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["ro"]),
                OCI.Mount(destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro"]),
            ]
        }
        let mounts = plan.steps.compactMap { if case .mount(let mount) = $0 { mount } else { nil } }
        #expect(!mounts[0].options.attributes.set.contains(.readOnly))
        #expect(mounts[1].options.attributes.set.contains(.readOnly))
        #expect(plan.steps.contains(.makeMountReadOnly("/dev")))
    }

    @Test func mountsTheEnginesRoot() throws {
        var options = LaunchOptions(id: "c", bundle: "/bundle")
        var overlay = RootMount.Overlay()
        overlay.lowerDirectories = ["/a", "/b"]
        options.rootMount = .overlay(overlay)
        let plan = try plan(options)
        #expect(plan.steps.contains(.mountRoot(.overlay(overlay), at: "/bundle/rootfs")))
    }

    @Test func readsAsText() throws {
        let text = try plan().description
        #expect(text.hasPrefix("clone with new namespaces: pid network ipc uts mount\n"))
        #expect(text.contains("mount proc at /proc\n"))
        #expect(text.hasSuffix("execute the program"))
    }

    @Test(
        arguments: [
            Flaw("process property must not be empty", { $0.process = nil }),
            Flaw("args must not be empty", { $0.process?.args = [] }),
            Flaw("Cwd must be an absolute path", { $0.process?.cwd = "tmp" }),
            Flaw("root must be specified", { $0.root = nil }),
            Flaw("duplicated ns", { $0.linux?.namespaces?.append(LinuxNamespace(type: "pid")) }),
            Flaw("does not exist", { $0.linux?.namespaces?.append(LinuxNamespace(type: "space")) }),
            Flaw("is not absolute", { $0.linux?.namespaces = [LinuxNamespace(type: "pid", path: "ns")] }),
            Flaw("private UTS namespace", { $0.linux?.namespaces?.removeAll { $0.type == "uts" } }),
            Flaw("private MNT namespace", { $0.linux?.namespaces?.removeAll { $0.type == "mount" } }),
            Flaw(
                "USER namespace isn't enabled",
                { $0.linux?.uidMappings = [LinuxIDMapping(containerID: 0, hostID: 0, size: 1)] }
            ),
            Flaw("not in a separate kernel namespace", { $0.linux?.sysctl = ["kernel.panic": "1"] }),
            Flaw("conflicts with the OCI", { $0.linux?.sysctl = ["kernel.hostname": "x"] }),
            Flaw(
                "host network namespace",
                {
                    $0.linux?.sysctl = ["net.ipv4.ip_forward": "1"]
                    $0.linux?.namespaces?.removeAll { $0.type == "network" }
                }
            ),
            Flaw("wrong rlimit value", { $0.process?.rlimits = [POSIXRlimit(type: "RLIMIT_X", hard: 1, soft: 1)] }),
            Flaw("is not supported", { $0.linux?.rootfsPropagation = "sideways" }),
            Flaw(
                "is not absolute",
                {
                    var hooks = Hooks()
                    hooks.prestart = [Hook(path: "bin/x")]
                    $0.hooks = hooks
                }
            ),
            Flaw("unknown type", { $0.linux?.devices = [LinuxDevice(path: "/dev/x", type: "q")] }),
            Flaw("mounting into /", { $0.mounts = [OCI.Mount(destination: "/../", type: "tmpfs", source: "x")] }),
            Flaw(
                "only bind mounts",
                { $0.mounts = [OCI.Mount(destination: "/x", type: "tmpfs", source: "x", options: ["idmap"])] }
            ),
            Flaw(
                "scheduler.priority",
                {
                    var scheduler = Scheduler()
                    scheduler.policy = "SCHED_BATCH"
                    scheduler.priority = 5
                    $0.process?.scheduler = scheduler
                }
            ),
            Flaw("1.x is", { $0.ociVersion = "2.0.0" }),
            Flaw("zero byte", { $0.process?.args = ["a\0b"] }),
        ] as [Flaw<RuntimeSpec>])
    func refusesWithAReason(_ flaw: Flaw<RuntimeSpec>) {
        let error = #expect(throws: RuntimeError.self) { try plan { flaw.change(&$0) } }
        #expect(error?.code == .invalidSpecification)
        #expect(error?.message.contains(flaw.reason) == true, "\(error?.message ?? "")")
    }
}

@Suite struct MountOptionsTests {
    @Test func takesOptionsApart() {
        let options = MountOptions([
            "rbind", "ro", "nosuid", "rprivate", "size=64k", "noexec", "exec", "sync", "rnodev",
        ])
        #expect(options.isBind && options.isRecursive)
        #expect(options.attributes.set == [.readOnly, .noSetUserID])
        #expect(options.attributes.clear == .noExecute)
        #expect(options.recursiveAttributes.set == .noDevices)
        #expect(options.propagation == [[.private, .recursive]])
        #expect(options.superblockFlags == ["sync"])
        #expect(options.data == ["size=64k"])
    }

    @Test func treatsAccessTimesAsOneField() {
        var options = MountOptions(["noatime", "relatime"])
        #expect(options.attributes.set.isEmpty)
        #expect(options.attributes.clear == .accessTimeMask)
        options = MountOptions(["relatime", "strictatime"])
        #expect(options.attributes.set == .strictAccessTime)
    }

    @Test func knowsIDMapping() {
        #expect(MountOptions(["idmap"]).isIDMapped)
        #expect(!MountOptions(["idmap"]).isIDMappedRecursively)
        #expect(MountOptions(["ridmap"]).isIDMappedRecursively)
    }

    @Test func everyKnownOptionHasAMeaning() {
        for name in MountOptions.known { #expect(MountOptions([name]).data.isEmpty, "\(name)") }
    }
}
