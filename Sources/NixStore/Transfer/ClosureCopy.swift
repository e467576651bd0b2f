/// Copies objects with all that they refer to from one store to another, several at once, each after what it needs.
public struct ClosureCopy: Sendable {
    /// What happens, for whoever shows it. Comes from several threads.
    public enum Event: Sendable {
        /// How many objects are to be copied, and how many bytes their archives have.
        case planned(count: Int, narSize: UInt64)
        case began(PathInfo)
        /// So many bytes more of an object's archive have been copied.
        case copied(StorePath, bytes: Int)
        case finished(PathInfo)
        /// The object could not be copied; `run` throws why.
        case failed(PathInfo)
    }

    public let source: any Store
    public let destination: any Store
    /// Whether the destination accepts only what a trusted key has signed.
    public var checksSignatures = true
    /// How many objects at once.
    public var parallelism = 8
    /// Whether all that the objects refer to is copied as well.
    public var includesReferences = true
    /// Given what is missing, fetches what it can into the destination from elsewhere.
    public var substitute: (@Sendable (Set<StorePath>) throws -> Void)?
    public var onEvent: @Sendable (Event) -> Void = { _ in }

    public init(from source: any Store, to destination: any Store) {
        self.source = source
        self.destination = destination
    }

    /// - Returns: what was copied; the rest was there.
    /// - Throws: the first error; objects that were complete by then stay.
    @discardableResult
    public func run(_ roots: [StorePath]) throws -> [PathInfo] {
        guard source.directory == destination.directory else {
            throw StoreError(
                .unsupported,
                "cannot copy from a store in '\(source.directory.path)' to one in '\(destination.directory.path)': "
                    + "paths within the objects would be wrong")
        }
        let infos = try closure(of: roots)
        var missing = try missing(infos.keys.sorted())
        if !missing.isEmpty, let substitute {
            try substitute(Set(missing))
            missing = try self.missing(missing)
        }
        let wanted = missing.compactMap { infos[$0] }
        onEvent(.planned(count: wanted.count, narSize: wanted.reduce(0) { $0 &+ $1.narSize }))
        try Schedule(wanted).run(parallelism: parallelism, copy)
        return wanted
    }

    private func missing(_ paths: [StorePath]) throws -> [StorePath] {
        if let daemon = destination as? DaemonStore {
            let valid = try daemon.validPaths(among: Set(paths))
            return paths.filter { !valid.contains($0) }
        }
        let (destination, flags) = (destination, parallelism)
        return try concurrently(paths, parallelism: flags) { try destination.info(of: $0) == nil ? $0 : nil }
            .compactMap { $0 }
    }

    /// Everything to be copied, asked for level by level.
    private func closure(of roots: [StorePath]) throws -> [StorePath: PathInfo] {
        let source = source
        return try referenceClosure(of: roots, parallelism: parallelism, follows: includesReferences) { path in
            guard let info = try source.info(of: path) else {
                throw StoreError(
                    .notFound, "cannot copy '\(source.directory.print(path))': it is not valid in the source")
            }
            return info
        }
    }

    private func copy(_ info: PathInfo) throws {
        onEvent(.began(info))
        var isCopied = false
        defer { onEvent(isCopied ? .finished(info) : .failed(info)) }
        try source.withArchive(of: info.path) { archive in
            // What a source believes of its own is no reason for others to.
            var copied = info
            copied.isUltimate = false
            try destination.add(copied, checkSignatures: checksSignatures) { limit in
                let piece = try archive(limit)
                if !piece.isEmpty { onEvent(.copied(info.path, bytes: piece.count)) }
                return piece
            }
        }
        isCopied = true
    }
}

/// What `roots` refer to, directly or not, and themselves.
/// - Parameter info: what is known of a path; called from several threads; `nil` leaves it out.
public func referenceClosure(
    of roots: [StorePath], parallelism: Int, follows: Bool = true,
    info: @escaping @Sendable (StorePath) throws -> PathInfo?
) throws -> [StorePath: PathInfo] {
    var found: [StorePath: PathInfo] = [:]
    var seen = Set(roots)
    var level = Array(seen).sorted()
    while !level.isEmpty {
        var next: Set<StorePath> = []
        for case let info? in try concurrently(level, parallelism: parallelism, info) {
            found[info.path] = info
            if follows { next.formUnion(info.references) }
        }
        next.subtract(seen)
        seen.formUnion(next)
        level = next.sorted()
    }
    return found
}

/// Runs work for objects, each after those that it refers to.
public struct Schedule: Sendable {
    private let infos: [PathInfo]

    public init(_ infos: [PathInfo]) { self.infos = infos }

    private struct State {
        var ready: [PathInfo]
        /// How many objects that are not there yet each one waits for.
        var blockers: [StorePath: Int]
        var running = 0
        var left: Int
        var failure: (any Error)?
    }

    /// Shared by the threads. `@unchecked Sendable`: `state` is touched only under `condition`'s lock.
    private final class Shared: @unchecked Sendable {
        var state: State
        let condition = Condition()

        init(_ state: State) { self.state = state }

        func locked<Result>(_ body: (inout State) throws -> Result) rethrows -> Result {
            try condition.locked { try body(&state) }
        }

        /// The next object; `nil` when there is no more to do.
        func take() -> PathInfo? {
            // Not by way of `locked`: others change the state while this one waits, which they must not while somebody
            // has it `inout`.
            condition.locked {
                while state.ready.isEmpty, state.failure == nil, state.running > 0 { condition.wait() }
                guard state.failure == nil, let info = state.ready.popLast() else { return nil }
                state.running += 1
                return info
            }
        }
    }

    /// - Throws: the first error of `body`, when all that had begun has ended; or when objects refer to each other in
    ///   a circle.
    public func run(parallelism: Int, _ body: @escaping @Sendable (PathInfo) throws -> Void) throws {
        let paths = Set(infos.map(\.path))
        var referrers: [StorePath: [PathInfo]] = [:]
        var state = State(ready: [], blockers: [:], left: infos.count)
        for info in infos {
            let blockers = info.references.filter { $0 != info.path && paths.contains($0) }
            state.blockers[info.path] = blockers.count
            for blocker in blockers { referrers[blocker, default: []].append(info) }
            if blockers.isEmpty { state.ready.append(info) }
        }
        let shared = Shared(state)
        let unlocked = referrers
        try Threads.run(min(max(parallelism, 1), infos.count)) {
            while let info = shared.take() {
                do {
                    try body(info)
                    shared.locked { state in
                        state.left -= 1
                        for referrer in unlocked[info.path] ?? [] {
                            state.blockers[referrer.path, default: 1] -= 1
                            if state.blockers[referrer.path] == 0 { state.ready.append(referrer) }
                        }
                    }
                } catch { shared.locked { if $0.failure == nil { $0.failure = error } } }
                shared.locked { $0.running -= 1 }
                shared.condition.broadcast()
            }
        }
        try shared.locked { state in
            if let failure = state.failure { throw failure }
            guard state.left == 0 else {
                let circle = state.blockers.filter { $0.value > 0 }.map(\.key.baseName).sorted().prefix(3)
                throw StoreError(
                    .badCache, "objects refer to each other in a circle: \(circle.joined(separator: ", "))")
            }
        }
    }
}
