import Hashing
import JSON
import Kernel
import OCI
import Registry

/// Writes `docker save`'s archive, byte for byte as containers/image does, so that its hash is the same.
///
/// The layers come first, decompressed, in their order and each once; then the configuration; then for each layer a
/// folder of the format from before 2016, with a link to it; then `manifest.json` and `repositories`. All have mode
/// 0444 (links: none), owner 0 and time 0.
struct DockerArchiveWriter {
    private var tar: TarFileWriter
    private var configBytes: [UInt8] = []
    private var manifests: [JSONValue] = []
    private var repositories = JSONObject()
    private var legacyLayers: Set<String> = []

    init(_ file: FileDescriptor) { tar = TarFileWriter(file, mode: 0o444) }

    func contains(_ digest: Digest) -> Bool { tar.contains(digest) }

    mutating func add(_ blob: OutgoingBlob) async throws -> Descriptor {
        let suffix = blob.isConfig ? ".json" : ".tar"
        let (descriptor, bytes) = try await tar.add(blob, keepsBytes: blob.isConfig) { $0.hex + suffix }
        if blob.isConfig { configBytes = bytes }
        return descriptor
    }

    /// Describes an image whose blobs have been written.
    mutating func add(_ manifest: Manifest, names: [ImageReference]) throws {
        let layers = manifest.layers.map(\.digest)
        let top = try addLegacyLayers(layers)
        for name in names {
            guard let top, let tag = name.tag else { continue }
            var tags = repositories[name.name]?.object ?? [:]
            tags[tag] = .string(top)
            repositories[name.name] = .object(tags)
        }
        var tags: [String] = []
        for name in names where !tags.contains(name.canonicalName) { tags.append(name.canonicalName) }
        manifests.append([
            "Config": .string(manifest.config.digest.hex + ".json"), "RepoTags": .array(tags.map { .string($0) }),
            "Layers": .array(layers.map { .string($0.hex + ".tar") }),
        ])
    }

    /// A folder for each layer, named by the hash of what describes it.
    /// - Returns: the name of the topmost.
    private mutating func addLegacyLayers(_ layers: [Digest]) throws -> String? {
        var chainID: Digest?
        var parent: String?
        for (number, layer) in layers.enumerated() {
            var description: [String: [UInt8]] = [:]
            if let parent { description["parent"] = GoJSON.text(parent) }
            if number == layers.count - 1 {
                let config = try GoJSON.members(of: configBytes, in: "the image's configuration")
                for name in [
                    "architecture", "config", "container", "container_config", "created", "docker_version", "os",
                ] { description[name] = config[name] ?? Array("null".utf8) }
            }
            let chain = try chainID.map { try ContentHash.digest(of: Array("\($0) \(layer)".utf8)) } ?? layer
            chainID = chain
            description["layer_id"] = GoJSON.text("\(chain)")
            let id = try ContentHash.digest(of: GoJSON.map(description)).hex
            description["layer_id"] = nil
            description["id"] = GoJSON.text(id)
            parent = id
            guard legacyLayers.insert(id).inserted else { continue }
            try tar.addLink("\(id)/layer.tar", to: "../\(layer.hex).tar")
            try tar.add("\(id)/VERSION", Array("1.0".utf8))
            try tar.add("\(id)/json", GoJSON.map(description))
        }
        return parent
    }

    mutating func finish() throws {
        try tar.add("manifest.json", JSONValue.array(manifests).bytes(GoJSON.compact))
        try tar.add("repositories", JSONValue.object(repositories).bytes(GoJSON.sorted))
        try tar.finish()
    }
}
