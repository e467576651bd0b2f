import Glibc
import Kernel
import NixStore
import Synchronization

/// The objects that this process needs until it ends, as Nix's collector finds them: a file named after the process,
/// held locked, that lists paths.
///
/// While a collector runs, it is asked over its socket instead, and answers once the object is safe.
final class TemporaryRoots: Sendable {
    private struct State {
        var file: FileDescriptor?
        var collectorLock: FileDescriptor?
        var socket: FileDescriptor?
        var known: Set<StorePath> = []
    }

    private let layout: StoreLayout
    private let name: String
    private let state = Mutex(State())

    /// The file has the process's number, so that all who use one store share it.
    private static let open = Mutex<[String: (roots: TemporaryRoots, users: Int)]>([:])

    static func share(_ layout: StoreLayout) -> TemporaryRoots {
        open.withLock { open in
            let roots = open[layout.state]?.roots ?? TemporaryRoots(layout)
            open[layout.state, default: (roots, 0)].users += 1
            return roots
        }
    }

    /// Gives up what `share` gave; with the last user the roots go.
    func release() {
        Self.open.withLock { open in
            open[layout.state]?.users -= 1
            guard open[layout.state]?.users == 0 else { return }
            open[layout.state] = nil
            close()
        }
    }

    private init(_ layout: StoreLayout) {
        self.layout = layout
        name = "\(layout.temporaryRoots)/\(Processes.currentID)"
    }

    private func close() {
        state.withLock { state in
            guard let file = state.file else { return }
            try? FileDescriptor.currentDirectory.unlink(name)
            try? file.writeAll("d")
            state = State()
        }
    }

    /// Keeps `path` from being collected; it may be valid, or become so.
    func add(_ path: StorePath) throws {
        try state.withLock { state in
            guard !state.known.contains(path) else { return }
            do {
                let file = try state.file ?? makeFile()
                state.file = file
                let lock = try state.collectorLock ?? CollectorLock.file(layout)
                state.collectorLock = lock
                let text = layout.directory.print(path)
                // Without a collector, the shared lock keeps one from beginning until the root is written.
                while try !lock.lock(.shared, wait: false) {
                    if try tellCollector(text, &state) { break }
                    // Between taking its lock and listening, or between closing and unlocking.
                    usleep(10_000)
                }
                defer { try? lock.unlock() }
                try file.writeAll(Array(text.utf8) + [0])
                state.known.insert(path)
            } catch let error as KernelError {
                throw StoreError(
                    .system(error.code.rawValue),
                    "keeping '\(layout.directory.print(path))' from the garbage collector: \(error)")
            }
        }
    }

    private func makeFile() throws -> FileDescriptor {
        while true {
            // Whoever had this number before has ended.
            try FileDescriptor.currentDirectory.unlinkIfPresent(name)
            let file = try FileDescriptor.open(name, [.readWrite, .create], mode: 0o600)
            try file.lock(.exclusive)
            // A collector may have taken it for a dead process's before it was locked.
            if try file.status().size == 0 { return file }
        }
    }

    /// - Returns: whether a collector has noted the root.
    private func tellCollector(_ path: String, _ state: inout State) throws -> Bool {
        do {
            let socket = try state.socket ?? CollectorSocket.connect(layout)
            guard let socket else { return false }
            state.socket = socket
            // MSG_NOSIGNAL: a collector that ends in the meantime is no reason to die.
            _ = try socket.send(Array((path + "\n").utf8), flags: 0x4000)
            if try socket.read(count: 1) == Array("1".utf8) { return true }
        } catch let error as KernelError {
            guard [.brokenPipe, .connectionReset, .connectionRefused, .notFound].contains(error.code) else {
                throw error
            }
        }
        state.socket = nil
        return false
    }
}
