import Kernel

/// The bytes of all files below a directory, as `du --apparent-size` counts them: hard links once, directories not.
///
/// What disappears while it is counted does not count.
func treeSize(_ path: String) throws -> Int64 {
    var seen: Set<UInt64> = []
    guard try FileDescriptor.currentDirectory.statusIfPresent(of: path) != nil else { return 0 }
    return try treeSize(try FileDescriptor.open(path, [.readOnly, .directory]), seen: &seen, depth: 0)
}

private func treeSize(_ directory: FileDescriptor, seen: inout Set<UInt64>, depth: Int) throws -> Int64 {
    var total: Int64 = 0
    for entry in try directory.entries() {
        guard let status = try directory.statusIfPresent(of: entry.bytes) else { continue }
        if status.isDirectory {
            // A tree this deep is an attack on the counter; descriptors are held on the way down.
            guard depth < 256 else { continue }
            guard let child = try? directory.open(entry.bytes, [.readOnly, .directory, .noFollow]) else { continue }
            total += try treeSize(child, seen: &seen, depth: depth + 1)
        } else if status.isRegular || status.isSymbolicLink {
            if status.linkCount > 1, !seen.insert(status.inode).inserted { continue }
            total += status.size
        }
    }
    return total
}
