import CommandLineKit
import ImageTransports
import JSON
import OCI
import Registry

extension Commands {
    static var inspect: Command<Action> {
        Command<Action>(
            "inspect", "Inspect image IMAGE-NAME", usage: "[command options] IMAGE-NAME", arguments: .exactly(1)
        ) { flags in
            let globals = GlobalFlags(flags)
            let access = AccessFlags(flags)
            let copy = RetryFlag(flags)
            let raw = flags.bool("raw", "output raw manifest or configuration")
            let config = flags.bool("config", "output configuration")
            let format = flags.string("format", "f", "Format the output to a Go template")
            let noTags = flags.bool("no-tags", "n", "Do not list the available tags from the repository in the output")
            return { context, arguments in
                guard !raw.value || format.value.isEmpty else {
                    throw TransportError(.invalidInput, "raw output does not support format option")
                }
                let globals = globals.merged(over: context.globals)
                globals.apply()
                let place = try location(arguments[0], "image")
                try await copy.retrying {
                    try await with(place, try access.access(context)) { source in
                        if raw.value, !config.value {
                            return Output.write(try await source.manifest(nil).bytes, to: 1)
                        }
                        let image = try await ImageInspection(source, platform: globals.platform)
                        if raw.value { return Output.write(image.configBytes, to: 1) }
                        if config.value { return try print(image.configuration, format.value) }
                        var tags: [String] = []
                        if !noTags.value, let registry = source as? RegistrySource {
                            tags = try await registry.registry.tags()
                        }
                        try print(image.summary(tags: tags), format.value)
                    }
                }
            }
        }
    }

    private static func print(_ value: JSONValue, _ format: String) throws {
        if format.isEmpty || format == "json" {
            return Output.write(value.serialized(JSONFormat(indent: "    ", escapesHTML: true)) + "\n")
        }
        do throws(TemplateError) {
            Output.write(
                try Template(format.unescaped).render(value, missing: .failure(type: "inspect.Output")) { name in
                    ["Labels", "Annotations"].contains(name)
                        ? "map[]" : ["Env", "RepoTags", "Layers"].contains(name) ? "[]" : nil
                } + "\n")
        } catch {
            throw TransportError(.invalidInput, "template: \(error.message)")
        }
    }

    /// Opens an image for a while.
    static func with(
        _ location: ImageLocation, _ access: RegistryAccess, _ body: (any ImageSource) async throws -> Void
    ) async throws {
        let client = location.domain.map { access.client(for: $0) }
        do {
            try await body(try await location.source(access, client: client))
            await client?.shutdown()
        } catch {
            await client?.shutdown()
            throw error
        }
    }
}

extension String {
    /// With `\n` and `\t` as users of `--format` write them.
    fileprivate var unescaped: String {
        var result = ""
        var isEscaped = false
        for character in self {
            if isEscaped {
                result.append(character == "n" ? "\n" : character == "t" ? "\t" : "\\\(character)")
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else {
                result.append(character)
            }
        }
        return isEscaped ? result + "\\" : result
    }
}
