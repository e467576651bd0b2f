import EngineClient
import Glibc
import NIOCore

/// Standard output and error.
enum Output {
    /// Writes all of `buffer` to a descriptor, on another thread if that may block: while a session's reader is slow,
    /// signals still have to be passed on.
    static func write(_ buffer: ByteBuffer, to descriptor: Int32) async {
        var state = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        // A pipe that is ready takes that much.
        if buffer.readableBytes <= Int(PIPE_BUF), poll(&state, 1, 0) == 1 {
            buffer.withUnsafeReadableBytes { _ = write($0, to: descriptor) }
            return
        }
        await withCheckedContinuation { continuation in
            BlockingThread.start {
                buffer.withUnsafeReadableBytes { _ = write($0, to: descriptor) }
                continuation.resume()
            }
        }
    }

    /// Writes to standard output. A reader that has gone away ends the program, as it ends any filter.
    static func write(_ text: String) {
        var text = text
        _ = text.withUTF8 { write(UnsafeRawBufferPointer($0), to: 1) }
    }

    static func print(_ text: String) { write(text + "\n") }

    /// Writes a line to standard error.
    static func error(_ text: String) {
        var text = text + "\n"
        _ = text.withUTF8 { write(UnsafeRawBufferPointer($0), to: 2) }
    }

    /// Writes all bytes to a descriptor.
    /// - Returns: whether they all went out.
    @discardableResult
    static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                // Somebody made the terminal non-blocking.
                var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&wait, 1, -1)
            } else if errno == EPIPE, descriptor == 1 {
                Terminal.restore()
                signal(SIGPIPE, SIG_DFL)
                raise(SIGPIPE)
                return false
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }
}
