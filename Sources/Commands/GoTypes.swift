import JSON

/// How Go sees members of Docker's structures that have no value: JSON only says null, or leaves them out.
enum GoTypes {
    /// The text of an empty value by the member's name.
    static func empty(_ name: String) -> String? {
        if lists.contains(name) { return "[]" }
        if maps.contains(name) { return "map[]" }
        return pointers.contains(name) ? "<nil>" : nil
    }

    private static let lists: Set<String> = [
        "Env", "Cmd", "Entrypoint", "OnBuild", "Shell", "Args", "Binds", "CapAdd", "CapDrop", "Dns", "DnsOptions",
        "DnsSearch", "ExtraHosts", "GroupAdd", "Links", "SecurityOpt", "VolumesFrom", "MaskedPaths", "ReadonlyPaths",
        "Devices", "DeviceCgroupRules", "DeviceRequests", "Ulimits", "BlkioWeightDevice", "BlkioDeviceReadBps",
        "BlkioDeviceWriteBps", "BlkioDeviceReadIOps", "BlkioDeviceWriteIOps", "ExecIDs", "Mounts", "Aliases",
        "DNSNames", "RepoTags", "RepoDigests", "Layers", "SecondaryIPAddresses", "SecondaryIPv6Addresses",
    ]
    private static let maps: Set<String> = [
        "Labels", "Volumes", "ExposedPorts", "PortBindings", "Ports", "Networks", "Config", "Options", "DriverOpts",
        "Tmpfs", "Sysctls", "StorageOpt", "Annotations", "Status",
    ]
    private static let pointers: Set<String> = [
        "PidsLimit", "MemorySwappiness", "OomKillDisable", "IPAMConfig", "Health", "Healthcheck", "Init", "StopTimeout",
        "SizeRw", "SizeRootFs", "UsageData", "ClusterVolume", "Manifests",
    ]

    /// The value of a member that Docker's JSON leaves out when it is empty; `nil` when the object's type has none of
    /// that name.
    static func absent(_ object: JSONObject, _ name: String) -> JSONValue? {
        optionals.first { $0.members[name] != nil && $0.describes(object) }?.members[name]
    }

    /// A structure's members that are left out when empty, with what they are then.
    private struct Optionals {
        /// What every object of this type has, by which it is known; a type without such members is known by having
        /// no others than those of `members`.
        var marks: [String] = []
        var members: [String: JSONValue]

        func describes(_ object: JSONObject) -> Bool {
            marks.isEmpty
                ? object.members.allSatisfy { members[$0.name] != nil } : marks.allSatisfy { object[$0] != nil }
        }
    }

    private static let optionals = [
        // A container, its State, Config, HostConfig and Mounts.
        Optionals(marks: ["HostConfig", "Path"], members: ["SizeRw": nil, "SizeRootFs": nil]),
        Optionals(marks: ["FinishedAt", "Pid"], members: ["Health": nil]),
        Optionals(
            marks: ["AttachStdin", "OpenStdin"],
            members: [
                "ExposedPorts": nil, "OnBuild": nil, "Shell": nil, "Healthcheck": nil, "StopSignal": "",
                "StopTimeout": nil, "NetworkDisabled": false, "MacAddress": "", "ArgsEscaped": false,
            ]),
        Optionals(
            marks: ["NetworkMode", "RestartPolicy"],
            members: [
                "Init": nil, "Sysctls": nil, "Tmpfs": nil, "Mounts": nil, "StorageOpt": nil, "Annotations": nil,
                "Runtime": "",
            ]),
        Optionals(
            marks: ["Destination", "Propagation"],
            members: ["Name": "", "Driver": "", "Source": "", "Type": ""]),
        // An image and its Config.
        Optionals(
            marks: ["RootFS"],
            members: [
                "Variant": "", "OsVersion": "", "Author": "", "Comment": "", "Parent": "", "Container": "",
                "DockerVersion": "", "Created": "", "Manifests": nil,
            ]),
        Optionals(members: [
            "User": "", "ExposedPorts": nil, "Env": nil, "Entrypoint": nil, "Cmd": nil, "Volumes": nil,
            "WorkingDir": "", "Labels": nil, "StopSignal": "", "ArgsEscaped": false, "OnBuild": nil,
            "Healthcheck": nil, "Shell": nil,
        ]),
        // A volume.
        Optionals(
            marks: ["Mountpoint"],
            members: ["CreatedAt": "", "Status": nil, "UsageData": nil, "ClusterVolume": nil]),
    ]
}
