import JSON
import Kernel
import OCI
import Registry

/// What is written of an `index.json`, in a layout that may have images already.
struct LayoutIndex: Sendable {
    private(set) var index: Index

    init(_ index: Index) { self.index = index }

    /// Adds an image, and takes its name from whatever had it.
    mutating func add(_ manifest: RemoteManifest, name: String?) {
        var descriptor = manifest.descriptor
        if let name {
            descriptor.annotations = [Annotation.referenceName: name]
            for (number, other) in index.manifests.enumerated()
            where other.annotations?[Annotation.referenceName] == name {
                index.manifests[number].annotations?[Annotation.referenceName] = nil
                break
            }
        }
        if let same = index.manifests.firstIndex(where: {
            $0.digest == descriptor.digest && ($0.annotations?[Annotation.referenceName] ?? "").isEmpty
        }) {
            index.manifests[same] = descriptor
        } else {
            index.manifests.append(descriptor)
        }
    }

    var bytes: [UInt8] {
        var index = index
        index.mediaType = MediaType.ociIndex
        for number in index.manifests.indices where index.manifests[number].annotations?.isEmpty == true {
            index.manifests[number].annotations = nil
        }
        return index.json.bytes(GoJSON.compact)
    }

    static let versionBytes = Array("{\"imageLayoutVersion\":\"\(ImageLayout.version)\"}".utf8)
}

/// What every layout takes, in a directory or in an archive.
public protocol LayoutDocuments: ImageDestination {}

extension LayoutDocuments {
    public var acceptedManifests: [String] { [MediaType.ociManifest, MediaType.ociIndex] }
    public var layerPreference: LayerPreference { .compressed }
    public var acceptsForeignLayers: Bool { true }
}

/// `oci:` as a destination: adds to the layout that is there.
public actor LayoutDestination: LayoutDocuments {
    public nonisolated let location: ImageLocation
    public nonisolated let takesBlobsInOrder = false

    private let path: String
    private let name: String?
    private var index: LayoutIndex

    public init(path: String, name: String?) throws {
        location = .layout(path: path, name: name)
        self.path = path
        self.name = name
        let here = FileDescriptor.currentDirectory
        var index = Index()
        if let file = try openIfPresent("\(path)/\(ImageLayout.indexName)") {
            do { index = try Index(parsing: try file.readAll(limit: manifestLimit)) } catch {
                throw TransportError(.invalidImage, "\(path): its index.json is no index: \(error)")
            }
        }
        self.index = LayoutIndex(index)
        try here.makeDirectories("\(path)/blobs/sha256")
    }

    private nonisolated func path(of digest: Digest) -> String { "\(path)/\(ImageLayout.blobPath(digest))" }

    public nonisolated func has(_ blob: Descriptor, from other: ImageReference?) throws -> Bool {
        // One of another size is no blob that was written whole.
        try FileDescriptor.currentDirectory.statusIfPresent(of: path(of: blob.digest), followLinks: true)?.size
            == blob.size
    }

    public nonisolated func put(_ blob: OutgoingBlob) async throws -> Descriptor {
        try await keep(blob, in: "\(path)/blobs/sha256") { path(of: $0) }
    }

    public func put(_ manifest: RemoteManifest, isPart: Bool) throws {
        try FileDescriptor.currentDirectory.replaceFile(path(of: manifest.digest), with: manifest.bytes)
        if !isPart { index.add(manifest, name: name) }
    }

    public func commit() throws {
        let here = FileDescriptor.currentDirectory
        try here.replaceFile("\(path)/\(ImageLayout.fileName)", with: LayoutIndex.versionBytes)
        try here.replaceFile("\(path)/\(ImageLayout.indexName)", with: index.bytes)
    }

    /// Blobs that no image names stay, and are found by the next copy.
    public func abandon() {}
}

/// Writes a blob into a folder, under its name once it is whole.
func keep(_ blob: OutgoingBlob, in folder: String, as name: (Digest) -> String) async throws -> Descriptor {
    let pending = try PendingFile(for: "\(folder)/blob")
    do {
        let descriptor = try await blob.read { stream in
            for try await buffer in stream { try pending.file.append(buffer) }
        }
        let path = name(descriptor.digest)
        if !path.hasPrefix(folder + "/") {
            try FileDescriptor.currentDirectory.makeDirectories(PendingFile.folder(of: path))
        }
        try pending.commit(as: path)
        return descriptor
    } catch {
        pending.abandon()
        throw error
    }
}

/// `oci-archive:` as a destination: always a new file.
public actor LayoutArchiveDestination: LayoutDocuments {
    public nonisolated let location: ImageLocation
    public nonisolated let takesBlobsInOrder = true

    private let output: ArchiveOutput
    private let name: String?
    private var tar: TarFileWriter
    private var index = LayoutIndex(Index())
    private var written: Set<Digest> = []

    public init(path: String, name: String?) throws {
        location = .layoutArchive(path: path, name: name)
        output = try ArchiveOutput(path, occupied: nil)
        self.name = name
        tar = TarFileWriter(output.file, mode: 0o644)
        try tar.add(ImageLayout.fileName, LayoutIndex.versionBytes)
        try tar.addDirectory("blobs")
        try tar.addDirectory("blobs/sha256")
    }

    public func has(_ blob: Descriptor, from other: ImageReference?) -> Bool { tar.contains(blob.digest) }

    public func put(_ blob: OutgoingBlob) async throws -> Descriptor {
        // Nobody else writes meanwhile: blobs come in order.
        var tar = tar
        let (descriptor, _) = try await tar.add(blob) { ImageLayout.blobPath($0) }
        self.tar = tar
        return descriptor
    }

    public func put(_ manifest: RemoteManifest, isPart: Bool) throws {
        if written.insert(manifest.digest).inserted {
            try tar.add(ImageLayout.blobPath(manifest.digest), manifest.bytes)
        }
        if !isPart { index.add(manifest, name: name) }
    }

    public func commit() throws {
        try tar.add(ImageLayout.indexName, index.bytes)
        try tar.finish()
        try output.commit()
    }

    public func abandon() { output.abandon() }
}
