import CommandLineKit
import Hashing
import ImageTransports
import JSON
import Kernel
import OCI
import Registry

/// `--retry-times` alone.
struct RetryFlag {
    private let retries: Flag<Int64>

    init(_ flags: FlagSet) { retries = flags.int("retry-times", "the number of times to possibly retry") }

    func retrying<Result>(_ body: () async throws -> Result) async throws -> Result {
        try await Retry(count: retries.value).run(body)
    }
}

/// Does something again where it failed for a reason that may pass.
struct Retry {
    let count: Int64

    func run<Result>(_ body: () async throws -> Result) async throws -> Result {
        var left = count
        while true {
            do { return try await body() } catch let error as RegistryError {
                guard left > 0, error.code == .unreachable || error.code == .serverFailed else { throw error }
                left -= 1
                try await Task.sleep(for: .seconds(1))
            }
        }
    }
}

extension Commands {
    static var listTags: Command<Action> {
        Command<Action>(
            "list-tags", "List tags in the transport/repository specified by the SOURCE-IMAGE",
            usage: "[command options] SOURCE-IMAGE", arguments: .exactly(1)
        ) { flags in
            _ = GlobalFlags(flags)
            let access = AccessFlags(flags)
            let retry = RetryFlag(flags)
            return { context, arguments in
                let place = try location(arguments[0], "image")
                var result = JSONObject()
                switch place {
                case .registry(let reference):
                    // A name with a tag would be a question about one image.
                    guard !hasTag(arguments[0]) else {
                        throw TransportError(
                            .invalidInput,
                            "docker: \(arguments[0]) names an image: tags are listed of a repository, without tag and digest"
                        )
                    }
                    result["Repository"] = .string(reference.name)
                    try await retry.retrying {
                        try await with(place, try access.access(context)) { source in
                            let tags = try await (source as? RegistrySource)?.registry.tags() ?? []
                            result["Tags"] = .array(tags.map { .string($0) })
                        }
                    }
                case .dockerArchive(let path, _):
                    result["Tags"] = .array(try DockerArchiveSource.tags(path).map { .string($0) })
                default:
                    throw TransportError(
                        .notSupported,
                        "Unsupported transport '\(place.transport)' for tag listing. Only supported: docker, docker-archive"
                    )
                }
                Output.write(JSONValue.object(result).serialized(JSONFormat(indent: "    ", escapesHTML: true)) + "\n")
            }
        }
    }

    private static func hasTag(_ text: String) -> Bool {
        guard let reference = try? ImageReference(String(text.dropFirst("docker://".count))) else { return false }
        return reference.tag != nil || reference.digest != nil
    }

    static var delete: Command<Action> {
        Command<Action>(
            "delete", "Delete image IMAGE-NAME", usage: "[command options] IMAGE-NAME", arguments: .exactly(1)
        ) { flags in
            _ = GlobalFlags(flags)
            let access = AccessFlags(flags)
            let retry = RetryFlag(flags)
            return { context, arguments in
                let place = try location(arguments[0], "source")
                guard case .registry(let reference) = place else {
                    throw TransportError(
                        .notSupported,
                        "Deleting images is not implemented for \(place.transport): images; remove the files")
                }
                try await retry.retrying {
                    try await with(place, try access.access(context)) { source in
                        guard let registry = (source as? RegistrySource)?.registry else { return }
                        // The manifest, and with it all of its tags: registries need not delete a tag alone.
                        guard let descriptor = try await registry.resolve(ManifestName(reference)) else {
                            throw TransportError(
                                .notFound,
                                "Unable to delete \(reference.familiarName). Image may not exist or is not stored with a v2 Schema in a v2 registry"
                            )
                        }
                        try await registry.delete(.digest(descriptor.digest))
                    }
                }
            }
        }
    }

    static var manifestDigest: Command<Action> {
        Command<Action>(
            "manifest-digest", "Compute a manifest digest of a file", usage: "MANIFEST-FILE", arguments: .exactly(1)
        ) { _ in
            { _, arguments in
                let bytes: [UInt8]
                do throws(KernelError) { bytes = try FileDescriptor.currentDirectory.readFile(arguments[0]) } catch {
                    throw TransportError(.system, "Error reading manifest from \(arguments[0]): \(error)")
                }
                Output.write("\(try ContentHash.digest(of: bytes))\n")
            }
        }
    }
}
