import CKernel
import Glibc

/// A network namespace, kept open.
public struct NetworkNamespace: Sendable {
    public let descriptor: FileDescriptor

    /// - Parameter descriptor: of the namespace itself, as from `/proc/<pid>/ns/net`.
    public init(_ descriptor: FileDescriptor) { self.descriptor = descriptor }

    /// The namespace of a process.
    /// - Throws: `ENOENT` when there is no such process.
    public static func open(pid: Int32) throws(KernelError) -> NetworkNamespace {
        NetworkNamespace(try FileDescriptor.open("/proc/\(pid)/ns/net"))
    }

    /// The namespace of the process of a pidfd (`PIDFD_GET_NET_NAMESPACE`, Linux 6.11).
    /// - Throws: `ENOTTY` or `EINVAL` on older kernels.
    public static func open(process: ProcessDescriptor) throws(KernelError) -> NetworkNamespace {
        // _IO(0xFF, 4)
        NetworkNamespace(
            FileDescriptor(
                owning: Int32(
                    try call("open the network namespace of", process.descriptor.description) {
                        ck_ioctl(process.descriptor.rawValue, 0xff04, 0)
                    })))
    }

    /// The calling thread's.
    public static func current() throws(KernelError) -> NetworkNamespace {
        NetworkNamespace(try FileDescriptor.open("/proc/thread-self/ns/net"))
    }

    /// A new, empty namespace (its loopback is down) that lives as long as something refers to it.
    public static func make() throws(KernelError) -> NetworkNamespace {
        let home = try current()
        try Namespaces.unshare(.network)
        defer { home.enterOrDie() }
        return try current()
    }

    /// Runs `body` with the calling thread in this namespace, and brings the thread back.
    ///
    /// It blocks and must not be called where other work can be put on the same thread meanwhile: `body` cannot
    /// suspend, so on a thread pool that is never so. Sockets made by `body` stay in this namespace.
    ///
    /// A thread that could not come back would do the host's work inside a container. If the kernel refuses that, which
    /// it has no reason to, the process ends.
    public func run<Result>(_ body: () throws -> Result) throws -> Result {
        let home = try Self.current()
        try Namespaces.join(descriptor, .network)
        defer { home.enterOrDie() }
        return try body()
    }

    /// As `run`, for bodies that throw what this module throws.
    public func within<Result>(_ body: () throws(KernelError) -> Result) throws(KernelError) -> Result {
        let home = try Self.current()
        try Namespaces.join(descriptor, .network)
        defer { home.enterOrDie() }
        return try body()
    }

    private func enterOrDie() {
        do throws(KernelError) { try Namespaces.join(descriptor, .network) } catch {
            try? FileDescriptor.standardError.writeAll("cannot return from a network namespace: \(error)\n")
            abort()
        }
    }
}
