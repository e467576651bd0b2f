import NixStore

/// What a string owes to the store: a thing that must be there before the string can be used by a builder.
enum ContextElement: Hashable {
    /// A store object as it is: `/nix/store/…`.
    case path(StorePath)
    /// An output that must be built: `!out!/nix/store/….drv`.
    case output(StorePath, String)
    /// A derivation with everything that it refers to: `=/nix/store/….drv`.
    case derivation(StorePath)
}

/// The elements of a string's context as sorted numbers, after their count; most strings have none.
struct Context {
    let pointer: UnsafeMutablePointer<UInt32>?

    @inline(__always) init(pointer: UnsafeMutablePointer<UInt32>?) { self.pointer = pointer }

    @inline(__always) static var none: Context { Context(pointer: nil) }
    @inline(__always) var isEmpty: Bool { pointer == nil }

    var ids: UnsafeBufferPointer<UInt32> {
        guard let pointer else { return UnsafeBufferPointer(start: nil, count: 0) }
        return UnsafeBufferPointer(start: pointer + 1, count: Int(pointer.pointee))
    }
}

/// Every context element of an evaluation, once.
final class ContextTable {
    private(set) var elements: [ContextElement] = []
    private var ids: [ContextElement: UInt32] = [:]
    private let arena: Arena

    init(_ arena: Arena) { self.arena = arena }

    subscript(id: UInt32) -> ContextElement { elements[Int(id)] }

    func elements(of context: Context) -> [ContextElement] { context.ids.map { elements[Int($0)] } }

    func id(of element: ContextElement) -> UInt32 {
        if let id = ids[element] { return id }
        let id = UInt32(elements.count)
        elements.append(element)
        ids[element] = id
        return id
    }

    func context(_ element: ContextElement) -> Context { make([id(of: element)]) }

    func context(_ elements: some Sequence<ContextElement>) -> Context {
        make(Set(elements.map(id(of:))).sorted())
    }

    private func make(_ ids: [UInt32]) -> Context {
        guard !ids.isEmpty else { return .none }
        let pointer = arena.allocate(UInt32.self, count: ids.count + 1)
        pointer.pointee = UInt32(ids.count)
        for (index, id) in ids.enumerated() { pointer[index + 1] = id }
        return Context(pointer: pointer)
    }

    /// All of both.
    func union(_ left: Context, _ right: Context) -> Context {
        guard let leftPointer = left.pointer else { return right }
        guard let rightPointer = right.pointer, rightPointer != leftPointer else { return left }
        let (leftIDs, rightIDs) = (left.ids, right.ids)
        var merged: [UInt32] = []
        merged.reserveCapacity(leftIDs.count + rightIDs.count)
        var (leftAt, rightAt) = (0, 0)
        while leftAt < leftIDs.count || rightAt < rightIDs.count {
            if rightAt == rightIDs.count || leftAt < leftIDs.count && leftIDs[leftAt] < rightIDs[rightAt] {
                merged.append(leftIDs[leftAt])
                leftAt += 1
            } else {
                if leftAt < leftIDs.count, leftIDs[leftAt] == rightIDs[rightAt] { leftAt += 1 }
                merged.append(rightIDs[rightAt])
                rightAt += 1
            }
        }
        if merged.count == leftIDs.count { return left }
        if merged.count == rightIDs.count { return right }
        return make(merged)
    }
}
