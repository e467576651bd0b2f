import OCI
import Registry

/// One image, or a list of images, that can be read.
public protocol ImageSource: BlobReader {
    var location: ImageLocation { get }
    /// The manifest or list itself, or, by digest, one that a list names.
    func manifest(_ digest: Digest?) async throws -> RemoteManifest
    /// Ends what was begun.
    func close() async
}

extension ImageSource {
    public func close() async {}

    /// A repository of a registry that has the blobs, for registries that can take them from one another's.
    var repository: ImageReference? {
        if case .registry(let reference) = location { reference.repository } else { nil }
    }

    /// A small blob, as a configuration.
    func bytes(of blob: Descriptor, limit: Int64 = 4 << 20) async throws -> [UInt8] {
        guard blob.size >= 0, blob.size <= limit else {
            throw TransportError(
                .invalidImage, "the blob \(blob.digest) of \(location) has \(blob.size) bytes, and may have \(limit)")
        }
        var bytes: [UInt8] = []
        for try await buffer in try await open(blob, from: 0).verified(as: blob, at: "\(location)") {
            bytes.append(contentsOf: buffer.readableBytesView)
        }
        return bytes
    }
}
