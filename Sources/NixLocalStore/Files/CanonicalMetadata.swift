import Glibc
import Kernel
import NixStore

/// Makes files of a store object alike wherever they come from: mode 0444 or 0555, the time 1, root's (or whoever
/// has the store), no extended attributes.
public struct CanonicalMetadata {
    /// Seconds since 1970 of every file in a store: not 0, which some programs take for "never".
    static let time = Timestamp(seconds: 1)

    /// Who may own files as they come; anybody else's are refused, because their owner could change them.
    private let owner: UInt32
    private var seen: Set<Inode> = []

    private struct Inode: Hashable {
        let device: DeviceNumber
        let number: UInt64
    }

    /// - Parameter owner: whose the files are before; `nil` for this process's user.
    public init(owner: UInt32? = nil) { self.owner = owner ?? UInt32(geteuid()) }

    /// Brings `path` and all below it into the canonical form.
    /// - Throws: `StoreError.badArchive` for what cannot be in a store: devices, sockets, fifos, and files that have
    ///   other names outside of the tree.
    public mutating func apply(to path: String) throws {
        do {
            try apply(Array(path.utf8), in: .currentDirectory, path)
        } catch let error as KernelError {
            throw StoreError(.system(error.code.rawValue), "making the metadata of '\(path)' canonical: \(error)")
        }
    }

    private mutating func apply(_ name: [UInt8], in directory: FileDescriptor, _ path: String) throws {
        let status = try directory.status(of: name)
        guard status.isRegular || status.isDirectory || status.isSymbolicLink else {
            throw StoreError(.badArchive, "file '\(path)' has an unsupported type")
        }
        let inode = Inode(device: status.device, number: status.inode)
        if status.userID != owner {
            // A second name for a file of this tree has been changed with the first.
            guard !status.isDirectory, seen.contains(inode), status.userID == UInt32(geteuid()) else {
                throw StoreError(.badArchive, "invalid ownership on file '\(path)': it is user \(status.userID)'s")
            }
            return
        }
        seen.insert(inode)
        try dropAttributes(name, in: directory)
        if !status.isSymbolicLink {
            let mode: UInt32 = status.isDirectory || status.permissions & 0o100 != 0 ? 0o555 : 0o444
            if status.permissions != mode { try directory.changeMode(of: name, to: mode) }
        }
        if status.isDirectory {
            let inner = try directory.open(name, [.readOnly, .directory, .noFollow])
            for entry in try inner.entries() { try apply(entry.bytes, in: inner, path + "/" + entry.name) }
        }
        if status.modified != Self.time {
            try directory.setTimes(of: name, accessed: status.accessed, modified: Self.time)
        }
        let (user, group) = (UInt32(geteuid()), UInt32(getegid()))
        if status.userID != user || status.groupID != group {
            try directory.changeOwner(of: name, userID: user, groupID: group)
        }
    }

    private func dropAttributes(_ name: [UInt8], in directory: FileDescriptor) throws {
        // Through the directory's descriptor, for a path may be longer than the kernel takes.
        let path =
            directory === FileDescriptor.currentDirectory
            ? name : Array("\(directory.procPath)/".utf8) + name
        let names: [String]
        do throws(KernelError) { names = try ExtendedAttributes.list(of: path) } catch {
            if error.code == .notSupported { return }
            throw error
        }
        for attribute in names {
            // Its label is the security module's business, and mostly cannot be removed.
            if attribute == "security.selinux" { continue }
            try ExtendedAttributes.remove(attribute, of: path)
        }
    }
}
