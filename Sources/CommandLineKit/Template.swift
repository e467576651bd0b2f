import JSON

/// A template that does not parse, or that cannot be applied to a value; the sentences are those of Go's
/// `text/template`.
public struct TemplateError: Error, Sendable, Equatable, CustomStringConvertible {
    public var message: String
    public init(_ message: String) { self.message = message }
    public var description: String { message }
}

/// A template in the part of Go's `text/template` language that `--format` options are written in, with Docker's
/// functions `json`, `join`, `split`, `lower`, `upper`, `title`, `pad` and `truncate`.
///
///     let template = try Template("{{.Name}}: {{range .Mounts}}{{.Source}} {{end}}")
///     print(try template.render(value))
///
/// The data are JSON values: what Go's templates do with structures, this does with objects.
public struct Template: Sendable {
    /// A function of the data's top level, such as `.Label "name"`.
    public typealias Method = @Sendable ([JSONValue]) -> JSONValue

    let nodes: [TemplateNode]
    let definitions: [String: [TemplateNode]]

    /// Parses a template.
    public init(_ source: String) throws(TemplateError) {
        var parser = TemplateParser(tokens: try TemplateLexer.tokens(of: source))
        nodes = try parser.template()
        definitions = parser.definitions
    }

    /// What happens where an object lacks a field.
    public enum MissingField: Sendable {
        /// Prints `<no value>`.
        case noValue
        /// Fails, naming the type in the message: what a Go structure does.
        case failure(type: String)
        /// Fails as Go's maps do with the option `missingkey=error`.
        case missingKey
    }

    /// Applies the template.
    /// - Parameters:
    ///   - methods: fields of `value` that are computed, and may take arguments.
    ///   - empty: what a field of this name prints when it is null; `nil` for `<no value>`.
    ///   - absent: the value of a field that an object lacks; `nil` when it is none of its type's.
    public func render(
        _ value: JSONValue, missing: MissingField = .noValue, methods: [String: Method] = [:],
        empty: @escaping (String) -> String? = { _ in nil },
        absent: @escaping (JSONObject, String) -> JSONValue? = { _, _ in nil }
    ) throws(TemplateError) -> String {
        var evaluator = TemplateEvaluator(
            root: value, missing: missing, methods: methods, definitions: definitions, empty: empty, absent: absent)
        return try evaluator.run(nodes)
    }
}

/// A part of a parsed template.
indirect enum TemplateNode: Sendable {
    case text(String)
    case action(TemplatePipeline)
    case condition(TemplatePipeline, then: [TemplateNode], otherwise: [TemplateNode])
    case with(TemplatePipeline, then: [TemplateNode], otherwise: [TemplateNode])
    case range(TemplatePipeline, body: [TemplateNode], otherwise: [TemplateNode])
    case call(name: String, TemplatePipeline?, place: TemplatePlace)
    case `break`
    case `continue`
}

/// Where something stands in the template, and how it is written, for messages.
struct TemplatePlace: Sendable {
    var line: Int
    var column: Int
    var source: String
}

/// Commands joined by `|`, whose result may be given to variables.
struct TemplatePipeline: Sendable {
    var variables: [String]
    var declares: Bool
    var commands: [TemplateCommand]
    var place: TemplatePlace
}

/// An operand, or a function with its arguments.
struct TemplateCommand: Sendable {
    var operands: [TemplateOperand]
    var place: TemplatePlace
}

struct TemplateOperand: Sendable {
    indirect enum Kind: Sendable {
        case dot
        case null
        case literal(JSONValue)
        case variable(String)
        case function(String)
        case pipeline(TemplatePipeline)
    }

    var kind: Kind
    /// The fields that follow it, as in `.State.Running`.
    var fields: [String]
    var place: TemplatePlace
}
