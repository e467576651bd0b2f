import Kernel
import OCI
import Registry

/// `dir:`: loose files, each blob under its digest's digits, and `manifest.json`.
enum DirectoryFormat {
    static let versionName = "version"
    static let version = "Directory Transport Version: 1.1\n"
    static let manifestName = "manifest.json"

    static func manifestName(_ digest: Digest?) -> String { digest.map { "\($0.hex).\(manifestName)" } ?? manifestName }
}

public struct DirectorySource: ImageSource {
    public let location: ImageLocation
    private let path: String

    public init(_ path: String) throws {
        location = .directory(path)
        self.path = path
        guard let version = try openIfPresent("\(path)/\(DirectoryFormat.versionName)") else {
            // Old versions wrote none.
            guard FileDescriptor.currentDirectory.exists("\(path)/\(DirectoryFormat.manifestName)") else {
                throw TransportError(.notFound, "\(location): there is no manifest.json in it: it holds no image")
            }
            return
        }
        let text = String(decoding: try version.readAll(limit: 4096), as: UTF8.self)
        guard text == DirectoryFormat.version || text == "Directory Transport Version: 1.0\n" else {
            throw TransportError(
                .notSupported, "\(location): its version is \"\(text.prefix(80).filter { $0 != "\n" })\", not 1.1")
        }
    }

    public func manifest(_ digest: Digest?) throws -> RemoteManifest {
        // An image of a list that went alone has the plain name.
        guard let file = try openIfPresent("\(path)/\(DirectoryFormat.manifestName(digest))") else {
            throw TransportError(
                .notFound, "\(location): \(DirectoryFormat.manifestName(digest)) is missing")
        }
        guard try file.status().size <= manifestLimit else {
            throw TransportError(.invalidImage, "\(location): its manifest has more than \(manifestLimit) bytes")
        }
        return try RemoteManifest(file.readAll(), expected: digest, in: "\(location)")
    }

    public func open(_ blob: Descriptor, from offset: Int64) throws -> BlobStream {
        guard let file = try openIfPresent("\(path)/\(blob.digest.hex)") else {
            throw TransportError(.notFound, "\(location): the blob \(blob.digest) is missing")
        }
        let stream = BlobStream.of(file, from: offset, to: try file.status().size)
        return offset == 0 ? stream.verified(as: blob, at: "\(location)") : stream
    }
}

/// `dir:` as a destination. The image is made in a directory beside, which takes the place of the one that is there.
public struct DirectoryDestination: ImageDestination {
    public let location: ImageLocation
    public let acceptedManifests: [String] = []
    public let layerPreference = LayerPreference.unchanged
    public let acceptsForeignLayers = false
    public let takesBlobsInOrder = false

    private let path: String
    private let temporary: String
    /// Held while the directory is written to, so that others know whether it is in use.
    private let lock: FileDescriptor

    public init(_ path: String) throws {
        var path = path
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        location = .directory(path)
        self.path = path
        let here = FileDescriptor.currentDirectory
        if try here.statusIfPresent(of: path, followLinks: true) != nil {
            let entries = try here.entries(of: path)
            let version = try openIfPresent("\(path)/\(DirectoryFormat.versionName)")?.readAll(limit: 4096)
            guard entries.isEmpty || version == Array(DirectoryFormat.version.utf8) else {
                throw TransportError(
                    .invalidInput, "\(path): not a containers image directory, don't want to overwrite important data")
            }
        }
        try here.makeDirectories(PendingFile.folder(of: path))
        Self.removeLeftovers(of: path)
        temporary = PendingFile.temporaryName(for: path)
        try here.makeDirectory(temporary)
        lock = try here.open(temporary, [.readOnly, .directory])
        _ = try lock.lock(.exclusive)
        try here.replaceFile("\(temporary)/\(DirectoryFormat.versionName)", with: DirectoryFormat.version)
    }

    /// Removes what copies to here have left that were killed.
    private static func removeLeftovers(of path: String) {
        let here = FileDescriptor.currentDirectory
        let folder = PendingFile.folder(of: path)
        for entry in (try? here.entries(of: folder)) ?? [] where PendingFile.isTemporary(entry.name, for: path) {
            let leftover = "\(folder)/\(entry.name)"
            guard let directory = try? here.open(leftover, [.readOnly, .directory, .noFollow]),
                (try? directory.lock(.exclusive, wait: false)) == true,
                here.exists("\(leftover)/\(DirectoryFormat.versionName)")
            else { continue }
            try? here.removeTree(leftover)
        }
    }

    public func has(_ blob: Descriptor, from other: ImageReference?) throws -> Bool {
        FileDescriptor.currentDirectory.exists("\(temporary)/\(blob.digest.hex)")
    }

    public func put(_ blob: OutgoingBlob) async throws -> Descriptor {
        try await keep(blob, in: temporary) { "\(temporary)/\($0.hex)" }
    }

    public func put(_ manifest: RemoteManifest, isPart: Bool) throws {
        try FileDescriptor.currentDirectory.replaceFile(
            "\(temporary)/\(DirectoryFormat.manifestName(isPart ? manifest.digest : nil))", with: manifest.bytes)
    }

    public func commit() throws {
        let here = FileDescriptor.currentDirectory
        if try here.statusIfPresent(of: path) == nil { return try here.rename(temporary, to: path) }
        try here.rename(temporary, to: path, flags: .exchange)
        try here.removeTree(temporary)
    }

    public func abandon() { try? FileDescriptor.currentDirectory.removeTree(temporary) }
}
