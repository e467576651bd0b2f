import Glibc

/// The writing end of a process's standard input: a pipe, or its terminal.
///
/// What the process does not read yet is kept up to a bound; beyond it the clients are not read.
final class InputPipe {
    /// Clients wait while more than this is pending.
    static let bound = 64 << 10

    private let loop: EventLoop
    private var descriptor: Int32
    private var pending = ByteQueue()
    private var closesWhenEmpty = false
    /// Called when there is room again, or never will be need for it.
    var onRoom: () -> Void = {}

    /// Takes the non-blocking `descriptor`.
    init(_ descriptor: Int32, loop: EventLoop) {
        self.descriptor = descriptor
        self.loop = loop
    }

    var isFull: Bool { pending.count >= Self.bound }
    var isOpen: Bool { descriptor >= 0 && !closesWhenEmpty }

    /// Input for a process that has closed its end, or whose input was closed, is dropped.
    func write(_ bytes: UnsafeRawBufferPointer) {
        guard isOpen else { return }
        pending.append(bytes)
        flush()
    }

    /// Closes once everything pending is written: the process then reads the end of its input.
    func closeWhenEmpty() {
        guard isOpen else { return }
        closesWhenEmpty = true
        flush()
    }

    func close() {
        guard descriptor >= 0 else { return }
        loop.forget(descriptor)
        Glibc.close(descriptor)
        descriptor = -1
        pending.removeAll()
        onRoom()
    }

    private func flush() {
        guard descriptor >= 0 else { return }
        let wasFull = isFull
        if pending.write(to: descriptor) != 0 { return close() }
        if pending.isEmpty {
            if closesWhenEmpty { return close() }
            loop.forget(descriptor)
        } else if !loop.isWatched(descriptor) {
            do {
                try loop.watch(descriptor, EventLoop.writable) { [unowned self] _ in flush() }
            } catch {
                return close()
            }
        }
        if wasFull, !isFull { onRoom() }
    }
}
