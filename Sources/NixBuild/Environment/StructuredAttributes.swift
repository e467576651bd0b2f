import JSON
import NixStore

/// The attributes of a derivation with `__structuredAttrs`: what `.attrs.json` and `.attrs.sh` say.
struct StructuredAttributes {
    private(set) var object: JSONObject

    /// - Returns: `nil` for a derivation without.
    init?(_ derivation: Derivation) throws {
        guard let text = derivation.environment["__json"] else { return nil }
        guard let value = try? JSONValue(parsing: text.bytes), let object = value.object else {
            throw BuildError(.failed, "cannot process __json attribute: it is no JSON object")
        }
        self.object = object
    }

    /// Adds what is known only when building.
    mutating func complete(outputs: [String: String], graphs: [String: JSONValue]) {
        object["outputs"] = .object(
            JSONObject(outputs.sorted { $0.key < $1.key }.map { ($0.key, JSONValue.string($0.value)) }))
        for (name, graph) in graphs { object[name] = graph }
    }

    var json: [UInt8] { Array(Self.sorted(.object(object)).serialized().utf8) }

    /// Members in the order of their names' bytes, as Nix writes them.
    private static func sorted(_ value: JSONValue) -> JSONValue {
        switch value {
        case .object(let object):
            .object(
                JSONObject(
                    object.members.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
                        .map { ($0.name, sorted($0.value)) }))
        case .array(let elements): .array(elements.map(sorted))
        default: value
        }
    }

    /// What bash can hold: strings, whole numbers, booleans, and flat lists and sets of those.
    var shell: [UInt8] {
        var text = ""
        guard case .object(let members) = Self.sorted(.object(object)) else { return [] }
        for (name, value) in members where Self.isVariable(name) {
            if let simple = Self.simple(value) {
                text += "declare \(name)=\(simple)\n"
            } else if let elements = value.array {
                let simple = elements.compactMap(Self.simple)
                guard simple.count == elements.count else { continue }
                text += "declare -a \(name)=(\(simple.map { $0 + " " }.joined()))\n"
            } else if let members = value.object {
                var parts = ""
                var isFlat = true
                for (key, value) in members {
                    guard let simple = Self.simple(value) else {
                        isFlat = false
                        break
                    }
                    parts += "[\(Self.quoted(key))]=\(simple) "
                }
                if isFlat { text += "declare -A \(name)=(\(parts))\n" }
            }
        }
        return Array(text.utf8)
    }

    private static func isVariable(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
            return false
        }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }

    private static func simple(_ value: JSONValue) -> String? {
        switch value {
        case .string(let text): quoted(text)
        case .integer(let number): "\(number)"
        case .number(let number): number == number.rounded(.up) ? Int64(exactly: number).map { "\($0)" } : nil
        case .null: "''"
        case .bool(let isTrue): isTrue ? "1" : ""
        default: nil
        }
    }

    private static func quoted(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
