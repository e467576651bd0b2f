import NixLocalStore
import NixStore

// Operations that keep a store in order.
extension NixStoreCommand {
    func collect(_ session: StoreSession) throws {
        guard words.isEmpty else { throw UsageError("no arguments expected") }
        if flags.contains("--print-roots") {
            var lines: [String] = []
            for (path, links) in try session.store.roots(note: StoreSession.say) {
                for link in links { lines.append("\(link) -> \(session.directory.print(path))\n") }
            }
            return Output.standard.write(lines.sorted().joined())
        }
        var collection = GarbageCollection(.deleteDead)
        collection.heed(settings.configuration)
        if flags.contains("--print-live") { collection.action = .findLive }
        if flags.contains("--print-dead") { collection.action = .findDead }
        if let limit = values["--max-freed"] { collection.byteLimit = try StoreSession.bytes(limit) }
        try Self.collect(collection, session)
    }

    func delete(_ session: StoreSession) throws {
        let paths = Set(try words.map(session.object))
        try Self.collect(
            GarbageCollection(.delete(paths, ignoringLiveness: flags.contains("--ignore-liveness"))), session)
    }

    /// Collects, and says so as Nix does.
    static func collect(_ collection: GarbageCollection, _ session: StoreSession) throws {
        if let daemon = session.daemon { return try collect(collection, by: daemon) }
        var names: [String] = []
        var isDeleting = true
        switch collection.action {
        case .findLive, .findDead: isDeleting = false
        case .deleteDead, .delete: break
        }
        defer { if isDeleting, names.isEmpty { Output.standard.write("0 store paths deleted, 0.00 MiB freed\n") } }
        let store = try session.ownStore(for: "collecting garbage")
        let result = try store.collect(collection) { event in
            switch event {
            case .waitingForLock: StoreSession.say("waiting for the big garbage collector lock...")
            case .findingRoots: StoreSession.say("finding garbage collector roots...")
            case .note(let text): StoreSession.say(text)
            case .determining: StoreSession.say("determining live/dead paths...")
            case .deletingGarbage: StoreSession.say("deleting garbage...")
            case .deleting(let path): StoreSession.say("deleting '\(path)'")
            case .deletingLinks: StoreSession.say("deleting unused links...")
            case .limitReached(let bytes): StoreSession.say("deleted more than \(bytes) bytes; stopping")
            case .saving(let bytes):
                StoreSession.say("note: currently hard linking saves \(StoreSession.mebibytes(bytes))")
            }
        }
        names = result.paths.sorted()
        if isDeleting {
            guard !names.isEmpty else { return }
            Output.standard.write(
                "\(names.count) store paths deleted, \(StoreSession.mebibytes(Int64(result.freedBytes))) freed\n")
        } else {
            Output.standard.write(names.map { $0 + "\n" }.joined())
        }
    }

    /// Lets the daemon collect, which says how it goes.
    private static func collect(_ collection: GarbageCollection, by daemon: DaemonStore) throws {
        var wanted = DaemonCollection(.deleteDead)
        switch collection.action {
        case .findLive: wanted.action = .returnLive
        case .findDead: wanted.action = .returnDead
        case .deleteDead: wanted.maximumFreed = collection.byteLimit
        case .delete(let paths, let ignoresLiveness):
            (wanted.action, wanted.paths, wanted.ignoresLiveness) = (.deleteSpecific, paths, ignoresLiveness)
        }
        switch collection.action {
        case .findLive, .findDead:
            Output.standard.write(
                try daemon.collectGarbage(wanted).paths.sorted().map { $0 + "\n" }.joined())
        case .deleteDead, .delete:
            var (count, freed) = (0, UInt64(0))
            // Also when it ends with an error.
            defer {
                Output.standard.write(
                    "\(count) store paths deleted, \(StoreSession.mebibytes(Int64(clamping: freed))) freed\n")
            }
            let result = try daemon.collectGarbage(wanted)
            (count, freed) = (result.paths.count, result.freed)
        }
    }

    func verify(_ session: StoreSession) throws {
        try Self.verify(
            session, checksContents: flags.contains("--check-contents"), repairs: flags.contains("--repair"))
    }

    /// Checks the store, and says so as Nix does.
    static func verify(_ session: StoreSession, checksContents: Bool, repairs: Bool) throws {
        let isSound =
            try session.daemon.map { try !$0.verify(checkingContents: checksContents, repairing: repairs) }
            ?? session.ownStore(for: "verifying").verify(
                checksContents: checksContents, repairs: repairs, report: report)
        if !isSound {
            StoreSession.say("warning: not all store errors were fixed")
            throw Quiet()
        }
    }

    static func report(_ event: VerifyEvent) {
        switch event {
        case .readingStore: StoreSession.say("reading the Nix store...")
        case .checkingPaths: StoreSession.say("checking path existence...")
        case .checkingLinks: StoreSession.say("checking link hashes...")
        case .checkingHashes: StoreSession.say("checking store hashes...")
        case .problem(let text): StoreSession.say(text)
        }
    }

    func verifyPaths(_ session: StoreSession) throws {
        var isSound = true
        for path in try words.map(session.object) {
            let info = try session.store.requireInfo(of: path)
            let found = try session.store.foundHash(of: path)
            guard found != info.narHash else { continue }
            StoreSession.say(
                "path '\(session.directory.print(path))' was modified! expected hash "
                    + "'\(info.narHash.text(.nix32, withAlgorithm: true))', got "
                    + "'\(found.text(.nix32, withAlgorithm: true))'")
            isSound = false
        }
        if !isSound { throw Quiet() }
    }

    func repairPaths(_ session: StoreSession) throws { try Self.repair(words, session) }

    static func repair(_ words: [String], _ session: StoreSession) throws {
        let paths = try words.map(session.object)
        if let daemon = session.daemon {
            return try daemon.build(paths.map(session.directory.print), mode: .repair)
        }
        let store = try session.ownStore(for: "repairing")
        for path in paths { try store.options.repairs?(path, store) }
    }

    func optimise(_ session: StoreSession) throws { try Self.optimise(session) }

    static func optimise(_ session: StoreSession) throws {
        if let daemon = session.daemon { return try daemon.optimise() }
        let result = try session.ownStore(for: "optimising").optimise()
        StoreSession.say(
            "\(StoreSession.mebibytes(Int64(result.freedBytes))) freed by hard-linking \(result.linkedFiles) files")
    }
}

/// A failure about which everything has been said.
struct Quiet: Error {}
