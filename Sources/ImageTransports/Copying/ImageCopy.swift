import Glibc
import Hashing
import OCI
import Registry

/// Copies an image, or a list of images, from anywhere to anywhere.
///
///     let copy = ImageCopy(from: source, to: destination)
///     let manifest = try await copy.run()
public struct ImageCopy: Sendable {
    let source: any ImageSource
    let destination: any ImageDestination
    let options: CopyOptions
    /// Told in a sentence what happens.
    let report: @Sendable (String) -> Void
    let blobs: CopiedBlobs
    /// Compressing keeps a core busy and takes some megabytes: more side by side would not be faster.
    let recodings: ConcurrencyLimit

    public init(
        from source: any ImageSource, to destination: any ImageDestination, options: CopyOptions = .init(),
        report: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.source = source
        self.destination = destination
        self.options = options
        self.report = report
        blobs = CopiedBlobs()
        recodings = ConcurrencyLimit(min(max(sysconf(Int32(_SC_NPROCESSORS_ONLN)), 2), 4))
    }

    /// - Returns: the manifest that stands at the destination.
    @discardableResult
    public func run() async throws -> RemoteManifest {
        do {
            let result = try await copy()
            try await destination.commit()
            return result
        } catch {
            await destination.abandon()
            throw error
        }
    }

    private func copy() async throws -> RemoteManifest {
        let root = try await source.manifest(nil)
        guard root.isIndex else {
            let image = try await copyImage(root)
            report("Writing manifest to image destination")
            try await destination.put(image, isPart: false)
            return image
        }
        switch options.instances {
        case .system:
            let image = try await copyImage(
                try await ImageChoice(source: source, platform: options.platform).choose(from: root))
            report("Writing manifest to image destination")
            try await destination.put(image, isPart: false)
            return image
        case .all, .indexOnly: return try await copyIndex(root)
        }
    }

    /// The family that a manifest or list becomes.
    func targetFamily(of type: String, needsZstd: Bool = false) throws(TransportError) -> ManifestFamily {
        let own = ManifestFamily(type)
        let isIndex = MediaType.isIndex(type)
        func isAccepted(_ family: ManifestFamily) -> Bool {
            destination.acceptedManifests.isEmpty
                || destination.acceptedManifests.contains(isIndex ? family.indexType : family.manifestType)
        }
        if let family = options.family {
            guard isAccepted(family) else {
                throw TransportError(
                    .notSupported, "\(destination.location) cannot hold documents of type \(family.manifestType)")
            }
            return family
        }
        if needsZstd, own == .docker, isAccepted(.oci) { return .oci }
        if isAccepted(own) { return own }
        return own == .oci ? .docker : .oci
    }

    // MARK: Lists

    private func copyIndex(_ root: RemoteManifest) async throws -> RemoteManifest {
        guard
            destination.acceptedManifests.isEmpty
                || destination.acceptedManifests.contains(where: { MediaType.isIndex($0) })
        else {
            throw TransportError(
                .notSupported,
                "\(destination.location) cannot hold a list of images: choose one of them, without --all and --multi-arch"
            )
        }
        var index = try parsedIndex(root, in: "\(source.location)")
        var isChanged = false
        if options.instances == .all {
            report("Copying \(index.manifests.count) images in list")
            for (number, descriptor) in index.manifests.enumerated() {
                report("Copying image \(descriptor.digest) (\(number + 1)/\(index.manifests.count))")
                let document = try await source.manifest(descriptor.digest)
                guard document.bytes.count == descriptor.size else {
                    throw TransportError(
                        .contentMismatch,
                        "\(source.location): the manifest \(descriptor.digest) has \(document.bytes.count) bytes, and its list "
                            + "promises \(descriptor.size)")
                }
                let copied = document.isIndex ? try await copyNested(document) : try await copyImage(document)
                try await destination.put(copied, isPart: true)
                guard copied != document else { continue }
                isChanged = true
                index.manifests[number].digest = copied.digest
                index.manifests[number].size = Int64(copied.bytes.count)
                index.manifests[number].mediaType = copied.mediaType
            }
        }
        let family = try targetFamily(of: root.mediaType)
        var result = root
        if isChanged || ManifestFamily(root.mediaType) != family {
            try refuseChange("the list of images", of: root)
            let bytes = index.bytes(family)
            result = RemoteManifest(
                mediaType: family.indexType, bytes: bytes, digest: try ContentHash.digest(of: bytes))
        }
        report("Writing manifest list to image destination")
        try await destination.put(result, isPart: false)
        return result
    }

    /// A list in a list goes as it is.
    private func copyNested(_ document: RemoteManifest) async throws -> RemoteManifest {
        let index = try parsedIndex(document, in: "\(source.location)")
        for descriptor in index.manifests {
            let part = try await source.manifest(descriptor.digest)
            guard !part.isIndex else {
                throw TransportError(.notSupported, "\(source.location): its lists of images nest deeper than 2 levels")
            }
            let copied = try await copyImage(part)
            guard copied == part else {
                throw TransportError(
                    .notSupported,
                    "\(source.location): an image in a list within a list would change on the way, which is not supported"
                )
            }
            try await destination.put(copied, isPart: true)
        }
        return document
    }

    func refuseChange(_ what: String, of document: RemoteManifest) throws(TransportError) {
        guard options.preservesDigests else { return }
        throw TransportError(
            .notSupported,
            "Instructed to preserve digests, and \(what) \(document.digest) would change on its way to "
                + "\(destination.location)")
    }
}

/// The blobs that have been copied, by what they were at the source, so that none is copied twice.
actor CopiedBlobs {
    private var tasks: [Digest: Task<CopiedBlob, any Error>] = [:]

    func copy(
        _ digest: Digest, _ body: @escaping @Sendable () async throws -> CopiedBlob
    ) -> Task<CopiedBlob, any Error> {
        if let task = tasks[digest] { return task }
        let task = Task { try await body() }
        tasks[digest] = task
        return task
    }
}

/// A blob at the destination.
struct CopiedBlob: Sendable {
    var digest: Digest
    var size: Int64
    /// Its compression, where that is not what it was at the source.
    var compression: LayerKind.Compression?
}
