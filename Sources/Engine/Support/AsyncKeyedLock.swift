import Synchronization

/// Locks by name, for tasks: whoever comes second for a name waits until the first is done.
final class AsyncKeyedLock: Sendable {
    private struct State {
        /// The waiting ones of each name that is held.
        var waiting: [String: [(ticket: Int, continuation: CheckedContinuation<Bool, Never>)]] = [:]
        var nextTicket = 0
    }

    private let state = Mutex(State())

    /// - Throws: `CancellationError` when the task is cancelled while it waits.
    func acquire(_ key: String) async throws(CancellationError) {
        let ticket = state.withLock { state in
            state.nextTicket += 1
            return state.nextTicket
        }
        let isMine = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = state.withLock { state in
                    if Task.isCancelled { return false }
                    guard state.waiting[key] != nil else {
                        state.waiting[key] = []
                        return true
                    }
                    state.waiting[key]?.append((ticket, continuation))
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.waiting[key]?.firstIndex { $0.ticket == ticket }.flatMap { state.waiting[key]?.remove(at: $0) }
            }
            waiter?.continuation.resume(returning: false)
        }
        if !isMine { throw CancellationError() }
    }

    func release(_ key: String) {
        let next = state.withLock { state -> CheckedContinuation<Bool, Never>? in
            guard let waiting = state.waiting[key], !waiting.isEmpty else {
                state.waiting[key] = nil
                return nil
            }
            return state.waiting[key]?.removeFirst().continuation
        }
        next?.resume(returning: true)
    }
}
