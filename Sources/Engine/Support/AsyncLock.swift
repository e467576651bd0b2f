import Synchronization

/// Lets one task at a time through, in the order in which they came.
package final class AsyncLock: Sendable {
    private struct State {
        var isHeld = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    package init() {}

    package func withLock<Result: Sendable, Failure: Error>(
        _ body: () async throws(Failure) -> Result
    ) async throws(Failure) -> Result {
        await acquire()
        defer { release() }
        return try await body()
    }

    private func acquire() async {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                if state.isHeld {
                    state.waiting.append(continuation)
                    return false
                }
                state.isHeld = true
                return true
            }
            if isFree { continuation.resume() }
        }
    }

    private func release() {
        let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
            if state.waiting.isEmpty {
                state.isHeld = false
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume()
    }
}

/// A value that comes once, and that any number of tasks wait for.
package final class AsyncValue<Value: Sendable>: Sendable {
    private struct State {
        var value: Value?
        var nextWaiter = 0
        var waiters: [Int: CheckedContinuation<Value?, Never>] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    /// The value, if it came.
    package var current: Value? { state.withLock { $0.value } }

    /// Sets the value; the first one counts.
    package func set(_ value: Value) {
        let waiters = state.withLock { state -> [CheckedContinuation<Value?, Never>] in
            guard state.value == nil else { return [] }
            state.value = value
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        for waiter in waiters { waiter.resume(returning: value) }
    }

    /// Waits for the value.
    /// - Throws: `CancellationError`.
    package func get() async throws(CancellationError) -> Value {
        let token = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        let value = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Value?, Never>) in
                let ready = state.withLock { state -> (isReady: Bool, value: Value?) in
                    if let value = state.value { return (true, value) }
                    if Task.isCancelled { return (true, nil) }
                    state.waiters[token] = continuation
                    return (false, nil)
                }
                if ready.isReady { continuation.resume(returning: ready.value) }
            }
        } onCancel: {
            let waiter = state.withLock { $0.waiters.removeValue(forKey: token) }
            waiter?.resume(returning: nil)
        }
        guard let value else { throw CancellationError() }
        return value
    }

    /// Waits at most so long; `nil` when the time is over.
    package func get(within duration: Duration) async throws(CancellationError) -> Value? {
        if let value = current { return value }
        let timer = Task { try await Task.sleep(for: duration.asTimeout) }
        defer { timer.cancel() }
        let waiter = Task { try await get() }
        let limit = Task {
            if (try? await timer.value) != nil { waiter.cancel() }
        }
        defer { limit.cancel() }
        let value = await withTaskCancellationHandler {
            try? await waiter.value
        } onCancel: {
            waiter.cancel()
        }
        if value == nil && Task.isCancelled { throw CancellationError() }
        return value
    }
}

/// A value to be taken once.
final class Once<Value: Sendable>: Sendable {
    private let value: Mutex<Value?>
    init(_ value: Value) { self.value = Mutex(value) }
    func take() -> Value? {
        value.withLock { value in
            defer { value = nil }
            return value
        }
    }
}

extension Duration {
    /// A time to wait of at most a hundred years. Clients may ask for any number of seconds, and what is added to now
    /// must still be a moment.
    var asTimeout: Duration { min(self, .seconds(100 * 365 * 86_400)) }
}
