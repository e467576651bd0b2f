import Glibc

/// Bytes on their way out, first in, first out.
struct ByteQueue {
    private var bytes: [UInt8] = []
    private var head = 0

    var count: Int { bytes.count - head }
    var isEmpty: Bool { count == 0 }

    mutating func append(_ more: [UInt8]) {
        more.withUnsafeBytes { append($0) }
    }

    mutating func append(_ more: UnsafeRawBufferPointer) {
        if head > 0, head >= bytes.count / 2 {
            bytes.removeSubrange(..<head)
            head = 0
        }
        bytes.append(contentsOf: more)
    }

    /// Drops the first `count` bytes; an empty queue keeps no memory.
    mutating func removeFirst(_ count: Int) {
        head += count
        if head >= bytes.count { removeAll() }
    }

    mutating func removeAll() {
        bytes = []
        head = 0
    }

    /// Writes as much as the non-blocking `descriptor` takes.
    /// - Returns: 0, also when it takes no more for now, or the errno that ended it.
    mutating func write(to descriptor: Int32) -> Int32 {
        while !isEmpty {
            let (count, failure) = bytes.withUnsafeBytes { buffer -> (Int, Int32) in
                let count = Glibc.write(descriptor, buffer.baseAddress?.advanced(by: head), buffer.count - head)
                return (count, errno)
            }
            if count >= 0 {
                removeFirst(count)
            } else if failure == EAGAIN {
                return 0
            } else if failure != EINTR {
                return failure
            }
        }
        return 0
    }
}
