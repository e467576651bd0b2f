import EngineModel

/// The filters of `GET /networks`.
struct NetworkFilter: Sendable {
    private let filters: Filters
    private let isDangling: Bool?

    /// - Throws: `EngineError.invalidParameter`, with Docker's sentences.
    init(_ filters: Filters) throws(EngineError) {
        self.filters = filters
        do throws(InvalidFilter) {
            try filters.validate(["dangling", "driver", "id", "label", "name", "scope", "type"])
            isDangling = try filters.bool("dangling")
        } catch {
            throw .invalid("\(error)")
        }
        for type in filters["type"] where !["custom", "builtin"].contains(type) {
            throw .invalid("invalid filter: 'type'='\(type)'")
        }
    }

    /// - Parameter isUsed: whether a container is on it.
    func includes(_ record: NetworkRecord, isUsed: Bool) -> Bool {
        func any(_ name: String, _ test: (String) -> Bool) -> Bool {
            filters[name].isEmpty || filters[name].contains(where: test)
        }
        // A predefined network is never dangling.
        if let isDangling, isDangling == (record.isPredefined || isUsed) { return false }
        return any("driver") { $0 == record.driver } && any("id") { record.id.hasPrefix($0) }
            && any("name") { record.name.firstRange(of: $0) != nil } && any("scope") { $0 == record.scope }
            && any("type") { ($0 == "builtin") == record.isPredefined }
            && filters.matchesLabels("label", record.labels)
    }
}
