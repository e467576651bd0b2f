import Kernel

/// What a container changed: as a list, and as a layer.
public struct LayerDiff: Sendable {
    private enum Source {
        case overlay(OverlayDiff)
        case trees(TreeDiff)
    }

    private let source: Source

    /// What overlayfs' upper directory holds over its lower ones.
    ///
    /// - Parameters:
    ///   - lowers: the lower directories, top first; only `changes()` needs them.
    ///   - merged: the mounted whole, to read what the upper directory only refers to (`redirect_dir`, `metacopy`).
    ///     Without it such an upper directory is an error.
    public static func overlay(upper: FileDescriptor, lowers: [FileDescriptor], merged: FileDescriptor? = nil) -> Self {
        LayerDiff(source: .overlay(OverlayDiff(upper: upper, lowers: lowers, merged: merged)))
    }

    /// What differs between two directory trees, told by metadata: kind, mode, owner, size, time, link and device.
    public static func trees(old: FileDescriptor, new: FileDescriptor) -> Self {
        LayerDiff(source: .trees(TreeDiff(old: old, new: new)))
    }

    /// The changed paths, sorted. A directory is modified when its metadata are, or when something in it changed; of
    /// what was deleted, only the topmost path is named.
    public func changes() throws -> [TreeChange] {
        let changes = try asArchiveError {
            switch source {
            case .overlay(let diff): try diff.changes()
            case .trees(let diff): try diff.changes()
            }
        }
        return changes.sorted { $0.path.lexicographicallyPrecedes($1.path) }
    }

    /// Writes the layer's entries, with whiteouts for what is gone. The caller finishes the writer.
    public func write(to writer: TarWriter, options: PackOptions = .init()) throws {
        try asArchiveError {
            switch source {
            case .overlay(let diff): try diff.write(PackSession(options, writer))
            case .trees(let diff): try diff.write(PackSession(options, writer))
            }
        }
    }
}

extension PackSession {
    /// Writes the mark that `path` is gone from the layers below.
    func addWhiteout(for path: [UInt8]) throws {
        var path = path
        let start = path.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0
        path.insert(contentsOf: Whiteout.prefix, at: start)
        try writer.add(TarEntry(path: path, kind: .file, mode: 0))
    }

    /// Writes the mark that the layers below show nothing in the directory `path`.
    func addOpaque(in path: [UInt8]) throws {
        let prefix = path.isEmpty ? [] : path + [UInt8(ascii: "/")]
        try writer.add(TarEntry(path: prefix + Whiteout.opaque, kind: .file, mode: 0))
    }
}

/// Compares two trees.
struct TreeDiff {
    let old: FileDescriptor
    let new: FileDescriptor

    func changes() throws -> [TreeChange] {
        var changes: [TreeChange] = []
        _ = try compare(
            try old.open(".", [.readOnly, .directory]), try new.open(".", [.readOnly, .directory]), path: [], &changes)
        return changes
    }

    func write(_ session: PackSession) throws {
        let changes = try changes().sorted { $0.path.lexicographicallyPrecedes($1.path) }
        for change in changes {
            if change.kind == .deleted {
                try session.addWhiteout(for: change.path)
                continue
            }
            // A directory's entry alone: what changed in it has changes of its own.
            let status = try new.statusIfPresent(of: change.path)
            guard let status else { continue }
            if status.isDirectory {
                let directory = try new.open(
                    change.path, [.readOnly, .directory], resolve: [.beneath, .noSymlinks])
                try session.addDirectory(directory, status, as: change.path)
            } else {
                let slash = change.path.lastIndex(of: UInt8(ascii: "/"))
                let parent = slash.map { Array(change.path[..<$0]) } ?? Array(".".utf8)
                let name = slash.map { Array(change.path[($0 + 1)...]) } ?? change.path
                let directory = try new.open(parent, [.readOnly, .directory], resolve: [.beneath, .noSymlinks])
                try session.add(name, in: directory, as: change.path)
            }
        }
    }

    /// Compares two directories and returns whether anything in them differs.
    private func compare(
        _ old: FileDescriptor, _ new: FileDescriptor, path: [UInt8], _ changes: inout [TreeChange]
    ) throws -> Bool {
        var hasChanges = false
        var oldNames = Set(try old.entries().map(\.bytes))
        for name in try new.entries().map(\.bytes) {
            let path = path.isEmpty ? name : path + [UInt8(ascii: "/")] + name
            try checkPathLength(path)
            let wasThere = oldNames.remove(name) != nil
            guard let status = try new.statusIfPresent(of: name), status.type != .socket else { continue }
            guard wasThere, let before = try old.statusIfPresent(of: name) else {
                try addAll(name, in: new, status, path: path, &changes)
                hasChanges = true
                continue
            }
            var differs = try isDifferent(before, status, name, old, new)
            if status.isDirectory {
                let child = try new.open(name, [.readOnly, .directory, .noFollow])
                if before.isDirectory {
                    let oldChild = try old.open(name, [.readOnly, .directory, .noFollow])
                    if try compare(oldChild, child, path: path, &changes) { differs = true }
                } else {
                    try addContents(of: child, path: path, &changes)
                }
            }
            if differs {
                changes.append(TreeChange(.modified, path: path))
                hasChanges = true
            }
        }
        for name in oldNames {
            changes.append(TreeChange(.deleted, path: path.isEmpty ? name : path + [UInt8(ascii: "/")] + name))
            hasChanges = true
        }
        return hasChanges
    }

    private func addAll(
        _ name: [UInt8], in directory: FileDescriptor, _ status: FileStatus, path: [UInt8],
        _ changes: inout [TreeChange]
    ) throws {
        try checkPathLength(path)
        changes.append(TreeChange(.added, path: path))
        if status.isDirectory {
            try addContents(of: directory.open(name, [.readOnly, .directory, .noFollow]), path: path, &changes)
        }
    }

    private func addContents(of directory: FileDescriptor, path: [UInt8], _ changes: inout [TreeChange]) throws {
        for name in try directory.entries().map(\.bytes) {
            guard let status = try directory.statusIfPresent(of: name), status.type != .socket else { continue }
            try addAll(name, in: directory, status, path: path + [UInt8(ascii: "/")] + name, &changes)
        }
    }

    private func isDifferent(
        _ before: FileStatus, _ after: FileStatus, _ name: [UInt8], _ old: FileDescriptor, _ new: FileDescriptor
    ) throws -> Bool {
        if before.mode != after.mode || before.userID != after.userID || before.groupID != after.groupID { return true }
        if before.specialDevice != after.specialDevice { return true }
        if !isSameTime(before.modified, after.modified) { return true }
        switch after.type {
        case .directory: return false
        case .symbolicLink: return try old.readLink(name) != new.readLink(name)
        case .regular:
            return try before.size != after.size || capability(of: name, in: old) != capability(of: name, in: new)
        default: return false
        }
    }

    private func capability(of name: [UInt8], in directory: FileDescriptor) throws -> [UInt8]? {
        try extendedAttributes(of: name, in: directory).first { $0.name.elementsEqual("security.capability".utf8) }?
            .value
    }
}

/// As Docker compares times: a time that came out of a layer may have lost its nanoseconds.
func isSameTime(_ left: Timestamp, _ right: Timestamp) -> Bool {
    left.seconds == right.seconds
        && (left.nanoseconds == right.nanoseconds || left.nanoseconds == 0 || right.nanoseconds == 0)
}
