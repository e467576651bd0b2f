import CommandLineKit
import EngineClient
import EngineModel
import Glibc
import JSON

extension Commands {
    static var load: Command<Action> {
        var command = Command<Action>(
            "load", "Load an image from a tar archive or STDIN", usage: "[OPTIONS]", arguments: ArgumentCount.none
        ) { flags in
            let input = flags.string("input", "i", "Read from a file instead of standard input")
            let platform = flags.string("platform", "Load only this platform of an image that has several")
            let quiet = flags.bool("quiet", "q", "Do not show progress")
            return { context, _ in
                let (descriptor, length) = try Upload.open(input.value.isEmpty ? "-" : input.value)
                if input.value.isEmpty, Terminal.isTerminal(0) {
                    throw ExitStatus(1, "requested load from stdin, but stdin is empty")
                }
                // Progress is for people, and only worth a line feed each where it can be overwritten.
                var query = [("quiet", quiet.value || !Terminal.isTerminal(1) ? "1" : "0")]
                if !platform.value.isEmpty { query.append(("platform", try PlatformText.json(platform.value))) }
                let stream = try await context.client().upload(
                    EngineClient.Request("POST", "/images/load", query), from: descriptor, length: length)
                try await ProgressOutput().show(stream)
            }
        }
        command.spellings = ["% image load", "% load"]
        return command
    }

    static var save: Command<Action> {
        var command = Command<Action>(
            "save", "Save one or more images to a tar archive (streamed to STDOUT by default)",
            usage: "[OPTIONS] IMAGE [IMAGE...]", arguments: .atLeast(1)
        ) { flags in
            let output = flags.string("output", "o", "Write to a file")
            let platform = flags.string("platform", "Save only this platform of images that have several")
            return { context, arguments in
                try Download.refuseTerminal(output.value, verb: "save")
                var query = arguments.map { ("names", $0) }
                if !platform.value.isEmpty { query.append(("platform", try PlatformText.json(platform.value))) }
                let stream = try await context.client().stream(EngineClient.Request("GET", "/images/get", query))
                try await Download.save(stream, to: output.value)
            }
        }
        command.spellings = ["% image save", "% save"]
        return command
    }

    static var `import`: Command<Action> {
        var command = Command<Action>(
            "import", "Import the contents from a tarball to create a filesystem image",
            usage: "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]", arguments: .between(1, 2)
        ) { flags in
            let change = flags.strings("change", "c", "Apply an instruction of a Dockerfile")
            let message = flags.string("message", "m", "What it is about")
            let platform = flags.string("platform", "The image's platform")
            return { context, arguments in
                let source = arguments[0]
                let isRemote = source.hasPrefix("http://") || source.hasPrefix("https://")
                var query = [("fromSrc", isRemote ? source : "-")]
                if arguments.count > 1 { query += try ImageName.query(arguments[1]) }
                if !message.value.isEmpty { query.append(("message", message.value)) }
                query += change.value.map { ("changes", $0) }
                if !platform.value.isEmpty { query.append(("platform", platform.value)) }
                let request = EngineClient.Request("POST", "/images/create", query)
                if isRemote {
                    try await ProgressOutput().show(context.client().stream(request))
                } else {
                    let (descriptor, length) = try Upload.open(source)
                    try await ProgressOutput().show(
                        context.client().upload(request, from: descriptor, length: length))
                }
            }
        }
        command.spellings = ["% image import", "% import"]
        return command
    }

    static var tag: Command<Action> {
        var command = Command<Action>(
            "tag", "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
            usage: "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]", arguments: .exactly(2)
        ) { _ in
            { context, arguments in
                try await context.call("POST", "/images/\(arguments[0])/tag", try ImageName.query(arguments[1]))
            }
        }
        command.spellings = ["% image tag", "% tag"]
        return command
    }

    static var rmi: Command<Action> {
        var command = Command<Action>(
            "rmi", "Remove one or more images", usage: "[OPTIONS] IMAGE [IMAGE...]", arguments: .atLeast(1)
        ) { flags in
            let force = flags.bool("force", "f", "Remove it even if it is in use by a stopped container")
            let noPrune = flags.bool("no-prune", "Keep its parents that have no name")
            let platform = flags.strings("platform", "Remove only this platform of an image that has several")
            return { context, arguments in
                var query: [(String, String)] = []
                if force.value { query.append(("force", "1")) }
                if noPrune.value { query.append(("noprune", "1")) }
                for text in platform.value { query.append(("platforms", try PlatformText.json(text))) }
                let parameters = query
                try await context.forEach(arguments) { image in
                    do {
                        let items = try await context.call(
                            "DELETE", "/images/\(image)", parameters, as: [ImageDeleteItem].self)
                        for item in items {
                            Output.print(
                                item.deleted.isEmpty ? "Untagged: \(item.untagged)" : "Deleted: \(item.deleted)")
                        }
                    } catch let error as EngineClientError where force.value && error.status == 404 {
                        Output.error("\(error)")
                    }
                }
            }
        }
        command.spellings = ["% image rm", "% image remove", "% rmi"]
        return command
    }

    static var imagePrune: Command<Action> {
        Command<Action>(
            "prune", "Remove unused images", usage: "[OPTIONS]", arguments: ArgumentCount.none
        ) { flags in
            let all = flags.bool("all", "a", "Remove all unused images, not just those without a name")
            let force = flags.bool("force", "f", "Do not ask for confirmation")
            let filter = FilterFlag(flags, "Remove only what fits (for instance until=<timestamp>)", shorthand: nil)
            return { context, _ in
                let warning =
                    all.value
                    ? "This will remove all images without at least one container associated to them."
                    : "This will remove all dangling images."
                if !force.value, !Prompt.confirm("WARNING! \(warning)\nAre you sure you want to continue?") { return }
                let report = try await context.call(
                    "POST", "/images/prune", filter.query([("dangling", all.value ? "false" : "true")]),
                    as: ImagePruneReport.self)
                let deleted = report.imagesDeleted ?? []
                if !deleted.isEmpty {
                    Output.print("Deleted Images:")
                    for item in deleted {
                        Output.print(item.untagged.isEmpty ? "deleted: \(item.deleted)" : "untagged: \(item.untagged)")
                    }
                    Output.print("")
                }
                Output.print("Total reclaimed space: \(ByteSize.decimal(Int64(report.spaceReclaimed)))")
            }
        }
    }
}

/// A body for a request: a file, or standard input for `-`.
enum Upload {
    static func open(_ path: String) throws -> (descriptor: Int32, length: Int?) {
        var descriptor: Int32 = 0
        if path != "-" {
            descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw ExitStatus(1, "open \(path): \(File.lastError().lowercased())") }
        }
        var info = stat()
        guard fstat(descriptor, &info) == 0 else {
            throw ExitStatus(1, "stat \(path): \(File.lastError().lowercased())")
        }
        if info.st_mode & S_IFMT == S_IFDIR { throw ExitStatus(1, "read \(path): is a directory") }
        let isRegular = info.st_mode & S_IFMT == S_IFREG && lseek(descriptor, 0, SEEK_CUR) == 0
        return (descriptor, isRegular ? Int(info.st_size) : nil)
    }
}

enum PlatformText {
    /// `os/architecture/variant` as the API's JSON.
    static func json(_ text: String) throws -> String {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard (1...3).contains(parts.count), !parts.contains("") else {
            throw ExitStatus(1, "invalid platform: \(goQuoted(text)): it should be os/architecture, as linux/amd64")
        }
        var platform = JSONObject([("architecture", .string(parts.count > 1 ? parts[1] : parts[0]))])
        platform["os"] = .string(parts.count > 1 ? parts[0] : "linux")
        if parts.count > 2 { platform["variant"] = .string(parts[2]) }
        return JSONValue.object(platform).serialized()
    }
}
