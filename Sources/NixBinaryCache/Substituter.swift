import NixStore
import Synchronization

/// Fetches objects from binary caches into a store, each from the first cache that has it in an acceptable form.
public struct Substituter: Sendable {
    /// In the order in which they are asked.
    public let caches: [BinaryCacheStore]
    public let trustedKeys: TrustedKeys
    /// Whether objects need a trusted key's signature (`require-sigs`).
    public var requiresSignatures = true
    /// How many objects, and how many questions, at once.
    public var parallelism = 16
    public var onEvent: @Sendable (ClosureCopy.Event) -> Void = { _ in }
    /// Told what went wrong with one cache when another may help.
    public var onProblem: @Sendable (String) -> Void = { _ in }
    /// What is not to be had, whatever the caches say.
    public var excluded: Set<StorePath> = []

    /// - Parameter caches: in any order; those with a lower priority's number come first.
    public init(_ caches: [BinaryCacheStore], trustedKeys: TrustedKeys) {
        self.caches = caches.enumerated().sorted {
            ($0.element.cacheInfo.priority, $0.offset) < ($1.element.cacheInfo.priority, $1.offset)
        }.map(\.element)
        self.trustedKeys = trustedKeys
    }

    /// What fetching some objects would take.
    public struct Plan: Sendable {
        /// What is to be fetched, with all that it refers to and the destination lacks.
        public var toFetch: [StorePath: NarInfo] = [:]
        /// What no cache has, or has only without a trusted signature; and why, where there is more to say.
        public var unavailable: [StorePath: String] = [:]
        /// What cannot be fetched because something that it refers to is unavailable.
        public var blocked: Set<StorePath> = []

        public var downloadSize: UInt64 { toFetch.values.reduce(0) { $0 &+ ($1.fileSize ?? 0) } }
        public var narSize: UInt64 { toFetch.values.reduce(0) { $0 &+ $1.info.narSize } }
    }

    /// Asks the caches, many questions at once.
    public func plan(_ wanted: some Collection<StorePath>, into destination: any Store) throws -> Plan {
        let reasons = ByPath<String>()
        let narInfos = ByPath<NarInfo>()
        let infos = try referenceClosure(of: Array(wanted), parallelism: parallelism) { path in
            if try destination.info(of: path) != nil { return nil }
            let (offer, reason) = excluded.contains(path) ? (nil, "") : offer(of: path)
            guard let offer else {
                reasons[path] = reason
                return nil
            }
            narInfos[path] = offer
            return offer.info
        }
        var plan = Plan()
        plan.unavailable = reasons.all
        var missing = Set(plan.unavailable.keys)
        var left = infos
        // What refers to something that cannot be had cannot be had either.
        while true {
            let blocked = left.values.filter { !$0.references.isDisjoint(with: missing) }.map(\.path)
            if blocked.isEmpty { break }
            for path in blocked {
                left[path] = nil
                missing.insert(path)
                plan.blocked.insert(path)
            }
        }
        for path in left.keys { plan.toFetch[path] = narInfos[path] }
        return plan
    }

    /// Fetches what can be had of `wanted`, with all that it refers to.
    /// - Returns: what could not be had.
    /// - Throws: when a cache that announced an object does not keep its word, and no other does; nothing of such an
    ///   object is registered.
    @discardableResult
    public func substitute(_ wanted: some Collection<StorePath>, into destination: any Store) throws -> Plan {
        let plan = try plan(wanted, into: destination)
        let infos = plan.toFetch.values.map(\.info)
        onEvent(.planned(count: infos.count, narSize: plan.narSize))
        try Schedule(infos).run(parallelism: parallelism) { try fetch($0.path, into: destination) }
        return plan
    }

    /// Fetches `wanted`, which a plan said can be had, and goes on when something does not come.
    /// - Returns: what did not come, and why.
    /// - Throws: what says nothing about a cache, such as a full disk.
    public func fetchAll(
        _ wanted: some Collection<StorePath>, into destination: any Store
    ) throws -> [StorePath: StoreError] {
        let plan = try plan(wanted, into: destination)
        let failures = ByPath<StoreError>()
        for path in wanted where plan.toFetch[path] == nil {
            if try destination.info(of: path) == nil { failures[path] = Self.vanished(path, destination) }
        }
        let infos = plan.toFetch.values.map(\.info)
        onEvent(.planned(count: infos.count, narSize: plan.narSize))
        try Schedule(infos).run(parallelism: parallelism) { info in
            if let missing = info.references.first(where: { $0 != info.path && failures[$0] != nil }) {
                failures[info.path] = failures[missing]
                return
            }
            do { try fetch(info.path, into: destination) } catch let error as StoreError {
                if case .system = error.code { throw error }
                failures[info.path] = error
            }
        }
        return failures.all
    }

    private static func vanished(_ path: StorePath, _ destination: any Store) -> StoreError {
        StoreError(.notFound, "no binary cache has '\(destination.directory.print(path))' any more")
    }

    /// What the first cache says that has an object in an acceptable form; and what is wrong with the others.
    private func offer(of path: StorePath) -> (info: NarInfo?, reason: String) {
        var reasons: [String] = []
        for cache in caches {
            do { if let found = try acceptable(path, in: cache) { return (found, "") } } catch {
                reasons.append("\(error)")
                onProblem("\(error)")
            }
        }
        return (nil, reasons.joined(separator: "\n"))
    }

    private func acceptable(_ path: StorePath, in cache: BinaryCacheStore) throws -> NarInfo? {
        let found = try cache.narInfo(of: path)
        if requiresSignatures, !cache.isTrusted {
            try found?.info.checkSignatures(trustedKeys, in: cache.directory, from: cache.address.description)
        }
        return found
    }

    private func fetch(_ path: StorePath, into destination: any Store) throws {
        var problems: [any Error] = []
        for cache in caches {
            do {
                guard let found = try acceptable(path, in: cache) else { continue }
                onEvent(.began(found.info))
                var isFetched = false
                defer { onEvent(isFetched ? .finished(found.info) : .failed(found.info)) }
                try cache.withArchive(of: path) { archive in
                    // Signatures were looked at above, with the keys of this substituter.
                    try destination.add(found.info, checkSignatures: false) { limit in
                        let piece = try archive(limit)
                        if !piece.isEmpty { onEvent(.copied(path, bytes: piece.count)) }
                        return piece
                    }
                }
                isFetched = true
                return
            } catch {
                // Of the destination, such as a full disk: no other cache helps.
                if let error = error as? StoreError, case .system = error.code { throw error }
                problems.append(error)
                onProblem("\(error)")
            }
        }
        guard let last = problems.last else { throw Self.vanished(path, destination) }
        throw last as? StoreError ?? StoreError(.badCache, "\(last)")
    }
}

/// What several threads find out, by path.
private final class ByPath<Value: Sendable>: Sendable {
    private let values = Mutex<[StorePath: Value]>([:])

    var all: [StorePath: Value] { values.withLock { $0 } }

    subscript(path: StorePath) -> Value? {
        get { values.withLock { $0[path] } }
        set { values.withLock { $0[path] = newValue } }
    }
}
