import JSON

/// The functions of templates, and Go's way to print values.
enum TemplateFunctions {
    static let names: Set<String> = [
        "json", "split", "join", "title", "lower", "upper", "pad", "truncate", "println", "print", "printf", "len",
        "index", "slice", "eq", "ne", "lt", "le", "gt", "ge", "and", "or", "not", "html", "js", "urlquery", "call",
    ]

    static func isTrue(_ value: JSONValue) -> Bool {
        switch value {
        case .null: false
        case .bool(let value): value
        case .integer(let value): value != 0
        case .unsigned(let value): value != 0
        case .number(let value): value != 0
        case .string(let value): !value.isEmpty
        case .array(let value): !value.isEmpty
        case .object(let value): !value.isEmpty
        }
    }

    static func typeName(_ value: JSONValue) -> String {
        switch value {
        case .null: "<nil>"
        case .bool: "bool"
        case .integer: "int"
        case .unsigned: "uint64"
        case .number: "float64"
        case .string: "string"
        case .array: "[]interface {}"
        case .object: "map[string]interface {}"
        }
    }

    /// What an action prints: as `%v`, but `<no value>` for nothing at all.
    static func printed(_ value: JSONValue) -> String { value.isNull ? "<no value>" : plain(value) }

    /// Go's `%v`.
    static func plain(_ value: JSONValue) -> String {
        switch value {
        case .null: "<nil>"
        case .bool(let value): value ? "true" : "false"
        case .integer(let value): String(value)
        case .unsigned(let value): String(value)
        case .number(let value): goFormat(value)
        case .string(let value): value
        case .array(let values): "[" + values.map(plain).joined(separator: " ") + "]"
        case .object(let object):
            "map["
                + object.members.sorted { $0.name < $1.name }.map { "\($0.name):\(plain($0.value))" }
                .joined(separator: " ") + "]"
        }
    }

    /// In bytes, of all texts that a function takes or one that it makes.
    static let textLimit = 16 << 20
    /// In bytes, of a text to be split: every piece takes more room than its bytes.
    private static let splitLimit = 1 << 20

    static func call(_ name: String, _ arguments: [JSONValue]) throws(TemplateError) -> JSONValue {
        guard arguments.reduce(0, { $0 + ($1.string?.utf8.count ?? 0) }) <= textLimit else { throw tooLong }
        func need(_ count: Int) throws(TemplateError) {
            guard arguments.count == count else {
                throw TemplateError("wrong number of args for \(name): want \(count) got \(arguments.count)")
            }
        }
        func needAtLeast(_ count: Int) throws(TemplateError) {
            guard arguments.count >= count else {
                throw TemplateError(
                    "wrong number of args for \(name): want at least \(count) got \(arguments.count)")
            }
        }
        func text(_ position: Int) throws(TemplateError) -> String {
            guard case .string(let text) = arguments[position] else {
                throw TemplateError(
                    "wrong type for value; expected string; got \(typeName(arguments[position]))")
            }
            return text
        }
        func integer(_ position: Int) throws(TemplateError) -> Int {
            guard let value = arguments[position].integer else {
                throw TemplateError("expected integer; found \(plain(arguments[position]))")
            }
            return Int(value)
        }
        switch name {
        case "json":
            try need(1)
            return .string(arguments[0].serialized())
        case "split":
            try need(2)
            guard try text(0).utf8.count <= splitLimit else { throw tooLong }
            return .array(split(try text(0), by: try text(1)).map(JSONValue.string))
        case "join":
            try need(2)
            guard let list = arguments[0].array else {
                if arguments[0].isNull { return "" }
                throw TemplateError("wrong type for value; expected []string; got \(typeName(arguments[0]))")
            }
            guard list.count * (try text(1).utf8.count) <= textLimit else { throw tooLong }
            return .string(list.map(plain).joined(separator: try text(1)))
        case "title":
            try need(1)
            var upper = true
            return .string(
                String(
                    try text(0).flatMap { character -> String in
                        defer {
                            upper = !(character.isLetter || character.isNumber || character == "_" || character == "'")
                        }
                        return upper ? character.uppercased() : String(character)
                    }))
        case "lower":
            try need(1)
            return .string(try text(0).lowercased())
        case "upper":
            try need(1)
            return .string(try text(0).uppercased())
        case "pad":
            try need(3)
            let source = try text(0)
            if source.isEmpty { return .string("") }
            let (before, after) = (max(0, min(try integer(1), 4096)), max(0, min(try integer(2), 4096)))
            return .string(String(repeating: " ", count: before) + source + String(repeating: " ", count: after))
        case "truncate":
            try need(2)
            let source = Array(try text(0).utf8)
            return .string(String(decoding: source.prefix(max(0, try integer(1))), as: UTF8.self))
        case "print": return .string(concatenated(arguments))
        case "println": return .string(arguments.map(plain).joined(separator: " ") + "\n")
        case "printf":
            try needAtLeast(1)
            return .string(try TemplatePrintf.format(try text(0), Array(arguments.dropFirst())))
        case "len":
            try need(1)
            switch arguments[0] {
            case .string(let value): return .integer(Int64(value.utf8.count))
            case .array(let value): return .integer(Int64(value.count))
            case .object(let value): return .integer(Int64(value.count))
            case .null: throw TemplateError("len of nil pointer")
            default: throw TemplateError("len of type \(typeName(arguments[0]))")
            }
        case "index":
            try needAtLeast(1)
            return try index(arguments)
        case "slice":
            try needAtLeast(1)
            return try slice(arguments)
        case "eq":
            try needAtLeast(2)
            for other in arguments.dropFirst() where try equal(arguments[0], other) { return true }
            return false
        case "ne":
            try need(2)
            return .bool(try !equal(arguments[0], arguments[1]))
        case "lt", "le", "gt", "ge":
            try need(2)
            let (less, same) = (try less(arguments[0], arguments[1]), try equal(arguments[0], arguments[1]))
            switch name {
            case "lt": return .bool(less)
            case "le": return .bool(less || same)
            case "gt": return .bool(!less && !same)
            default: return .bool(!less)
            }
        case "not":
            try need(1)
            return .bool(!isTrue(arguments[0]))
        case "html":
            return .string(
                concatenated(arguments).map { character in
                    switch character {
                    case "<": "&lt;"
                    case ">": "&gt;"
                    case "&": "&amp;"
                    case "\"": "&#34;"
                    case "'": "&#39;"
                    default: String(character)
                    }
                }.joined())
        default: throw TemplateError("the function \(name) is not available")
        }
    }

    static let tooLong = TemplateError("the text is too long")

    /// Go's `Sprint`: a blank between operands when neither is a string.
    private static func concatenated(_ arguments: [JSONValue]) -> String {
        var result = ""
        for (position, argument) in arguments.enumerated() {
            if position > 0, argument.string == nil, arguments[position - 1].string == nil { result += " " }
            result += plain(argument)
        }
        return result
    }

    private static func split(_ text: String, by separator: String) -> [String] {
        if separator.isEmpty { return text.unicodeScalars.map(String.init) }
        var parts: [String] = []
        let (bytes, needle) = (Array(text.utf8), Array(separator.utf8))
        var start = 0
        var at = 0
        while at + needle.count <= bytes.count {
            if bytes[at..<(at + needle.count)].elementsEqual(needle) {
                parts.append(String(decoding: bytes[start..<at], as: UTF8.self))
                at += needle.count
                start = at
            } else {
                at += 1
            }
        }
        return parts + [String(decoding: bytes[start...], as: UTF8.self)]
    }

    private static func index(_ arguments: [JSONValue]) throws(TemplateError) -> JSONValue {
        var value = arguments[0]
        for key in arguments.dropFirst() {
            switch value {
            case .array(let values):
                guard let position = key.integer else {
                    throw TemplateError("cannot index slice/array with type \(typeName(key))")
                }
                guard position >= 0, position < values.count else {
                    throw TemplateError("index out of range: \(position)")
                }
                value = values[Int(position)]
            case .string(let text):
                let bytes = Array(text.utf8)
                guard let position = key.integer else {
                    throw TemplateError("cannot index slice/array with type \(typeName(key))")
                }
                guard position >= 0, position < bytes.count else {
                    throw TemplateError("index out of range: \(position)")
                }
                value = .integer(Int64(bytes[Int(position)]))
            case .object(let object):
                guard case .string(let name) = key else {
                    throw TemplateError("value has type \(typeName(key)); should be string")
                }
                // What Docker's maps of strings, its labels, give for a name that they lack.
                value = object[name] ?? (object.members.allSatisfy { $0.value.string != nil } ? .string("") : .null)
            case .null where key.string != nil: value = .string("")
            case .null: throw TemplateError("index of nil pointer")
            default: throw TemplateError("can't index item of type \(typeName(value))")
            }
        }
        return value
    }

    private static func slice(_ arguments: [JSONValue]) throws(TemplateError) -> JSONValue {
        var bounds: [Int] = []
        for argument in arguments.dropFirst() {
            guard let bound = argument.integer else {
                throw TemplateError("cannot index slice/array with type \(typeName(argument))")
            }
            bounds.append(Int(bound))
        }
        guard bounds.count <= 3 else { throw TemplateError("too many slice indexes: \(bounds.count)") }
        func limits(_ count: Int) throws(TemplateError) -> Range<Int> {
            let low = bounds.first ?? 0
            let high = bounds.count > 1 ? bounds[1] : count
            for bound in [low, high] where bound < 0 || bound > count {
                throw TemplateError("index out of range: \(bound)")
            }
            guard low <= high else { throw TemplateError("invalid slice index: \(low) > \(high)") }
            return low..<high
        }
        switch arguments[0] {
        case .string(let text):
            let bytes = Array(text.utf8)
            return .string(String(decoding: bytes[try limits(bytes.count)], as: UTF8.self))
        case .array(let values): return .array(Array(values[try limits(values.count)]))
        case .null: throw TemplateError("slice of untyped nil")
        default: throw TemplateError("can't slice item of type \(typeName(arguments[0]))")
        }
    }

    private static func equal(_ left: JSONValue, _ right: JSONValue) throws(TemplateError) -> Bool {
        switch (left, right) {
        case (.null, _), (_, .null): return left.isNull && right.isNull
        case (.string(let left), .string(let right)): return left == right
        case (.bool(let left), .bool(let right)): return left == right
        case (.object, _), (_, .object), (.array, _), (_, .array):
            throw TemplateError("non-comparable type \(plain(left)): \(typeName(left))")
        default:
            guard let (left, right) = numbers(left, right) else {
                throw TemplateError("incompatible types for comparison")
            }
            return left == right
        }
    }

    private static func less(_ left: JSONValue, _ right: JSONValue) throws(TemplateError) -> Bool {
        if case (.string(let left), .string(let right)) = (left, right) {
            return left.utf8.lexicographicallyPrecedes(right.utf8)
        }
        if let (left, right) = numbers(left, right) { return left < right }
        switch left {
        case .bool, .object, .array, .null: throw TemplateError("invalid type for comparison")
        default: throw TemplateError("incompatible types for comparison")
        }
    }

    private static func numbers(_ left: JSONValue, _ right: JSONValue) -> (Double, Double)? {
        guard let left = left.double, let right = right.double else { return nil }
        return (left, right)
    }
}
