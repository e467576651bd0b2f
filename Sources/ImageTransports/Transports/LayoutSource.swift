import JSON
import Kernel
import OCI
import Registry

/// `oci:` and `oci-archive:` as sources.
public struct LayoutSource: ImageSource {
    public let location: ImageLocation
    private let files: Files
    private let root: Descriptor

    /// Where a layout's files are.
    private enum Files: Sendable {
        case directory(String)
        case archive(TarIndex)

        /// A file, and the range of it that counts.
        func find(_ name: String) throws -> (FileDescriptor, TarIndex.Part)? {
            switch self {
            case .archive(let tar): return tar.part(name).map { (tar.file, $0) }
            case .directory(let path):
                guard let file = try openIfPresent("\(path)/\(name)") else { return nil }
                return (file, TarIndex.Part(offset: 0, size: try file.status().size))
            }
        }
    }

    /// Blocks.
    public init(_ location: ImageLocation) throws {
        self.location = location
        var wanted: String?
        switch location {
        case .layout(let path, let name):
            files = .directory(path)
            wanted = name
        case .layoutArchive(let path, let name):
            files = .archive(try TarIndex(path))
            wanted = name
        default: throw TransportError(.invalidInput, "\(location) is no image layout")
        }
        let (files, place) = (files, "\(location)")
        func document(_ name: String) throws -> JSONValue {
            guard let (file, part) = try files.find(name) else {
                throw TransportError(.notFound, "\(place): there is no \(name): it is no OCI image layout")
            }
            guard part.size <= manifestLimit else {
                throw TransportError(.invalidImage, "\(place): its \(name) has more than \(manifestLimit) bytes")
            }
            guard let value = try? JSONValue(parsing: file.pread(count: Int(part.size), at: part.offset)) else {
                throw TransportError(.invalidImage, "\(place): its \(name) is no JSON")
            }
            return value
        }
        let version = try document(ImageLayout.fileName)["imageLayoutVersion"]?.string ?? ""
        guard version.hasPrefix("1.") else {
            throw TransportError(
                .notSupported, "\(place): its layout has the version \"\(version.prefix(40))\", not 1.x")
        }
        let indexDocument = try document(ImageLayout.indexName)
        let index: Index
        do throws(JSONError) { index = try Index(json: indexDocument) } catch {
            throw TransportError(.invalidImage, "\(place): its index.json is no index: \(error)")
        }
        root = try Self.choose(wanted, from: index, place)
    }

    private static func choose(_ name: String?, from index: Index, _ place: String) throws(TransportError) -> Descriptor
    {
        let names = index.manifests.compactMap { $0.annotations?[Annotation.referenceName] }
        guard let name else {
            guard index.manifests.count == 1, let only = index.manifests.first else {
                throw TransportError(
                    index.manifests.isEmpty ? .notFound : .invalidInput,
                    "\(place): "
                        + (index.manifests.isEmpty
                            ? "there is no image in it"
                            : "more than one image in oci, choose an image: \(names.joined(separator: ", "))"))
            }
            return only
        }
        for descriptor in index.manifests where descriptor.annotations?[Annotation.referenceName] == name {
            return descriptor
        }
        throw TransportError(
            .notFound,
            "\(place): no descriptor found for reference \"\(name)\"; there are: "
                + (names.isEmpty ? "none with a name" : names.joined(separator: ", ")))
    }

    public func manifest(_ digest: Digest?) async throws -> RemoteManifest {
        let digest = digest ?? root.digest
        guard let (file, part) = try files.find(ImageLayout.blobPath(digest)) else {
            throw TransportError(.notFound, "\(location): the manifest \(digest) is missing")
        }
        guard part.size <= manifestLimit else {
            throw TransportError(
                .invalidImage,
                "\(location): the manifest \(digest) has \(part.size) bytes, and may have \(manifestLimit)")
        }
        return try RemoteManifest(
            file.pread(count: Int(part.size), at: part.offset), expected: digest, in: "\(location)")
    }

    public func open(_ blob: Descriptor, from offset: Int64) throws -> BlobStream {
        guard let (file, part) = try files.find(ImageLayout.blobPath(blob.digest)) else {
            throw TransportError(.notFound, "\(location): the blob \(blob.digest) is missing")
        }
        let stream = BlobStream.of(file, from: part.offset + offset, to: part.offset + part.size)
        return offset == 0 ? stream.verified(as: blob, at: "\(location)") : stream
    }
}

/// Opens a file to read; `nil` when there is none.
func openIfPresent(_ path: String) throws -> FileDescriptor? {
    do throws(KernelError) { return try FileDescriptor.open(path) } catch {
        if error.code == .notFound { return nil }
        throw error
    }
}
