/// Reads or writes the members of one record, which `JSONRecord.members` shows to it one by one.
///
/// A document's name means the member of that name and, as to Go's decoder, which most documents are written for, one
/// that differs only in case when there is none. Of several the last counts.
public struct JSONMembers {
    private enum Task { case read, readOtherCases, write }

    private var task: Task
    /// The document that is read, or what is written so far.
    private var members: [(name: String, value: JSONValue)]
    /// Which of the document's members belong to the record.
    private var isTaken: [Bool] = []
    /// Where the next member probably is: mostly they are in the record's order.
    private var next = 0
    private var missing: [String] = []
    private var firstError: JSONError?

    init(reading object: JSONObject) {
        task = .read
        members = object.members
        isTaken = Array(repeating: false, count: members.count)
    }

    private init(task: Task) {
        self.task = task
        members = []
    }

    static func writer() -> JSONMembers { JSONMembers(task: .write) }

    // MARK: For records

    /// Must be present; always written.
    @inlinable public mutating func required<Value: JSONConvertible>(_ name: String, _ value: inout Value) {
        if isWriting { return write(name, value.json) }
        guard let found = take(name, isRequired: true) else { return }
        do throws(JSONError) { value = try Value(json: found) } catch { fail(name, error) }
    }

    /// May be missing or null, which both read as `nil`; left out when `nil`. Go's `omitempty` on a pointer.
    @inlinable public mutating func optional<Value: JSONConvertible>(_ name: String, _ value: inout Value?) {
        if isWriting {
            if let value { write(name, value.json) }
            return
        }
        read(name, &value)
    }

    /// May be missing or null, which both read as `nil`; written as null when `nil`. Go's pointer or slice without
    /// `omitempty`.
    @inlinable public mutating func nullable<Value: JSONConvertible>(_ name: String, _ value: inout Value?) {
        if isWriting { return write(name, value?.json ?? .null) }
        read(name, &value)
    }

    /// May be missing or null, which both leave the record's default; always written. Go's plain value.
    @inlinable public mutating func always<Value: JSONConvertible>(_ name: String, _ value: inout Value) {
        if isWriting { return write(name, value.json) }
        read(name, &value)
    }

    /// May be missing or null, which both leave the record's default; left out when it is the zero value: an empty
    /// string, array or object, 0 or false. Go's `omitempty` on a plain value.
    @inlinable public mutating func omitEmpty<Value: JSONConvertible>(_ name: String, _ value: inout Value) {
        if isWriting {
            let json = value.json
            if !json.isZero { write(name, json) }
            return
        }
        read(name, &value)
    }

    @inlinable mutating func read<Value: JSONConvertible>(_ name: String, _ value: inout Value?) {
        guard let found = take(name) else { return }
        if found.isNull {
            value = nil
            return
        }
        do throws(JSONError) { value = try Value(json: found) } catch { fail(name, error) }
    }

    @inlinable mutating func read<Value: JSONConvertible>(_ name: String, _ value: inout Value) {
        guard let found = take(name), !found.isNull else { return }
        do throws(JSONError) { value = try Value(json: found) } catch { fail(name, error) }
    }

    // MARK: Writing

    @usableFromInline var isWriting: Bool { task == .write }

    @usableFromInline mutating func write(_ name: String, _ value: JSONValue) { members.append((name, value)) }

    /// What was written, and `unknown` after it.
    func object(with unknown: JSONObject) -> JSONObject {
        var object = JSONObject(members)
        for (name, value) in unknown.members where object[name] == nil { object[name] = value }
        return object
    }

    // MARK: Reading

    /// The document's value of that name; `nil` when there is none, or reading has failed before.
    @usableFromInline mutating func take(_ name: String, isRequired: Bool = false) -> JSONValue? {
        guard firstError == nil else { return nil }
        guard let position = task == .read ? exactPosition(of: name) : otherCasePosition(of: name) else {
            if isRequired, task == .read { missing.append(name) }
            return nil
        }
        isTaken[position] = true
        next = position + 1
        if task == .readOtherCases { missing.removeAll { $0 == name } }
        return members[position].value
    }

    private func exactPosition(of name: String) -> Int? {
        for position in next..<members.count where members[position].name == name { return position }
        for position in 0..<min(next, members.count) where members[position].name == name { return position }
        return nil
    }

    /// The last that differs at most in case, and is no other member's; `nil` when that was read already.
    private func otherCasePosition(of name: String) -> Int? {
        let folded = name.lowercased()
        for position in members.indices.reversed() {
            let candidate = members[position].name
            if candidate == name { return nil }
            if !isTaken[position], candidate.utf8.count == folded.utf8.count, candidate.lowercased() == folded {
                return position
            }
        }
        return nil
    }

    @usableFromInline mutating func fail(_ name: String, _ error: JSONError) {
        if firstError == nil { firstError = error.inside(name) }
    }

    /// Goes on to names that differ in case.
    ///
    /// - Returns: whether there is anything left that could be such a name.
    mutating func turnToOtherCases() -> Bool {
        task = .readOtherCases
        return firstError == nil && isTaken.contains(false)
    }

    /// What no member has claimed.
    func unknownMembers() throws(JSONError) -> JSONObject {
        if let firstError { throw firstError }
        if let name = missing.first { throw JSONError(code: .missing, reason: "missing, but required", path: name) }
        var unknown = JSONObject()
        for (position, member) in members.enumerated() where !isTaken[position] { unknown[member.name] = member.value }
        return unknown
    }
}
