import Kernel
import NixLocalStore
import NixStore
import Synchronization
import Testing

@testable import NixBuild

@Suite struct PlannerTests {
    /// Has some objects, by name.
    private final class Shelf: ObjectSource {
        private let names: Set<String>
        let questions = Mutex<[Set<StorePath>]>([])

        init(_ names: Set<String>) { self.names = names }

        func plan(
            _ wanted: Set<StorePath>, excluding excluded: Set<StorePath>, into store: LocalStore
        ) throws -> FetchPlan {
            questions.withLock { $0.append(wanted) }
            let paths = wanted.filter { names.contains($0.name) && !excluded.contains($0) }
            return FetchPlan(paths: paths, downloadSize: 1, unpackedSize: 2)
        }

        func fetch(
            _ wanted: Set<StorePath>, excluding excluded: Set<StorePath>, into store: LocalStore
        ) throws -> [StorePath: StoreError] { [:] }
    }

    @Test func eachIsBuiltAfterWhatItNeeds() throws {
        let place = try Place()
        let base = try place.derivation("base")
        let left = try place.derivation("left", inputs: [base])
        let right = try place.derivation("right", inputs: [base])
        let top = try place.derivation("top", inputs: [left, right])
        let plan = try Realiser(store: place.store).plan([.outputs(top, [])])
        #expect(plan.toBuild.count == 4)
        #expect(plan.toBuild.first == base && plan.toBuild.last == top)
        #expect(plan.unknown.isEmpty && plan.fetch.paths.isEmpty)
    }

    @Test func aLongChainIsPlanned() throws {
        let place = try Place()
        var last = try place.derivation("link-0")
        for number in 1..<300 { last = try place.derivation("link-\(number)", inputs: [last]) }
        let plan = try Realiser(store: place.store).plan([.outputs(last, [])])
        #expect(plan.toBuild.count == 300 && plan.toBuild.last == last)
    }

    @Test func whatCachesHaveIsNotBuilt() throws {
        let place = try Place()
        let base = try place.derivation("base")
        let middle = try place.derivation("middle", inputs: [base])
        let top = try place.derivation("top", inputs: [middle])
        let shelf = Shelf(["middle"])
        let plan = try Realiser(store: place.store, source: shelf).plan([.outputs(top, [])])
        #expect(plan.toBuild == [top])
        #expect(plan.fetch.paths.map(\.name) == ["middle"])
        // What only it needs is not asked for.
        let asked = shelf.questions.withLock { $0 }.flatMap { $0 }.map(\.name)
        #expect(Set(asked) == ["top", "middle"])
    }

    @Test func objectsThatNobodyHasAreNamed() throws {
        let place = try Place()
        let path = try StorePath("0123456789abcdfghijklmnpqrsvwxyz-nowhere")
        #expect(try Realiser(store: place.store).plan([.object(path)]).unknown == [path])
        #expect(throws: BuildError.self) { try Realiser(store: place.store).realise([.object(path)]) }
        let there = try place.text("there")
        try Realiser(store: place.store).realise([.object(there)])
    }

    @Test func failuresStopOrAreGoneAround() throws {
        let place = try Place()
        let bad = try place.derivation("bad")
        let other = try place.derivation("other")
        let top = try place.derivation("top", inputs: [bad])
        var realiser = Realiser(store: place.store)
        realiser.settings.temporaryDirectory = place.root
        realiser.settings.keepsGoing = true
        let failed = Mutex<[StorePath: BuildError.Code]>([:])
        realiser.onEvent = { event in
            if case .failed(let path, let error) = event { failed.withLock { $0[path] = error.code } }
        }
        #expect(throws: BuildError.self) { try realiser.realise([.outputs(top, []), .outputs(other, [])]) }
        let all = failed.withLock { $0 }
        #expect(all[top].map { "\($0)" } == "dependencyFailed")
        #expect(Set(all.keys) == [bad, other, top])
        realiser.settings.maxJobs = 0
        #expect(throws: BuildError.self) { try realiser.realise([.outputs(top, [])]) }
    }
}
