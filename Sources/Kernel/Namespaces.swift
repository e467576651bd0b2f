import CKernel
import Glibc

/// The kinds of namespace (`CLONE_NEW*`).
public struct Namespaces: OptionSet, Hashable, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    public static let time = Self(rawValue: 0x80)
    public static let mount = Self(rawValue: 0x2_0000)
    public static let cgroup = Self(rawValue: 0x200_0000)
    public static let uts = Self(rawValue: 0x400_0000)
    public static let ipc = Self(rawValue: 0x800_0000)
    public static let user = Self(rawValue: 0x1000_0000)
    public static let pid = Self(rawValue: 0x2000_0000)
    public static let network = Self(rawValue: 0x4000_0000)

    /// Each kind with its name in `/proc/<pid>/ns`.
    public static let all: [(kind: Namespaces, name: String)] = [
        (.user, "user"), (.pid, "pid"), (.network, "net"), (.ipc, "ipc"), (.uts, "uts"), (.cgroup, "cgroup"),
        (.mount, "mnt"), (.time, "time"),
    ]
}

extension Namespaces {
    /// Joins a namespace that `descriptor` is of, or with a pidfd all the `kinds` of that process.
    public static func join(_ descriptor: FileDescriptor, _ kinds: Namespaces) throws(KernelError) {
        try call("join the \(kinds.description) namespace of", descriptor.description) {
            ck_setns(descriptor.rawValue, Int32(truncatingIfNeeded: kinds.rawValue))
        }
    }

    /// Leaves the namespaces of these kinds for new ones. `files` gives up sharing descriptors between threads too.
    public static func unshare(_ kinds: Namespaces) throws(KernelError) {
        try call("make new \(kinds.description) namespaces") { ck_unshare(Int32(truncatingIfNeeded: kinds.rawValue)) }
    }

    /// The user namespace that owns this namespace (`NS_GET_USERNS`).
    public static func owner(of namespace: FileDescriptor) throws(KernelError) -> FileDescriptor {
        FileDescriptor(
            owning: Int32(
                try call("find the owner of namespace", namespace.description) {
                    ck_ioctl(namespace.rawValue, 0xb701, 0)
                }))
    }

    /// The parent of a user or pid namespace (`NS_GET_PARENT`).
    public static func parent(of namespace: FileDescriptor) throws(KernelError) -> FileDescriptor {
        FileDescriptor(
            owning: Int32(
                try call("find the parent of namespace", namespace.description) {
                    ck_ioctl(namespace.rawValue, 0xb702, 0)
                }))
    }

    /// The kind of an open namespace (`NS_GET_NSTYPE`).
    /// - Throws: `ENOTTY` when the descriptor is not of a namespace.
    public static func kind(of namespace: FileDescriptor) throws(KernelError) -> Namespaces {
        let raw = try call("find the kind of namespace", namespace.description) {
            ck_ioctl(namespace.rawValue, 0xb703, 0)
        }
        return Namespaces(rawValue: UInt64(raw))
    }
}

extension Namespaces: CustomStringConvertible {
    public var description: String {
        Namespaces.all.filter { contains($0.kind) }.map(\.name).joined(separator: "+")
    }
}

/// Brings up the loopback interface of the network namespace that the caller is in.
public func bringLoopbackUp() throws(KernelError) {
    let socket = try Socket.make(.internet, .datagram)
    var request = ck_ifreq()
    withUnsafeMutableBytes(of: &request.name) { $0.copyBytes(from: "lo".utf8) }
    try call("read the flags of interface", "lo") { ck_ioctl_pointer(socket.rawValue, UInt(SIOCGIFFLAGS), &request) }
    // IFF_UP | IFF_RUNNING
    request.flags |= 0x1 | 0x40
    try call("bring up interface", "lo") { ck_ioctl_pointer(socket.rawValue, UInt(SIOCSIFFLAGS), &request) }
}
