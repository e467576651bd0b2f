import EngineModel
import OCI

/// The filters of `GET /containers/json`.
struct ContainerListFilter: Sendable {
    static let names: Set<String> = [
        "ancestor", "before", "exited", "expose", "health", "id", "is-task", "isolation", "label", "name", "network",
        "publish", "since", "status", "volume",
    ]

    private let filters: Filters
    private let namePatterns: [Matcher]
    private let idPatterns: [Matcher]
    private let exitCodes: Set<Int>
    /// IDs of images; `nil` when not asked for.
    private let ancestors: Set<String>?
    private let before: Int64?
    private let since: Int64?
    private let isTask: Bool?
    private let exposed: Set<String>
    private let published: Set<String>

    /// Whether containers that do not run are asked for.
    var wantsStopped: Bool {
        filters.contains("status") || !exitCodes.isEmpty
    }

    /// A text that is found as it is, or as a regular expression.
    private enum Matcher: @unchecked Sendable {
        case text(String)
        // `Regex` is immutable here and matching keeps no state in it, but the library does not declare it Sendable.
        case pattern(Regex<AnyRegexOutput>)

        init(_ text: String) {
            let isPlain = text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || byte == 0x5F || byte == 0x2D
                    || byte == 0x2F
            }
            if !isPlain, let pattern = try? Regex(text) { self = .pattern(pattern) } else { self = .text(text) }
        }

        func matches(_ candidate: String) -> Bool {
            switch self {
            case .text(let text):
                guard !text.isEmpty else { return true }
                return candidate.indices.contains { candidate[$0...].hasPrefix(text) }
            case .pattern(let pattern): return candidate.firstMatch(of: pattern) != nil
            }
        }
    }

    /// - Parameters:
    ///   - lookUp: finds the container of `before` and `since`, for its time.
    ///   - imageID: finds the image of `ancestor`.
    /// - Throws: `EngineError.invalidParameter`, with Docker's sentences.
    init(
        _ filters: Filters, lookUp: (String) throws(EngineError) -> Container, imageID: (String) -> String?
    ) throws(EngineError) {
        self.filters = filters
        do throws(InvalidFilter) {
            try filters.validate(Self.names)
            isTask = try filters.bool("is-task")
        } catch {
            throw .invalid("\(error)")
        }
        namePatterns = filters["name"].map(Matcher.init)
        idPatterns = filters["id"].map(Matcher.init)
        var codes: Set<Int> = []
        for text in filters["exited"] {
            guard let code = Int(text) else {
                throw .invalid("invalid filter 'exited=[\(text)]': it must be a number")
            }
            codes.insert(code)
        }
        exitCodes = codes
        let phases: Set<String> = ["created", "running", "paused", "restarting", "removing", "exited", "dead"]
        for status in filters["status"] where !phases.contains(status) {
            throw .invalid(
                "invalid value for state (\(status)): must be one of created, running, paused, restarting, removing, exited, "
                    + "dead")
        }
        let states: Set<String> = ["none", "starting", "healthy", "unhealthy"]
        for health in filters["health"] where !states.contains(health) {
            throw .invalid(
                "invalid value for health (\(health)): must be one of none, starting, healthy, unhealthy")
        }
        ancestors = filters.contains("ancestor") ? Set(filters["ancestor"].compactMap(imageID)) : nil
        before = try filters["before"].first.map { name throws(EngineError) in try lookUp(name).record.created }
        since = try filters["since"].first.map { name throws(EngineError) in try lookUp(name).record.created }
        exposed = try Self.ports(filters["expose"], "expose")
        published = try Self.ports(filters["publish"], "publish")
    }

    /// `80`, `80/udp` and `8000-8010/tcp` as single ports.
    static func ports(_ texts: [String], _ name: String) throws(EngineError) -> Set<String> {
        var ports: Set<String> = []
        for text in texts {
            let parts = text.split(separator: "/", omittingEmptySubsequences: false)
            let ends = parts[0].split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard parts.count <= 2, (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1],
                first <= last, (0...65_535).contains(first), last <= 65_535
            else { throw .invalid("invalid filter '\(name)=[\(text)]'") }
            let proto = parts.count == 2 ? String(parts[1]) : "tcp"
            for port in first...last { ports.insert("\(port)/\(proto)") }
        }
        return ports
    }

    /// - Parameter networks: the names and IDs of the networks that the container is on.
    func includes(
        _ record: ContainerRecord, _ status: ContainerStatus, _ health: Health?, networks ownNetworks: () -> Set<String>
    ) -> Bool {
        if !idPatterns.isEmpty, !idPatterns.contains(where: { $0.matches(record.id) }) { return false }
        if !namePatterns.isEmpty,
            !namePatterns.contains(where: { $0.matches("/" + record.name) || $0.matches(record.name) })
        {
            return false
        }
        if isTask == true { return false }
        if let before, record.created >= before { return false }
        if let since, record.created <= since { return false }
        let phases = filters["status"]
        if !phases.isEmpty, !phases.contains(status.phase.rawValue) { return false }
        if !exitCodes.isEmpty, status.isRunning || status.startedAt == 0 || !exitCodes.contains(status.exitCode) {
            return false
        }
        if !filters.matchesExactly("health", health?.status ?? "none") { return false }
        if !filters.matchesLabels("label", record.config.labels ?? [:]) { return false }
        if let ancestors, !ancestors.contains(record.imageID) { return false }
        let volumes = filters["volume"]
        if !volumes.isEmpty,
            !record.mounts.contains(where: { volumes.contains($0.name) || volumes.contains($0.destination) })
        {
            return false
        }
        let networks = filters["network"]
        if !networks.isEmpty {
            let own = ownNetworks()
            // By name, or by the beginning of an ID.
            func matches(_ wanted: String) -> Bool {
                own.contains { $0 == wanted || $0.utf8.count == 64 && !wanted.isEmpty && $0.hasPrefix(wanted) }
            }
            guard networks.contains(where: matches) else { return false }
        }
        if !exposed.isEmpty, exposed.isDisjoint(with: (record.config.exposedPorts ?? [:]).keys) { return false }
        if !published.isEmpty, published.isDisjoint(with: (record.hostConfig.portBindings ?? [:]).keys) { return false }
        return true
    }
}

/// The filters of the prune requests: `until` and `label`, `label!`.
package struct PruneFilter: Sendable {
    private let filters: Filters
    private let until: Int64?

    /// - Parameter more: further names that the request knows.
    package init(_ filters: Filters, more: Set<String> = []) throws(EngineError) {
        self.filters = filters
        do throws(InvalidFilter) {
            try filters.validate(more.union(["until", "label", "label!"]))
        } catch {
            throw .invalid("\(error)")
        }
        guard filters["until"].count <= 1 else { throw .invalid("more than one until filter specified") }
        until = try filters["until"].first.map { text throws(EngineError) in try Self.moment(text) }
    }

    private static func moment(_ text: String) throws(EngineError) -> Int64 {
        if let moment = Timestamp(parameter: text) { return moment.nanosecondsSince1970 }
        if let nanoseconds = goDuration(text) { return Timestamp.now.nanosecondsSince1970 - nanoseconds }
        throw .invalid("failed to parse value as time or duration: \"\(text)\"")
    }

    /// A duration as Go writes it, such as `1h30m`, in nanoseconds.
    package static func goDuration(_ text: String) -> Int64? {
        let units: [(String, Double)] = [
            ("ns", 1), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9),
        ]
        var rest = text[...]
        var total = 0.0
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isNumber || $0 == "." }
            guard let value = Double(digits) else { return nil }
            rest = rest.dropFirst(digits.count)
            let name = rest.prefix { $0.isLetter }
            guard let unit = units.first(where: { $0.0 == name }) else { return nil }
            rest = rest.dropFirst(name.count)
            total += value * unit.1
        }
        return total < 9e18 ? Int64(total) : nil
    }

    /// - Parameter created: nanoseconds since 1970.
    package func includes(labels: [String: String], created: Int64) -> Bool {
        if let until, created >= until { return false }
        if !filters.matchesLabels("label", labels) { return false }
        let unwanted = filters["label!"]
        return unwanted.isEmpty || !filters.matchesLabels("label!", labels)
    }
}
