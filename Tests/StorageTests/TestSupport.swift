import Archive
import Crypto
import Dispatch
import GRDB
import JSON
import Kernel
import OCI
import Storage
import Testing

/// A data root in a directory of its own, which goes with this object.
final class TemporaryRoot {
    let scratch: String
    var path: String { "\(scratch)/root" }
    private(set) var data: DataRoot
    private var lock: FileDescriptor
    private var database: DatabasePool
    private let options: DataRoot.Options

    init(driver: SnapshotDriverName = .overlay2, limits: LayerLimits = LayerLimits()) throws {
        scratch = try FileDescriptor.currentDirectory.makeTemporaryDirectory(in: "/tmp", prefix: "dhow-storage-")
        var options = DataRoot.Options()
        options.driver = driver
        options.limits = limits
        options.durability = .none
        self.options = options
        let path = "\(scratch)/root"
        lock = try DataRoot.prepare(path)
        database = try DataRoot.openDatabase(at: path)
        data = try DataRoot(path: path, database: database, options: options)
    }

    /// Closes and opens it again, as a daemon that starts anew.
    func reopen() throws {
        try database.close()
        try lock.close()
        lock = try DataRoot.prepare(path)
        database = try DataRoot.openDatabase(at: path)
        data = try DataRoot(path: path, database: database, options: options)
    }

    deinit {
        try? database.close()
        try? FileDescriptor.currentDirectory.removeTree(scratch)
    }

    /// A file in the scratch directory.
    func file(_ name: String, _ bytes: [UInt8]) throws -> FileDescriptor {
        try FileDescriptor.currentDirectory.writeFile("\(scratch)/\(name)", bytes, creating: true)
        return try FileDescriptor.open("\(scratch)/\(name)")
    }

    func load(_ archive: [UInt8], platform: Platform? = nil) throws -> [LoadedImage] {
        try data.images.load(from: file("archive", archive), platform: platform)
    }

    func save(_ names: [String], format: ImageArchiveFormat = .dockerArchive) throws -> [UInt8] {
        let output = try FileDescriptor.open("\(scratch)/saved", [.readWrite, .create, .truncate])
        try data.images.save(names, to: output, format: format)
        return try FileDescriptor.currentDirectory.readFile("\(scratch)/saved")
    }

    func names(in folder: String) throws -> [String] {
        guard FileDescriptor.currentDirectory.exists("\(path)/\(folder)") else { return [] }
        return try FileDescriptor.currentDirectory.entries(of: "\(path)/\(folder)").map(\.name).sorted()
    }

    func count(_ table: String) throws -> Int {
        try database.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM \(table)") ?? -1 }
    }

    func execute(_ sql: String) throws { try database.write { try $0.execute(sql: sql) } }

    /// Nothing of any image, layer or half-made thing is in the data root.
    func expectNothing(sourceLocation: SourceLocation = #_sourceLocation) throws {
        for folder in ["layers/temp", "layers/trash", "content/temp", "content/blobs/sha256", "containers"] {
            #expect(try names(in: folder) == [], "\(folder)", sourceLocation: sourceLocation)
        }
        #expect(try names(in: "layers/overlay2").filter { $0 != "empty" } == [], sourceLocation: sourceLocation)
        #expect(try names(in: "layers/vfs") == [], sourceLocation: sourceLocation)
        for table in ["layers", "images", "imageLayers", "imageNames", "containerLayers"] {
            #expect(try count(table) == 0, "\(table)", sourceLocation: sourceLocation)
        }
    }
}

func sha256(_ bytes: [UInt8]) throws -> OCI.Digest { try OCI.Digest(bytes: Array(SHA256.hash(data: bytes))) }

/// A tar of entries with their contents.
func tar(_ build: (TarWriter) throws -> Void) throws -> [UInt8] {
    let sink = MemorySink()
    let writer = TarWriter(sink)
    try build(writer)
    try writer.finish()
    return sink.bytes
}

extension TarWriter {
    func file(_ path: String, _ bytes: [UInt8], mode: UInt32 = 0o644) throws {
        var entry = TarEntry(path: path, kind: .file, mode: mode)
        entry.size = Int64(bytes.count)
        try add(entry, content: bytes)
    }

    func file(_ path: String, _ text: String) throws { try file(path, Array(text.utf8)) }

    func directory(_ path: String) throws { try add(TarEntry(path: path, kind: .directory)) }

    func link(_ path: String, to target: String) throws {
        var entry = TarEntry(path: path, kind: .symbolicLink)
        entry.linkTarget = Array(target.utf8)
        try add(entry)
    }
}

func compressed(_ bytes: [UInt8], _ compression: Compression) throws -> [UInt8] {
    let sink = MemorySink()
    let compressor = try CompressingSink(sink, compression)
    try compressor.write(bytes)
    try compressor.finish()
    return sink.bytes
}

/// An image to put into archives.
struct TestImage {
    var layers: [[UInt8]]
    /// The layers as blobs, compressed perhaps.
    var blobs: [[UInt8]]
    var config: [UInt8]
    var tags: [String]

    init(
        _ tags: String..., layers: [[UInt8]], compression: Compression = .none, architecture: String = "amd64",
        diffIDs: [OCI.Digest]? = nil, labels: [String: String]? = nil
    ) throws {
        self.layers = layers
        self.tags = tags
        blobs = try layers.map { compression == .none ? $0 : try compressed($0, compression) }
        var config = ImageConfig()
        config.os = "linux"
        config.architecture = architecture
        config.created = "2024-05-06T07:08:09Z"
        config.rootfs.diffIDs = try diffIDs ?? layers.map { try sha256($0) }
        var run = ImageRunConfig()
        run.cmd = ["/bin/sh"]
        run.labels = labels
        config.config = run
        config.history = layers.indices.map { number in
            var entry = ImageConfig.HistoryEntry()
            entry.createdBy = "step \(number)"
            return entry
        }
        self.config = config.json.bytes()
    }

    /// A few files in two layers, the upper of which removes one of the lower.
    static func small(_ tag: String = "small:1", seed: String = "", compression: Compression = .none) throws
        -> TestImage
    {
        try TestImage(
            tag,
            layers: [
                tar {
                    try $0.directory("etc")
                    try $0.file("etc/name", "lower\(seed)")
                    try $0.file("etc/gone", "gone")
                    try $0.directory("data")
                    try $0.file("data/one", "1")
                    try $0.link("here", to: "/etc")
                },
                tar {
                    try $0.directory("etc")
                    try $0.file("etc/.wh.gone", "")
                    try $0.file("etc/top", "upper\(seed)")
                },
            ], compression: compression)
    }

    var id: OCI.Digest { get throws { try sha256(config) } }

    /// What `docker save` wrote before version 25.
    func dockerArchive(layerPath: (Int) -> String = { "layer\($0).tar" }) throws -> [UInt8] {
        try tar { writer in
            for (number, blob) in blobs.enumerated() { try writer.file(layerPath(number), blob) }
            let name = "\(try id.hex).json"
            try writer.file(name, config)
            let entry: JSONValue = [
                "Config": .string(name), "RepoTags": tags.json, "Layers": blobs.indices.map(layerPath).json,
            ]
            try writer.file("manifest.json", JSONValue.array([entry]).bytes())
        }
    }

    func manifest() throws -> Manifest {
        var manifest = Manifest()
        manifest.mediaType = MediaType.ociManifest
        manifest.config = Descriptor(mediaType: MediaType.ociConfig, digest: try id, size: Int64(config.count))
        manifest.layers = try blobs.map { blob in
            let compression = blob.withUnsafeBytes { Compression(detecting: $0) }
            return Descriptor(
                mediaType: MediaType.ociLayer + compression.mediaTypeSuffix, digest: try sha256(blob),
                size: Int64(blob.count))
        }
        return manifest
    }

    /// The blobs of an OCI layout with this image, and the descriptor of its manifest.
    func layoutParts() throws -> (blobs: [[UInt8]], descriptor: Descriptor) {
        let manifest = try manifest().json.bytes()
        let config = try ImageConfig(parsing: config)
        var descriptor = Descriptor(
            mediaType: MediaType.ociManifest, digest: try sha256(manifest), size: Int64(manifest.count))
        descriptor.platform = Platform(os: config.os, architecture: config.architecture)
        return (blobs + [self.config, manifest], descriptor)
    }
}

/// An OCI layout in a tar.
func ociArchive(_ images: [TestImage], asIndex name: String? = nil) throws -> [UInt8] {
    try tar { writer in
        var index = Index()
        var written: Set<OCI.Digest> = []
        func blob(_ bytes: [UInt8]) throws {
            let digest = try sha256(bytes)
            if written.insert(digest).inserted { try writer.file(ImageLayout.blobPath(digest), bytes) }
        }
        for image in images {
            let parts = try image.layoutParts()
            for bytes in parts.blobs { try blob(bytes) }
            var descriptor = parts.descriptor
            if name == nil, let tag = image.tags.first {
                descriptor.annotations = [Annotation.containerdImageName: try ImageReference(tag).canonicalName]
            }
            index.manifests.append(descriptor)
        }
        if let name {
            index.mediaType = MediaType.ociIndex
            let inner = index.json.bytes()
            try blob(inner)
            index = Index()
            index.manifests = [
                Descriptor(
                    mediaType: MediaType.ociIndex, digest: try sha256(inner), size: Int64(inner.count),
                    annotations: [Annotation.containerdImageName: try ImageReference(name).canonicalName])
            ]
        }
        try writer.file("index.json", index.json.bytes())
        try writer.file("oci-layout", ImageLayout().json.bytes())
    }
}

/// The error that `body` throws.
func failure(
    sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) throws -> StorageError {
    do { try body() } catch let error as StorageError { return error }
    Issue.record("nothing was thrown", sourceLocation: sourceLocation)
    return StorageError(.system, "nothing")
}

/// Runs a program and returns whether it ended with 0, and what it wrote.
func run(_ arguments: String...) throws -> (isGood: Bool, output: String) {
    let output = try Subprocess.run(Subprocess.Configuration("/usr/bin/env", arguments: ["env"] + arguments))
    let text = String(decoding: output.standardOutput + output.standardError, as: UTF8.self)
    return (output.status == .exited(0), text)
}

/// Runs `body` for 0 ..< `count` on several threads.
func parallel(_ count: Int, _ body: @Sendable (Int) -> Void) {
    DispatchQueue.concurrentPerform(iterations: count, execute: body)
}

let hasSkopeo = FileDescriptor.currentDirectory.exists("/usr/bin/skopeo")
