import JSON
import OCI
import Registry

/// What `skopeo inspect` tells of an image.
public struct ImageInspection: Sendable {
    public let root: RemoteManifest
    public let manifest: RemoteManifest
    public let configBytes: [UInt8]
    private let source: any ImageSource

    /// Reads an image's documents.
    /// - Parameter platform: the one to choose from a list.
    public init(_ source: any ImageSource, platform: Platform?) async throws {
        self.source = source
        root = try await source.manifest(nil)
        manifest =
            root.isIndex ? try await ImageChoice(source: source, platform: platform).choose(from: root) : root
        let parsed = try parsed(manifest, in: "\(source.location)")
        guard MediaType.isConfig(parsed.config.mediaType) else {
            throw TransportError(
                .notSupported,
                "\(source.location): unsupported image-specific operation on artifact with type "
                    + "\"\(parsed.config.mediaType ?? "")\"")
        }
        configBytes = try await source.bytes(of: parsed.config)
    }

    /// The configuration in OCI's form.
    public var configuration: JSONValue {
        get throws(TransportError) { try ociConfiguration(configBytes) }
    }

    /// As skopeo prints it: its members, in its order.
    /// - Parameter tags: all of the repository's; empty where there is none.
    public func summary(tags: [String]) throws -> JSONValue {
        let document = try parsed(manifest, in: "\(source.location)")
        guard let config = try? JSONValue(parsing: configBytes), config.object != nil else {
            throw TransportError(.invalidImage, "\(source.location): its configuration is no JSON object")
        }
        var result = JSONObject()
        if let name = source.location.dockerName { result["Name"] = .string(name) }
        result["Digest"] = .string("\(root.digest)")
        result["RepoTags"] = .array(tags.map { .string($0) })
        result["Created"] = Self.time(config["created"])
        result["DockerVersion"] = .string(config["docker_version"]?.string ?? "")
        let labels = config["config"]?["Labels"]?.object
        result["Labels"] =
            labels.map { .object(JSONObject($0.members.sorted { $0.name < $1.name }.map { ($0.name, $0.value) })) }
            ?? .null
        result["Architecture"] = .string(config["architecture"]?.string ?? "")
        result["Os"] = .string(config["os"]?.string ?? "")
        result["Layers"] = .array(document.layers.map { .string("\($0.digest)") })
        result["LayersData"] = .array(
            document.layers.map { layer in
                let annotations = (layer.annotations ?? [:]).sorted { $0.key < $1.key }
                return [
                    "MIMEType": .string(layer.mediaType ?? ""), "Digest": .string("\(layer.digest)"),
                    "Size": .integer(layer.size),
                    "Annotations": layer.annotations == nil
                        ? .null : .object(JSONObject(annotations.map { ($0.key, .string($0.value)) })),
                ]
            })
        result["Env"] = config["config"]?["Env"] ?? .null
        return .object(result)
    }

    private static func time(_ value: JSONValue?) -> JSONValue {
        guard let text = value?.string, let time = try? DateTime(text) else { return .null }
        return .string("\(time)")
    }
}

extension ImageLocation {
    /// The repository's whole name, for transports that have one.
    var dockerName: String? {
        switch self {
        case .registry(let reference), .daemon(.reference(let reference), _),
            .dockerArchive(_, .reference(let reference)?):
            reference.name
        default: nil
        }
    }
}
