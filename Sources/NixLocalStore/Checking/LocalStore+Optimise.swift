import Kernel
import NixStore

/// What optimising did.
public struct OptimiseResult: Sendable {
    public var linkedFiles = 0
    /// Bytes of files that are now other names of equal files.
    public var freedBytes: UInt64 = 0
}

extension LocalStore {
    /// Makes equal files of all valid objects one file with several names, through names in `.links`.
    public func optimise() throws -> OptimiseResult {
        try requireWritable()
        var result = OptimiseResult()
        for path in try allValidPaths().sorted() {
            try addTemporaryRoot(path)
            // It may have been collected before it was kept.
            guard try isValid(path) else { continue }
            try optimise(layout.file(path), &result)
        }
        return result
    }

    /// The same of one object, valid or about to be, which somebody keeps.
    public func linkEqualFiles(of path: StorePath) throws {
        var result = OptimiseResult()
        try optimise(layout.file(path), &result)
    }

    /// The same of one object's files.
    func optimise(_ file: String, _ result: inout OptimiseResult) throws {
        do throws(KernelError) { try linkEqual(file, isRoot: true, &result) } catch {
            throw StoreError(.system(error.code.rawValue), "hard-linking equal files of '\(file)': \(error)")
        }
    }

    private func linkEqual(
        _ path: String, isRoot: Bool, _ result: inout OptimiseResult
    ) throws(KernelError) {
        let here = FileDescriptor.currentDirectory
        let status = try here.status(of: path)
        if status.isDirectory {
            for entry in try here.entries(of: path) {
                guard entry.name.utf8.elementsEqual(entry.bytes) else { continue }
                try linkEqual(path + "/" + entry.name, isRoot: false, &result)
            }
            return
        }
        // A file that may be written to has been changed by somebody, and would change the others.
        guard status.isSymbolicLink || status.isRegular && status.permissions & 0o200 == 0 else { return }
        guard let hash = try? Hash.andSize(archiveOf: path).hash else {
            throw KernelError(.inputOutput, "read", path)
        }
        let link = layout.links + "/" + hash.text(.nix32)
        do throws(KernelError) { try here.makeHardLink(link, to: path) } catch {
            // A file system's directory may be full, or have no more names for one file.
            if error.code == .noSpace || error.code == .tooManyLinks { return }
            if error.code != .exists { throw error }
            try replace(path, status, with: link, isRoot: isRoot, &result)
        }
    }

    private func replace(
        _ path: String, _ status: FileStatus, with link: String, isRoot: Bool, _ result: inout OptimiseResult
    ) throws(KernelError) {
        let here = FileDescriptor.currentDirectory
        let known = try here.status(of: link)
        if known.inode == status.inode { return }
        if known.type != status.type || known.size != status.size || known.permissions != status.permissions {
            // The name lies about its file: the disk or somebody has damaged it.
            try here.unlink(link)
            return try here.makeHardLink(link, to: path)
        }
        let folder = String(path[..<(path.utf8.lastIndex(of: UInt8(ascii: "/")) ?? path.startIndex)])
        let temporary = "\(layout.objects)/.tmp-link-\(Processes.currentID)-\(randomHexadecimal(bytes: 6))"
        do throws(KernelError) { try here.makeHardLink(temporary, to: link) } catch {
            if error.code == .tooManyLinks { return }
            throw error
        }
        // Directories of objects are not written to but here, and look as before afterwards.
        if !isRoot { try here.changeMode(of: folder, to: 0o755) }
        do throws(KernelError) {
            defer {
                if !isRoot {
                    try? here.changeMode(of: folder, to: 0o555)
                    try? here.setTimes(of: folder, accessed: nil, modified: CanonicalMetadata.time)
                }
            }
            try here.rename(temporary, to: path)
        } catch {
            try? here.unlink(temporary)
            if error.code == .tooManyLinks { return }
            throw error
        }
        result.linkedFiles += 1
        result.freedBytes += UInt64(status.size)
    }
}
