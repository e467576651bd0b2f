#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Memory for everything that an evaluation makes: handed out in a straight line, given back all at once.
///
/// Nothing in it is counted or moved, so what points into it may be raw.
final class Arena {
    private var cursor: UInt = 0
    private var limit: UInt = 0
    private var chunks: [(start: UnsafeMutableRawPointer, size: Int)] = []
    /// Bytes asked of the system so far.
    private(set) var reserved = 0

    private static let firstChunk = 1 << 20
    private static let largestChunk = 64 << 20

    init() {}

    deinit {
        for chunk in chunks { munmap(chunk.start, chunk.size) }
    }

    /// `size` bytes of zeros, aligned for a word. `size` must be a multiple of eight.
    @inline(__always)
    func allocate(_ size: Int) -> UnsafeMutableRawPointer {
        let start = cursor
        let end = start &+ UInt(bitPattern: size)
        guard end <= limit else { return allocateSlowly(size) }
        cursor = end
        return UnsafeMutableRawPointer(bitPattern: start).unsafelyUnwrapped
    }

    @inline(never)
    private func allocateSlowly(_ size: Int) -> UnsafeMutableRawPointer {
        let chunk = min(max(Self.firstChunk, reserved), Self.largestChunk)
        guard size < chunk / 4 else { return map(size) }
        let start = map(chunk)
        cursor = UInt(bitPattern: start) &+ UInt(bitPattern: size)
        limit = UInt(bitPattern: start) &+ UInt(bitPattern: chunk)
        return start
    }

    /// More than this cannot be meant: several times what the machine has.
    private static let ceiling = max(sysconf(Int32(_SC_PHYS_PAGES)), 1 << 18) * 4096 * 4

    private func map(_ size: Int) -> UnsafeMutableRawPointer {
        guard reserved + size <= Self.ceiling else { Self.exhausted() }
        let page = 4096
        let whole = (size + page - 1) & ~(page - 1)
        let start = mmap(nil, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let start, start != MAP_FAILED else { Self.exhausted() }
        if whole >= 8 << 20 { madvise(start, whole, MADV_HUGEPAGE) }
        chunks.append((start, whole))
        reserved += whole
        return start
    }

    /// Nothing can be evaluated without memory, and nothing has been half done that outlives the process.
    private static func exhausted() -> Never {
        let message = "error: out of memory\n"
        _ = write(STDERR_FILENO, message, message.utf8.count)
        exit(1)
    }

    /// Room for `count` elements of a trivial type.
    @inline(__always)
    func allocate<Element>(_ type: Element.Type, count: Int) -> UnsafeMutablePointer<Element> {
        let size = (MemoryLayout<Element>.stride &* count &+ 7) & ~7
        return allocate(size).assumingMemoryBound(to: Element.self)
    }

    /// A new value, not yet anything.
    @inline(__always)
    func value() -> ValueRef { allocate(MemoryLayout<Value>.size).assumingMemoryBound(to: Value.self) }

    @inline(__always)
    func value(_ content: Value) -> ValueRef {
        let result = value()
        result.pointee = content
        return result
    }
}
