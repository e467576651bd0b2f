import CKernel
import Glibc

/// One capability (`CAP_*`).
public struct Capability: RawRepresentable, Hashable, Sendable, Comparable, CustomStringConvertible {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The names without `CAP_`, at their numbers (linux/capability.h).
    private static let names = [
        "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
        "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
        "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
        "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
        "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
        "CHECKPOINT_RESTORE",
    ]

    /// All that this program knows by name, in the order of their numbers.
    public static let all: [Capability] = (0..<UInt8(names.count)).map { Capability(rawValue: $0) }

    /// From `CAP_SYS_ADMIN`; letters of either case, with or without `CAP_`.
    public init?(name: String) {
        var name = name.uppercased()
        if name.hasPrefix("CAP_") { name.removeFirst(4) }
        guard let index = Self.names.firstIndex(of: name) else { return nil }
        rawValue = UInt8(index)
    }

    /// With `CAP_`.
    public var name: String {
        rawValue < Self.names.count ? "CAP_" + Self.names[Int(rawValue)] : "CAP_\(rawValue)"
    }

    public var description: String { name }
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    public static let sysAdmin = Self(rawValue: 21)
    public static let sysResource = Self(rawValue: 24)
    public static let setPCap = Self(rawValue: 8)
    public static let macAdmin = Self(rawValue: 33)

    /// The highest that the running kernel has.
    public static func lastOfKernel() -> Capability {
        guard let text = try? FileDescriptor.currentDirectory.readText("/proc/sys/kernel/cap_last_cap"),
            let number = UInt8(text.split(separator: "\n").first ?? "")
        else { return all[all.count - 1] }
        return Capability(rawValue: number)
    }
}

/// A set of capabilities.
public struct CapabilitySet: OptionSet, Hashable, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    public init(_ capabilities: some Sequence<Capability>) {
        rawValue = capabilities.reduce(0) { $0 | 1 << UInt64($1.rawValue) }
    }

    public func contains(_ capability: Capability) -> Bool { rawValue >> UInt64(capability.rawValue) & 1 == 1 }

    /// In the order of their numbers.
    public var capabilities: [Capability] { (0..<64).map { Capability(rawValue: $0) }.filter { contains($0) } }
    public var names: [String] { capabilities.map(\.name) }
}

/// The sets of the calling thread.
public struct ProcessCapabilities: Hashable, Sendable {
    public var effective: CapabilitySet
    public var permitted: CapabilitySet
    public var inheritable: CapabilitySet

    public init(effective: CapabilitySet, permitted: CapabilitySet, inheritable: CapabilitySet) {
        self.effective = effective
        self.permitted = permitted
        self.inheritable = inheritable
    }

    // _LINUX_CAPABILITY_VERSION_3
    private static let version: UInt32 = 0x2008_0522

    /// Of the calling thread (0) or another process.
    public static func current(of processID: Int32 = 0) throws(KernelError) -> ProcessCapabilities {
        var header = ck_cap_header(version: version, pid: processID)
        var data = [ck_cap_data](repeating: ck_cap_data(), count: 2)
        try call("read the capabilities of process", "\(processID)") { ck_capget(&header, &data) }
        func set(_ member: KeyPath<ck_cap_data, UInt32>) -> CapabilitySet {
            CapabilitySet(rawValue: UInt64(data[0][keyPath: member]) | UInt64(data[1][keyPath: member]) << 32)
        }
        return ProcessCapabilities(
            effective: set(\.effective), permitted: set(\.permitted), inheritable: set(\.inheritable))
    }

    /// Makes these the sets of the calling thread.
    public func apply() throws(KernelError) {
        var header = ck_cap_header(version: Self.version, pid: 0)
        let data = [UInt64(0), 32].map { shift in
            ck_cap_data(
                effective: UInt32(truncatingIfNeeded: effective.rawValue >> shift),
                permitted: UInt32(truncatingIfNeeded: permitted.rawValue >> shift),
                inheritable: UInt32(truncatingIfNeeded: inheritable.rawValue >> shift))
        }
        try call("set the capabilities") { ck_capset(&header, data) }
    }

    /// What exec can grant at most.
    public static func boundingSet() -> CapabilitySet {
        // PR_CAPBSET_READ
        CapabilitySet(Capability.all.filter { ck_prctl(23, UInt($0.rawValue), 0, 0, 0) == 1 })
    }

    /// Drops from the bounding set everything that is not in `kept`, including what only the kernel knows.
    public static func limitBoundingSet(to kept: CapabilitySet) throws(KernelError) {
        for number: UInt8 in 0..<64 where !kept.contains(Capability(rawValue: number)) {
            let isBounded = ck_prctl(23, UInt(number), 0, 0, 0)
            // EINVAL: past the last one.
            if isBounded < 0 { break }
            if isBounded == 0 { continue }
            try call("drop from the bounding set", Capability(rawValue: number).name) {
                ck_prctl(24, UInt(number), 0, 0, 0)
            }
        }
    }

    public static func ambientSet() -> CapabilitySet {
        // PR_CAP_AMBIENT_IS_SET
        CapabilitySet(Capability.all.filter { ck_prctl(47, 1, UInt($0.rawValue), 0, 0) == 1 })
    }

    /// Makes `set` the ambient set. Each must be permitted and inheritable.
    /// - Returns: those that the kernel refused (`EPERM`).
    @discardableResult
    public static func setAmbient(_ set: CapabilitySet) throws(KernelError) -> CapabilitySet {
        try call("clear the ambient capabilities") { ck_prctl(47, 4, 0, 0, 0) }
        var refused: [Capability] = []
        for capability in set.capabilities {
            let result = ck_prctl(47, 2, UInt(capability.rawValue), 0, 0)
            if result == -Int(EPERM) {
                refused.append(capability)
            } else {
                try call("raise ambient capability", capability.name) { result }
            }
        }
        return CapabilitySet(refused)
    }
}
