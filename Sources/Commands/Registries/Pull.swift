import CommandLineKit
import EngineClient
import EngineModel
import OCI

extension Commands {
    static var pull: Command<Action> {
        var command = Command<Action>(
            "pull", "Download an image from a registry", usage: "[OPTIONS] NAME[:TAG|@DIGEST]", arguments: .exactly(1)
        ) { flags in
            let all = flags.bool("all-tags", "a", "Download all tagged images in the repository")
            let platform = flags.string("platform", "Download the image for this platform")
            let quiet = flags.bool("quiet", "q", "Only show the image's name")
            flags.bool("disable-content-trust", default: true, "Skip image verification").hidden()
            return { context, arguments in
                let reference = try context.transferReference(arguments[0], allTags: all.value, quiet: quiet.value)
                try await context.pull(reference, platform: context.platform(platform.value), quiet: quiet.value)
                Output.print(reference.canonicalName)
            }
        }
        command.spellings = ["% image pull", "% pull"]
        command.group = "Common Commands"
        return command
    }

    static var push: Command<Action> {
        var command = Command<Action>(
            "push", "Upload an image to a registry", usage: "[OPTIONS] NAME[:TAG]", arguments: .exactly(1)
        ) { flags in
            let all = flags.bool("all-tags", "a", "Push all tags of an image to the repository")
            let platform = flags.string("platform", "Push only this platform of an image that has several")
            let quiet = flags.bool("quiet", "q", "Only show the image's name")
            flags.bool("disable-content-trust", default: true, "Skip image signing").hidden()
            return { context, arguments in
                let reference = try context.transferReference(arguments[0], allTags: all.value, quiet: quiet.value)
                var query = reference.tag.map { [("tag", $0)] } ?? []
                if !platform.value.isEmpty { query.append(("platform", try PlatformText.json(platform.value))) }
                var request = EngineClient.Request("POST", "/images/\(reference.name)/push", query)
                request.headers = [try context.registryHeader(for: reference.domain)]
                try await ProgressOutput(isQuiet: quiet.value).show(context.client().stream(request))
                if quiet.value { Output.print(reference.canonicalName) }
            }
        }
        command.spellings = ["% image push", "% push"]
        command.group = "Common Commands"
        return command
    }
}

extension Context {
    /// The image, or with `allTags` the repository, that `pull` and `push` mean; says so when a tag is assumed.
    func transferReference(_ text: String, allTags: Bool, quiet: Bool) throws -> ImageReference {
        let reference = try imageReference(text)
        let isRepository = reference.tag == nil && reference.digest == nil
        if allTags {
            guard isRepository else { throw ExitStatus(1, "tag can't be used with --all-tags/-a") }
            return reference
        }
        guard isRepository else { return reference }
        if !quiet { Output.print("Using default tag: \(ImageReference.defaultTag)") }
        return reference.withDefaultTag
    }

    /// Has the daemon fetch an image, and shows how it gets on.
    /// - Parameter descriptor: where that is shown: 1, or 2 where the standard output is for something else.
    func pull(
        _ reference: ImageReference, platform: String, quiet: Bool, to descriptor: Int32 = 1
    ) async throws {
        // As Docker's client: what the daemon's registries.conf makes of short names is the daemon's business.
        var query = [("fromImage", reference.familiarRepository)]
        // A digest is a tag to this interface.
        query.append(("tag", reference.digest?.description ?? reference.tag ?? ""))
        if !platform.isEmpty { query.append(("platform", platform)) }
        var request = EngineClient.Request("POST", "/images/create", query)
        request.headers = [try registryHeader(for: reference.domain)]
        try await ProgressOutput(descriptor: descriptor, isQuiet: quiet).show(client().stream(request))
    }
}
