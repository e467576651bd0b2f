import Kernel
import Synchronization

/// Removes trees that nobody waits for, one after another, on a thread that lives as long as there are any.
///
/// On a disk that is told of every block that becomes free, a tree of twenty files takes milliseconds.
final class Trash: Sendable {
    private struct State {
        var trees: [String] = []
        var isAtWork = false
    }

    private let state = Mutex(State())

    /// Removes a tree soon. One that cannot be removed stays: the next start tries again, and says why it fails.
    func remove(_ tree: String) {
        let starts = state.withLock { state in
            state.trees.append(tree)
            defer { state.isAtWork = true }
            return !state.isAtWork
        }
        guard starts else { return }
        if let thread = Thread.start({ self.work() }) { thread.detach() } else { work() }
    }

    private func work() {
        while let tree = next() { try? FileDescriptor.currentDirectory.removeTree(tree) }
    }

    private func next() -> String? {
        state.withLock { state in
            if state.trees.isEmpty {
                state.isAtWork = false
                return nil
            }
            return state.trees.removeFirst()
        }
    }
}
