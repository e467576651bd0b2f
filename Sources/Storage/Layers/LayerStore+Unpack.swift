import Archive
import GRDB
import Hashing
import Kernel
import OCI
import Synchronization

/// A layer to unpack: what it must be, and the blob to make it from.
struct LayerSource: Sendable {
    var diffID: Digest
    var blob: Digest
    /// Whether this process has just hashed the blob as it wrote it.
    var isVerified = false
    /// Where the blob comes from while it is not whole.
    var arrival: BlobArrival?
}

extension LayerStore {
    /// Makes sure that every layer of an image is unpacked; those that are there already are left alone.
    ///
    /// Whoever needs a layer that another thread is just unpacking waits for it. Layers are unpacked into temporary
    /// directories, and get their names and rows together, after all digests have been found right.
    /// - Parameter sources: the layers, lowest first.
    /// - Returns: leases that keep the layers from being collected until rows refer to them.
    func ensure(
        _ sources: [LayerSource], progress: @escaping @Sendable (LoadProgress) -> Void
    ) throws -> [Leases.Lease] {
        let chains = try Self.chainIDs(sources.map(\.diffID))
        let leases = chains.map { context.leases.take($0.description) }
        try context.chainLocks.with(chains.map(\.description)) {
            let present = try context.read("find the layers of an image") { database in
                try chains.map { try self.layer($0, in: database) }
            }
            for case let layer? in present { progress(.layerExists(id: layer.diffID)) }
            let missing = chains.indices.filter { present[$0] == nil }
            if missing.isEmpty { return }
            let made = Mutex<[Int: UnpackedLayer]>([:])
            var isKept = false
            defer {
                if !isKept { for layer in made.withLock(\.self).values { try? context.discard(layer.directory) } }
            }
            try concurrently(
                count: missing.count, threads: context.driver.layersAreIndependent ? context.options.unpackThreads : 1
            ) { [self] number in
                let position = missing[number]
                let below = position - 1
                let parent =
                    below < 0 ? nil : present[below]?.directory ?? made.withLock { $0[below]?.directory }
                let source = sources[position]
                let layer = try unpack(source, on: parent, progress: progress)
                made.withLock { $0[position] = layer }
            }
            let unpacked = made.withLock(\.self)
            var layers: [Layer] = []
            for position in missing {
                guard let layer = unpacked[position] else { continue }
                layers.append(
                    try place(layer, chain: chains[position], parent: position > 0 ? chains[position - 1] : nil))
            }
            isKept = true
            do {
                try context.write("record the layers of an image") { database in
                    for layer in layers { try insert(layer, in: database) }
                }
            } catch {
                for layer in layers { try? context.discard(layer.directory) }
                throw error
            }
        }
        return leases
    }

    /// Unpacks a blob whose diff ID is not known before, on top of `parent`.
    func add(blob: Digest, on parent: Digest?) throws -> (layer: Layer, lease: Leases.Lease) {
        let parentLayer = try parent.map { parent in
            try context.read("find a layer") { try self.chain(parent, in: $0).first }
        }
        let unpacked = try unpack(blob, from: nil, on: parentLayer??.directory, expected: nil, isVerified: false) { _ in
        }
        let chain = try Self.chainIDs((parent.map { [$0] } ?? []) + [unpacked.diffID]).last ?? unpacked.diffID
        let lease = context.leases.take(chain.description)
        let layer = try context.chainLocks.with(chain.description) { () throws -> Layer in
            if let present = try context.read("find a layer", { try self.layer(chain, in: $0) }) {
                try context.discard(unpacked.directory)
                return present
            }
            var place: String? = unpacked.directory
            defer { if let place { try? context.discard(place) } }
            let layer = try self.place(unpacked, chain: chain, parent: parent)
            place = layer.directory
            try context.write("record a layer") { try insert(layer, in: $0) }
            place = nil
            return layer
        }
        return (layer, lease)
    }

    struct UnpackedLayer: Sendable {
        var diffID: Digest
        var directory: String
        var size: Int64
    }

    /// Gives an unpacked layer its place.
    private func place(_ layer: UnpackedLayer, chain: Digest, parent: Digest?) throws -> Layer {
        let directory = "\(context.layersDirectory)/\(Context.shortName())"
        try FileDescriptor.currentDirectory.rename(layer.directory, to: directory, flags: .noReplace)
        return Layer(chainID: chain, diffID: layer.diffID, parent: parent, size: layer.size, directory: directory)
    }

    private func unpack(
        _ source: LayerSource, on parent: String?, progress: @escaping @Sendable (LoadProgress) -> Void
    ) throws -> UnpackedLayer {
        while true {
            do {
                return try unpack(
                    source.blob, from: source.arrival, on: parent, expected: source.diffID,
                    isVerified: source.isVerified, progress: progress)
            } catch {
                // What came before the restart was not the blob, so whatever went wrong with it does not matter.
                guard let arrival = source.arrival, arrival.takeRestart() else { throw error }
            }
        }
    }

    /// Decompresses, hashes and unpacks a blob into a temporary directory, in one pass.
    private func unpack(
        _ blob: Digest, from arrival: BlobArrival?, on parent: String?, expected: Digest?, isVerified: Bool,
        progress: @escaping @Sendable (LoadProgress) -> Void
    ) throws -> UnpackedLayer {
        let directory = try context.makeTemporaryDirectory()
        var isKept = false
        defer { if !isKept { try? context.discard(directory) } }
        try context.driver.prepareLayer(at: directory, parent: parent)

        let limits = context.options.limits
        var options = context.driver.unpackOptions
        options.limits = UnpackLimits(maximumBytes: limits.bytes, maximumEntries: limits.inodes)
        let total = try arrival?.size ?? context.content.size(of: blob) ?? 0
        let file = try arrival == nil ? context.content.open(blob) : nil
        // A blob that is its own diff ID holds the very tar, and was hashed a moment ago.
        let head = try file?.pread(count: Compression.detectionLength, at: 0)
        let isPlain = head.map { $0.withUnsafeBytes { Compression(detecting: $0) } } == Compression.none
        let isHashed = isVerified && blob == expected && isPlain
        let hash = isHashed ? nil : ContentHash(expected?.algorithm ?? .sha256)
        var observer: (@Sendable (UnsafeRawBufferPointer) -> Void)?
        if let hash { observer = { bytes in hash.update(bytes) } }
        let name = "the layer \((expected ?? blob).short)"
        let result = try storage("unpack \(name)") {
            try LayerPass.unpack(
                ProgressSource(
                    file.map { DescriptorSource($0) } ?? arrival?.source() ?? MemorySource([]), total: total,
                    id: expected ?? blob, report: progress),
                into: FileDescriptor.open(directory, [.readOnly, .directory]), options: options,
                expansion: ExpansionLimits(maximumBytes: limits.bytes), observer: observer)
        }
        let diffID = try hash?.digest ?? blob
        if let expected, expected != diffID {
            throw StorageError(
                .digestMismatch,
                "the layer \(expected) has the digest \(diffID): it is damaged, or the image's configuration is another's"
            )
        }
        isKept = true
        return UnpackedLayer(diffID: diffID, directory: directory, size: result.bytes)
    }
}

/// Reports how much of a blob was read, every four megabytes.
private final class ProgressSource: ByteSource {
    private let source: any ByteSource
    private let total: Int64
    private let id: Digest
    private let report: @Sendable (LoadProgress) -> Void
    private var count: Int64 = 0
    private var reported: Int64 = 0

    init(_ source: any ByteSource, total: Int64, id: Digest, report: @escaping @Sendable (LoadProgress) -> Void) {
        self.source = source
        self.total = total
        self.id = id
        self.report = report
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let read = try source.read(into: buffer)
        count += Int64(read)
        if count - reported >= 4 << 20 || (read == 0 && count != reported) {
            reported = count
            report(.layer(id: id, current: count, total: total))
        }
        return read
    }
}
