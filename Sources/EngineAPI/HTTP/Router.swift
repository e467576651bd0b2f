import NIOHTTP1

/// Finds the route of a request by its method and path.
///
/// A pattern is a path whose parts are literal or `{name}`; `{name:.*}` stands for one part or more, because the names
/// of images contain slashes.
public struct Router: Sendable {
    public typealias Route = @Sendable (HTTPRequest) async throws -> HTTPResponse

    private enum Part {
        case literal(Substring)
        case parameter(String)
        case rest(String)
    }

    private struct Entry {
        let method: HTTPMethod
        let parts: [Part]
        let route: Route
    }

    /// Entries by their first part, in the order in which they were added.
    private var entries: [String: [Entry]] = [:]

    public init() {}

    /// Adds a route. Of two that match, the one that was added first is taken.
    public mutating func add(_ method: HTTPMethod, _ pattern: String, _ route: @escaping Route) {
        let parts = pattern.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map { part -> Part in
            guard part.hasPrefix("{"), part.hasSuffix("}") else { return .literal(part) }
            let name = part.dropFirst().dropLast()
            return name.hasSuffix(":.*") ? .rest(String(name.dropLast(3))) : .parameter(String(name))
        }
        guard case .literal(let first)? = parts.first else { preconditionFailure("a pattern begins with a literal") }
        entries[String(first), default: []].append(Entry(method: method, parts: parts, route: route))
    }

    public mutating func get(_ pattern: String, _ route: @escaping Route) { add(.GET, pattern, route) }
    public mutating func head(_ pattern: String, _ route: @escaping Route) { add(.HEAD, pattern, route) }
    public mutating func post(_ pattern: String, _ route: @escaping Route) { add(.POST, pattern, route) }
    public mutating func put(_ pattern: String, _ route: @escaping Route) { add(.PUT, pattern, route) }
    public mutating func delete(_ pattern: String, _ route: @escaping Route) { add(.DELETE, pattern, route) }

    /// The route for `method` and `path`, and what its pattern captured; `nil` when there is none.
    public func find(_ method: HTTPMethod, _ path: Substring) -> (route: Route, parameters: [String: String])? {
        // A part that is empty is a name that the client lacks: `/containers//json` is no list of containers.
        let parts = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        guard path.first == "/", let first = parts.first, let candidates = entries[String(first)] else { return nil }
        for entry in candidates where entry.method == method {
            if let parameters = Self.match(entry.parts, parts) { return (entry.route, parameters) }
        }
        return nil
    }

    private static func match(_ pattern: [Part], _ parts: [Substring]) -> [String: String]? {
        var parameters: [String: String] = [:]
        var position = 0
        for (index, part) in pattern.enumerated() {
            switch part {
            case .literal(let text):
                guard position < parts.count, parts[position] == text else { return nil }
                position += 1
            case .parameter(let name):
                guard position < parts.count, !parts[position].isEmpty else { return nil }
                parameters[name] = String(parts[position])
                position += 1
            case .rest(let name):
                let following = pattern.count - index - 1
                let count = parts.count - position - following
                guard count > 0, !parts[position..<position + count].contains("") else { return nil }
                parameters[name] = parts[position..<position + count].joined(separator: "/")
                position += count
            }
        }
        return position == parts.count ? parameters : nil
    }
}
