import Hashing
import Kernel
import OCI
import Registry
import Synchronization

import struct NIOCore.ByteBuffer
import struct NIOCore.ByteBufferAllocator

/// In bytes: large enough that calls do not show, small enough that six side by side do not either.
let pieceSize = 512 << 10

extension BlobStream {
    static func of(_ bytes: [UInt8]) -> BlobStream {
        let once = Mutex<ByteBuffer?>(bytes.isEmpty ? nil : ByteBuffer(bytes: bytes))
        return BlobStream {
            once.withLock { buffer in
                defer { buffer = nil }
                return buffer
            }
        }
    }

    /// A range of a file, whose position does not matter.
    static func of(_ file: FileDescriptor, from offset: Int64, to end: Int64) -> BlobStream {
        let position = Mutex(offset)
        return BlobStream {
            let at = position.withLock { $0 }
            let wanted = Int(Swift.min(Int64(pieceSize), end - at))
            if wanted <= 0 { return nil }
            var buffer = ByteBufferAllocator().buffer(capacity: wanted)
            let count = try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: wanted) { space in
                try file.pread(into: UnsafeMutableRawBufferPointer(rebasing: space[..<wanted]), at: at)
            }
            guard count > 0 else {
                throw TransportError(
                    .contentMismatch, "the file ends \(end - at) bytes too early: it was cut off meanwhile")
            }
            position.withLock { $0 = at + Int64(count) }
            return buffer
        }
    }

    /// The same bytes, and an error at their end unless they are what a descriptor promises.
    func verified(as blob: Descriptor, at place: String) -> BlobStream {
        let hash = ContentHash(blob.digest.algorithm)
        let count = Mutex<Int64>(0)
        let next = makeAsyncIterator()
        return BlobStream {
            var iterator = next
            guard let buffer = try await iterator.next() else {
                let size = count.withLock { $0 }
                let digest = try hash.digest
                guard digest == blob.digest, size == blob.size else {
                    throw TransportError(
                        .contentMismatch,
                        "the blob \(blob.digest) of \(place) has the digest \(digest) and \(size) bytes instead of "
                            + "\(blob.size): it is damaged")
                }
                return nil
            }
            hash.update(buffer)
            let size = count.withLock { count in
                count += Int64(buffer.readableBytes)
                return count
            }
            guard size <= blob.size else {
                throw TransportError(
                    .contentMismatch,
                    "the blob \(blob.digest) of \(place) is longer than the \(blob.size) bytes promised")
            }
            return buffer
        }
    }
}

extension FileDescriptor {
    func append(_ buffer: ByteBuffer) throws {
        try buffer.withUnsafeReadableBytes { bytes in try writeAll(bytes) }
    }
}

extension BlobStream {
    /// The stream from one of its bytes on.
    func dropping(_ count: Int64) -> BlobStream {
        let left = Mutex(count)
        let next = makeAsyncIterator()
        return BlobStream {
            var next = next
            while var buffer = try await next.next() {
                let skipped = left.withLock { left in
                    let count = Int(Swift.min(left, Int64(buffer.readableBytes)))
                    left -= Int64(count)
                    return count
                }
                buffer.moveReaderIndex(forwardBy: skipped)
                if buffer.readableBytes > 0 { return buffer }
            }
            return nil
        }
    }
}
