import Hashing
import JSON
import OCI
import Registry

/// The largest manifest or list that is read: what the distribution specification lets registries demand.
let manifestLimit = 4 << 20

/// A document, read as a manifest.
func parsed(_ document: RemoteManifest, in place: String) throws(TransportError) -> Manifest {
    do throws(JSONError) { return try Manifest(parsing: document.bytes) } catch {
        throw TransportError(.invalidImage, "\(place): the manifest \(document.digest) is none: \(error)")
    }
}

/// A document, read as a list of manifests.
func parsedIndex(_ document: RemoteManifest, in place: String) throws(TransportError) -> Index {
    do throws(JSONError) { return try Index(parsing: document.bytes) } catch {
        throw TransportError(.invalidImage, "\(place): the list of images \(document.digest) is none: \(error)")
    }
}

extension RemoteManifest {
    /// A document that was read from somewhere else than a registry.
    /// - Throws: `TransportError` when it is not what `expected` promises, or no manifest at all.
    init(_ bytes: [UInt8], expected: Digest?, in place: String) throws {
        let digest = try ContentHash.digest(of: bytes, expected?.algorithm ?? .sha256)
        if let expected, expected != digest {
            throw TransportError(
                .contentMismatch, "\(place): the manifest \(expected) has the digest \(digest): it is damaged")
        }
        guard let value = try? JSONValue(parsing: bytes), value.object != nil else {
            throw TransportError(.invalidImage, "\(place): its manifest is no JSON object")
        }
        if value["schemaVersion"]?.integer == 1 {
            throw TransportError(
                .notSupported,
                "\(place): its manifest is of Docker's schema 1, which nothing writes any more: push the image anew with a newer "
                    + "tool")
        }
        var type = value["mediaType"]?.string ?? ""
        if !MediaType.isIndex(type), !MediaType.isManifest(type) {
            // OCI leaves the type to those who name the document.
            guard value["manifests"] != nil || value["config"] != nil else {
                throw TransportError(.invalidImage, "\(place): its manifest names neither layers nor other manifests")
            }
            type = value["manifests"] != nil ? MediaType.ociIndex : MediaType.ociManifest
        }
        self.init(mediaType: type, bytes: bytes, digest: digest)
    }
}
