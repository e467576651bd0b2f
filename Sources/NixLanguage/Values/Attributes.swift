/// One attribute of a set.
struct Attribute {
    var name: Symbol
    var position: Position
    var value: ValueRef
}

/// An attribute set: a count and a position, then the attributes in order of their symbols' numbers.
struct Attributes {
    let pointer: UnsafeMutableRawPointer

    @inline(__always) init(pointer: UnsafeMutableRawPointer) { self.pointer = pointer }

    /// Room for `capacity` attributes; it has none yet.
    @inline(__always) init(_ arena: Arena, capacity: Int) {
        pointer = arena.allocate(8 &+ capacity &* MemoryLayout<Attribute>.stride)
    }

    @inline(__always) var count: Int {
        get { Int(pointer.load(as: UInt32.self)) }
        nonmutating set { pointer.storeBytes(of: UInt32(truncatingIfNeeded: newValue), as: UInt32.self) }
    }

    /// Where the set was written, if it was.
    @inline(__always) var position: Position {
        get { pointer.load(fromByteOffset: 4, as: Position.self) }
        nonmutating set { pointer.storeBytes(of: newValue, toByteOffset: 4, as: Position.self) }
    }

    @inline(__always) var start: UnsafeMutablePointer<Attribute> {
        (pointer + 8).assumingMemoryBound(to: Attribute.self)
    }
    @inline(__always) var entries: UnsafeMutableBufferPointer<Attribute> {
        UnsafeMutableBufferPointer(start: start, count: count)
    }
    @inline(__always) var isEmpty: Bool { count == 0 }

    /// The attribute called `name`, by bisection.
    @inline(__always)
    func find(_ name: Symbol) -> UnsafeMutablePointer<Attribute>? {
        var base = start
        var length = count
        guard length > 0 else { return nil }
        while length > 1 {
            let half = length &>> 1
            if (base + half).pointee.name.id <= name.id { base += half }
            length &-= half
        }
        return base.pointee.name == name ? base : nil
    }

    @inline(__always) subscript(name: Symbol) -> ValueRef? { find(name)?.pointee.value }

    /// Adds at the end. The caller keeps the order, or sorts at last.
    @inline(__always)
    func append(_ name: Symbol, _ value: ValueRef, _ position: Position = .none) {
        let count = count
        (start + count).initialize(to: Attribute(name: name, position: position, value: value))
        self.count = count &+ 1
    }

    @inline(__always)
    func append(_ attribute: Attribute) {
        let count = count
        (start + count).initialize(to: attribute)
        self.count = count &+ 1
    }

    func sort() {
        var entries = UnsafeMutableBufferPointer(start: start, count: count)
        // Insertion for the few that most sets have, and for those already in order.
        if entries.count < 24 {
            for index in entries.indices.dropFirst() {
                let moved = entries[index]
                var hole = index
                while hole > 0, entries[hole - 1].name.id > moved.name.id {
                    entries[hole] = entries[hole - 1]
                    hole -= 1
                }
                entries[hole] = moved
            }
        } else {
            entries.sort { $0.name.id < $1.name.id }
        }
    }

    /// The attributes in order of their names' bytes.
    func sorted(by symbols: SymbolTable) -> [Attribute] {
        entries.sorted { symbols.text($0.name) < symbols.text($1.name) }
    }
}

extension Attributes {
    /// This set with everything that `other` has put over it: the operator `//`.
    func updated(with other: Attributes, in arena: Arena) -> Attributes {
        let (leftCount, rightCount) = (count, other.count)
        let result = Attributes(arena, capacity: leftCount &+ rightCount)
        var (left, right, out) = (start, other.start, result.start)
        let (leftEnd, rightEnd) = (left + leftCount, right + rightCount)
        while left < leftEnd, right < rightEnd {
            let (leftName, rightName) = (left.pointee.name.id, right.pointee.name.id)
            if leftName < rightName {
                out.initialize(to: left.pointee)
                left += 1
            } else {
                out.initialize(to: right.pointee)
                right += 1
                if leftName == rightName { left += 1 }
            }
            out += 1
        }
        if left < leftEnd {
            out.initialize(from: left, count: leftEnd - left)
            out += leftEnd - left
        }
        if right < rightEnd {
            out.initialize(from: right, count: rightEnd - right)
            out += rightEnd - right
        }
        result.count = out - result.start
        return result
    }
}
