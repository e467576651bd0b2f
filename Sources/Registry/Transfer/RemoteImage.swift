import JSON
import OCI

/// An image in a registry: its documents, read and verified; the layers are still there.
public struct RemoteImage: Sendable {
    public var repository: Repository
    /// What the name refers to: an index, or the manifest itself.
    public var root: RemoteManifest
    /// The manifest for the platform.
    public var manifest: RemoteManifest
    /// Lowest first.
    public var layers: [Descriptor]
    public var configBytes: [UInt8]
    public var config: ImageConfig
}

extension Repository {
    /// Finds the image that a name means on a platform, and reads its documents.
    /// - Parameter platform: what it must be for; `nil` takes this machine's of an index, and a manifest whatever it is
    ///   for.
    public func image(_ name: ManifestName, platform: Platform?) async throws -> RemoteImage {
        let root = try await manifest(name)
        return try await image(root, named: "\(reference.familiarName)\(name.suffix)", platform: platform)
    }

    public func image(_ root: RemoteManifest, named name: String, platform: Platform?) async throws -> RemoteImage {
        var chosen = root
        var depth = 0
        while chosen.isIndex {
            guard depth < 4 else {
                throw RegistryError(.invalidResponse, "\(name): its indexes nest deeper than 4 levels")
            }
            depth += 1
            let index = try parsed(name, "an index") { () throws(JSONError) in try Index(parsing: chosen.bytes) }
            guard let descriptor = index.manifest(for: platform ?? .host) else {
                let offered = index.images.compactMap { $0.platform?.description }.joined(separator: ", ")
                throw RegistryError(
                    .platformMismatch,
                    "\(name): no matching manifest for \(platform ?? .host) in the manifest list entries; there are: "
                        + "\(offered.isEmpty ? "none" : offered); ask for one of these with --platform")
            }
            let next = try await manifest(.digest(descriptor.digest))
            guard next.bytes.count == descriptor.size else {
                throw RegistryError(
                    .contentMismatch,
                    "\(name): the manifest \(descriptor.digest) has \(next.bytes.count) bytes, and its index promises "
                        + "\(descriptor.size)")
            }
            chosen = next
        }
        let manifest = try parsed(name, "a manifest") { () throws(JSONError) in try Manifest(parsing: chosen.bytes) }
        if let type = manifest.config.mediaType, !MediaType.isConfig(type), type != "application/octet-stream" {
            throw RegistryError(
                .notSupported, "\(name) is no image to run containers from, but an artifact of type \(type)")
        }
        for layer in manifest.layers {
            guard MediaType.isLayer(layer.mediaType) || layer.mediaType == nil else {
                throw RegistryError(
                    .notSupported, "\(name) has a layer of type \(layer.mediaType ?? ""), which cannot be unpacked")
            }
        }
        let bytes = try await blob(manifest.config)
        let config = try parsed(name, "an image's configuration") { () throws(JSONError) in
            try ImageConfig(parsing: bytes)
        }
        guard (config.rootfs.diffIDs ?? []).count == manifest.layers.count else {
            throw RegistryError(
                .invalidResponse,
                "\(name): its configuration lists \((config.rootfs.diffIDs ?? []).count) layers, and its manifest "
                    + "\(manifest.layers.count)")
        }
        if let platform, !config.architecture.isEmpty, !platform.runs(config.platform) {
            throw RegistryError(
                .platformMismatch,
                "image with reference \(name) was found but does not provide the specified platform (\(platform)); it is for "
                    + "\(config.platform)")
        }
        guard config.os.isEmpty || config.os == "linux" else {
            throw RegistryError(
                .platformMismatch, "\(name): image operating system \"\(config.os)\" cannot be used on this platform")
        }
        return RemoteImage(
            repository: self, root: root, manifest: chosen, layers: manifest.layers, configBytes: bytes, config: config)
    }

    private func parsed<Document>(
        _ name: String, _ what: String, _ body: () throws(JSONError) -> Document
    ) throws(RegistryError) -> Document {
        do throws(JSONError) { return try body() } catch {
            throw RegistryError(
                .invalidResponse,
                "\(name): the registry \(reference.domain) has something else than \(what) there: \(error)")
        }
    }
}
