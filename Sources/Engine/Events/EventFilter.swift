import EngineModel

/// The filters of `GET /events`.
package struct EventFilter: Sendable {
    private let filters: Filters

    package static let names: Set<String> = [
        "config", "container", "daemon", "event", "image", "label", "network", "node", "plugin", "scope", "secret",
        "service", "type", "volume",
    ]

    package init(_ filters: Filters) throws(EngineError) {
        do throws(InvalidFilter) { try filters.validate(Self.names) } catch { throw .invalid("\(error)") }
        self.filters = filters
    }

    package func includes(_ message: EventMessage) -> Bool {
        matchesAction(message)
            && filters.matchesExactly("type", message.type)
            && filters.matchesExactly("scope", message.scope)
            && matchesThing("daemon", message)
            && matchesThing("container", message)
            && matchesThing("volume", message)
            && matchesThing("network", message)
            && matchesThing("node", message)
            && matchesImage(message)
            && filters.matchesLabels("label", message.actor.attributes)
    }

    // `exec_create: ls -l` is asked for as `exec_create`, `health_status: healthy` as either.
    private func matchesAction(_ message: EventMessage) -> Bool {
        let wanted = filters["event"]
        guard !wanted.isEmpty else { return true }
        return wanted.contains { $0 == message.action || message.action.hasPrefix($0 + ":") }
    }

    private func matchesThing(_ type: String, _ message: EventMessage) -> Bool {
        let wanted = filters[type]
        guard !wanted.isEmpty else { return true }
        guard message.type == type else { return false }
        return wanted.contains { name in
            message.actor.id == name || message.actor.attributes["name"] == name
                || (!name.isEmpty && message.actor.id.hasPrefix(name))
        }
    }

    // Images are also asked for by the name that a container's event carries.
    private func matchesImage(_ message: EventMessage) -> Bool {
        let wanted = filters["image"]
        guard !wanted.isEmpty else { return true }
        let name = message.actor.attributes[message.type == "image" ? "name" : "image"] ?? ""
        return wanted.contains { image in
            message.type == "image" && message.actor.id == image || name == image
                || name.split(separator: ":").first.map(String.init) == image
        }
    }
}
