/// A type with a JSON form.
public protocol JSONConvertible: Sendable {
    /// - Throws: `JSONError` when `json` is no such value.
    init(json: JSONValue) throws(JSONError)
    var json: JSONValue { get }
}

/// A struct that is a JSON object: its known members are listed once, and members it does not know are kept.
///
///     public struct Mount: JSONRecord {
///         public var destination = ""
///         public var options: [String]?
///         public var unknownMembers = JSONObject()
///         public init() {}
///         public static let members = JSONMembers<Self>(
///             .required("destination", \.destination),
///             .optional("options", \.options))
///     }
///
/// `init()` gives an empty record to fill in; `init(json:)` refuses a document that lacks a required member, and names
/// the path of whatever is wrong.
public protocol JSONRecord: JSONConvertible, Equatable {
    init()
    static var members: JSONMembers<Self> { get }
    /// What the document held beyond `members`; written back after them.
    var unknownMembers: JSONObject { get set }
}

/// The members of a record, in the order in which they are written.
public struct JSONMembers<Record>: Sendable {
    let list: [JSONMember<Record>]
    let positions: [String: Int]
    /// The same by the names in lower case.
    private let foldedPositions: [String: Int]

    public init(_ list: JSONMember<Record>...) {
        self.list = list
        positions = Dictionary(list.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
        foldedPositions = Dictionary(
            list.enumerated().map { ($1.name.lowercased(), $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// The member that a document's name means. As Go's decoder, which most documents are written for, it prefers the
    /// exact name, and takes one that differs only in case.
    func position(of name: String) -> Int? { positions[name] ?? foldedPositions[name.lowercased()] }

    /// The names of the members.
    public var names: [String] { list.map(\.name) }
}

/// One member of a record: its name, and how it is read and written.
///
/// Key paths are made when a member is first met, since making one costs more than reading a member.
public struct JSONMember<Record>: Sendable {
    let name: String
    let isRequired: Bool
    let read: @Sendable (JSONValue, inout Record) throws(JSONError) -> Void
    /// `nil` leaves the member out.
    let write: @Sendable (Record) -> JSONValue?

    /// Must be present; always written.
    public static func required<Value: JSONConvertible>(
        _ name: String,
        _ path: @autoclosure @escaping @Sendable () -> WritableKeyPath<Record, Value> & Sendable
    ) -> Self {
        Self(
            name: name, isRequired: true,
            read: { (value, record) throws(JSONError) in record[keyPath: path()] = try Value(json: value) },
            write: { $0[keyPath: path()].json })
    }

    /// May be missing or null, which both read as `nil`; left out when `nil`. Go's `omitempty` on a pointer.
    public static func optional<Value: JSONConvertible>(
        _ name: String,
        _ path: @autoclosure @escaping @Sendable () -> WritableKeyPath<Record, Value?> & Sendable
    ) -> Self {
        Self(
            name: name, isRequired: false,
            read: { (value, record) throws(JSONError) in
                record[keyPath: path()] = value.isNull ? nil : try Value(json: value)
            },
            write: { $0[keyPath: path()]?.json })
    }

    /// May be missing or null, which both read as `nil`; written as null when `nil`. Go's pointer or slice without
    /// `omitempty`.
    public static func nullable<Value: JSONConvertible>(
        _ name: String,
        _ path: @autoclosure @escaping @Sendable () -> WritableKeyPath<Record, Value?> & Sendable
    ) -> Self {
        Self(
            name: name, isRequired: false,
            read: { (value, record) throws(JSONError) in
                record[keyPath: path()] = value.isNull ? nil : try Value(json: value)
            },
            write: { $0[keyPath: path()]?.json ?? .null })
    }

    /// May be missing or null, which both leave the record's default; always written. Go's plain value.
    public static func always<Value: JSONConvertible>(
        _ name: String,
        _ path: @autoclosure @escaping @Sendable () -> WritableKeyPath<Record, Value> & Sendable
    ) -> Self {
        Self(
            name: name, isRequired: false,
            read: { (value, record) throws(JSONError) in
                if !value.isNull { record[keyPath: path()] = try Value(json: value) }
            },
            write: { $0[keyPath: path()].json })
    }

    /// May be missing or null, which both leave the record's default; left out when it is the zero value: an empty
    /// string, array or object, 0 or false. Go's `omitempty` on a plain value.
    public static func omitEmpty<Value: JSONConvertible>(
        _ name: String,
        _ path: @autoclosure @escaping @Sendable () -> WritableKeyPath<Record, Value> & Sendable
    ) -> Self {
        Self(
            name: name, isRequired: false,
            read: { (value, record) throws(JSONError) in
                if !value.isNull { record[keyPath: path()] = try Value(json: value) }
            },
            write: { record in
                let value = record[keyPath: path()].json
                // A bare `nil` would be the value null, by its literal.
                return value.isZero ? JSONValue?.none : value
            })
    }
}

extension JSONRecord {
    public init(json: JSONValue) throws(JSONError) {
        guard case .object(let object) = json else { throw .expected("an object", got: json) }
        self.init()
        let members = Self.members
        var seen: Set<Int> = []
        for (name, value) in object.members {
            guard let position = members.position(of: name) else {
                unknownMembers[name] = value
                continue
            }
            let member = members.list[position]
            do throws(JSONError) { try member.read(value, &self) } catch { throw error.inside(name) }
            if member.isRequired { seen.insert(position) }
        }
        for (position, member) in members.list.enumerated() where member.isRequired && !seen.contains(position) {
            throw JSONError(code: .missing, reason: "missing, but required", path: member.name)
        }
    }

    public var json: JSONValue {
        var object = JSONObject()
        for member in Self.members.list {
            if let value = member.write(self) { object[member.name] = value }
        }
        for (name, value) in unknownMembers.members where object[name] == nil { object[name] = value }
        return .object(object)
    }

    /// Parses a document into this type.
    public init(parsing bytes: [UInt8]) throws(JSONError) {
        try self.init(json: JSONValue(parsing: bytes))
    }

    /// Parses a document into this type.
    public init(parsing text: String) throws(JSONError) {
        try self.init(json: JSONValue(parsing: text))
    }
}

extension JSONValue {
    /// Whether Go's `omitempty` would leave this value out.
    var isZero: Bool {
        switch self {
        case .null: true
        case .bool(let value): !value
        case .integer(let value): value == 0
        case .unsigned(let value): value == 0
        case .number(let value): value == 0
        case .string(let value): value.isEmpty
        case .array(let value): value.isEmpty
        case .object(let value): value.isEmpty
        }
    }
}
