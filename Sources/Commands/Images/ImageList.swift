import CommandLineKit
import EngineClient
import EngineModel
import JSON

extension Commands {
    static var images: Command<Action> {
        var command = Command<Action>(
            "images", "List images", usage: "[OPTIONS] [REPOSITORY[:TAG]]", arguments: .atMost(1)
        ) { flags in
            let all = flags.bool("all", "a", "Show intermediate images too")
            let digests = flags.bool("digests", "Show digests")
            let filter = FilterFlag(flags)
            let format = flags.string("format", "How to print: 'table', 'table TEMPLATE', 'json' or a Go template")
            let noTrunc = flags.bool("no-trunc", "Do not shorten anything")
            let quiet = flags.bool("quiet", "q", "Only show IDs")
            flags.bool("tree", "List the platforms of images").hidden()
            return { context, arguments in
                var chosen = format.value
                if chosen.isEmpty, !quiet.value { chosen = context.configuration.format("imagesFormat") ?? "" }
                let reference = arguments.first.map { [("reference", $0)] } ?? []
                let images = try await context.call(
                    "GET", "/images/json", (all.value ? [("all", "1")] : []) + filter.query(reference),
                    as: [ImageSummary].self)
                let showsDigests = digests.value || chosen.contains(".Digest")
                let rows = images.sorted { $0.created > $1.created }
                    .flatMap { ImageRow.rows($0, truncates: !noTrunc.value, digests: showsDigests) }
                Output.write(
                    try ImageRow.format(digests: digests.value).render(rows, format: chosen, quiet: quiet.value))
            }
        }
        command.spellings = ["% image ls", "% image list", "% images"]
        command.group = "Common Commands"
        return command
    }

    static var history: Command<Action> {
        var command = Command<Action>(
            "history", "Show the history of an image", usage: "[OPTIONS] IMAGE", arguments: .exactly(1)
        ) { flags in
            let format = flags.string("format", "How to print: 'table', 'table TEMPLATE', 'json' or a Go template")
            let human = flags.bool("human", "H", default: true, "Print sizes and dates for people")
            let noTrunc = flags.bool("no-trunc", "Do not shorten anything")
            let platform = flags.string("platform", "Show this platform of an image that has several")
            let quiet = flags.bool("quiet", "q", "Only show IDs")
            return { context, arguments in
                let items = try await context.call(
                    "GET", "/images/\(arguments[0])/history",
                    platform.value.isEmpty ? [] : [("platform", platform.value)], as: [ImageHistoryItem].self)
                let list = ListFormat(
                    defaultTable: human.value
                        ? "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}"
                        : "{{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
                    headers: [
                        "ID": "IMAGE", "CreatedSince": "CREATED", "CreatedAt": "CREATED AT", "CreatedBy": "CREATED BY",
                        "Size": "SIZE", "Comment": "COMMENT",
                    ], typeName: "*formatter.historyContext")
                let rows = items.map { item in
                    let by = item.createdBy.replacing("\t", with: " ")
                    // Images made to be reproducible say 0; that is no date.
                    let isDated = item.created > 0
                    let id = noTrunc.value ? item.id : Shortened.id(item.id)
                    return ListRow([
                        ("ID", .string(item.id == "<missing>" ? item.id : id)),
                        ("CreatedAt", .string(isDated ? Moment(seconds: item.created).localRFC3339Seconds() : "")),
                        ("CreatedSince", .string(isDated ? Shortened.ago(item.created) : "N/A")),
                        ("CreatedBy", .string(noTrunc.value ? by : Shortened.ellipsis(by, 45))),
                        ("Size", .string(human.value ? ByteSize.decimal(item.size, digits: 3) : String(item.size))),
                        ("Comment", .string(item.comment)),
                    ])
                }
                Output.write(try list.render(rows, format: format.value, quiet: quiet.value))
            }
        }
        command.spellings = ["% image history", "% history"]
        return command
    }
}

/// An image as `images` shows it: one line for each of its names.
enum ImageRow {
    static func format(digests: Bool) -> ListFormat {
        ListFormat(
            defaultTable: "{{.Repository}}\t{{.Tag}}\t" + (digests ? "{{.Digest}}\t" : "")
                + "{{.ID}}\t{{if .CreatedSince }}{{.CreatedSince}}{{else}}N/A{{end}}\t{{.Size}}",
            headers: [
                "ID": "IMAGE ID", "Repository": "REPOSITORY", "Tag": "TAG", "Digest": "DIGEST",
                "CreatedSince": "CREATED", "CreatedAt": "CREATED AT", "Size": "SIZE", "Containers": "CONTAINERS",
                "VirtualSize": "SIZE", "SharedSize": "SHARED SIZE", "UniqueSize": "UNIQUE SIZE",
            ], typeName: "*formatter.imageContext",
            rawTemplate: "repository: {{.Repository}}\ntag: {{.Tag}}\n" + (digests ? "digest: {{.Digest}}\n" : "")
                + "image_id: {{.ID}}\ncreated_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n")
    }

    static func rows(_ image: ImageSummary, truncates: Bool, digests: Bool) -> [ListRow] {
        var names: [(repository: String, tag: String, digest: String)] = []
        func digest(of repository: String) -> String {
            let found = image.repoDigests.first { $0.hasPrefix(repository + "@") }
            return found.map { String($0.dropFirst(repository.count + 1)) } ?? "<none>"
        }
        for name in image.repoTags where name != "<none>:<none>" {
            let colon = name.lastIndex(of: ":") ?? name.endIndex
            let repository = String(name[..<colon])
            let tag = colon < name.endIndex ? String(name[name.index(after: colon)...]) : "<none>"
            names.append((familiar(repository), tag, digest(of: repository)))
        }
        for name in image.repoDigests {
            guard let at = name.firstIndex(of: "@"), name != "<none>@<none>" else { continue }
            let repository = familiar(String(name[..<at]))
            if !names.contains(where: { $0.repository == repository }) {
                names.append((repository, "<none>", String(name[name.index(after: at)...])))
            }
        }
        if names.isEmpty { names = [("<none>", "<none>", "<none>")] }
        return names.map { row(image, $0, truncates: truncates) }
    }

    private static func familiar(_ repository: String) -> String {
        for prefix in ["docker.io/library/", "docker.io/"] where repository.hasPrefix(prefix) {
            return String(repository.dropFirst(prefix.count))
        }
        return repository
    }

    private static func row(
        _ image: ImageSummary, _ name: (repository: String, tag: String, digest: String), truncates: Bool
    ) -> ListRow {
        func size(_ value: Int64) -> JSONValue { value < 0 ? "N/A" : .string(ByteSize.decimal(value)) }
        let unique = image.sharedSize < 0 ? -1 : image.size - image.sharedSize
        return ListRow([
            ("ID", .string(truncates ? Shortened.id(image.id) : image.id)),
            ("Repository", .string(name.repository)),
            ("Tag", .string(name.tag)),
            ("Digest", .string(name.digest)),
            ("CreatedSince", .string(image.created > 0 ? Shortened.ago(image.created) : "")),
            ("CreatedAt", .string(Moment(seconds: image.created).goString())),
            ("Size", .string(ByteSize.decimal(image.size, digits: 3))),
            ("VirtualSize", size(image.size)),
            ("SharedSize", size(image.sharedSize)),
            ("UniqueSize", size(unique)),
            ("Containers", .string(image.containers < 0 ? "N/A" : String(image.containers))),
        ])
    }
}
