import NixStore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A string in the arena: its length, its bytes, and a zero byte for C.
struct Text {
    let pointer: UnsafeMutableRawPointer

    @inline(__always) init(pointer: UnsafeMutableRawPointer) { self.pointer = pointer }

    /// Room for `count` bytes, to be filled through `start`.
    @inline(__always) init(_ arena: Arena, count: Int) {
        pointer = arena.allocate((8 &+ count &+ 1 &+ 7) & ~7)
        pointer.storeBytes(of: count, as: Int.self)
    }

    init(_ arena: Arena, _ bytes: UnsafeBufferPointer<UInt8>) {
        self.init(arena, count: bytes.count)
        if let source = bytes.baseAddress { memcpy(start, source, bytes.count) }
    }

    init(_ arena: Arena, _ bytes: [UInt8]) {
        self = bytes.withUnsafeBufferPointer { Text(arena, $0) }
    }

    init(_ arena: Arena, _ text: String) {
        var text = text
        self = text.withUTF8 { Text(arena, $0) }
    }

    init(_ arena: Arena, _ text: StaticString) {
        self.init(arena, UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    @inline(__always) var count: Int { pointer.load(as: Int.self) }
    @inline(__always) var start: UnsafeMutablePointer<UInt8> { (pointer + 8).assumingMemoryBound(to: UInt8.self) }
    @inline(__always) var bytes: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: start, count: count) }
    /// The text, with what is not UTF-8 replaced.
    var string: String { String(decoding: bytes, as: UTF8.self) }
    var array: [UInt8] { Array(bytes) }
    var byteString: ByteString { ByteString(array) }
    var isEmpty: Bool { count == 0 }

    @inline(__always) static func == (left: Text, right: Text) -> Bool {
        left.pointer == right.pointer
            || left.count == right.count && memcmp(left.start, right.start, left.count) == 0
    }

    static func == (left: Text, right: StaticString) -> Bool {
        left.count == right.utf8CodeUnitCount && memcmp(left.start, right.utf8Start, left.count) == 0
    }

    /// Order byte by byte.
    static func < (left: Text, right: Text) -> Bool { left.bytes.precedes(right.bytes) }
}

extension UnsafeBufferPointer<UInt8> {
    /// Order byte by byte.
    @inline(__always) func precedes(_ other: Self) -> Bool {
        let common = Swift.min(count, other.count)
        let order = common == 0 ? 0 : memcmp(baseAddress!, other.baseAddress!, common)
        return order == 0 ? count < other.count : order < 0
    }

    func hasPrefix(_ prefix: StaticString) -> Bool {
        count >= prefix.utf8CodeUnitCount && memcmp(baseAddress!, prefix.utf8Start, prefix.utf8CodeUnitCount) == 0
    }
}
