import Glibc
import Kernel
import OCI

/// What this machine is and can; found out once.
package struct HostFacts: Sendable {
    package var kernelVersion = ""
    package var kernel = (major: 0, minor: 0)
    /// Go's name.
    package var architecture = Platform.host.architecture
    /// The kernel's name.
    package var machine = ""
    package var hostname = ""
    package var cpuCount = 1
    /// Bytes.
    package var memory: Int64 = 0
    package var operatingSystem = "Linux"
    package var osVersion = ""
    package var onlineCPUs = "0"
    package var onlineMemoryNodes = "0"
    package var hasCgroupV2 = false
    package var hasSystemd = false
    package var hasMemory = false
    package var hasSwapLimit = false
    package var hasSwappiness = false
    package var hasOOMControl = false
    package var hasPids = false
    package var hasCPU = false
    package var hasCpuset = false
    package var hasBlockIO = false
    package var hasBlockIOWeight = false
    package var hasAppArmor = false
    package var hasSeccomp = false
    package var hasCgroupNamespaces = false
    package var hasIPv4Forwarding = false

    /// Whether the host's kernel has IPv6.
    package static let hasIPv6 = HostFiles.exists("/proc/sys/net/ipv6")

    package init() {
        var name = utsname()
        uname(&name)
        kernelVersion = Self.text(&name.release)
        machine = Self.text(&name.machine)
        let parts = kernelVersion.split(whereSeparator: { !$0.isNumber }).prefix(2).map { Int($0) ?? 0 }
        if parts.count == 2 { kernel = (parts[0], parts[1]) }
        hostname = Self.text(&name.nodename)
        cpuCount = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        memory = Int64(sysconf(Int32(_SC_PHYS_PAGES))) * Int64(sysconf(Int32(_SC_PAGESIZE)))
        if let release = HostFiles.text("/etc/os-release") ?? HostFiles.text("/usr/lib/os-release") {
            for line in release.split(separator: "\n") {
                if line.hasPrefix("PRETTY_NAME=") { operatingSystem = Self.unquote(line.dropFirst(12)) }
                if line.hasPrefix("VERSION_ID=") { osVersion = Self.unquote(line.dropFirst(11)) }
            }
        }
        onlineCPUs = HostFiles.line("/sys/devices/system/cpu/online") ?? "0"
        onlineMemoryNodes = HostFiles.line("/sys/devices/system/node/online") ?? "0"
        hasSystemd = HostFiles.exists("/run/systemd/system")
        hasCgroupV2 = (try? FileSystemStatus(of: "/sys/fs/cgroup"))?.magic == FileSystemStatus.cgroup2Magic
        hasSeccomp = HostFiles.exists("/proc/sys/kernel/seccomp/actions_avail")
        hasCgroupNamespaces = HostFiles.exists("/proc/self/ns/cgroup")
        hasAppArmor =
            HostFiles.line("/sys/module/apparmor/parameters/enabled") == "Y"
            && (HostFiles.text("/sys/kernel/security/apparmor/profiles") ?? "").contains("docker-default ")
        hasIPv4Forwarding = HostFiles.line("/proc/sys/net/ipv4/ip_forward") == "1"
        if hasCgroupV2 { readControllersV2() } else { readControllersV1() }
    }

    private mutating func readControllersV2() {
        let controllers = Set((HostFiles.line("/sys/fs/cgroup/cgroup.controllers") ?? "").split(separator: " "))
        hasMemory = controllers.contains("memory")
        hasSwapLimit = hasMemory && HostFiles.exists("/proc/swaps")
        hasPids = controllers.contains("pids")
        hasCPU = controllers.contains("cpu")
        hasCpuset = controllers.contains("cpuset")
        hasBlockIO = controllers.contains("io")
        hasBlockIOWeight = hasBlockIO
    }

    private mutating func readControllersV1() {
        let top = "/sys/fs/cgroup/"
        hasMemory = HostFiles.exists(top + "memory/memory.limit_in_bytes")
        hasSwapLimit = HostFiles.exists(top + "memory/memory.memsw.limit_in_bytes")
        hasSwappiness = HostFiles.exists(top + "memory/memory.swappiness")
        hasOOMControl = HostFiles.exists(top + "memory/memory.oom_control")
        hasPids = HostFiles.exists(top + "pids/cgroup.procs")
        hasCPU = HostFiles.exists(top + "cpu/cpu.shares")
        hasCpuset = HostFiles.exists(top + "cpuset/cpuset.cpus")
        hasBlockIO = HostFiles.exists(top + "blkio/blkio.throttle.read_bps_device")
        hasBlockIOWeight = HostFiles.exists(top + "blkio/blkio.weight")
    }

    private static func text<Field>(_ field: inout Field) -> String {
        withUnsafeBytes(of: &field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    private static func unquote(_ text: some StringProtocol) -> String {
        var text = HostFiles.trim(text)
        if text.count >= 2, text.hasPrefix("\""), text.hasSuffix("\"") { text = String(text.dropFirst().dropLast()) }
        return text
    }
}
