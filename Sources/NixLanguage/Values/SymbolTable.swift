#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A name, as a number: equal names are equal numbers.
struct Symbol: Equatable, Hashable {
    let id: UInt32

    /// No name.
    static var none: Symbol { Symbol(id: 0) }
    @inline(__always) var isNone: Bool { id == 0 }
}

/// Every name met in an evaluation, once.
final class SymbolTable {
    private let arena: Arena
    /// The string value of each symbol, by its number.
    private var values: UnsafeMutablePointer<ValueRef?>
    private var capacity = 1 << 12
    private(set) var count = 1
    /// Open addressing; zero is free. Its size is a power of two.
    private var slots: UnsafeMutablePointer<UInt32>
    private var mask = (1 << 13) - 1

    init(_ arena: Arena) {
        self.arena = arena
        values = .allocate(capacity: capacity)
        values.initialize(repeating: nil, count: capacity)
        slots = .allocate(capacity: mask + 1)
        slots.initialize(repeating: 0, count: mask + 1)
    }

    deinit {
        values.deallocate()
        slots.deallocate()
    }

    /// The name's text as a value of the language.
    @inline(__always) func value(_ symbol: Symbol) -> ValueRef { values[Int(symbol.id)].unsafelyUnwrapped }
    @inline(__always) func text(_ symbol: Symbol) -> Text { value(symbol).pointee.text }
    func string(_ symbol: Symbol) -> String { text(symbol).string }

    @inline(__always)
    private static func hash(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
        // FNV-1a over words, then bytes, with a last mix: names are short.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        var at = 0
        let raw = UnsafeRawBufferPointer(bytes)
        while at &+ 8 <= raw.count {
            hash = (hash ^ raw.loadUnaligned(fromByteOffset: at, as: UInt64.self)) &* 0x9e37_79b9_7f4a_7c15
            hash ^= hash >> 29
            at &+= 8
        }
        while at < raw.count {
            hash = (hash ^ UInt64(raw[at])) &* 0x0100_0000_01b3
            at &+= 1
        }
        hash ^= hash >> 32
        return Int(truncatingIfNeeded: hash &* 0x9e37_79b9_7f4a_7c15 >> 20)
    }

    func intern(_ bytes: UnsafeBufferPointer<UInt8>) -> Symbol {
        var slot = Self.hash(bytes) & mask
        while true {
            let id = slots[slot]
            if id == 0 { break }
            let text = values[Int(id)].unsafelyUnwrapped.pointee.text
            if text.count == bytes.count, bytes.count == 0 || memcmp(text.start, bytes.baseAddress!, bytes.count) == 0 {
                return Symbol(id: id)
            }
            slot = (slot &+ 1) & mask
        }
        if count * 2 > mask { grow() }
        return add(bytes)
    }

    /// Whether the name has ever been met; if not, no set has it.
    func find(_ bytes: UnsafeBufferPointer<UInt8>) -> Symbol? {
        var slot = Self.hash(bytes) & mask
        while true {
            let id = slots[slot]
            if id == 0 { return nil }
            let text = values[Int(id)].unsafelyUnwrapped.pointee.text
            if text.count == bytes.count, bytes.count == 0 || memcmp(text.start, bytes.baseAddress!, bytes.count) == 0 {
                return Symbol(id: id)
            }
            slot = (slot &+ 1) & mask
        }
    }

    func intern(_ text: Text) -> Symbol { intern(text.bytes) }

    func intern(_ text: String) -> Symbol {
        var text = text
        return text.withUTF8 { intern($0) }
    }

    func intern(_ text: StaticString) -> Symbol {
        intern(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private func add(_ bytes: UnsafeBufferPointer<UInt8>) -> Symbol {
        if count == capacity {
            let larger = UnsafeMutablePointer<ValueRef?>.allocate(capacity: capacity * 2)
            larger.moveInitialize(from: values, count: capacity)
            (larger + capacity).initialize(repeating: nil, count: capacity)
            values.deallocate()
            values = larger
            capacity *= 2
        }
        let id = UInt32(count)
        values[count] = arena.value(.string(Text(arena, bytes)))
        count += 1
        insert(id, Self.hash(bytes))
        return Symbol(id: id)
    }

    private func insert(_ id: UInt32, _ hash: Int) {
        var slot = hash & mask
        while slots[slot] != 0 { slot = (slot &+ 1) & mask }
        slots[slot] = id
    }

    private func grow() {
        slots.deallocate()
        mask = mask * 2 + 1
        slots = .allocate(capacity: mask + 1)
        slots.initialize(repeating: 0, count: mask + 1)
        for id in 1..<count { insert(UInt32(id), Self.hash(values[id].unsafelyUnwrapped.pointee.text.bytes)) }
    }
}
