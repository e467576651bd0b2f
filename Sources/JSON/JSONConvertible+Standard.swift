extension JSONValue: JSONConvertible {
    public init(json: JSONValue) { self = json }
    public var json: JSONValue { self }
}

extension JSONObject: JSONConvertible {
    public init(json: JSONValue) throws(JSONError) {
        guard case .object(let value) = json else { throw .expected("an object", got: json) }
        self = value
    }
    public var json: JSONValue { .object(self) }
}

extension String: JSONConvertible {
    public init(json: JSONValue) throws(JSONError) {
        guard case .string(let value) = json else { throw .expected("a string", got: json) }
        self = value
    }
    public var json: JSONValue { .string(self) }
}

extension Bool: JSONConvertible {
    public init(json: JSONValue) throws(JSONError) {
        guard case .bool(let value) = json else { throw .expected("a boolean", got: json) }
        self = value
    }
    public var json: JSONValue { .bool(self) }
}

extension Double: JSONConvertible {
    public init(json: JSONValue) throws(JSONError) {
        guard let value = json.double else { throw .expected("a number", got: json) }
        self = value
    }
    public var json: JSONValue { .number(self) }
}

extension FixedWidthInteger where Self: Sendable {
    @inlinable public init(json: JSONValue) throws(JSONError) {
        let exact: Self? =
            switch json {
            case .integer(let value): Self(exactly: value)
            case .unsigned(let value): Self(exactly: value)
            case .number(let value): Self(exactly: value)
            default: throw .expected("an integer", got: json)
            }
        guard let exact else {
            throw JSONError(code: .type, reason: "\(json.serialized()) is out of range (\(Self.min) to \(Self.max))")
        }
        self = exact
    }

    @inlinable public var json: JSONValue {
        Int64(exactly: self).map(JSONValue.integer) ?? .unsigned(UInt64(clamping: self))
    }
}

extension Int: JSONConvertible {}
extension Int16: JSONConvertible {}
extension Int32: JSONConvertible {}
extension Int64: JSONConvertible {}
extension UInt8: JSONConvertible {}
extension UInt16: JSONConvertible {}
extension UInt32: JSONConvertible {}
extension UInt64: JSONConvertible {}

extension Array: JSONConvertible where Element: JSONConvertible {
    @inlinable public init(json: JSONValue) throws(JSONError) {
        guard case .array(let values) = json else { throw .expected("an array", got: json) }
        self = []
        reserveCapacity(values.count)
        for (position, value) in values.enumerated() {
            do throws(JSONError) { append(try Element(json: value)) } catch { throw error.inside("[\(position)]") }
        }
    }
    @inlinable public var json: JSONValue { .array(map { $0.json }) }
}

/// Written with its names sorted, as Go writes a map.
extension Dictionary: JSONConvertible where Key == String, Value: JSONConvertible {
    @inlinable public init(json: JSONValue) throws(JSONError) {
        guard case .object(let object) = json else { throw .expected("an object", got: json) }
        self = [:]
        for (name, value) in object.members {
            // To Go's decoder, whose clients these are, a null in a map is the zero value.
            if value.isNull, Value.self == String.self, let empty = "" as? Value {
                self[name] = empty
                continue
            }
            do throws(JSONError) { self[name] = try Value(json: value) } catch { throw error.inside(name) }
        }
    }
    @inlinable public var json: JSONValue {
        .object(JSONObject(sorted { $0.key < $1.key }.map { ($0.key, $0.value.json) }))
    }
}

/// A member whose value may itself be null, as in a map of optional pointers.
extension Optional: JSONConvertible where Wrapped: JSONConvertible {
    @inlinable public init(json: JSONValue) throws(JSONError) {
        self = json.isNull ? nil : try Wrapped(json: json)
    }
    @inlinable public var json: JSONValue { self?.json ?? .null }
}

extension JSONConvertible where Self: RawRepresentable, RawValue == String {
    @inlinable public init(json: JSONValue) throws(JSONError) {
        let text = try String(json: json)
        guard let value = Self(rawValue: text) else {
            throw JSONError(code: .type, reason: "unknown value \"\(text)\"")
        }
        self = value
    }
    @inlinable public var json: JSONValue { .string(rawValue) }
}
