/// How Go prints members of Docker's structures that have no value: JSON only says null.
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
        "Tmpfs", "Sysctls", "StorageOpt", "Annotations",
    ]
    private static let pointers: Set<String> = [
        "PidsLimit", "MemorySwappiness", "OomKillDisable", "IPAMConfig", "Health", "Healthcheck", "Init", "StopTimeout",
    ]
}
