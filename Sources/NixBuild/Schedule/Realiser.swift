import NixLocalStore
import NixStore
import Synchronization

/// Makes outputs of derivations valid: fetches what can be fetched and builds the rest, each after what it needs.
///
///     try Realiser(store: store, settings: settings).realise([.outputs(derivation, [])])
///
/// All calls block. Builds are on threads of their own, at most `maxJobs` at once.
public struct Realiser: Sendable {
    public let store: LocalStore
    public var settings: BuildSettings
    public var source: (any ObjectSource)?
    /// Called from several threads.
    public var onEvent: @Sendable (BuildEvent) -> Void = { _ in }
    /// Called with what will be done, before anything is.
    public var onPlan: @Sendable (BuildPlan) -> Void = { _ in }

    public init(store: LocalStore, settings: BuildSettings = BuildSettings(), source: (any ObjectSource)? = nil) {
        self.store = store
        self.settings = settings
        self.source = source
    }

    /// What `realise` would do.
    public func plan(_ targets: [BuildTarget]) throws -> BuildPlan { try plan(targets, without: []) }

    /// - Parameter lost: what the source is known not to give.
    private func plan(_ targets: [BuildTarget], without lost: Set<StorePath>) throws -> BuildPlan {
        var planner = Planner(store: store, source: source, settings: settings, lost: lost)
        return try planner.run(targets)
    }

    /// - Throws: `BuildError`; with `keepsGoing` after everything else is built.
    public func realise(_ targets: [BuildTarget]) throws {
        var plan = try plan(targets)
        onPlan(plan)
        if let error = impossibility(of: plan, targets) { throw error }
        try fetch(&plan, targets)
        guard !plan.toBuild.isEmpty else { return }
        guard settings.maxJobs > 0 else {
            throw BuildError(
                .cannotBuild,
                "unable to start any build; either increase '--max-jobs' or enable remote builds.\n"
                    + "https://nixos.org/manual/nix/stable/advanced-topics/distributed-builds.html")
        }
        try build(plan, targets)
    }

    /// Why a plan with something that nobody knows how to get cannot be carried out.
    private func impossibility(of plan: BuildPlan, _ targets: [BuildTarget]) -> BuildError? {
        guard let first = plan.unknown.min() else { return nil }
        let unknown = targets.compactMap { target in
            switch target {
            case .object(let path), .outputs(let path, _): plan.unknown.contains(path) ? path : nil
            }
        }
        func quoted(_ path: StorePath) -> String { "'\(store.directory.print(path))'" }
        if let derivation = unknown.first(where: \.isDerivation) {
            return BuildError(.cannotBuild, "cannot build missing derivation \(quoted(derivation))")
        }
        if unknown.count > 1 {
            return BuildError(
                .cannotBuild, "build of \(Set(unknown).sorted().map(quoted).joined(separator: ", ")) failed")
        }
        return BuildError(
            .cannotBuild, "path \(quoted(first)) is required, but there is no substituter that can build it")
    }

    /// Fetches what the plan wants fetched. What does not come is planned to be built instead, as far as the settings
    /// allow.
    private func fetch(_ plan: inout BuildPlan, _ targets: [BuildTarget]) throws {
        guard let source else { return }
        var lost: [StorePath: StoreError] = [:]
        while !plan.fetch.paths.isEmpty {
            let failures = try source.fetch(plan.fetch.paths, excluding: Set(lost.keys), into: store)
            if failures.isEmpty { return }
            lost.merge(failures) { first, _ in first }
            let known = Set(plan.toBuild)
            plan = try self.plan(targets, without: Set(lost.keys))
            if let path = plan.unknown.min() {
                throw lost[path] ?? failures.min { $0.key < $1.key }?.value
                    ?? StoreError(.notFound, "no binary cache has '\(store.directory.print(path))' any more")
            }
            // That an archive is gone is nobody's failure: caches are cleaned, too.
            let isGone = failures.values.allSatisfy { if case .notFound = $0.code { true } else { false } }
            guard !settings.fallsBack, !isGone, let path = plan.toBuild.last(where: { !known.contains($0) }) else {
                continue
            }
            throw BuildError(
                .fetchFailed,
                "some substitutes for the outputs of derivation '\(store.directory.print(path))' failed (usually "
                    + "happens due to networking issues); try '--fallback' to build derivation from source")
        }
    }

    /// Threads' common knowledge.
    private final class Progress: Sendable {
        struct State {
            var failed: [StorePath: BuildError] = [:]
            /// In the order in which it happened.
            var first: BuildError?
            var hookFailed: Bool { failed.values.contains { $0.code == .hookFailed } }
            /// Whether nothing more is to be built, and what is being built is to end.
            func isOver(_ settings: BuildSettings) -> Bool {
                !settings.keepsGoing && first != nil || hookFailed
            }
        }
        let state = Mutex(State())
    }

    private func build(_ plan: BuildPlan, _ targets: [BuildTarget]) throws {
        TemporaryDirectory.removeAbandoned(in: store.layout)
        let progress = Progress()
        let (needs, derivations) = (plan.needs, plan.derivations)
        // A schedule runs work for objects that refer to each other, which these do.
        // It begins with the last of what is ready.
        let jobs = plan.toBuild.reversed().map { path in
            PathInfo(path: path, narHash: .zero(.sha256), narSize: 0, references: needs[path] ?? [])
        }
        try Schedule(jobs).run(parallelism: settings.maxJobs) { job in
            let path = job.path
            let failedInputs = progress.state.withLock { state in
                // A program's failure has nothing to do with the inputs.
                state.hookFailed ? 0 : job.references.filter { state.failed[$0] != nil }.count
            }
            let isOver = progress.state.withLock { $0.isOver(settings) }
            do {
                if failedInputs > 0 {
                    throw BuildError(
                        .dependencyFailed,
                        "\(failedInputs) dependencies of derivation '\(store.directory.print(path))' failed to build")
                }
                if isOver {
                    throw BuildError(
                        .cancelled,
                        "'\(store.directory.print(path))' was not built because something else failed")
                }
                guard let derivation = derivations[path] else { return }
                try DerivationBuild(
                    path: path, derivation: derivation, store: store, settings: settings(for: path, targets),
                    isCancelled: { progress.state.withLock { $0.isOver(settings) } },
                    report: onEvent
                ).run()
            } catch {
                let failure = error as? BuildError ?? BuildError(.failed, "\(error)")
                let isNews = progress.state.withLock { state in
                    state.failed[path] = failure
                    if state.first == nil { state.first = failure }
                    return failure.code != .cancelled
                }
                if isNews { onEvent(.failed(path, failure)) }
            }
        }
        guard let first = progress.state.withLock({ $0.first }) else { return }
        // What was asked for and did not come: with one target its own reason, else which.
        let failed = progress.state.withLock { $0.failed }
        if let hook = failed.values.first(where: { $0.code == .hookFailed }) { throw hook }
        let wanted = targets.compactMap { target -> StorePath? in
            if case .outputs(let path, _) = target { return path }
            return nil
        }
        let missed = wanted.filter { failed[$0] != nil }
        if missed.count == 1, let reason = missed.first.flatMap({ failed[$0] }) { throw reason }
        guard missed.count > 1, first.code == .failed else { throw first }
        let names = missed.map { "'\(store.directory.print($0))'" }.joined(separator: ", ")
        throw BuildError(.failed, "build of \(names) failed")
    }

    /// Checking and repairing is for what was asked for; what it needs is built as ever.
    private func settings(for path: StorePath, _ targets: [BuildTarget]) -> BuildSettings {
        guard settings.mode != .normal else { return settings }
        let isTarget = targets.contains { target in
            if case .outputs(path, _) = target { true } else { false }
        }
        var settings = settings
        if !isTarget { settings.mode = .normal }
        return settings
    }
}
