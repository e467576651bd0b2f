import JSON

/// The `filters` parameter of the list, prune and events requests: several values a name.
public struct Filters: Sendable, Equatable {
    public private(set) var values: [String: [String]] = [:]

    public init() {}

    /// - Throws: `JSONError` when `text` is neither of the two forms that clients send:
    ///   `{"label":{"a":true}}` (API 1.22 and later) and `{"label":["a"]}`. Empty text is no filter.
    public init(parsing text: String) throws(JSONError) {
        if text.isEmpty { return }
        let json = try JSONValue(parsing: text)
        if json.isNull { return }
        guard case .object(let object) = json else {
            throw JSONError(code: .type, reason: "expected an object of filters")
        }
        for (name, value) in object {
            switch value {
            case .object(let set):
                // A value of false is an absent one: the map is Go's form of a set.
                for (element, flag) in set where flag.bool == true { add(name, element) }
                for (element, flag) in set where flag.bool == nil {
                    throw JSONError(code: .type, reason: "expected true or false", path: "\(name).\(element)")
                }
            case .array(let list):
                for element in list {
                    guard let text = element.string else {
                        throw JSONError(code: .type, reason: "expected a string", path: name)
                    }
                    add(name, text)
                }
            case .null: continue
            default: throw JSONError(code: .type, reason: "expected an object or an array", path: name)
            }
        }
    }

    public var isEmpty: Bool { values.isEmpty }
    public var names: [String] { values.keys.sorted() }
    public func contains(_ name: String) -> Bool { values[name] != nil }
    /// The values of `name`, in no order that means anything.
    public subscript(name: String) -> [String] { values[name] ?? [] }

    public mutating func add(_ name: String, _ value: String) {
        if values[name]?.contains(value) != true { values[name, default: []].append(value) }
    }

    public mutating func remove(_ name: String) { values[name] = nil }

    /// The form that current clients send.
    public var json: JSONValue {
        .object(
            JSONObject(
                values.sorted { $0.key < $1.key }.map { name, values in
                    (name, .object(JSONObject(values.map { ($0, .bool(true)) })))
                }))
    }

    // MARK: Matching

    /// Whether `source` is one of the values of `name`, or `name` is not asked for.
    public func matchesExactly(_ name: String, _ source: String) -> Bool {
        guard let wanted = values[name], !wanted.isEmpty else { return true }
        return wanted.contains(source)
    }

    /// Whether every `key` or `key=value` of `name` is in `labels`. A key in the form `key!=value` is Docker's for
    /// "not so labelled" and only means that in `label!`.
    public func matchesLabels(_ name: String, _ labels: [String: String]) -> Bool {
        self[name].allSatisfy { wanted in
            let parts = wanted.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let value = labels[String(parts[0])] else { return false }
            return parts.count == 1 || value == parts[1]
        }
    }

    /// The one boolean that `name` may have.
    /// - Returns: `nil` when it is not asked for.
    /// - Throws: `InvalidFilter` when it is no boolean, or both.
    public func bool(_ name: String) throws(InvalidFilter) -> Bool? {
        guard let wanted = values[name] else { return nil }
        let truths = Set(wanted.map { ["1", "true", "True", "TRUE", "t", "T"].contains($0) })
        let areValid = wanted.allSatisfy {
            ["1", "true", "True", "TRUE", "t", "T", "0", "false", "False", "FALSE", "f", "F"].contains($0)
        }
        guard areValid, truths.count == 1, let truth = truths.first else {
            throw InvalidFilter(name: name, values: wanted)
        }
        return truth
    }

    /// - Throws: `InvalidFilter` for the first name that is not in `accepted`.
    public func validate(_ accepted: Set<String>) throws(InvalidFilter) {
        for name in names where !accepted.contains(name) { throw InvalidFilter(name: name, values: nil) }
    }
}

/// A filter that the request does not have, or a value that it cannot have.
public struct InvalidFilter: Error, Sendable, Equatable, CustomStringConvertible {
    public var name: String
    /// `nil` when the name itself is wrong.
    public var values: [String]?

    public init(name: String, values: [String]?) {
        self.name = name
        self.values = values
    }

    public var description: String {
        guard let values else { return "invalid filter '\(name)'" }
        return "invalid filter '\(name)=[\(values.joined(separator: " "))]'"
    }
}
