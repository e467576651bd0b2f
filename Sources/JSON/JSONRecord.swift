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
///         public mutating func members(_ json: inout JSONMembers) {
///             json.required("destination", &destination)
///             json.optional("options", &options)
///         }
///     }
///
/// `init()` gives an empty record to fill in; `init(json:)` refuses a document that lacks a required member, and names
/// the path of whatever is wrong.
public protocol JSONRecord: JSONConvertible, Equatable {
    init()
    /// Shows each member to `json`, in the order in which they are written; `json` reads it from a document or writes
    /// it to one. A plain function instead of a table of key paths: a program that starts for one command would spend
    /// more time making these than reading.
    mutating func members(_ json: inout JSONMembers)
    /// What the document held beyond `members`; written back after them.
    var unknownMembers: JSONObject { get set }
}

extension JSONRecord {
    public init(json: JSONValue) throws(JSONError) {
        guard case .object(let object) = json else { throw .expected("an object", got: json) }
        self.init()
        var reader = JSONMembers(reading: object)
        members(&reader)
        if reader.turnToOtherCases() { members(&reader) }
        unknownMembers = try reader.unknownMembers()
    }

    public var json: JSONValue {
        var record = self
        var writer = JSONMembers.writer()
        record.members(&writer)
        return .object(writer.object(with: unknownMembers))
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
