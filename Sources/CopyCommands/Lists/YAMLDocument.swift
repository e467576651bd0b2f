import CYAML
import ImageTransports

/// A document in YAML, as libyaml reads it: aliases stand for what they name, and `<<` takes over another mapping's
/// members.
struct YAMLDocument {
    indirect enum Value {
        case scalar(String)
        case sequence([Node])
        case mapping([(key: String, node: Node)])
        /// Nothing at all, or `~`.
        case null
    }

    struct Node {
        let line: Int
        let value: Value
        /// How many values it has in it with itself, each alias counted as what it names.
        fileprivate let count: Int
    }

    /// Aliases of aliases multiply; a list of images has some thousand values.
    private static let countLimit = 1 << 18
    /// A list of images is four deep.
    private static let depthLimit = 32

    private let path: String
    private let events: Events
    private var anchors: [String: Node] = [:]

    /// - Parameter path: for messages.
    /// - Throws: `TransportError.invalidInput`, which names the file and the line.
    static func read(_ bytes: [UInt8], path: String) throws -> Node {
        let events = try Events(bytes, path: path)
        return try withExtendedLifetime(events) {
            var document = YAMLDocument(path: path, events: events)
            return try document.root()
        }
    }

    private init(path: String, events: Events) {
        self.path = path
        self.events = events
    }

    private func fail(_ line: Int, _ reason: String) -> TransportError {
        TransportError(.invalidInput, "\(path):\(line): \(reason)")
    }

    private mutating func root() throws -> Node {
        _ = try events.next()
        let start = try events.next()
        guard start.kind != .streamEnd else { return Node(line: 1, value: .null, count: 1) }
        let result = try node(try events.next(), depth: 0)
        _ = try events.next()
        let end = try events.next()
        guard end.kind == .streamEnd else { throw fail(end.line, "there may be one document only") }
        return result
    }

    private mutating func node(_ event: Events.Event, depth: Int) throws -> Node {
        guard depth < Self.depthLimit else { throw fail(event.line, "values lie too deep in each other") }
        // Those of YAML's own schemas say only what a value is anyway.
        if let tag = event.tag, !tag.hasPrefix("tag:yaml.org,2002:") {
            throw fail(event.line, "the tag \(tag) is not known")
        }
        let result: Node
        switch event.kind {
        case .alias:
            guard let name = event.anchor, let named = anchors[name] else {
                throw fail(event.line, "the alias *\(event.anchor ?? "") stands for nothing before it")
            }
            return Node(line: event.line, value: named.value, count: named.count)
        case .scalar:
            let isNull = event.isPlain && ["", "~", "null", "Null", "NULL"].contains(event.text)
            result = Node(line: event.line, value: isNull ? .null : .scalar(event.text), count: 1)
        case .sequenceStart: result = try sequence(event.line, depth)
        case .mappingStart: result = try mapping(event.line, depth)
        default: throw fail(event.line, "a value is missing")
        }
        if let name = event.anchor { anchors[name] = result }
        return result
    }

    private func sum(_ nodes: some Sequence<Node>, _ line: Int) throws -> Int {
        let count = nodes.reduce(1) { $0 + $1.count }
        guard count <= Self.countLimit else {
            throw fail(line, "with what its aliases stand for, it has more than \(Self.countLimit) values")
        }
        return count
    }

    private mutating func sequence(_ line: Int, _ depth: Int) throws -> Node {
        var elements: [Node] = []
        while true {
            let event = try events.next()
            if event.kind == .sequenceEnd { break }
            elements.append(try node(event, depth: depth + 1))
        }
        return Node(line: line, value: .sequence(elements), count: try sum(elements, line))
    }

    private mutating func mapping(_ line: Int, _ depth: Int) throws -> Node {
        var members: [(key: String, node: Node)] = []
        var names: Set<String> = []
        var merged: [Node] = []
        while true {
            let event = try events.next()
            if event.kind == .mappingEnd { break }
            guard event.kind == .scalar else { throw fail(event.line, "a key has to be a string") }
            let value = try node(try events.next(), depth: depth + 1)
            if event.text == "<<", event.isPlain {
                if case .sequence(let several) = value.value { merged += several } else { merged.append(value) }
                continue
            }
            guard names.insert(event.text).inserted else {
                throw fail(event.line, "the key \"\(event.text)\" is there already")
            }
            members.append((event.text, value))
        }
        for source in merged {
            guard case .mapping(let others) = source.value else {
                throw fail(source.line, "<< takes a mapping, or a list of mappings")
            }
            for other in others where names.insert(other.key).inserted { members.append(other) }
        }
        return Node(line: line, value: .mapping(members), count: try sum(members.lazy.map(\.node), line))
    }
}

/// libyaml's parser.
private final class Events {
    enum Kind { case streamEnd, alias, scalar, sequenceStart, sequenceEnd, mappingStart, mappingEnd, other }

    struct Event {
        var kind: Kind
        var line: Int
        var text = ""
        var isPlain = false
        /// The name that the value gets, or, of an alias, has.
        var anchor: String?
        var tag: String?
    }

    // At a fixed place, because libyaml keeps pointers to what it reads and where it is.
    private let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
    private let input: UnsafeMutableBufferPointer<UInt8>
    private let path: String

    init(_ bytes: [UInt8], path: String) throws {
        self.path = path
        input = .allocate(capacity: bytes.count)
        _ = input.initialize(from: bytes)
        guard yaml_parser_initialize(parser) == 1 else {
            parser.deallocate()
            input.deallocate()
            throw TransportError(.system, "\(path): libyaml has no memory")
        }
        yaml_parser_set_input_string(parser, input.baseAddress, input.count)
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
        input.deallocate()
    }

    func next() throws -> Event {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else {
            let state = parser.pointee
            let problem = state.problem.map { String(cString: $0) } ?? "it is no YAML"
            // What is wrong with single bytes is found before lines are counted.
            let line =
                state.error == YAML_READER_ERROR ? lineBreaks(before: state.problem_offset) : state.problem_mark.line
            throw TransportError(.invalidInput, "\(path):\(line + 1): \(problem)")
        }
        defer { yaml_event_delete(&event) }
        var result = Event(kind: .other, line: Int(event.start_mark.line) + 1)
        func text(_ bytes: UnsafeMutablePointer<yaml_char_t>?) -> String? { bytes.map { String(cString: $0) } }
        switch event.type {
        case YAML_STREAM_END_EVENT: result.kind = .streamEnd
        case YAML_ALIAS_EVENT:
            result.kind = .alias
            result.anchor = text(event.data.alias.anchor)
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            result.kind = .scalar
            result.text = String(
                decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
            result.isPlain = scalar.style == YAML_PLAIN_SCALAR_STYLE
            (result.anchor, result.tag) = (text(scalar.anchor), text(scalar.tag))
        case YAML_SEQUENCE_START_EVENT:
            result.kind = .sequenceStart
            (result.anchor, result.tag) = (text(event.data.sequence_start.anchor), text(event.data.sequence_start.tag))
        case YAML_SEQUENCE_END_EVENT: result.kind = .sequenceEnd
        case YAML_MAPPING_START_EVENT:
            result.kind = .mappingStart
            (result.anchor, result.tag) = (text(event.data.mapping_start.anchor), text(event.data.mapping_start.tag))
        case YAML_MAPPING_END_EVENT: result.kind = .mappingEnd
        default: break
        }
        return result
    }

    private func lineBreaks(before offset: Int) -> Int { input.prefix(offset).count { $0 == 0x0A } }
}
