import GRDB
import Kernel
import Synchronization

/// Writes out what loads have left in the page cache, and then notes in their rows that it is on the disk.
///
/// Until then a row carries the identity of the boot in which it was made. A row that carries another boot's was made
/// before a crash of the machine, and its files cannot be trusted.
final class Flushing: Sendable {
    private enum State { case idle, running, runningAndWanted }
    private let state = Mutex(State.idle)

    /// The kernel's name for this boot.
    static let boot: String? = (try? FileDescriptor.currentDirectory.readText("/proc/sys/kernel/random/boot_id"))?
        .trimmed

    /// Begins to write out, on a thread of its own; at most one runs, and at most one more waits.
    func begin(_ context: Context) {
        guard context.options.durability != .none else { return }
        let starts = state.withLock { state in
            defer { state = state == .idle ? .running : .runningAndWanted }
            return state == .idle
        }
        guard starts else { return }
        let thread = Thread.start { [self] in
            repeat { try? flush(context) } while goesOn()
        }
        guard let thread else { return state.withLock { $0 = .idle } }
        thread.detach()
    }

    private func goesOn() -> Bool {
        state.withLock { state in
            state = state == .runningAndWanted ? .running : .idle
            return state == .running
        }
    }

    /// Writes everything out, now.
    func flush(_ context: Context) throws {
        let (images, layers) = try context.read("find what is to be written out") { database in
            (
                try String.fetchAll(database, sql: "SELECT id FROM images WHERE boot IS NOT NULL"),
                try String.fetchAll(database, sql: "SELECT chain FROM layers WHERE boot IS NOT NULL")
            )
        }
        if images.isEmpty, layers.isEmpty { return }
        try FileDescriptor.open(context.path, [.readOnly, .directory]).synchronizeFileSystem()
        try context.write("note what is on the disk") { database in
            for id in images {
                try database.execute(sql: "UPDATE images SET boot = NULL WHERE id = ?", arguments: [id])
            }
            for chain in layers {
                try database.execute(sql: "UPDATE layers SET boot = NULL WHERE chain = ?", arguments: [chain])
            }
        }
    }

    /// After rows were added.
    func added(_ context: Context) throws {
        switch context.options.durability {
        case .deferred: begin(context)
        case .immediate: try flush(context)
        case .none: break
        }
    }
}
