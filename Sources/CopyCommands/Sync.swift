import CommandLineKit
import ImageTransports
import Kernel
import OCI
import Registry

extension Commands {
    static var sync: Command<Action> {
        var command = Command<Action>(
            "sync", "Synchronize one or more images from one location to another",
            usage: "[command options] --src TRANSPORT --dest TRANSPORT SOURCE DESTINATION", arguments: .exactly(2)
        ) { flags in
            let globals = GlobalFlags(flags)
            let common = AccessFlags(flags)
            let (from, to) = (AccessFlags(flags, prefix: "src-"), AccessFlags(flags, prefix: "dest-"))
            let copyFlags = CopyFlags(flags, isSync: true)
            let source = flags.string("src", "s", "SOURCE transport type")
            let destination = flags.string("dest", "d", "DESTINATION transport type")
            let isScoped = flags.bool(
                "scoped", "Images at DESTINATION are prefix using the full source image path as scope")
            let isDry = flags.bool("dry-run", "Run without actually copying data")
            let keepsGoing = flags.bool("keep-going", "Do not abort the sync if any image copy fails")
            return { context, arguments in
                let globals = globals.merged(over: context.globals)
                globals.apply()
                let plan = try SyncPlan(
                    source: source.value, destination: destination.value, root: arguments[1], isScoped: isScoped.value)
                let reading = try from.access(context, common: common)
                let writing = try to.access(context, common: common)
                let options = try copyFlags.options(globals)
                let policy = try TrustPolicy(globals, environment: context.environment)
                let images = try await copyFlags.retrying { try await plan.images(of: arguments[0], reading) }
                var failures = 0
                for (number, image) in images.enumerated() {
                    let target = try plan.target(of: image)
                    let verb = isDry.value ? "Would have copied" : "Copying"
                    Output.error("\(verb) image \(number + 1)/\(images.count) from=\(image.place) to=\(target)")
                    if isDry.value { continue }
                    do {
                        try policy.check(image.place)
                        let run = CopyRun(
                            source: image.access ?? reading, destination: writing, options: options, isQuiet: false)
                        _ = try await copyFlags.retrying { try await run(image.place, target) }
                    } catch {
                        guard keepsGoing.value else { throw error }
                        Output.error("ERRO[0000] Error copying \(image.place): \(error)")
                        failures += 1
                    }
                }
                guard failures == 0 else {
                    throw TransportError(
                        .system, "Sync failed due to previous reported error(s) for \(failures) image(s)")
                }
            }
        }
        command.details =
            "Copies all tags of a repository, or what a list in YAML names, into a directory or a registry, or all images of "
            + "a directory into a registry."
        return command
    }
}

/// Which images go where.
private struct SyncPlan {
    struct Image {
        var place: ImageLocation
        /// What it is called below the destination.
        var name: String
        /// How its registry is reached, where a list says so.
        var access: RegistryAccess?
    }

    private let source: String
    private let destination: String
    private let root: String
    private let isScoped: Bool

    init(source: String, destination: String, root: String, isScoped: Bool) throws {
        func check(_ kind: String, _ what: String) throws {
            guard !kind.isEmpty else { throw TransportError(.invalidInput, "A \(what) transport must be specified") }
            let known = what == "source" ? ["docker", "dir", "yaml"] : ["docker", "dir"]
            guard known.contains(kind) else {
                throw TransportError(
                    .invalidInput,
                    "\"\(kind)\" is not a valid \(what) transport; there are: \(known.joined(separator: ", "))")
            }
        }
        try check(source, "source")
        try check(destination, "destination")
        guard source != "dir" || destination != "dir" else {
            throw TransportError(
                .invalidInput, "sync from 'dir' to 'dir' not implemented, consider using rsync instead")
        }
        (self.source, self.destination, self.root, self.isScoped) = (source, destination, root, isScoped)
    }

    func images(of argument: String, _ access: RegistryAccess) async throws -> [Image] {
        switch source {
        case "docker": try await repository(argument, access)
        case "yaml": try await list(argument, access)
        default: try directory(argument)
        }
    }

    /// What a list names.
    private func list(_ path: String, _ common: RegistryAccess) async throws -> [Image] {
        let list = try ImageList(path)
        var images: [Image] = []
        for source in list.sources {
            let access = source.access(common)
            func add(_ found: [Image]) {
                for var image in found {
                    image.access = access
                    images.append(image)
                }
            }
            for (repository, names) in source.images {
                if names.isEmpty { add(try await self.repository("\(source.registry)/\(repository)", access)) }
                for name in names {
                    let separator = name.contains(":") ? "@" : ":"
                    add(try await self.repository("\(source.registry)/\(repository)\(separator)\(name)", access))
                }
            }
            for (repository, filter) in source.filtered {
                let reference = try ImageReference("\(source.registry)/\(repository)")
                for tag in try await tags(reference, access) where filter.includes(tag) {
                    let image = try reference.tagged(tag)
                    add([Image(place: .registry(image), name: image.canonicalName)])
                }
            }
        }
        guard !images.isEmpty else { throw TransportError(.notFound, "No images to sync found in \"\(path)\"") }
        return images
    }

    private func tags(_ reference: ImageReference, _ access: RegistryAccess) async throws -> [String] {
        let client = access.client(for: reference.domain)
        do {
            let tags = try await access.repository(reference, client).tags()
            await client.shutdown()
            return tags
        } catch {
            await client.shutdown()
            throw error
        }
    }

    /// One image, where a tag or a digest is named, and otherwise one for each tag.
    private func repository(_ argument: String, _ access: RegistryAccess) async throws -> [Image] {
        let reference = try ImageReference(argument)
        if reference.tag != nil || reference.digest != nil {
            return [Image(place: .registry(reference), name: reference.canonicalName)]
        }
        let images = try await tags(reference, access).map { tag in
            let image = try reference.tagged(tag)
            return Image(place: .registry(image), name: image.canonicalName)
        }
        guard !images.isEmpty else { throw TransportError(.notFound, "No images to sync found in \"\(argument)\"") }
        return images
    }

    /// Every directory below that holds an image.
    private func directory(_ argument: String) throws -> [Image] {
        var base = argument
        while base.count > 1, base.hasSuffix("/") { base.removeLast() }
        var images: [Image] = []
        func search(_ path: String, depth: Int) throws {
            let entries = try FileDescriptor.currentDirectory.entries(of: path)
            if entries.contains(where: { $0.name == "manifest.json" }) {
                let below = path.dropFirst(base.count).drop { $0 == "/" }
                let own = path.split(separator: "/").last.map(String.init) ?? path
                return images.append(Image(place: .directory(path), name: below.isEmpty ? own : String(below)))
            }
            // Far deeper than any name of an image.
            guard depth < 32 else { return }
            for entry in entries.sorted(by: { $0.name < $1.name }) where entry.type == .directory {
                try search("\(path)/\(entry.name)", depth: depth + 1)
            }
        }
        try search(base, depth: 0)
        guard !images.isEmpty else { throw TransportError(.notFound, "No images to sync found in \"\(argument)\"") }
        return images
    }

    func target(of image: Image) throws -> ImageLocation {
        let name = isScoped ? image.name : image.name.split(separator: "/").last.map(String.init) ?? image.name
        return destination == "dir" ? .directory("\(root)/\(name)") : try ImageLocation("docker://\(root)/\(name)")
    }
}
