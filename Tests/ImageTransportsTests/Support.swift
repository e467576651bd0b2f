import Archive
import Hashing
import JSON
import Kernel
import OCI
import Registry
import Testing

@testable import ImageTransports

/// A directory that goes away with its owner.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = try FileDescriptor.currentDirectory.makeTemporaryDirectory(in: "/tmp", prefix: "dhow-copy-")
    }
    deinit { try? FileDescriptor.currentDirectory.removeTree(path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    func write(_ name: String, _ bytes: [UInt8]) throws {
        try FileDescriptor.currentDirectory.makeDirectories(PendingFile.folder(of: file(name)))
        try FileDescriptor.currentDirectory.replaceFile(file(name), with: bytes)
    }

    var names: [String] {
        get throws { try FileDescriptor.currentDirectory.entries(of: path).map(\.name).sorted() }
    }
}

func tar(_ entries: [(String, [UInt8])], links: [(String, String)] = []) throws -> [UInt8] {
    let sink = MemorySink()
    let writer = TarWriter(sink)
    for (name, bytes) in entries { try writer.add(TarEntry(path: name, kind: .file), content: bytes) }
    for (name, target) in links {
        var entry = TarEntry(path: name, kind: .symbolicLink)
        entry.linkTarget = Array(target.utf8)
        try writer.add(entry)
    }
    try writer.finish()
    return sink.bytes
}

func sha256(_ bytes: [UInt8]) throws -> Digest { try ContentHash.digest(of: bytes) }

/// An image in the layout of `dir:`, of layers of these bytes.
func writeImage(_ layers: [[UInt8]], in directory: TemporaryDirectory, config: String? = nil) throws -> Manifest {
    let diffIDs = try layers.map { "\"\(try sha256($0))\"" }.joined(separator: ",")
    let text =
        config
        ?? #"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[\#(diffIDs)]}}"#
    let bytes = Array(text.utf8)
    var manifest = Manifest()
    manifest.config = Descriptor(mediaType: MediaType.dockerConfig, digest: try sha256(bytes), size: Int64(bytes.count))
    try directory.write(manifest.config.digest.hex, bytes)
    for layer in layers {
        let digest = try sha256(layer)
        manifest.layers.append(Descriptor(mediaType: MediaType.dockerLayer, digest: digest, size: Int64(layer.count)))
        try directory.write(digest.hex, layer)
    }
    try directory.write("manifest.json", manifest.bytes(.docker))
    try directory.write("version", Array(DirectoryFormat.version.utf8))
    return manifest
}
