import Hashing
import NIOCore

extension ContentHash {
    public func update(_ buffer: ByteBuffer) { buffer.withUnsafeReadableBytes { update($0) } }
}
