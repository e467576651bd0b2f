import EngineModel
import Synchronization

/// Tells everyone who listens what happened, and remembers the last of it.
package final class EventBus: Sendable {
    /// As many as Docker remembers.
    package static let memory = 256

    private struct State {
        var recent: [EventMessage] = []
        var nextListener = 0
        var listeners: [Int: @Sendable (EventMessage) -> Void] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    package var listenerCount: Int { state.withLock { $0.listeners.count } }

    package func post(type: String, action: String, id: String, attributes: [String: String], scope: String = "local") {
        let now = Timestamp.now
        var message = EventMessage()
        message.type = type
        message.action = action
        message.actor = EventMessage.Actor(id: id, attributes: attributes)
        message.scope = scope
        message.time = now.seconds
        message.timeNano = now.nanosecondsSince1970
        if type == "container" || type == "image" {
            message.status = action
            message.id = id
            if type == "container" { message.from = attributes["image"] ?? "" }
        }
        // Under the lock, so that all listeners see one order; yielding never blocks.
        state.withLock { [message] state in
            state.recent.append(message)
            if state.recent.count > Self.memory { state.recent.removeFirst(state.recent.count - Self.memory) }
            for listener in state.listeners.values { listener(message) }
        }
    }

    /// What happened since `since`, as far as it is remembered, and then what happens until `until`.
    package func messages(
        since: Timestamp?, until: Timestamp?, where isIncluded: @escaping @Sendable (EventMessage) -> Bool
    ) -> AsyncStream<EventMessage> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: EventMessage.self, bufferingPolicy: .bufferingNewest(16_384))
        let end = until?.nanosecondsSince1970 ?? .max
        let deliver: @Sendable (EventMessage) -> Void = { message in
            if message.timeNano <= end, isIncluded(message) { continuation.yield(message) }
        }
        let isOver = until.map { $0 <= .now } ?? false
        let token = state.withLock { state -> Int? in
            if let since {
                let start = since.nanosecondsSince1970
                for message in state.recent where message.timeNano >= start { deliver(message) }
            }
            // Without `since` an end in the past still shows what is remembered up to it, as Docker does.
            if since == nil, isOver { for message in state.recent { deliver(message) } }
            guard !isOver else { return nil }
            state.nextListener += 1
            state.listeners[state.nextListener] = deliver
            return state.nextListener
        }
        guard let token else {
            continuation.finish()
            return stream
        }
        let timer = until.map { until in
            Task {
                try await Task.sleep(for: Duration.seconds(max(0, until.timeInterval(since: .now))).asTimeout)
                continuation.finish()
            }
        }
        continuation.onTermination = { [weak self] _ in
            timer?.cancel()
            self?.state.withLock { $0.listeners[token] = nil }
        }
        return stream
    }
}
