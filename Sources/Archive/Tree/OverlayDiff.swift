import Kernel

/// Reads the changes out of an overlay's upper directory (Linux, Documentation/filesystems/overlayfs.rst).
struct OverlayDiff {
    let upper: FileDescriptor
    let lowers: [FileDescriptor]
    let merged: FileDescriptor?

    // MARK: As a layer

    func write(_ session: PackSession) throws {
        let top = try upper.open(".", [.readOnly, .directory])
        let merged = try merged?.open(".", [.readOnly, .directory])
        try writeContents(of: top, merged: merged, path: [], session)
    }

    private func writeContents(
        of directory: FileDescriptor, merged: FileDescriptor?, path: [UInt8], _ session: PackSession
    ) throws {
        if try OverlayMarks(of: directory).isOpaque { try session.addOpaque(in: path) }
        for name in try session.sortedNames(of: directory) {
            let path = path.isEmpty ? name : path + [UInt8(ascii: "/")] + name
            try checkPathLength(path)
            guard let status = try directory.statusIfPresent(of: name) else { continue }
            if status.isWhiteout {
                if session.options.includes?(path) ?? true { try session.addWhiteout(for: path) }
            } else if status.isDirectory {
                guard session.options.includes?(path) ?? true else { continue }
                let child = try directory.open(name, [.readOnly, .directory, .noFollow])
                try session.addDirectory(child, status, as: path)
                if try OverlayMarks(of: child).redirect != nil {
                    // It was renamed here from below, so all that it shows is new under this name.
                    let whole = try whole(name, merged, path)
                    try session.addOpaque(in: path)
                    try session.addContents(of: whole, as: path, onDevice: try whole.status().device)
                } else {
                    let mergedChild = try merged?.openIfDirectory(name)
                    try writeContents(of: child, merged: mergedChild, path: path, session)
                }
            } else if status.isRegular, try OverlayMarks(of: name, in: directory).isMetadataOnly {
                guard let merged else { throw needsMerged(path) }
                try session.add(name, in: merged, as: path)
            } else {
                try session.add(name, in: directory, as: path)
            }
        }
    }

    private func whole(_ name: [UInt8], _ merged: FileDescriptor?, _ path: [UInt8]) throws -> FileDescriptor {
        guard let merged, let whole = try merged.openIfDirectory(name) else { throw needsMerged(path) }
        return whole
    }

    private func needsMerged(_ path: [UInt8]) -> ArchiveError {
        ArchiveError(
            .unsupported,
            "\"\(path.displayName)\" in the overlay's upper directory only refers to a lower one "
                + "(redirect_dir or metacopy), and the merged tree was not given to read it from"
        )
    }

    // MARK: As a list

    func changes() throws -> [TreeChange] {
        var changes: [TreeChange] = []
        let top = try upper.open(".", [.readOnly, .directory])
        var visible: [FileDescriptor] = []
        for lower in lowers {
            let directory = try lower.open(".", [.readOnly, .directory])
            visible.append(directory)
            if try OverlayMarks(of: directory).isOpaque { break }
        }
        _ = try collect(top, lowers: visible, path: [], &changes)
        return changes
    }

    /// Lists what one directory of the upper tree changes, and returns whether that is anything.
    ///
    /// - Parameter lowers: the same directory in those lower trees that show through here, top first.
    private func collect(
        _ directory: FileDescriptor, lowers: [FileDescriptor], path: [UInt8], _ changes: inout [TreeChange]
    ) throws -> Bool {
        var hasChanges = false
        let marks = try OverlayMarks(of: directory)
        var names = Set<[UInt8]>()
        for name in try directory.entries().map(\.bytes) {
            names.insert(name)
            let path = path.isEmpty ? name : path + [UInt8(ascii: "/")] + name
            try checkPathLength(path)
            guard let status = try directory.statusIfPresent(of: name), status.type != .socket else { continue }
            let below = try lowerState(of: name, in: lowers)
            if status.isWhiteout {
                if below.status != nil {
                    changes.append(TreeChange(.deleted, path: path))
                    hasChanges = true
                }
                continue
            }
            var differs = true
            if status.isDirectory {
                let child = try directory.open(name, [.readOnly, .directory, .noFollow])
                let childChanged = try collect(child, lowers: below.directories, path: path, &changes)
                differs = childChanged || below.status.map { isDifferent($0, status) } ?? true
            }
            if differs {
                changes.append(TreeChange(below.status == nil ? .added : .modified, path: path))
                hasChanges = true
            }
        }
        if marks.isOpaque {
            for name in try visibleNames(in: lowers) where !names.contains(name) {
                changes.append(TreeChange(.deleted, path: path.isEmpty ? name : path + [UInt8(ascii: "/")] + name))
                hasChanges = true
            }
        }
        return hasChanges
    }

    /// A copied-up directory is a change only if something about it is.
    private func isDifferent(_ lower: FileStatus, _ upper: FileStatus) -> Bool {
        lower.mode != upper.mode || lower.userID != upper.userID || lower.groupID != upper.groupID
            || !isSameTime(lower.modified, upper.modified)
    }

    /// What the lower trees together show under a name: its status, and the directories that are merged there.
    private func lowerState(of name: [UInt8], in lowers: [FileDescriptor]) throws
        -> (status: FileStatus?, directories: [FileDescriptor])
    {
        var found: FileStatus?
        var directories: [FileDescriptor] = []
        for lower in lowers {
            guard let status = try lower.statusIfPresent(of: name) else { continue }
            if status.isWhiteout { break }
            // What is no directory hides all below, and is hidden by a directory above.
            if !status.isDirectory { return (found ?? status, directories) }
            if found == nil { found = status }
            let directory = try lower.open(name, [.readOnly, .directory, .noFollow])
            directories.append(directory)
            if try OverlayMarks(of: directory).isOpaque { break }
        }
        return (found, directories)
    }

    private func visibleNames(in lowers: [FileDescriptor]) throws -> [[UInt8]] {
        var names = Set<[UInt8]>()
        for lower in lowers {
            // A descriptor reads its directory once.
            names.formUnion(try lower.open(".", [.readOnly, .directory]).entries().map(\.bytes))
        }
        return try names.filter { try lowerState(of: $0, in: lowers).status != nil }
    }
}

/// The marks that overlayfs keeps on files of its upper directory, under either of its attribute name spaces.
struct OverlayMarks {
    var isOpaque = false
    var redirect: [UInt8]?
    var isMetadataOnly = false

    init(of directory: FileDescriptor) throws { self.init(try extendedAttributes(of: directory)) }
    init(of name: [UInt8], in directory: FileDescriptor) throws {
        self.init(try extendedAttributes(of: name, in: directory))
    }

    private init(_ attributes: [TarEntry.Attribute]) {
        for attribute in attributes where attribute.isOverlayMark {
            let text = String(decoding: attribute.name, as: UTF8.self)
            if text.hasSuffix(".overlay.opaque") { isOpaque = attribute.value.elementsEqual("y".utf8) }
            if text.hasSuffix(".overlay.redirect") { redirect = attribute.value }
            if text.hasSuffix(".overlay.metacopy") { isMetadataOnly = true }
        }
    }
}

extension FileStatus {
    /// Whether this is overlayfs' mark for a deleted name.
    var isWhiteout: Bool { type == .characterDevice && specialDevice.major == 0 && specialDevice.minor == 0 }
}

extension FileDescriptor {
    /// `nil` when the name is none of a directory.
    func openIfDirectory(_ name: [UInt8]) throws(KernelError) -> FileDescriptor? {
        do throws(KernelError) { return try open(name, [.readOnly, .directory, .noFollow]) } catch {
            if error.code == .notFound || error.code == .notDirectory || error.code == .symlinkLoop { return nil }
            throw error
        }
    }
}
