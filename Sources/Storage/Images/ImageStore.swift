import GRDB
import JSON
import Kernel
import OCI

/// The images, by ID and by name.
///
/// The configuration and the manifest of an image are documents of a few kilobytes and lie in its row, so that they
/// come and go with it; the blobs of its layers lie in the content store.
public final class ImageStore: Sendable {
    let context: Context
    let layers: LayerStore

    init(_ context: Context) {
        self.context = context
        layers = LayerStore(context)
    }

    // MARK: Finding

    /// Finds an image by name, `name@digest`, ID or a prefix of an ID, in Docker's order.
    /// - Parameter platform: what the image must be for; `nil` takes any.
    /// - Throws: `StorageError.notFound`, `.ambiguous`, `.platformMismatch`, or `.invalidInput` for no valid name.
    public func resolve(_ text: String, platform: Platform? = nil) throws(StorageError) -> Image {
        let image = try context.read("find the image \(text)") { try self.image(named: text, in: $0) }
        if let platform, !platform.runs(image.platform) {
            throw StorageError(
                .platformMismatch,
                "image with reference \(text) was found but does not provide the specified platform (\(platform)); "
                    + "it is for \(image.platform)")
        }
        return image
    }

    public func image(_ id: Digest) throws(StorageError) -> Image {
        try context.read("find the image \(id)") { database in
            guard let image = try self.image(id, in: database) else {
                throw StorageError(.notFound, "No such image: \(id)")
            }
            return image
        }
    }

    /// All images, the newest first.
    public func list() throws(StorageError) -> [ImageSummary] {
        try context.read("list the images") { database in
            // How many images have each layer.
            var users: [String: Int] = [:]
            let rows = try Row.fetchAll(database, sql: "SELECT image, chain FROM imageLayers")
            for row in rows { users[row["chain"], default: 0] += 1 }
            var sizes: [String: Int64] = [:]
            for row in try Row.fetchAll(database, sql: "SELECT chain, size FROM layers") {
                sizes[row["chain"]] = row["size"]
            }
            var shared: [String: Int64] = [:]
            for row in rows where users[row["chain"], default: 0] > 1 {
                shared[row["image"], default: 0] += sizes[row["chain"], default: 0]
            }
            return try Row.fetchAll(database, sql: "SELECT * FROM images").map { row in
                let image = try self.image(row, in: database)
                let sharedSize = shared[image.id.description] ?? 0
                return ImageSummary(image: image, sharedSize: sharedSize, uniqueSize: image.size - sharedSize)
            }
            .sorted { left, right in
                let (first, second) = (left.image.created ?? .zero, right.image.created ?? .zero)
                return first == second ? left.image.id < right.image.id : first > second
            }
        }
    }

    /// The steps that made an image, the newest first.
    public func history(_ text: String) throws(StorageError) -> [ImageHistoryItem] {
        let image = try resolve(text)
        let chain = try image.chainID.map { top throws(StorageError) in try layers.chain(top) } ?? []
        var sizes = chain.reversed().map(\.size)[...]
        var items: [ImageHistoryItem] = []
        for entry in image.config.history ?? [] {
            let isEmpty = entry.emptyLayer ?? false
            items.append(
                ImageHistoryItem(
                    id: nil, created: entry.created.flatMap { try? DateTime($0) }, createdBy: entry.createdBy ?? "",
                    comment: entry.comment ?? "", size: isEmpty ? 0 : sizes.popFirst() ?? 0, tags: []))
        }
        // Layers that the history does not mention.
        for size in sizes {
            items.append(ImageHistoryItem(id: nil, created: nil, createdBy: "", comment: "", size: size, tags: []))
        }
        if items.isEmpty {
            items.append(
                ImageHistoryItem(id: nil, created: image.created, createdBy: "", comment: "", size: 0, tags: []))
        }
        items.reverse()
        items[0].id = image.id
        items[0].tags = image.tags
        return items
    }

    /// Gives an image another name, taking it from whatever image had it.
    public func tag(_ source: String, as target: ImageReference) throws(StorageError) -> Image {
        guard target.digest == nil else {
            throw StorageError(.invalidInput, "refusing to create a tag with a digest reference")
        }
        return try context.write("tag \(source)") { database in
            let image = try self.image(named: source, in: database)
            try name(image.id, target.withDefaultTag, in: database)
            return try self.image(image.id, in: database) ?? image
        }
    }
}
