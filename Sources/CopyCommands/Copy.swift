import Archive
import CommandLineKit
import ImageTransports
import JSON
import Kernel
import OCI
import Registry

/// The commands, each in a file of its own.
enum Commands {}

/// The flags that say what a copy is to be like.
struct CopyFlags {
    private let all: Flag<Bool>
    private let multiArch: Flag<String>?
    private let format: Flag<String>
    private let preserve: Flag<Bool>
    private let retries: Flag<Int64>

    init(_ flags: FlagSet, isSync: Bool = false) {
        all = flags.bool("all", "a", "Copy all images if SOURCE-IMAGE is a list")
        multiArch =
            isSync
            ? nil : flags.string("multi-arch", "How to handle multi-architecture images (system, all, or index-only)")
        format = flags.string(
            "format", "f",
            "MANIFEST TYPE (oci, v2s1, or v2s2) to use in the destination (default is manifest type of source, with fallbacks)"
        )
        preserve = flags.bool("preserve-digests", "Preserve digests of images and lists")
        retries = flags.int("retry-times", "the number of times to possibly retry")
        flags.bool("remove-signatures", "Do not copy signatures from SOURCE-IMAGE")
        for name in ["sign-by", "sign-by-sigstore-private-key", "sign-passphrase-file", "sign-identity"] {
            flags.custom(name, type: "string", default: "", "Signing is not supported") { (_, _, _) throws(FlagError) in
                throw FlagError.invalid("signing images is not supported; leave --\(name) out")
            }.hidden()
        }
    }

    func options(_ globals: GlobalFlags.Values) throws -> CopyOptions {
        var options = CopyOptions()
        options.platform = globals.platform
        if all.value { options.instances = .all }
        if let multiArch, multiArch.isSet {
            guard !all.value else {
                throw TransportError(.invalidInput, "Cannot use --all and --multi-arch flags together")
            }
            switch multiArch.value {
            case "system": options.instances = .system
            case "all": options.instances = .all
            case "index-only": options.instances = .indexOnly
            default:
                throw TransportError(
                    .invalidInput,
                    "unknown multi-arch option \"\(multiArch.value)\". Choose one of the supported options: 'system', 'all', "
                        + "or 'index-only'")
            }
        }
        switch format.value {
        case "": break
        case "oci": options.family = .oci
        case "v2s2": options.family = .docker
        case "v2s1":
            throw TransportError(
                .notSupported,
                "Docker's schema 1 manifests (--format v2s1) are not written: no registry or engine of today takes them; use v2s2"
            )
        default:
            throw TransportError(
                .invalidInput,
                "unknown format \"\(format.value)\". Choose one of the supported formats: 'oci', 'v2s1', or 'v2s2'")
        }
        options.preservesDigests = preserve.value
        return options
    }

    func retrying<Result>(_ body: () async throws -> Result) async throws -> Result {
        try await Retry(count: retries.value).run(body)
    }
}

extension Commands {
    static var copy: Command<Action> {
        var command = Command<Action>(
            "copy", "Copy an IMAGE-NAME from one location to another",
            usage: "[command options] SOURCE-IMAGE DESTINATION-IMAGE", arguments: .exactly(2)
        ) { flags in
            let globals = GlobalFlags(flags)
            let common = AccessFlags(flags)
            let (from, to) = (AccessFlags(flags, prefix: "src-"), AccessFlags(flags, prefix: "dest-"))
            let copyFlags = CopyFlags(flags)
            let layers = LayerFlags(flags)
            let tags = flags.commaSeparated("additional-tag", "additional tags (supports docker-archive)")
            let quiet = flags.bool("quiet", "q", "Suppress output information when copying images")
            let digestFile = flags.string("digestfile", "Write the digest of the pushed image to the specified file")
            let parallel = flags.uint(
                "image-parallel-copies", "Maximum number of image layers to be copied simultaneously")
            return { context, arguments in
                let globals = globals.merged(over: context.globals)
                globals.apply()
                let source = try location(arguments[0], "source")
                let destination = try location(arguments[1], "destination")
                try TrustPolicy(globals, environment: context.environment).check(source)
                var options = try copyFlags.options(globals)
                try layers.apply(to: &options, for: destination)
                if parallel.value > 0 { options.parallelBlobs = Int(clamping: parallel.value) }
                let names = try tags.value.map { (text) throws -> ImageReference in
                    let reference = try ImageReference(text)
                    guard reference.tag != nil else {
                        throw TransportError(.invalidInput, "additional-tag '\(text)' must be a tagged reference")
                    }
                    return reference
                }
                let run = CopyRun(
                    source: try from.access(context, common: common),
                    destination: try to.access(context, common: common),
                    options: options, isQuiet: quiet.value)
                let manifest = try await copyFlags.retrying { try await run(source, destination, tags: names) }
                if !digestFile.value.isEmpty {
                    try FileDescriptor.currentDirectory.replaceFile(digestFile.value, with: "\(manifest.digest)")
                }
            }
        }
        command.details =
            "Container \"IMAGE-NAME\" uses a \"transport\":\"details\" format.\n\nSupported transports:\n"
            + ImageLocation.transports.joined(separator: ", ")
        return command
    }

    static func location(_ text: String, _ what: String) throws -> ImageLocation {
        do { return try ImageLocation(text) } catch {
            throw TransportError(error.code, "Invalid \(what) name \(text): \(error.message)")
        }
    }
}

/// The flags that say how layers are compressed.
struct LayerFlags {
    private let compress: Flag<Bool>
    private let decompress: Flag<Bool>
    private let format: Flag<String>
    private let level: Flag<Int64>
    private let acceptsPlain: Flag<Bool>

    init(_ flags: FlagSet) {
        compress = flags.bool(
            "dest-compress", "Compress tarball image layers when saving to directory using the 'dir' transport")
        decompress = flags.bool(
            "dest-decompress", "Decompress tarball image layers when saving to directory using the 'dir' transport")
        format = flags.string("dest-compress-format", type: "FORMAT", "FORMAT to use for the compression")
        level = flags.int("dest-compress-level", type: "LEVEL", "LEVEL to use for the compression")
        acceptsPlain = flags.bool(
            "dest-oci-accept-uncompressed-layers", "Allow uncompressed image layers when saving to an OCI image")
        flags.bool("dest-precompute-digests", "Digests are always known before a layer is uploaded").hidden()
        flags.bool("dest-force-compress-format", "Layers always get the format that --dest-compress-format names")
            .hidden()
    }

    /// Takes what counts for a destination: `--dest-compress` and its like are for directories, as skopeo's help says.
    func apply(to options: inout CopyOptions, for destination: ImageLocation) throws {
        guard !(compress.value && decompress.value) else {
            throw TransportError(.invalidInput, "Cannot compress and decompress at the same time")
        }
        switch destination {
        case .directory:
            if compress.value { options.layers = .compressed }
            if decompress.value { options.layers = .decompressed }
        case .layout, .layoutArchive: if acceptsPlain.value { options.layers = .unchanged }
        default: break
        }
        switch format.value {
        case "": break
        case "gzip": options.compression = .gzip
        case "zstd": options.compression = .zstd
        default:
            throw TransportError(
                .invalidInput, "cannot find compressor for \"\(format.value)\"; there are: gzip, zstd")
        }
        if level.isSet {
            let range: ClosedRange<Int64> = options.compression == .zstd ? 1...19 : 1...9
            guard range.contains(level.value) else {
                throw TransportError(
                    .invalidInput,
                    "--dest-compress-level \(level.value) is not between \(range.lowerBound) and \(range.upperBound)")
            }
            options.compressionLevel = Int(level.value)
        }
    }
}

/// One copy between two places.
struct CopyRun {
    let source: RegistryAccess
    let destination: RegistryAccess
    let options: CopyOptions
    let isQuiet: Bool

    func callAsFunction(
        _ from: ImageLocation, _ to: ImageLocation, tags: [ImageReference] = []
    ) async throws -> RemoteManifest {
        let reading = from.domain.map { source.client(for: $0) }
        let writing = to.domain.map { destination.client(for: $0) }
        do {
            let input: any ImageSource
            do { input = try await from.source(source, client: reading) } catch {
                throw CopyFailure("initializing source \(from): \(error)", error)
            }
            let output: any ImageDestination
            do { output = try await to.destination(destination, client: writing, tags: tags) } catch {
                throw CopyFailure("initializing destination \(to): \(error)", error)
            }
            let isQuiet = isQuiet
            let copy = ImageCopy(from: input, to: output, options: options) { sentence in
                if !isQuiet { Output.write(sentence + "\n") }
            }
            let manifest = try await copy.run()
            await reading?.shutdown()
            await writing?.shutdown()
            return manifest
        } catch {
            await reading?.shutdown()
            await writing?.shutdown()
            if let failure = error as? CopyFailure { throw failure.retried ?? failure }
            throw error
        }
    }
}

/// A failure with what was tried in front of it.
struct CopyFailure: Error, CustomStringConvertible {
    let description: String
    private let cause: any Error

    init(_ description: String, _ cause: any Error) {
        self.description = description
        self.cause = cause
    }

    /// Itself as a registry's error, which says whether trying again may help.
    var retried: (any Error)? {
        guard var error = cause as? RegistryError else { return nil }
        error.message = description
        return error
    }
}

extension ImageLocation {
    /// The registry, where it is in one.
    var domain: String? { if case .registry(let reference) = self { reference.domain } else { nil } }
}
