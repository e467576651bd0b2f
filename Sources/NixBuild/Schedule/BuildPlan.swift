import NixLocalStore
import NixStore

/// Some outputs of a derivation, or an object that just has to be valid.
public enum BuildTarget: Hashable, Sendable {
    case object(StorePath)
    /// No names are all outputs.
    case outputs(StorePath, Set<String>)
}

/// Fetches objects that others have built.
public protocol ObjectSource: Sendable {
    /// What of `wanted` can be had without `excluded`, with all that it refers to and the store lacks.
    func plan(_ wanted: Set<StorePath>, excluding excluded: Set<StorePath>, into store: LocalStore) throws -> FetchPlan
    /// Fetches what was planned.
    /// - Returns: what does not come, and why.
    func fetch(
        _ wanted: Set<StorePath>, excluding excluded: Set<StorePath>, into store: LocalStore
    ) throws -> [StorePath: StoreError]
}

public struct FetchPlan: Sendable {
    public var paths: Set<StorePath> = []
    /// Bytes.
    public var downloadSize: UInt64 = 0
    public var unpackedSize: UInt64 = 0

    public init(paths: Set<StorePath> = [], downloadSize: UInt64 = 0, unpackedSize: UInt64 = 0) {
        self.paths = paths
        self.downloadSize = downloadSize
        self.unpackedSize = unpackedSize
    }
}

/// What making targets valid takes.
public struct BuildPlan: Sendable {
    /// What is to be built, each after what it needs.
    public internal(set) var toBuild: [StorePath] = []
    public internal(set) var fetch = FetchPlan()
    /// What is neither valid nor to be had.
    public internal(set) var unknown: Set<StorePath> = []
    /// The derivations among `toBuild`, with what each needs of the others.
    var needs: [StorePath: Set<StorePath>] = [:]
    var derivations: [StorePath: Derivation] = [:]

    public var isEmpty: Bool { toBuild.isEmpty && fetch.paths.isEmpty && unknown.isEmpty }

    /// Each derivation after what it needs; an explicit stack, for chains may be long.
    /// - Parameter needs: for each derivation those of the others that it needs.
    public static func sorted(_ needs: [StorePath: Set<StorePath>]) -> [StorePath] {
        var order: [StorePath] = []
        var entered: Set<StorePath> = []
        for start in needs.keys.sorted() where entered.insert(start).inserted {
            var stack = [(start, (needs[start] ?? []).sorted()[...])]
            while let (path, rest) = stack.last {
                guard let next = rest.first else {
                    order.append(path)
                    stack.removeLast()
                    continue
                }
                stack[stack.count - 1].1 = rest.dropFirst()
                if entered.insert(next).inserted { stack.append((next, (needs[next] ?? []).sorted()[...])) }
            }
        }
        return order
    }
}

/// Works out a plan, level by level, so that each level's questions to caches are asked together.
struct Planner {
    let store: LocalStore
    let source: (any ObjectSource)?
    let settings: BuildSettings
    /// What the source has been found not to give.
    private let lost: Set<StorePath>
    private var plan = BuildPlan()
    /// Which outputs of which derivation have been asked for.
    private var asked: [StorePath: Set<String>] = [:]

    init(
        store: LocalStore, source: (any ObjectSource)?, settings: BuildSettings, lost: Set<StorePath> = []
    ) {
        self.store = store
        self.lost = lost
        self.source = source
        self.settings = settings
    }

    private struct Level {
        var objects: Set<StorePath> = []
        var outputs: [StorePath: Set<String>] = [:]
        /// Who asks for each.
        var parents: [StorePath: Set<StorePath>] = [:]

        var isEmpty: Bool { objects.isEmpty && outputs.isEmpty }
    }

    mutating func run(_ targets: [BuildTarget]) throws -> BuildPlan {
        var level = Level()
        for target in targets {
            switch target {
            case .object(let path): level.objects.insert(path)
            case .outputs(let path, let names): level.outputs[path, default: []].formUnion(try all(names, of: path))
            }
        }
        var isFirst = true
        while !level.isEmpty {
            level = try advance(level, isTarget: isFirst)
            isFirst = false
        }
        let all = Set(plan.needs.keys)
        plan.needs = plan.needs.mapValues { $0.intersection(all) }
        plan.toBuild = BuildPlan.sorted(plan.needs)
        return plan
    }

    private mutating func derivation(_ path: StorePath) throws -> Derivation {
        if let known = plan.derivations[path] { return known }
        let derivation = try store.derivation(at: path)
        plan.derivations[path] = derivation
        return derivation
    }

    private mutating func all(_ names: Set<String>, of path: StorePath) throws -> Set<String> {
        guard names.isEmpty else { return names }
        guard try store.isValid(path) else {
            plan.unknown.insert(path)
            return []
        }
        return Set(try derivation(path).outputs.keys)
    }

    private mutating func advance(_ level: Level, isTarget: Bool) throws -> Level {
        var wanted: Set<StorePath> = []
        var missing: [StorePath: Set<StorePath>] = [:]
        for path in level.objects where try !store.isValid(path) { wanted.insert(path) }
        for (path, names) in level.outputs {
            let new = names.subtracting(asked[path] ?? [])
            asked[path, default: []].formUnion(names)
            guard try store.isValid(path) else {
                plan.unknown.insert(path)
                continue
            }
            let derivation = try derivation(path)
            for name in new {
                guard let object = try derivation.path(of: name, in: store.directory) else {
                    throw BuildError(
                        .failed,
                        "derivation '\(store.directory.print(path))' does not have wanted outputs '\(name)'")
                }
                let mustBuild = isTarget && settings.mode != .normal
                if try mustBuild || !store.isValid(object) { missing[path, default: []].insert(object) }
            }
        }
        let mayFetch = !isTarget || settings.mode == .normal
        var available: Set<StorePath> = []
        if mayFetch, let source {
            let askable = wanted.union(
                missing.filter { plan.derivations[$0.key]?.environment["allowSubstitutes"] != "" }.values.flatMap { $0 }
            )
            if !askable.isEmpty {
                let found = try source.plan(askable, excluding: lost, into: store)
                available = askable.intersection(found.paths)
                plan.fetch.paths.formUnion(found.paths)
                plan.fetch.downloadSize += found.downloadSize
                plan.fetch.unpackedSize += found.unpackedSize
            }
        }
        plan.unknown.formUnion(wanted.subtracting(available))
        var next = Level()
        for (path, objects) in missing where !objects.isSubset(of: available) {
            guard plan.needs[path] == nil, let derivation = plan.derivations[path] else { continue }
            plan.needs[path] = Set(derivation.inputDerivations.keys)
            next.objects.formUnion(derivation.inputSources)
            for (input, names) in derivation.inputDerivations { next.outputs[input, default: []].formUnion(names) }
        }
        return next
    }
}
