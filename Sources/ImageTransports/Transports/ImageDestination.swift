import Hashing
import OCI
import Registry

/// What a destination wants layers to be like.
public enum LayerPreference: Sendable, Equatable {
    case unchanged
    case decompressed
    case compressed
}

/// Where an image goes. Nothing of it is seen under its name before `commit`.
public protocol ImageDestination: Sendable {
    var location: ImageLocation { get }
    /// The media types of manifests that can be kept, the preferred one first; empty for all.
    var acceptedManifests: [String] { get }
    var layerPreference: LayerPreference { get }
    /// Whether layers that lie elsewhere may stay there.
    var acceptsForeignLayers: Bool { get }
    /// Whether blobs must come one after another.
    var takesBlobsInOrder: Bool { get }
    /// Whether the blob is there, or can be had from a repository of the same registry without being sent.
    func has(_ blob: Descriptor, from other: ImageReference?) async throws -> Bool
    /// Keeps a blob.
    /// - Returns: it, with its digest and size.
    func put(_ blob: OutgoingBlob) async throws -> Descriptor
    /// Keeps a manifest.
    /// - Parameter isPart: whether a list names it, and it has no name of its own.
    func put(_ manifest: RemoteManifest, isPart: Bool) async throws
    /// Gives the image its name.
    func commit() async throws
    /// Removes what was kept.
    func abandon() async
}

/// A blob on its way.
public struct OutgoingBlob: Sendable {
    /// `nil` when that is only known at its end.
    public var descriptor: Descriptor?
    public var isConfig = false
    /// Gives the bytes from one on; only called with an offset other than 0 when the descriptor is known.
    public var open: @Sendable (_ offset: Int64) async throws -> BlobStream

    /// Hands the bytes on, and tells what they were.
    /// - Throws: `TransportError.contentMismatch` when they are not what the descriptor promises.
    func read(_ body: (BlobStream) async throws -> Void) async throws -> Descriptor {
        let hash = ContentHash(descriptor?.digest.algorithm ?? .sha256)
        let counter = Counter()
        let next = try await open(0).makeAsyncIterator()
        try await body(
            BlobStream {
                var next = next
                guard let buffer = try await next.next() else { return nil }
                hash.update(buffer)
                counter.add(buffer.readableBytes)
                return buffer
            })
        let (digest, size) = (try hash.digest, counter.value)
        if let descriptor, descriptor.digest != digest || descriptor.size != size {
            throw TransportError(
                .contentMismatch,
                "the blob \(descriptor.digest) of \(descriptor.size) bytes has the digest \(digest) and \(size) bytes: it "
                    + "was damaged on the way")
        }
        return descriptor ?? Descriptor(mediaType: nil, digest: digest, size: size)
    }
}
