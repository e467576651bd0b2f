import CommandLineKit
import JSON

/// A line of a list: its fields by the names that templates use.
struct ListRow {
    var fields: JSONObject
    var methods: [String: Template.Method] = [:]

    init(_ fields: [(String, JSONValue)], labels: [String: String]? = nil) {
        self.fields = JSONObject(fields.sorted { $0.0 < $1.0 })
        if let labels {
            methods["Label"] = { arguments in
                .string(arguments.first?.string.flatMap { labels[$0] } ?? "")
            }
        }
    }
}

/// A list as `--format` wants it: a table, a table of one's own columns, JSON, or free text.
struct ListFormat {
    /// The template behind `table`; its columns are separated by tabs.
    var defaultTable: String
    /// The headings of fields, which a table's first line shows.
    var headers: [String: String]
    /// The field that `--quiet` shows.
    var quietField = "ID"
    /// The name of the Go type that templates complain about.
    var typeName: String
    /// What the format `raw` stands for.
    var rawTemplate: String?

    /// The text of a list.
    /// - Parameter format: what `--format` says; empty for the default table.
    func render(_ rows: [ListRow], format: String, quiet: Bool = false) throws -> String {
        if quiet, format.isEmpty || format == "table" {
            return rows.map { TemplateText.plain($0.fields[quietField] ?? .null) + "\n" }.joined()
        }
        switch format {
        case "json", "{{json .}}":
            return rows.map {
                JSONValue.object($0.fields).serialized(JSONFormat(sortsMembers: true, escapesHTML: true)) + "\n"
            }.joined()
        case "", "table": return try table(rows, template: defaultTable)
        case "raw" where rawTemplate != nil: return try lines(rows, template: rawTemplate ?? "")
        default:
            if format.hasPrefix("table") {
                return try table(rows, template: String(format.dropFirst(5)).trimmed(of: " "))
            }
            return try lines(rows, template: format)
        }
    }

    private func lines(_ rows: [ListRow], template: String) throws -> String {
        let template = try Self.parse(template)
        return try rows.map { try render(template, $0) + "\n" }.joined()
    }

    private func table(_ rows: [ListRow], template: String) throws -> String {
        let template = try Self.parse(template)
        var table = Table()
        let headings = JSONObject(headers.map { ($0.key, .string($0.value)) })
        // Functions apply to the headings too, as `{{upper .Name}}` shows.
        table.add(
            line: try Self.rendered { () throws(TemplateError) in
                try template.render(
                    .object(headings),
                    methods: ["Label": { arguments in .string(Self.labelHeading(arguments.first?.string ?? "")) }])
            })
        for row in rows { table.add(line: try render(template, row)) }
        return table.rendered()
    }

    private func render(_ template: Template, _ row: ListRow) throws -> String {
        try Self.rendered { () throws(TemplateError) in
            try template.render(
                .object(row.fields), missing: .failure(type: typeName), methods: row.methods)
        }
    }

    /// The last part of a label's name, upper case, in words.
    private static func labelHeading(_ name: String) -> String {
        let last = name.split(separator: ".").last ?? ""
        return String(last.map { $0 == "-" || $0 == "_" ? " " : $0 })
    }

    static func parse(_ text: String) throws -> Template {
        let text = text.trimmed(of: " ").replacing("\\t", with: "\t").replacing("\\n", with: "\n")
        do throws(TemplateError) {
            return try Template(text)
        } catch {
            throw ExitStatus(1, "failed to parse template: \(error.message)")
        }
    }

    private static func rendered(_ body: () throws(TemplateError) -> String) throws -> String {
        do throws(TemplateError) { return try body() } catch {
            throw ExitStatus(1, "failed to execute template: \(error.message)")
        }
    }
}

enum TemplateText {
    static func plain(_ value: JSONValue) -> String { value.string ?? value.serialized() }
}

extension String {
    func trimmed(of character: Character) -> String {
        var rest = self[...]
        while rest.first == character { rest.removeFirst() }
        while rest.last == character { rest.removeLast() }
        return String(rest)
    }

    func replacing(_ what: String, with other: String) -> String {
        var result = ""
        var rest = self[...]
        while !rest.isEmpty {
            if rest.hasPrefix(what) {
                result += other
                rest = rest.dropFirst(what.count)
            } else {
                result.append(rest.removeFirst())
            }
        }
        return result
    }
}

/// Texts as Docker's tables shorten them.
enum Shortened {
    /// The first twelve digits of an ID.
    static func id(_ text: String) -> String {
        let digits = text.hasPrefix("sha256:") ? text.dropFirst(7) : text[...]
        return String(digits.prefix(12))
    }

    /// At most `length` characters, the last of which tells that there were more.
    static func ellipsis(_ text: String, _ length: Int) -> String {
        if text.count <= length { return text }
        return length > 1 ? text.prefix(length - 1) + "…" : String(text.prefix(length))
    }

    static func labels(_ labels: [String: String]?) -> String {
        (labels ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
    }

    /// `About an hour ago`.
    static func ago(_ seconds: Int64) -> String {
        Moment(seconds: seconds).duration(until: .now()).humanized + " ago"
    }
}

/// `--filter` values as the API takes them.
struct FilterFlag {
    private let flag: Flag<[String]>

    init(
        _ flags: FlagSet, _ help: String = "Show only what fits (name=value)", shorthand: Character? = "f"
    ) {
        flag = flags.strings("filter", shorthand, type: "filter", help) { (text) throws(FlagError) in
            guard text.isEmpty || text.contains("=") else {
                throw .invalid("bad format of filter (expected name=value)")
            }
            return text
        }
    }

    /// The query parameters for these filters and `more`.
    func query(_ more: [(String, String)] = []) -> [(String, String)] {
        var names: [String: [String: JSONValue]] = [:]
        for text in flag.value {
            guard let (name, value) = OptionText.cut(text, "=") else { continue }
            names[name.lowercased().trimmed, default: [:]][value.trimmed] = true
        }
        for (name, value) in more { names[name, default: [:]][value] = true }
        if names.isEmpty { return [] }
        let json = JSONValue.object(
            JSONObject(
                names.sorted { $0.key < $1.key }.map { name, values in
                    (name, .object(JSONObject(values.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })))
                }))
        return [("filters", json.serialized())]
    }

    var isEmpty: Bool { flag.value.isEmpty }
}
