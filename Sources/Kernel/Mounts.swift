import CKernel
import Glibc

/// Flags of the classic mount call (`MS_*`).
public struct MountFlags: OptionSet, Hashable, Sendable {
    public let rawValue: UInt
    public init(rawValue: UInt) { self.rawValue = rawValue }

    public static let readOnly = Self(rawValue: 1)
    public static let noSetUserID = Self(rawValue: 2)
    public static let noDevices = Self(rawValue: 4)
    public static let noExecute = Self(rawValue: 8)
    public static let synchronous = Self(rawValue: 16)
    public static let remount = Self(rawValue: 32)
    public static let mandatoryLocks = Self(rawValue: 64)
    public static let directorySynchronous = Self(rawValue: 128)
    public static let noSymlinkFollow = Self(rawValue: 256)
    public static let noAccessTime = Self(rawValue: 1024)
    public static let noDirectoryAccessTime = Self(rawValue: 2048)
    public static let bind = Self(rawValue: 4096)
    public static let move = Self(rawValue: 8192)
    public static let recursive = Self(rawValue: 16384)
    public static let silent = Self(rawValue: 32768)
    public static let unbindable = Self(rawValue: 1 << 17)
    public static let `private` = Self(rawValue: 1 << 18)
    public static let slave = Self(rawValue: 1 << 19)
    public static let shared = Self(rawValue: 1 << 20)
    public static let relativeAccessTime = Self(rawValue: 1 << 21)
    public static let inodeVersion = Self(rawValue: 1 << 23)
    public static let strictAccessTime = Self(rawValue: 1 << 24)
    public static let lazyTime = Self(rawValue: 1 << 25)
}

/// How to unmount (`MNT_*`, `UMOUNT_NOFOLLOW`).
public struct UnmountFlags: OptionSet, Sendable {
    public let rawValue: Int32
    public init(rawValue: Int32) { self.rawValue = rawValue }

    public static let force = Self(rawValue: 1)
    /// Out of the tree now, freed when no longer used.
    public static let detach = Self(rawValue: 2)
    public static let expire = Self(rawValue: 4)
    public static let noFollow = Self(rawValue: 8)
}

/// The classic calls, by path.
public enum Mount {
    /// mount(2).
    public static func mount(
        _ source: String?, on target: some PathName, type: String? = nil, flags: MountFlags = [], data: String? = nil
    ) throws(KernelError) {
        try call("mount \(type ?? source ?? "") on", path: target) { target in
            withOptionalCString(source) { source in
                withOptionalCString(type) { type in
                    withOptionalCString(data) { data in ck_mount(source, target, type, flags.rawValue, data) }
                }
            }
        }
    }

    /// Mounts what is at `source` at `target` too.
    public static func bind(_ source: String, on target: some PathName, recursive: Bool = false) throws(KernelError) {
        try mount(source, on: target, flags: recursive ? [.bind, .recursive] : .bind)
    }

    public static func unmount(_ target: some PathName, flags: UnmountFlags = []) throws(KernelError) {
        try call("unmount", path: target) { ck_umount2($0, flags.rawValue) }
    }

    public static func pivotRoot(to newRoot: some PathName, oldRootAt oldRoot: some PathName) throws(KernelError) {
        try call("make the root directory", path: newRoot, to: oldRoot) { ck_pivot_root($0, $1) }
    }
}

func withOptionalCString(_ string: String?, _ body: (UnsafePointer<CChar>?) -> Int) -> Int {
    guard let string else { return body(nil) }
    return string.withPath { $0.map { body($0) } ?? -Int(EINVAL) }
}
