import CKernel
import Glibc

/// The two ends of a pipe.
public struct Pipe: Sendable {
    public let readEnd: FileDescriptor
    public let writeEnd: FileDescriptor

    public init(nonBlocking: Bool = false) throws(KernelError) {
        var ends: [Int32] = [-1, -1]
        try call("make a pipe") { ck_pipe2(&ends, 0o2000000 | (nonBlocking ? O_NONBLOCK : 0)) }
        readEnd = FileDescriptor(owning: ends[0])
        writeEnd = FileDescriptor(owning: ends[1])
    }
}

extension FileDescriptor {
    /// A file in memory without a name in any directory.
    /// - Parameters:
    ///   - name: for `/proc/<pid>/fd` only.
    ///   - sealable: `addSeals` will be used.
    ///   - executable: with `false` it can never be executed where the kernel knows that (6.3).
    public static func makeMemoryFile(_ name: String, sealable: Bool = true, executable: Bool = false)
        throws(KernelError) -> FileDescriptor
    {
        // MFD_CLOEXEC 1, MFD_ALLOW_SEALING 2, MFD_NOEXEC_SEAL 8, MFD_EXEC 16
        let flags: UInt32 = 1 | (sealable ? 2 : 0)
        // Kernels before 6.3 refuse the last two.
        let precise = ck_memfd_create(name, flags | (executable ? 16 : 8))
        let result = precise == -Int(EINVAL) ? ck_memfd_create(name, flags) : precise
        return FileDescriptor(owning: Int32(try call("make a memory file", name) { result }))
    }

    public struct Seals: OptionSet, Sendable {
        public let rawValue: Int32
        public init(rawValue: Int32) { self.rawValue = rawValue }

        public static let seals = Self(rawValue: 1)
        public static let shrinking = Self(rawValue: 2)
        public static let growing = Self(rawValue: 4)
        public static let writing = Self(rawValue: 8)
        public static let all: Self = [.seals, .shrinking, .growing, .writing]
    }

    /// Forbids changes to a memory file, for ever.
    public func addSeals(_ seals: Seals) throws(KernelError) {
        try call("seal", description) { ck_fcntl(rawValue, 1033, Int(seals.rawValue)) }
    }

    public func seals() throws(KernelError) -> Seals {
        Seals(rawValue: Int32(try call("read the seals of", description) { ck_fcntl(rawValue, 1034, 0) }))
    }

    /// Sets a pipe's capacity in bytes; the kernel rounds it up, and limits it without `CAP_SYS_RESOURCE`.
    public func setPipeSize(_ size: Int) throws(KernelError) {
        try call("set the pipe size of", description) { ck_fcntl(rawValue, 1031, size) }
    }
}
