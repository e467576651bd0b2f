import CKernel
import Glibc

/// Attributes of a mount, as `fsmount` and `mount_setattr` take them (`MOUNT_ATTR_*`).
public struct MountAttributes: OptionSet, Hashable, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    public static let readOnly = Self(rawValue: 1)
    public static let noSetUserID = Self(rawValue: 2)
    public static let noDevices = Self(rawValue: 4)
    public static let noExecute = Self(rawValue: 8)
    /// The three access-time settings are one field: to set one, clear `accessTimeMask`.
    public static let relativeAccessTime = Self([])
    public static let noAccessTime = Self(rawValue: 0x10)
    public static let strictAccessTime = Self(rawValue: 0x20)
    public static let accessTimeMask = Self(rawValue: 0x70)
    public static let noDirectoryAccessTime = Self(rawValue: 0x80)
    public static let idMapped = Self(rawValue: 0x10_0000)
    public static let noSymlinkFollow = Self(rawValue: 0x20_0000)
}

/// Whether mounts made below a mount appear in its peers.
public enum MountPropagation: UInt64, Sendable {
    case unbindable = 0x2_0000
    case `private` = 0x4_0000
    case slave = 0x8_0000
    case shared = 0x10_0000
}

/// A file system being configured (`fsopen`, `fspick`): set parameters, create, mount.
///
/// What the kernel writes into its log (`read` on the descriptor) becomes part of the error.
public struct FileSystemContext: Sendable {
    public let descriptor: FileDescriptor
    public let type: String

    /// Begins a new file system of a type.
    public init(type: String) throws(KernelError) {
        descriptor = FileDescriptor(
            owning: Int32(try call("make a file system of type", path: type) { ck_fsopen($0, 1) }))
        self.type = type
    }

    /// Begins the reconfiguration of the one mounted at `path`.
    public init(reconfiguring path: some PathName, at directory: FileDescriptor = .currentDirectory)
        throws(KernelError)
    {
        // FSPICK_CLOEXEC | FSPICK_EMPTY_PATH
        descriptor = FileDescriptor(
            owning: Int32(
                try call("reconfigure the file system at", path: path) { ck_fspick(directory.rawValue, $0, 1 | 8) }))
        type = "mounted"
    }

    /// A flag, such as `ro`.
    public func set(_ key: String) throws(KernelError) {
        try configure(key) { key in ck_fsconfig(descriptor.rawValue, 0, key, nil, 0) }
    }

    /// A parameter, such as `size` = `64m`. `source` names the device.
    public func set(_ key: String, _ value: some PathName) throws(KernelError) {
        try configure("\(key)=\(value.displayName)") { _ in
            value.withPath { value in value.map { ck_fsconfig(descriptor.rawValue, 1, key, $0, 0) } ?? -Int(EINVAL) }
        }
    }

    /// A parameter that is an open file.
    public func set(_ key: String, _ file: FileDescriptor) throws(KernelError) {
        try configure(key) { key in ck_fsconfig(descriptor.rawValue, 5, key, nil, file.rawValue) }
    }

    /// Makes the file system; parameters are fixed now.
    public func create() throws(KernelError) {
        try configure("") { _ in ck_fsconfig(descriptor.rawValue, 6, nil, nil, 0) }
    }

    /// Applies the parameters to the file system that was picked.
    public func reconfigure() throws(KernelError) {
        try configure("") { _ in ck_fsconfig(descriptor.rawValue, 7, nil, nil, 0) }
    }

    /// A mount of it that is attached nowhere; it goes when the descriptor is closed, unless it has been moved to a
    /// place.
    public func mount(attributes: MountAttributes = []) throws(KernelError) -> FileDescriptor {
        FileDescriptor(
            owning: Int32(
                try configure("") { _ in ck_fsmount(descriptor.rawValue, 1, UInt32(attributes.rawValue)) }))
    }

    @discardableResult
    private func configure(_ what: String, _ body: (UnsafePointer<CChar>) -> Int) throws(KernelError) -> Int {
        do throws(KernelError) {
            return try call(what.isEmpty ? "mount" : "set \(what) of", type) { what.withCString { body($0) } }
        } catch {
            var error = error
            error.advice = messages()
            throw error
        }
    }

    /// The kernel's own words about what went wrong: lines that start with `e `, `w ` or `i `.
    private func messages() -> String {
        var lines: [String] = []
        while lines.count < 8, let line = try? descriptor.read(count: 1024), !line.isEmpty {
            let text = String(decoding: line, as: UTF8.self).split(separator: "\n").joined(separator: " ")
            lines.append(text.dropFirst(2).description)
        }
        return lines.joined(separator: "; ")
    }
}

extension FileDescriptor {
    /// A copy of the mount at `path`, attached nowhere (`OPEN_TREE_CLONE`): the source of a bind mount.
    public func cloneMount(at path: some PathName = "", recursive: Bool = false) throws(KernelError) -> FileDescriptor {
        // OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC, AT_EMPTY_PATH, AT_RECURSIVE
        let flags: UInt32 = 1 | UInt32(O_CLOEXEC) | 0x1000 | (recursive ? 0x8000 : 0)
        return FileDescriptor(
            owning: Int32(try call("copy the mount at", path: path) { ck_open_tree(rawValue, $0, flags) }))
    }

    /// Attaches this mount (from `fsmount` or `cloneMount`) at the place that `target` refers to.
    public func moveMount(to target: FileDescriptor) throws(KernelError) {
        // MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH
        try call("attach a mount to", (try? readProcLink(target)) ?? target.description) {
            ck_move_mount(rawValue, "", target.rawValue, "", 0x04 | 0x40)
        }
    }

    /// Attaches this mount at a path; links in it are followed.
    public func moveMount(to path: some PathName, at directory: FileDescriptor = .currentDirectory)
        throws(KernelError)
    {
        // MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS
        try call("attach a mount to", path: path) { ck_move_mount(rawValue, "", directory.rawValue, $0, 0x04 | 0x10) }
    }

    /// Changes attributes of the mount that this descriptor is of.
    ///
    /// - Parameters:
    ///   - recursive: also those below it (`AT_RECURSIVE`): all or none.
    ///   - userNamespace: with `.idMapped` set, the namespace whose ID maps the mount gets.
    public func setMountAttributes(
        set: MountAttributes = [], clear: MountAttributes = [], propagation: MountPropagation? = nil,
        userNamespace: FileDescriptor? = nil, recursive: Bool = false
    ) throws(KernelError) {
        var attributes = ck_mount_attr(
            attr_set: set.rawValue, attr_clr: clear.rawValue, propagation: propagation?.rawValue ?? 0,
            userns_fd: UInt64(userNamespace?.rawValue ?? 0))
        try call("set the mount attributes of", (try? readProcLink(self)) ?? description) {
            ck_mount_setattr(rawValue, "", 0x1000 | (recursive ? 0x8000 : 0), &attributes)
        }
    }
}

private func readProcLink(_ file: FileDescriptor) throws(KernelError) -> String {
    try FileDescriptor.currentDirectory.readLinkText(file.procPath)
}
