import OCI
import Registry

/// Finds the image for a platform in a list.
struct ImageChoice: Sendable {
    let source: any ImageSource
    /// `nil` is this machine's.
    let platform: Platform?

    /// The image for the platform.
    func choose(from root: RemoteManifest) async throws -> RemoteManifest {
        var chosen = root
        var depth = 0
        while chosen.isIndex {
            guard depth < 4 else {
                throw TransportError(.invalidImage, "\(source.location): its lists of images nest deeper than 4 levels")
            }
            depth += 1
            let index = try parsedIndex(chosen, in: "\(source.location)")
            let platform = self.platform ?? .host
            guard let descriptor = index.manifest(for: platform) else {
                let offered = index.images.compactMap { $0.platform?.description }.joined(separator: ", ")
                throw TransportError(
                    .notFound,
                    "\(source.location): no image found in manifest list for architecture \(platform.architecture), variant "
                        + "\"\(platform.variant ?? "")\", OS \(platform.os); there are: \(offered.isEmpty ? "none" : offered)"
                )
            }
            chosen = try await source.manifest(descriptor.digest)
        }
        return chosen
    }
}
