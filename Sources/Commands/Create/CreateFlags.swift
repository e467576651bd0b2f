import CommandLineKit

/// The flags that `run` and `create` share, as Docker 28 has them.
package struct CreateFlags {
    // What runs.
    let name, user, workdir, entrypoint, hostname, domainname: Flag<String>
    let env, envFile, label, labelFile: Flag<[String]>
    let tty, interactive, useInit: Flag<Bool>
    let attach: Flag<[String]>
    let stopSignal: Flag<String>
    let stopTimeout: Flag<Int64>
    let platform, pull, cidfile, runtime: Flag<String>
    let quiet: Flag<Bool>
    let annotation: Flag<[String: String]>

    // Files.
    let volume, volumesFrom, tmpfs: Flag<[String]>
    let volumeDriver: Flag<String>
    let mount: Flag<[MountOption]>
    let readOnly: Flag<Bool>
    let storageOpt: Flag<[String]>
    let useAPISocket: Flag<Bool>

    // Rights.
    let privileged: Flag<Bool>
    let capAdd, capDrop, securityOpt, groupAdd: Flag<[String]>
    let device, deviceCgroupRule: Flag<[String]>
    let gpus: Flag<[GPURequest]>
    let sysctl: Flag<[String: String]>
    let ulimit: Flag<[UlimitOption]>

    // Namespaces.
    let ipc, pid, uts, userns, cgroupns, isolation, cgroupParent: Flag<String>

    // Network.
    let network: Flag<[NetworkOption]>
    let networkAlias, link, linkLocalIP, addHost, dns, dnsOption, dnsSearch, publish, expose: Flag<[String]>
    let ip, ip6, macAddress: Flag<String>
    let publishAll: Flag<Bool>

    // Resources.
    let memory, memoryReservation, memorySwap, kernelMemory, shmSize, ioMaxBandwidth: Flag<Int64>
    let memorySwappiness: Flag<Int64>
    let nanoCPUs: Flag<Int64>
    let cpuCount, cpuPercent, cpuPeriod, cpuQuota, cpuRealtimePeriod, cpuRealtimeRuntime, cpuShares: Flag<Int64>
    let cpusetCPUs, cpusetMems: Flag<String>
    let pidsLimit, oomScoreAdj: Flag<Int64>
    let oomKillDisable: Flag<Bool>
    let blkioWeight, ioMaxIOps: Flag<UInt64>
    let blkioWeightDevice: Flag<[DeviceRate]>
    let deviceReadBps, deviceWriteBps, deviceReadIOps, deviceWriteIOps: Flag<[DeviceRate]>

    // Life.
    let restart: Flag<String>
    let remove: Flag<Bool>
    let logDriver: Flag<String>
    let logOpt: Flag<[String]>
    let healthCmd: Flag<String>
    let healthInterval, healthTimeout, healthStartPeriod, healthStartInterval: Flag<GoDuration>
    let healthRetries: Flag<Int64>
    let noHealthcheck: Flag<Bool>

    package init(_ flags: FlagSet) {
        name = flags.string("name", "Give the container a name")
        user = flags.string("user", "u", "Name or ID of the user (<name|uid>[:<group|gid>])")
        workdir = flags.string("workdir", "w", "Working directory inside the container")
        entrypoint = flags.string("entrypoint", "Replace the image's entry point")
        hostname = flags.string("hostname", "h", "Host name inside the container")
        domainname = flags.string("domainname", "NIS domain name inside the container")
        env = flags.strings("env", "e", "Set environment variables") { (text) throws(FlagError) in
            try OptionText.environment(text)
        }
        envFile = flags.strings("env-file", "Read environment variables from a file")
        label = flags.strings("label", "l", "Set labels on the container")
        labelFile = flags.strings("label-file", "Read labels from a file")
        tty = flags.bool("tty", "t", "Give the container a terminal")
        interactive = flags.bool("interactive", "i", "Keep standard input open even if not attached")
        useInit = flags.bool("init", "Run a small init that forwards signals and reaps processes")
        attach = flags.strings("attach", "a", "Attach to STDIN, STDOUT or STDERR") { (text) throws(FlagError) in
            let stream = text.lowercased()
            guard ["stdin", "stdout", "stderr"].contains(stream) else {
                throw .invalid("valid streams are STDIN, STDOUT and STDERR")
            }
            return stream
        }
        stopSignal = flags.string("stop-signal", "Signal that stops the container")
        stopTimeout = flags.int("stop-timeout", "Seconds to wait for the container to stop before it is killed")
        platform = flags.string("platform", "Platform to choose from an image that has several")
        pull = flags.string("pull", default: "missing", "When to pull the image (always, missing, never)")
        quiet = flags.bool("quiet", "q", "Do not show the progress of a pull")
        cidfile = flags.string("cidfile", "Write the container's ID to a file")
        runtime = flags.string("runtime", "OCI runtime to use for this container")
        annotation = flags.map("annotation", showsEmpty: true, "Add an annotation for the OCI runtime")

        volume = flags.strings("volume", "v", "Mount a volume or a path of the host")
        volumesFrom = flags.strings("volumes-from", "Mount the volumes of other containers")
        tmpfs = flags.strings("tmpfs", "Mount a tmpfs")
        volumeDriver = flags.string("volume-driver", "Driver for the volumes that are made for the container")
        mount = flags.custom("mount", type: "mount", default: [], "Mount a file system, a volume or a path") {
            (text, value, _) throws(FlagError) in value.append(try MountOption(text))
        }
        readOnly = flags.bool("read-only", "Make the container's root file system read-only")
        storageOpt = flags.strings("storage-opt", "Options for the storage driver")
        useAPISocket = flags.bool("use-api-socket", "Mount the daemon's socket into the container")

        privileged = flags.bool("privileged", "Give the container all capabilities and devices")
        capAdd = flags.strings("cap-add", "Add capabilities")
        capDrop = flags.strings("cap-drop", "Drop capabilities")
        securityOpt = flags.strings("security-opt", "Security options")
        groupAdd = flags.strings("group-add", "Further groups for the user")
        device = flags.strings("device", "Give the container a device of the host")
        deviceCgroupRule = flags.strings("device-cgroup-rule", "Add a rule to the allowed devices") {
            (text) throws(FlagError) in try OptionText.deviceCgroupRule(text)
        }
        gpus = flags.custom("gpus", type: "gpu-request", default: [], "GPUs to give to the container ('all' for all)") {
            (text, value, _) throws(FlagError) in value.append(try GPURequest(text))
        }
        sysctl = flags.map("sysctl", showsEmpty: true, "Kernel parameters of the container") {
            (text) throws(FlagError) in try OptionText.sysctl(text)
        }
        ulimit = flags.custom(
            "ulimit", type: "ulimit", default: [], defaultText: "[]", "Resource limits (<name>=<soft>[:<hard>])"
        ) {
            (text, value, _) throws(FlagError) in
            let limit = try UlimitOption(text)
            value.removeAll { $0.name == limit.name }
            value.append(limit)
        }

        ipc = flags.string("ipc", "IPC namespace (none, private, shareable, host, container:<name>)")
        pid = flags.string("pid", "PID namespace (host, container:<name>)")
        uts = flags.string("uts", "UTS namespace (host)")
        userns = flags.string("userns", "User namespace (host)")
        cgroupns = flags.string("cgroupns", "Cgroup namespace (host, private)")
        isolation = flags.string("isolation", "Isolation technology")
        cgroupParent = flags.string("cgroup-parent", "Parent cgroup")

        network = flags.custom("network", type: "network", default: [], "Network to connect to") {
            (text, value, _) throws(FlagError) in value.append(try NetworkOption(text))
        }
        flags.alias("net", of: "network")
        networkAlias = flags.strings("network-alias", "Further names in the network")
        flags.alias("net-alias", of: "network-alias")
        link = flags.strings("link", "Link to another container") { (text) throws(FlagError) in
            try OptionText.link(text)
        }
        linkLocalIP = flags.strings("link-local-ip", "Link-local addresses")
        addHost = flags.strings("add-host", "Add a line to the hosts file (host:ip)") { (text) throws(FlagError) in
            try OptionText.extraHost(text)
        }
        dns = flags.strings("dns", "DNS servers") { (text) throws(FlagError) in
            guard OptionText.isAddress(text) else { throw .invalid("IP address is not correctly formatted: \(text)") }
            return text
        }
        dnsOption = flags.strings("dns-option", "DNS options")
        flags.alias("dns-opt", of: "dns-option")
        dnsSearch = flags.strings("dns-search", "DNS search domains") { (text) throws(FlagError) in
            try OptionText.searchDomain(text)
        }
        publish = flags.strings("publish", "p", "Publish ports on the host")
        expose = flags.strings("expose", "Ports that the container listens on")
        publishAll = flags.bool("publish-all", "P", "Publish all exposed ports on free ports of the host")
        ip = flags.string("ip", "IPv4 address")
        ip6 = flags.string("ip6", "IPv6 address")
        macAddress = flags.string("mac-address", "Ethernet address")

        memory = flags.bytes("memory", "m", "Memory limit")
        memoryReservation = flags.bytes("memory-reservation", "Memory that is kept for the container when it is short")
        memorySwap = flags.bytes("memory-swap", unlimited: true, "Limit of memory and swap together; -1 for no limit")
        kernelMemory = flags.bytes("kernel-memory", "Kernel memory limit")
        shmSize = flags.bytes("shm-size", "Size of /dev/shm")
        memorySwappiness = flags.int("memory-swappiness", default: -1, "Readiness to swap (0 to 100)")
        nanoCPUs = flags.custom("cpus", type: "decimal", default: 0, "Number of CPUs") {
            (text, value, _) throws(FlagError) in value = try OptionText.nanoCPUs(text)
        }
        cpuCount = flags.int("cpu-count", "Number of CPUs (Windows only)")
        cpuPercent = flags.int("cpu-percent", "Share of the CPUs (Windows only)")
        cpuPeriod = flags.int("cpu-period", "Period of the CPU limit in microseconds")
        cpuQuota = flags.int("cpu-quota", "CPU time in each period in microseconds")
        cpuRealtimePeriod = flags.int("cpu-rt-period", "Period of the real-time limit in microseconds")
        cpuRealtimeRuntime = flags.int("cpu-rt-runtime", "Real-time CPU time in each period in microseconds")
        cpuShares = flags.int("cpu-shares", "c", "Weight among those who want the CPU")
        cpusetCPUs = flags.string("cpuset-cpus", "CPUs to run on (0-3, 0,1)")
        cpusetMems = flags.string("cpuset-mems", "Memory nodes to use (0-3, 0,1)")
        pidsLimit = flags.int("pids-limit", "Number of processes; -1 for no limit")
        oomScoreAdj = flags.int("oom-score-adj", "Readiness to be killed when memory is short (-1000 to 1000)")
        oomKillDisable = flags.bool("oom-kill-disable", "Never kill when memory is short")
        blkioWeight = flags.uint(
            "blkio-weight", bits: 16, type: "uint16", defaultText: "0", "Weight of block I/O: 10 to 1000, or 0")
        blkioWeightDevice = flags.custom(
            "blkio-weight-device", type: "list", default: [], defaultText: "[]", "Weight of block I/O on a device"
        ) { (text, value, _) throws(FlagError) in value.append(try DeviceRate(weight: text)) }
        func rates(_ name: String, bytes: Bool, _ help: String) -> Flag<[DeviceRate]> {
            flags.custom(name, type: "list", default: [], defaultText: "[]", help) {
                (text, value, _) throws(FlagError) in
                value.append(try bytes ? DeviceRate(bytesPerSecond: text) : DeviceRate(operationsPerSecond: text))
            }
        }
        deviceReadBps = rates("device-read-bps", bytes: true, "Limit of reading from a device, in bytes a second")
        deviceWriteBps = rates("device-write-bps", bytes: true, "Limit of writing to a device, in bytes a second")
        deviceReadIOps = rates("device-read-iops", bytes: false, "Limit of reads from a device a second")
        deviceWriteIOps = rates("device-write-iops", bytes: false, "Limit of writes to a device a second")
        ioMaxBandwidth = flags.bytes("io-maxbandwidth", "I/O limit of the system drive (Windows only)")
        ioMaxIOps = flags.uint("io-maxiops", "I/O operations limit of the system drive (Windows only)")

        restart = flags.string("restart", default: "no", "When to start the container again after it ends")
        remove = flags.bool("rm", "Remove the container and its anonymous volumes when it ends")
        logDriver = flags.string("log-driver", "Where the container's output is logged")
        logOpt = flags.strings("log-opt", "Options for the log driver")
        healthCmd = flags.string("health-cmd", "Command that checks the container's health")
        healthInterval = flags.duration("health-interval", showsZero: true, "Time between checks (ms|s|m|h)")
        healthTimeout = flags.duration("health-timeout", showsZero: true, "Time a check may take (ms|s|m|h)")
        healthStartPeriod = flags.duration(
            "health-start-period", showsZero: true, "Time in which failures do not count yet (ms|s|m|h)")
        healthStartInterval = flags.duration(
            "health-start-interval", showsZero: true, "Time between checks in the start period (ms|s|m|h)")
        healthRetries = flags.int("health-retries", "Failures in a row that make the container unhealthy")
        noHealthcheck = flags.bool("no-healthcheck", "Switch the image's health check off")
        flags.bool("disable-content-trust", default: true, "Skip the verification of images")
    }
}
