import Glibc

/// Which of a process's outputs; the raw value is Docker's stream number.
package enum OutputStream: UInt8 {
    case stdout = 1
    case stderr = 2

    var name: String { self == .stdout ? "stdout" : "stderr" }
}

/// The reading end of one output: a pipe, or the terminal.
final class OutputSource {
    let stream: OutputStream
    private let loop: EventLoop
    private var descriptor: Int32
    private(set) var isPaused = false

    /// What was read; valid during the call.
    var onOutput: (UnsafeRawBufferPointer) -> Void = { _ in }
    /// A turn of reading is over: what was collected should go out.
    var onPause: () -> Void = {}
    var onEnd: () -> Void = {}

    /// Takes the non-blocking `descriptor`.
    init(_ descriptor: Int32, stream: OutputStream, loop: EventLoop) {
        self.descriptor = descriptor
        self.stream = stream
        self.loop = loop
    }

    var isOver: Bool { descriptor < 0 }

    /// Starts or goes on reading.
    func resume() {
        guard !isOver else { return }
        isPaused = false
        guard !loop.isWatched(descriptor) else { return }
        do {
            try loop.watch(descriptor, EventLoop.readable) { [unowned self] _ in serve() }
        } catch {
            close()
        }
    }

    /// Stops reading; not merely the interest, because a closed pipe reports its hang-up regardless.
    func pause() {
        guard !isOver, !isPaused else { return }
        isPaused = true
        loop.forget(descriptor)
    }

    func close() {
        guard !isOver else { return }
        loop.forget(descriptor)
        Glibc.close(descriptor)
        descriptor = -1
        onEnd()
    }

    private func serve() {
        // A few pieces a turn, so that a flood on one descriptor does not starve the others.
        for _ in 0..<4 where !isOver && !isPaused {
            if !readPiece() { break }
        }
        onPause()
    }

    /// Reads all there is now, paused or not; closes at the end of the output.
    func drain() {
        // Bounded: a descendant may write for ever.
        for _ in 0..<256 where !isOver {
            if !readPiece() { break }
        }
        onPause()
    }

    /// Returns whether there may be more.
    private func readPiece() -> Bool {
        let buffer = loop.scratch()
        let count = read(descriptor, buffer.baseAddress, buffer.count)
        if count > 0 {
            onOutput(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            return true
        }
        if count < 0, errno == EAGAIN { return false }
        if count < 0, errno == EINTR { return true }
        // The end; EIO is how a terminal says that its last user is gone.
        close()
        return false
    }
}
