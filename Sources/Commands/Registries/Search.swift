import CommandLineKit
import Credentials
import EngineClient
import EngineModel
import JSON
import OCI

extension Commands {
    static var search: Command<Action> {
        var command = Command<Action>(
            "search", "Search a registry for images", usage: "[OPTIONS] TERM", arguments: .exactly(1)
        ) { flags in
            let filter = FilterFlag(flags)
            let format = flags.string("format", "How to print: 'table', 'table TEMPLATE', 'json' or a Go template")
            let limit = flags.int("limit", default: 0, "How many results to show at most")
            let noTrunc = flags.bool("no-trunc", "Do not shorten anything")
            return { context, arguments in
                let first = arguments[0].prefix { $0 != "/" }
                let isHost =
                    arguments[0].contains("/") && (first.contains(".") || first.contains(":") || first == "localhost")
                var query = [("term", arguments[0])] + filter.query()
                if limit.value != 0 { query.append(("limit", "\(limit.value)")) }
                var request = EngineClient.Request("GET", "/images/search", query)
                request.headers = [try context.registryHeader(for: isHost ? String(first) : "docker.io")]
                let found = try await context.client().call(request, as: [ImageSearchResult].self)
                let list = ListFormat(
                    defaultTable: "{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}",
                    headers: [
                        "Name": "NAME", "Description": "DESCRIPTION", "StarCount": "STARS", "IsOfficial": "OFFICIAL",
                        "IsAutomated": "AUTOMATED",
                    ], quietField: "Name", typeName: "*formatter.searchContext")
                let rows = found.sorted { $0.starCount > $1.starCount }.map { result in
                    let text = result.description.split(whereSeparator: \.isNewline).joined(separator: " ")
                    return ListRow([
                        ("Name", .string(result.name)),
                        ("Description", .string(noTrunc.value ? text : Shortened.ellipsis(text, 45))),
                        ("StarCount", .string("\(result.starCount)")),
                        ("IsOfficial", .string(result.isOfficial ? "[OK]" : "")),
                        ("IsAutomated", .string(result.isAutomated ? "[OK]" : "")),
                    ])
                }
                Output.write(try list.render(rows, format: format.value))
            }
        }
        command.spellings = ["% search"]
        command.group = "Common Commands"
        return command
    }

    static var manifestGroup: Command<Action> {
        var inspect = Command<Action>(
            "inspect", "Display an image's manifest, or its manifest list", usage: "[OPTIONS] MANIFEST",
            arguments: .exactly(1)
        ) { flags in
            let verbose = flags.bool("verbose", "v", "Show the reference, the descriptor and the platform too")
            flags.bool("insecure", "Allow communication with an insecure registry").hidden()
            return { context, arguments in
                let reference = try context.imageReference(arguments[0]).withDefaultTag
                var request = EngineClient.Request("GET", "/dhow/manifests/\(reference.canonicalName)")
                request.headers = [try context.registryHeader(for: reference.domain)]
                let answer = try await context.client().call(request, as: RegistryManifest.self)
                let bytes = Base64.decode(answer.raw) ?? []
                let document: JSONValue
                do throws(JSONError) { document = try JSONValue(parsing: bytes) } catch {
                    throw ExitStatus(1, "the manifest of \(reference.familiarName) is no JSON: \(error)")
                }
                guard verbose.value else {
                    Output.print(document.serialized(JSONFormat(indent: "\t")))
                    return
                }
                let name = MediaType.isIndex(answer.descriptor.mediaType) ? "ManifestList" : "OCIManifest"
                let value: JSONValue = [
                    "Ref": .string(reference.canonicalName), "Descriptor": answer.descriptor.json,
                    "Raw": .string(answer.raw),
                    name == "ManifestList" ? "ManifestList" : "OCIManifest": document,
                ]
                Output.print(value.serialized(JSONFormat(indent: "\t")))
            }
        }
        inspect.group = "Commands"
        var group = Command<Action>("manifest", "Look at image manifests and manifest lists", subcommands: [inspect])
        group.group = "Management Commands"
        return group
    }
}
