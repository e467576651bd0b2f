/// The media types of images, of both families: Docker's schema 2 and OCI's.
public enum MediaType {
    public static let ociIndex = "application/vnd.oci.image.index.v1+json"
    public static let ociManifest = "application/vnd.oci.image.manifest.v1+json"
    public static let ociConfig = "application/vnd.oci.image.config.v1+json"
    public static let ociLayer = "application/vnd.oci.image.layer.v1.tar"
    public static let ociLayerGzip = "application/vnd.oci.image.layer.v1.tar+gzip"
    public static let ociLayerZstd = "application/vnd.oci.image.layer.v1.tar+zstd"
    public static let ociForeignLayer = "application/vnd.oci.image.layer.nondistributable.v1.tar"
    public static let ociForeignLayerGzip = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    public static let ociEmpty = "application/vnd.oci.empty.v1+json"

    public static let dockerManifestList = "application/vnd.docker.distribution.manifest.list.v2+json"
    public static let dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
    public static let dockerConfig = "application/vnd.docker.container.image.v1+json"
    public static let dockerLayer = "application/vnd.docker.image.rootfs.diff.tar"
    public static let dockerLayerGzip = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    public static let dockerForeignLayerGzip = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"

    public static func isIndex(_ type: String?) -> Bool { type == ociIndex || type == dockerManifestList }
    public static func isManifest(_ type: String?) -> Bool { type == ociManifest || type == dockerManifest }
    public static func isConfig(_ type: String?) -> Bool { type == ociConfig || type == dockerConfig }

    /// Whether a layer of this type holds a file system's changes, compressed or not.
    public static func isLayer(_ type: String?) -> Bool {
        guard let type else { return false }
        return type.hasPrefix(ociLayer) || type.hasPrefix(dockerLayer) || type.hasPrefix(ociForeignLayer)
            || type == dockerForeignLayerGzip
    }
}

/// The annotation keys of the specification and those that tools agree on.
public enum Annotation {
    public static let referenceName = "org.opencontainers.image.ref.name"
    public static let created = "org.opencontainers.image.created"
    /// The canonical name of an image in a layout, as containerd and Docker write it.
    public static let containerdImageName = "io.containerd.image.name"
    /// Marks a manifest in an index as an attestation, which is no image.
    public static let dockerReferenceType = "vnd.docker.reference.type"
}
