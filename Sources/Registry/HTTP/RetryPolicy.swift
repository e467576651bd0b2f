import NIOCore
import NIOHTTP1

/// When a request is tried again, and after how long.
struct RetryPolicy: Sendable {
    private let configuration: RegistryConfiguration

    init(_ configuration: RegistryConfiguration) { self.configuration = configuration }

    /// The wait after an attempt that had no answer; `nil` when there was the last.
    func wait(attempt: Int) -> TimeAmount? {
        guard attempt < configuration.maximumAttempts else { return nil }
        let doubled = configuration.firstWait.nanoseconds << Int64(min(attempt - 1, 20))
        // Clients that were turned away together must not come back together.
        let jittered = doubled / 4 * 3 + Int64.random(in: 0...max(doubled / 2, 1))
        return .nanoseconds(min(jittered, configuration.longestWait.nanoseconds))
    }

    /// The wait after an answer that says "not now"; `nil` for all others, and when there was the last attempt.
    func wait(after response: RegistryResponse, attempt: Int) -> TimeAmount? {
        switch response.status {
        case 408, 429, 500, 502, 503, 504: break
        default: return nil
        }
        guard let own = wait(attempt: attempt) else { return nil }
        guard let text = response.headers.first(name: "Retry-After") else { return own }
        // The other form, a date, is not used by registries: our own wait will do.
        guard let seconds = Int64(text.trimmedSpaces), seconds >= 0 else { return own }
        // To wait for an hour is not what anyone who pulls an image wants: the answer is reported.
        guard seconds <= configuration.longestWait.nanoseconds / 1_000_000_000 else { return nil }
        return .seconds(seconds)
    }
}

extension StringProtocol {
    /// Without white space at either end.
    var trimmedSpaces: String {
        var rest = self[...]
        while let first = rest.first, first.isWhitespace { rest = rest.dropFirst() }
        while let last = rest.last, last.isWhitespace { rest = rest.dropLast() }
        return String(rest)
    }
}
