import Synchronization

/// A number of bytes that several add to.
final class Counter: Sendable {
    private let count = Atomic<Int64>(0)

    func add(_ bytes: Int) { count.add(Int64(bytes), ordering: .relaxed) }
    var value: Int64 { count.load(ordering: .relaxed) }
}
