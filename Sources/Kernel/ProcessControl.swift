import CKernel
import Glibc

/// Properties of the calling thread and its process (`prctl` and relatives).
public enum ProcessControl {
    /// At most 15 bytes are kept.
    public static func setName(_ name: String) throws(KernelError) {
        try call("set the process name to", name) { name.withCString { ck_prctl_pointer(15, $0, 0) } }
    }

    /// The signal to get when the thread that made this process ends; `nil` for none. Exec of a set-ID program and
    /// changes of user clear it.
    public static func setParentDeathSignal(_ signal: Signal?) throws(KernelError) {
        try call("set the parent death signal") { ck_prctl(1, UInt(signal?.rawValue ?? 0), 0, 0, 0) }
    }

    /// From here on, exec grants no privileges.
    public static func setNoNewPrivileges() throws(KernelError) {
        try call("set no_new_privs") { ck_prctl(38, 1, 0, 0, 0) }
    }

    public static var hasNoNewPrivileges: Bool { ck_prctl(39, 0, 0, 0, 0) == 1 }

    /// Whether permitted capabilities stay when all user IDs become non-zero.
    public static func setKeepCapabilities(_ isSet: Bool) throws(KernelError) {
        try call("set the keep-capabilities flag") { ck_prctl(8, isSet ? 1 : 0, 0, 0, 0) }
    }

    public static func setDumpable(_ isSet: Bool) throws(KernelError) {
        try call("set the dumpable flag") { ck_prctl(4, isSet ? 1 : 0, 0, 0, 0) }
    }

    public static var isDumpable: Bool { ck_prctl(3, 0, 0, 0, 0) == 1 }

    /// Whether orphans below become this process's children.
    public static func setChildSubreaper(_ isSet: Bool) throws(KernelError) {
        try call("set the child subreaper flag") { ck_prctl(36, isSet ? 1 : 0, 0, 0, 0) }
    }

    public static func setSecureBits(_ bits: UInt) throws(KernelError) {
        try call("set the secure bits") { ck_prctl(28, bits, 0, 0, 0) }
    }

    public static var secureBits: UInt { UInt(max(0, ck_prctl(27, 0, 0, 0, 0))) }

    /// In nanoseconds; how late a timer may be to save wake-ups.
    public static func setTimerSlack(nanoseconds: UInt) throws(KernelError) {
        try call("set the timer slack") { ck_prctl(29, nanoseconds, 0, 0, 0) }
    }

    /// The execution domain, such as `PER_LINUX32` (8).
    public static func setPersonality(_ personality: UInt) throws(KernelError) {
        try call("set the personality to", "\(personality)") { ck_personality(personality) }
    }

    public static func setHostName(_ name: String) throws(KernelError) {
        try call("set the host name to", name) { ck_sethostname(name, name.utf8.count) }
    }

    public static func setDomainName(_ name: String) throws(KernelError) {
        try call("set the domain name to", name) { ck_setdomainname(name, name.utf8.count) }
    }

    /// Joins (makes) a session keyring; with no name, a new anonymous one.
    /// - Returns: its serial number.
    @discardableResult
    public static func joinSessionKeyring(_ name: String?) throws(KernelError) -> Int32 {
        Int32(
            truncatingIfNeeded: try call("join session keyring", name ?? "") {
                withOptionalCString(name) { ck_keyctl_join($0) }
            })
    }

    /// Adds permission bits (`KEY_POS_*`, `KEY_USR_*` …) to those of a key.
    public static func addKeyPermissions(_ key: Int32, _ permissions: UInt32) throws(KernelError) {
        // "type;uid;gid;permissions;description"
        let description = try bytes(capacity: 1024) { buffer throws(KernelError) in
            let size = try call("describe key", "\(key)") {
                ck_keyctl_describe(key, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), buffer.count)
            }
            return min(size, buffer.count)
        }
        let fields = String(decoding: description, as: UTF8.self).split(separator: ";")
        let old = fields.count > 3 ? UInt32(fields[3], radix: 16) ?? 0 : 0
        try call("set the permissions of key", "\(key)") { ck_keyctl_setperm(key, old | permissions) }
    }
}

/// User and group IDs of the calling thread (a single-threaded program's whole process).
public enum Credentials {
    public static var userID: UInt32 { getuid() }
    public static var effectiveUserID: UInt32 { geteuid() }
    public static var groupID: UInt32 { getgid() }
    public static var effectiveGroupID: UInt32 { getegid() }

    /// Real, effective and saved.
    public static func setUserIDs(_ id: UInt32) throws(KernelError) {
        try call("set the user ID to", "\(id)") { ck_setresuid(id, id, id) }
    }

    public static func setGroupIDs(_ id: UInt32) throws(KernelError) {
        try call("set the group ID to", "\(id)") { ck_setresgid(id, id, id) }
    }

    public static func setSupplementaryGroups(_ groups: [UInt32]) throws(KernelError) {
        try call("set the supplementary groups") { ck_setgroups(groups.count, groups) }
    }

    public static func supplementaryGroups() throws(KernelError) -> [UInt32] {
        var groups = [UInt32](repeating: 0, count: 65536)
        let count = try call("read the supplementary groups") { ck_getgroups(Int32(groups.count), &groups) }
        return Array(groups.prefix(count))
    }
}
