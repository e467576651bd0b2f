import Kernel
import NixStore

/// One collection of garbage, under the collector's lock.
///
/// An object is dead when none of what needs it is alive, so each decision takes the whole closure of referrers. It is
/// made invalid and moved aside while no new root is taken; its files are removed after that.
struct Collector {
    let store: LocalStore
    let collection: GarbageCollection
    let server: RootServer
    let roots: Set<StorePath>
    let report: (CollectionEvent) -> Void
    private var alive: Set<StorePath> = []
    private var dead: Set<StorePath> = []
    private var result = CollectionResult()

    /// Enough has been deleted.
    private struct LimitReached: Error {}

    private var layout: StoreLayout { store.layout }
    private var here: FileDescriptor { .currentDirectory }

    init(
        store: LocalStore, collection: GarbageCollection, server: RootServer, roots: Set<StorePath>,
        report: @escaping (CollectionEvent) -> Void
    ) {
        self.store = store
        self.collection = collection
        self.server = server
        self.roots = roots
        self.report = report
    }

    mutating func run() throws -> CollectionResult {
        do {
            switch collection.action {
            case .findLive, .findDead:
                report(.determining)
                try visitAll()
            case .deleteDead:
                if collection.byteLimit > 0 {
                    report(.deletingGarbage)
                    do { try visitAll() } catch is LimitReached { report(.limitReached(collection.byteLimit)) }
                }
            case .delete(let paths, _):
                for path in paths.sorted() {
                    try visit(path)
                    guard dead.contains(path) else {
                        throw StoreError(
                            .stillInUse,
                            "Cannot delete path '\(store.directory.print(path))' since it is still alive. "
                                + "To find out why, use: nix-store --query --roots")
                    }
                }
            }
            if deletes { try removeLinks() }
        } catch let error as KernelError {
            throw StoreError(.system(error.code.rawValue), "collecting garbage in '\(layout.objects)': \(error)")
        }
        switch collection.action {
        case .findLive: result.paths = Set(alive.map(store.directory.print))
        case .findDead: result.paths = Set(dead.map(store.directory.print))
        case .deleteDead, .delete: break
        }
        return result
    }

    private var deletes: Bool {
        switch collection.action {
        case .findLive, .findDead: false
        case .deleteDead, .delete: true
        }
    }

    private mutating func visitAll() throws {
        for entry in try here.entries(of: layout.objects) where entry.name != ".links" {
            if let path = try? StorePath(entry.name) {
                try visit(path)
            } else if deletes {
                // Not an object's name: left by somebody who was killed.
                try delete(entry.name, moved: nil)
            }
        }
    }

    /// Decides about `path`, and deletes it with all that needs it if it is dead.
    private mutating func visit(_ start: StorePath) throws {
        if alive.contains(start) || dead.contains(start) { return }
        var moved: [(path: StorePath, to: String?)] = []
        // One decision at a time, and none while a root is being taken.
        try server.kept.withLock { kept in
            guard let closure = try dying(start, kept: kept) else { return }
            dead.formUnion(closure)
            guard deletes else { return }
            let valid = try store.validPaths(among: closure)
            try store.database.unregister(Array(valid))
            for path in closure.sorted() { moved.append((path, try moveAside(path))) }
        }
        for (path, aside) in moved { try delete(path.baseName, moved: aside) }
    }

    /// The closure of what dies with `start`; `nil` when something in it is alive.
    private mutating func dying(_ start: StorePath, kept: Set<String>) throws -> Set<StorePath>? {
        var closure: Set<StorePath> = []
        var pending = [start]
        while let path = pending.popLast() {
            guard !closure.contains(path) else { continue }
            if alive.contains(path) {
                alive.insert(start)
                return nil
            }
            if dead.contains(path) { continue }
            if roots.contains(path) || kept.contains(String(path.hashPart)) {
                if case .delete(_, ignoringLiveness: true) = collection.action {
                } else {
                    try markAlive(path, start)
                    return nil
                }
            }
            if case .delete(let paths, _) = collection.action, !paths.contains(path) { return nil }
            closure.insert(path)
            guard try store.isValid(path) else { continue }
            pending += try store.referrers(of: path)
            if collection.keepsDerivations, path.isDerivation {
                for output in try store.validPaths(among: store.outputs(of: path).values)
                where try store.info(of: output)?.deriver == path { pending.append(output) }
            }
            if collection.keepsOutputs { pending += try store.derivers(of: path) }
        }
        return closure
    }

    private mutating func markAlive(_ path: StorePath, _ start: StorePath) throws {
        alive.insert(start)
        alive.insert(path)
        // Something that is being made has no references yet.
        guard try store.isValid(path) else { return }
        alive.formUnion(
            try store.closure(
                of: [path], includesOutputs: collection.keepsOutputs, includesDerivers: collection.keepsDerivations))
    }

    // MARK: Deleting

    /// Takes an object's files out of the way at once, however many they are.
    private func moveAside(_ path: StorePath) throws -> String? {
        let aside = ".dead-\(randomHexadecimal(bytes: 8))"
        let file = layout.file(path)
        guard let status = try here.statusIfPresent(of: file) else { return nil }
        // A directory that may not be written to cannot be moved by those who are not root.
        if status.isDirectory { try here.changeMode(of: file, to: 0o755) }
        try here.rename(file, to: layout.objects + "/" + aside)
        return aside
    }

    private mutating func delete(_ name: String, moved: String?) throws {
        let printed = store.directory.path + "/" + name
        report(.deleting(printed))
        result.paths.insert(printed)
        result.freedBytes += try remove(Array(((layout.objects + "/") + (moved ?? name)).utf8), in: here)
        if result.freedBytes > collection.byteLimit { throw LimitReached() }
    }

    /// Removes a tree whose directories may be without permission to write.
    /// - Returns: how many bytes of file contents have no name any more.
    private func remove(_ name: [UInt8], in directory: FileDescriptor) throws(KernelError) -> UInt64 {
        guard let status = try directory.statusIfPresent(of: name) else { return 0 }
        guard status.isDirectory else {
            try directory.unlinkIfPresent(name)
            // The second name, if there is one, is most likely that in `.links`, which goes as well.
            return status.linkCount <= 2 ? UInt64(status.size) : 0
        }
        if status.permissions & 0o700 != 0o700 { try directory.changeMode(of: name, to: 0o700) }
        var freed: UInt64 = 0
        let inner = try directory.open(name, [.readOnly, .directory, .noFollow])
        for entry in try inner.entries() { freed += try remove(entry.bytes, in: inner) }
        try directory.removeDirectory(name)
        return freed
    }

    /// Removes names in `.links` that no object has any more.
    private mutating func removeLinks() throws {
        report(.deletingLinks)
        guard here.exists(layout.links) else { return }
        var (actual, unshared): (Int64, Int64) = (0, 0)
        let links = try here.open(layout.links, [.readOnly, .directory])
        for entry in try links.entries() {
            let status = try links.status(of: entry.bytes)
            if status.linkCount == 1 {
                try links.unlink(entry.bytes)
            } else {
                actual += status.size
                unshared += (Int64(status.linkCount) - 1) * status.size
            }
        }
        let overhead = try links.status().blocks * 512
        result.savedBytes = unshared - actual - overhead
        report(.saving(result.savedBytes))
    }
}
