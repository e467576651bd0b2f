import NIOCore
import Synchronization

/// A stream of one piece.
final class OneBuffer: Sendable {
    private let buffer: Mutex<ByteBuffer?>

    init(_ buffer: ByteBuffer) { self.buffer = Mutex(buffer.readableBytes > 0 ? buffer : nil) }

    func take() -> ByteBuffer? {
        buffer.withLock { buffer in
            defer { buffer = nil }
            return buffer
        }
    }
}
