import Kernel
import NixStore

extension LocalStore {
    /// Collects garbage. Others may add to the store in the meantime, and Nix too; nobody else collects.
    /// - Throws: `StoreError.stillInUse` when something that must be deleted is alive.
    public func collect(
        _ collection: GarbageCollection, report: (CollectionEvent) -> Void = { _ in }
    ) throws -> CollectionResult {
        try requireWritable()
        let lock = try collectorLock(report)
        return try withExtendedLifetime(lock) {
            try withoutActuallyEscaping(report) { report in
                report(.findingRoots)
                let kept = Set(try readTemporaryRoots().keys.map { String($0.hashPart) })
                let server: RootServer
                do throws(KernelError) { server = try RootServer(layout, keeping: kept) } catch {
                    throw StoreError(
                        .system(error.code.rawValue), "listening for roots in '\(layout.state)/gc-socket': \(error)")
                }
                defer { server.stop() }
                // What was asked for before the server listened is in files that are read again here.
                let temporary = try readTemporaryRoots()
                server.kept.withLock { kept in kept.formUnion(temporary.keys.map { String($0.hashPart) }) }
                var roots = Set<StorePath>()
                if case .delete(_, ignoringLiveness: true) = collection.action {
                } else {
                    roots = Set(try self.roots { report(.note($0)) }.keys)
                }
                var collector = Collector(
                    store: self, collection: collection, server: server, roots: roots, report: report)
                return try collector.run()
            }
        }
    }

    private func collectorLock(_ report: (CollectionEvent) -> Void) throws -> FileDescriptor {
        do throws(KernelError) {
            let lock = try CollectorLock.file(layout)
            if try !lock.lock(.exclusive, wait: false) {
                report(.waitingForLock)
                try lock.lock(.exclusive)
            }
            // Room that Nix keeps for this moment, for a full disk's database must still be written to.
            try FileDescriptor.currentDirectory.unlinkIfPresent(layout.database + "/reserved")
            return lock
        } catch {
            throw StoreError(.system(error.code.rawValue), "locking '\(layout.state)/gc.lock': \(error)")
        }
    }
}
