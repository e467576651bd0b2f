import JSON
import OCI
import Registry

/// The two families of documents.
public enum ManifestFamily: Sendable, Equatable {
    case oci
    case docker

    init(_ mediaType: String) {
        self = mediaType == MediaType.dockerManifest || mediaType == MediaType.dockerManifestList ? .docker : .oci
    }

    var manifestType: String { self == .oci ? MediaType.ociManifest : MediaType.dockerManifest }
    var indexType: String { self == .oci ? MediaType.ociIndex : MediaType.dockerManifestList }
    var configType: String { self == .oci ? MediaType.ociConfig : MediaType.dockerConfig }

    /// What a layer is called, or `nil` where the family has no such layers.
    func layerType(_ kind: LayerKind) -> String? {
        switch (self, kind.compression, kind.isForeign) {
        case (.oci, .none, false): MediaType.ociLayer
        case (.oci, .gzip, false): MediaType.ociLayerGzip
        case (.oci, .zstd, false): MediaType.ociLayerZstd
        case (.oci, .none, true): MediaType.ociForeignLayer
        case (.oci, .gzip, true): MediaType.ociForeignLayerGzip
        case (.oci, .zstd, true): MediaType.ociForeignLayer + "+zstd"
        case (.docker, .none, false): MediaType.dockerLayer
        case (.docker, .gzip, false): MediaType.dockerLayerGzip
        case (.docker, .none, true): "application/vnd.docker.image.rootfs.foreign.diff.tar"
        case (.docker, .gzip, true): MediaType.dockerForeignLayerGzip
        case (.docker, .zstd, _): nil
        }
    }
}

/// A layer by what its media type says.
struct LayerKind: Sendable, Equatable {
    enum Compression: Sendable { case none, gzip, zstd }

    var compression: Compression
    /// Whether it may not be passed on.
    var isForeign: Bool

    /// `nil` for what is no layer of an image's file system.
    init?(_ mediaType: String?) {
        for family in [ManifestFamily.oci, .docker] {
            for compression in [Compression.none, .gzip, .zstd] {
                for isForeign in [false, true] {
                    let kind = LayerKind(compression: compression, isForeign: isForeign)
                    if let mediaType, family.layerType(kind) == mediaType {
                        self = kind
                        return
                    }
                }
            }
        }
        return nil
    }

    init(compression: Compression, isForeign: Bool) {
        self.compression = compression
        self.isForeign = isForeign
    }
}

extension Manifest {
    /// The bytes of this manifest, as containers/image writes them: only what it knows, in its order.
    func bytes(_ family: ManifestFamily) -> [UInt8] {
        var object = JSONObject()
        object["schemaVersion"] = 2
        object["mediaType"] = .string(family.manifestType)
        object["config"] = config.json(family)
        object["layers"] = .array(layers.map { $0.json(family) })
        if family == .oci {
            if let subject { object["subject"] = subject.json(family) }
            if let annotations, !annotations.isEmpty { object["annotations"] = sorted(annotations) }
        }
        return JSONValue.object(object).bytes(GoJSON.compact)
    }
}

extension Index {
    func bytes(_ family: ManifestFamily) -> [UInt8] {
        var object = JSONObject()
        object["schemaVersion"] = 2
        object["mediaType"] = .string(family.indexType)
        object["manifests"] = .array(manifests.map { $0.json(family) })
        if family == .oci, let annotations, !annotations.isEmpty { object["annotations"] = sorted(annotations) }
        return JSONValue.object(object).bytes(GoJSON.compact)
    }
}

private func sorted(_ annotations: [String: String]) -> JSONValue {
    .object(JSONObject(annotations.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) }))
}

extension Descriptor {
    fileprivate func json(_ family: ManifestFamily) -> JSONValue {
        var object = JSONObject()
        object["mediaType"] = .string(mediaType ?? "")
        if family == .docker {
            object["size"] = .integer(size)
            object["digest"] = .string("\(digest)")
        } else {
            object["digest"] = .string("\(digest)")
            object["size"] = .integer(size)
        }
        if let urls, !urls.isEmpty { object["urls"] = .array(urls.map { .string($0) }) }
        if family == .oci {
            if let annotations, !annotations.isEmpty { object["annotations"] = sorted(annotations) }
            if let data { object["data"] = .string(data) }
        }
        if let platform { object["platform"] = platform.json }
        if family == .oci, let artifactType { object["artifactType"] = .string(artifactType) }
        return .object(object)
    }
}

/// Docker's configuration in OCI's form: what that specification knows, in the order of its Go type.
///
/// - Throws: `TransportError.invalidImage`.
func ociConfiguration(_ bytes: [UInt8]) throws(TransportError) -> JSONValue {
    let value: JSONValue
    do throws(JSONError) { value = try JSONValue(parsing: bytes) } catch {
        throw TransportError(.invalidImage, "the image's configuration is no JSON: \(error)")
    }
    func pick(_ source: JSONValue?, _ names: [String], always: Set<String> = []) -> JSONObject {
        var result = JSONObject()
        for name in names {
            let member = source?[name]
            if let member, always.contains(name) || !isEmpty(member) {
                result[name] = name == "Volumes" || name == "ExposedPorts" || name == "Labels" ? byName(member) : member
            } else if always.contains(name) {
                result[name] = ""
            }
        }
        return result
    }
    var result = pick(
        value, ["created", "author", "architecture", "os", "os.version", "os.features", "variant"],
        always: ["architecture", "os"])
    if let created = result["created"]?.string, let time = try? DateTime(created) {
        result["created"] = .string("\(time)")
    }
    result["config"] = .object(
        pick(
            value["config"],
            [
                "User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal",
                "ArgsEscaped",
            ]))
    result["rootfs"] = [
        "type": value["rootfs"]?["type"] ?? "", "diff_ids": value["rootfs"]?["diff_ids"] ?? .null,
    ]
    if let history = value["history"]?.array, !history.isEmpty {
        result["history"] = .array(
            history.map { entry in
                var entry = pick(entry, ["created", "created_by", "author", "comment", "empty_layer"])
                if let created = entry["created"]?.string, let time = try? DateTime(created) {
                    entry["created"] = .string("\(time)")
                }
                return .object(entry)
            })
    }
    return .object(result)
}

/// What Go's `omitempty` leaves out.
private func isEmpty(_ value: JSONValue) -> Bool {
    switch value {
    case .null, .bool(false), .integer(0), .string(""), .array([]): true
    case .object(let object): object.isEmpty
    default: false
    }
}

/// A Go map is written by name.
private func byName(_ value: JSONValue) -> JSONValue {
    guard let object = value.object else { return value }
    return .object(JSONObject(object.members.sorted { $0.name < $1.name }.map { ($0.name, $0.value) }))
}
