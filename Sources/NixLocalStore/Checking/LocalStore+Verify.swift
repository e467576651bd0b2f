import Glibc
import Kernel
import NixStore

/// What a check of a store finds, as it finds it.
public enum VerifyEvent: Sendable {
    case readingStore
    case checkingPaths
    case checkingLinks
    case checkingHashes
    /// Said of what is wrong, or done about it.
    case problem(String)
}

extension LocalStore {
    /// Compares what the database says with what is there.
    /// - Parameters:
    ///   - checksContents: read every file.
    ///   - repairs: make what is damaged again, with `options.repairs`.
    /// - Returns: whether nothing is wrong any more.
    public func verify(
        checksContents: Bool = false, repairs: Bool = false, report: (VerifyEvent) -> Void = { _ in }
    ) throws -> Bool {
        try requireWritable()
        // No collection in the meantime: what it takes away would look like damage.
        let lock: FileDescriptor
        do throws(KernelError) {
            lock = try CollectorLock.file(layout)
            try lock.lock(.shared)
        } catch { throw StoreError(.system(error.code.rawValue), "locking '\(layout.state)/gc.lock': \(error)") }
        return try withExtendedLifetime(lock) {
            report(.readingStore)
            for problem in try database.check() {
                throw StoreError(
                    .badDatabase,
                    "the store's database '\(database.file)' is damaged (\(problem)); "
                        + "'dhow nix store verify --repair' makes a new one from what can still be read")
            }
            report(.checkingPaths)
            var isSound = try checkPresence(repairs: repairs, report)
            if checksContents {
                report(.checkingLinks)
                try checkLinks(report)
                report(.checkingHashes)
                for path in try allValidPaths().sorted() {
                    try isSound = checkContents(of: path, repairs: repairs, report) && isSound
                }
            }
            return isSound
        }
    }

    private func checkPresence(repairs: Bool, _ report: (VerifyEvent) -> Void) throws -> Bool {
        let present: Set<String>
        do throws(KernelError) {
            present = Set(try FileDescriptor.currentDirectory.entries(of: layout.objects).map(\.name))
        } catch { throw StoreError(.system(error.code.rawValue), "reading '\(layout.objects)': \(error)") }
        let missing = try allValidPaths().filter { !present.contains($0.baseName) }
        var isSound = true
        // What needs something that is missing comes first, for it can go only after that.
        for path in try sortedByReferences(missing) {
            let name = directory.print(path)
            let referrers = try referrers(of: path).subtracting([path])
            if referrers.isEmpty {
                report(.problem("path '\(name)' disappeared, removing from database..."))
                try database.unregister([path])
            } else {
                report(.problem("path '\(name)' disappeared, but it still has valid referrers!"))
                guard repairs, try repair(path, report) else {
                    isSound = false
                    continue
                }
            }
        }
        return isSound
    }

    private func checkLinks(_ report: (VerifyEvent) -> Void) throws {
        let here = FileDescriptor.currentDirectory
        do {
            for entry in try here.entries(of: layout.links) {
                let link = layout.links + "/" + entry.name
                let found = try Hash.andSize(archiveOf: link).hash.text(.nix32)
                guard found != entry.name else { continue }
                report(.problem("link '\(link)' was modified! expected hash '\(entry.name)', got '\(found)'"))
                // The objects that share the damaged file are found by their own hashes; new ones must not join them.
                try here.unlink(link)
                report(.problem("removed link '\(link)'"))
            }
        } catch let error as KernelError {
            throw StoreError(.system(error.code.rawValue), "checking '\(layout.links)': \(error)")
        }
    }

    private func checkContents(
        of path: StorePath, repairs: Bool, _ report: (VerifyEvent) -> Void
    ) throws -> Bool {
        let name = directory.print(path)
        guard var info = try info(of: path) else { return true }
        let found: (hash: Hash, size: UInt64)
        do { found = try Hash.andSize(archiveOf: layout.file(path)) } catch {
            report(.problem("path '\(name)' cannot be read: \(error)"))
            return try repairs && repair(path, report)
        }
        let isUnknown = info.narHash == Hash.zero(info.narHash.algorithm)
        if !isUnknown, found.hash != info.narHash {
            report(
                .problem(
                    "path '\(name)' was modified! expected hash '\(info.narHash.text(.nix32, withAlgorithm: true))', "
                        + "got '\(found.hash.text(.nix32, withAlgorithm: true))'"))
            return try repairs && repair(path, report)
        }
        // Old stores did not note hashes and sizes.
        if isUnknown || info.narSize == 0 {
            (info.narHash, info.narSize) = (found.hash, found.size)
            try database.replace(info)
        }
        return true
    }

    private func repair(_ path: StorePath, _ report: (VerifyEvent) -> Void) throws -> Bool {
        guard let repairs = options.repairs else {
            report(.problem("path '\(directory.print(path))' cannot be repaired: no binary cache is configured"))
            return false
        }
        do {
            try repairs(path, self)
            return try hasSoundContents(path)
        } catch {
            report(.problem("repairing '\(directory.print(path))': \(error)"))
            return false
        }
    }
}
