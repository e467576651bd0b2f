import CommandLineKit
import EngineClient
import JSON

extension Commands {
    static var inspect: Command<Action> {
        Command<Action>(
            "inspect", "Return low-level information on Docker objects", usage: "[OPTIONS] NAME|ID [NAME|ID...]",
            arguments: .atLeast(1)
        ) { flags in
            let format = Inspection.formatFlag(flags)
            let size = flags.bool("size", "s", "Show the sizes of a container's files")
            let type = flags.string("type", "What to look for: container, image, volume")
            return { context, arguments in
                let paths = [
                    ("container", "/containers/", "/json"), ("image", "/images/", "/json"),
                    ("network", "/networks/", ""),
                    ("volume", "/volumes/", ""),
                ]
                if type.isSet, !paths.contains(where: { $0.0 == type.value }) {
                    let kinds = paths.map { goQuoted($0.0) }.joined(separator: ", ")
                    throw ExitStatus(1, "unknown type: \(goQuoted(type.value)): must be one of \(kinds)")
                }
                try await Inspection(context: context, format: format.value).run(arguments) { name in
                    for (kind, prefix, suffix) in paths where type.value.isEmpty || type.value == kind {
                        do {
                            return try await context.call(
                                "GET", prefix + name + suffix, kind == "container" && size.value ? [("size", "1")] : [])
                        } catch let error as EngineClientError
                            where type.value.isEmpty && [400, 404, 501].contains(error.status ?? 0)
                        {
                            continue
                        }
                    }
                    throw CommandLineError("Error: No such object: \(name)")
                }
            }
        }
    }

    /// `inspect` of one kind of thing.
    static func inspect(_ summary: String, usage: String, prefix: String, suffix: String) -> Command<Action> {
        Command<Action>("inspect", summary, usage: "[OPTIONS] \(usage) [\(usage)...]", arguments: .atLeast(1)) {
            flags in
            let format = Inspection.formatFlag(flags)
            let size = prefix == "/containers/" ? flags.bool("size", "s", "Show the sizes of files") : nil
            if prefix == "/images/" { flags.string("platform", "Show this platform of an image that has several") }
            return { context, arguments in
                try await Inspection(context: context, format: format.value).run(arguments) { name in
                    try await context.call("GET", prefix + name + suffix, size?.value == true ? [("size", "1")] : [])
                }
            }
        }
    }
}

/// Prints what the daemon knows about things: as one JSON array, or through a template each.
struct Inspection {
    let context: Context
    let format: String

    static func formatFlag(_ flags: FlagSet) -> Flag<String> {
        flags.string("format", "f", "How to print: 'json' or a Go template")
    }

    func run(_ names: [String], _ fetch: (String) async throws -> JSONValue) async throws {
        var found: [JSONValue] = []
        var failures: [String] = []
        let isJSON = format == "json"
        let template = format.isEmpty || isJSON ? nil : try ListFormat.parse(format)
        var text = ""
        for name in names {
            do {
                let value = try await fetch(name)
                found.append(value)
                if let template {
                    do throws(TemplateError) {
                        text +=
                            try template.render(
                                value, missing: .missingKey, empty: GoTypes.empty, absent: GoTypes.absent) + "\n"
                    } catch {
                        // Go's templates print up to the failure; a line feed keeps the message on its own line.
                        failures.append("template parsing error: \(error.message)")
                        text += "\n"
                    }
                }
            } catch let error as EngineClientError where error.code != .connection {
                failures.append("\(error)")
            } catch let error as CommandLineError {
                failures.append(error.message)
            }
        }
        if template != nil {
            Output.write(text.isEmpty ? "\n" : text)
        } else if isJSON {
            Output.print(JSONValue.array(found).serialized())
        } else {
            Output.print(found.isEmpty ? "[]" : JSONValue.array(found).serialized(.pretty))
        }
        if !failures.isEmpty { throw ExitStatus(1, failures.joined(separator: "\n")) }
    }
}
