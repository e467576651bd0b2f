/// BLAKE3 in its plain mode, with 32 bytes of output (the paper's section 2; no key, no context).
///
/// A binary tree over chunks of 1 KiB. Four compressions run side by side, a chunk or a node in each, so that the work
/// takes a fourth of the instructions on any processor with vectors of 16 bytes.
struct BLAKE3 {
    static let size = 32

    private static let chunkLength = 1024
    /// What is taken at once: a whole subtree, so that its nodes are computed side by side too.
    private static let batchLength = 16 * chunkLength
    private static let batchChunks: UInt64 = 16

    /// Of complete subtrees to the left, largest first; how many is how many ones there are in `batches`.
    private var stack: [ChainingValue] = []
    private var batches: UInt64 = 0
    /// What no batch has taken yet: at least a byte once there was one, because the last chunk is computed otherwise.
    private var pending: [UInt8] = []

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes[...]
        if !pending.isEmpty {
            let missing = rest.prefix(Self.batchLength - pending.count)
            pending.append(contentsOf: missing)
            rest = rest.dropFirst(missing.count)
            guard !rest.isEmpty else { return }
            pending.withUnsafeBytes { bytes in
                Self.add(Self.batch(bytes, firstChunk: batches * Self.batchChunks), &stack, &batches)
            }
            pending.removeAll(keepingCapacity: true)
        }
        while rest.count > Self.batchLength {
            let batch = UnsafeRawBufferPointer(rebasing: rest.prefix(Self.batchLength))
            Self.add(Self.batch(batch, firstChunk: batches * Self.batchChunks), &stack, &batches)
            rest = rest.dropFirst(Self.batchLength)
        }
        pending.append(contentsOf: rest)
    }

    /// The digest of everything so far.
    func finalize() -> [UInt8] {
        pending.withUnsafeBytes { bytes in
            let isAlone = stack.isEmpty
            var node = Self.subtree(bytes, firstChunk: batches * Self.batchChunks, isRoot: isAlone)
            for (index, left) in stack.enumerated().reversed() {
                node = Self.parents([left, node], isRoot: index == 0)[0]
            }
            return node.bytes
        }
    }

    // MARK: The tree

    /// Puts a subtree beside those before it, and joins those that have become one.
    private static func add(_ subtree: ChainingValue, _ stack: inout [ChainingValue], _ batches: inout UInt64) {
        batches += 1
        var node = subtree
        var count = batches
        while count & 1 == 0, let left = stack.popLast() {
            node = parents([left, node], isRoot: false)[0]
            count >>= 1
        }
        stack.append(node)
    }

    /// A complete subtree of `batchChunks` chunks, of which none is the last.
    private static func batch(_ bytes: UnsafeRawBufferPointer, firstChunk: UInt64) -> ChainingValue {
        join(chunks(bytes, firstChunk: firstChunk), isRoot: false)
    }

    /// The subtree of up to `batchLength` bytes.
    private static func subtree(_ bytes: UnsafeRawBufferPointer, firstChunk: UInt64, isRoot: Bool) -> ChainingValue {
        let whole = max(0, bytes.count - 1) / chunkLength
        let last = UnsafeRawBufferPointer(rebasing: bytes[(whole * chunkLength)...])
        var nodes = chunks(
            UnsafeRawBufferPointer(rebasing: bytes[..<(whole * chunkLength)]), firstChunk: firstChunk)
        nodes.append(lastChunk(last, number: firstChunk + UInt64(whole), isRoot: isRoot && whole == 0))
        return join(nodes, isRoot: isRoot)
    }

    /// Joins neighbours until one node is left. What has no neighbour goes up a level as it is, which makes each left
    /// subtree the largest complete one, as the paper's section 2.1 wants it.
    private static func join(_ nodes: [ChainingValue], isRoot: Bool) -> ChainingValue {
        var nodes = nodes
        while nodes.count > 1 {
            var level = parents(nodes, isRoot: isRoot && nodes.count == 2)
            if !nodes.count.isMultiple(of: 2), let odd = nodes.last { level.append(odd) }
            nodes = level
        }
        return nodes[0]
    }

    /// The nodes above pairs of nodes, four at a time.
    private static func parents(_ nodes: [ChainingValue], isRoot: Bool) -> [ChainingValue] {
        let count = nodes.count / 2
        var result: [ChainingValue] = []
        result.reserveCapacity(count + 1)
        nodes.withUnsafeBytes { bytes in
            for first in stride(from: 0, to: count, by: 4) {
                var lanes = BLAKE3Lanes()
                let used = min(4, count - first)
                lanes.compress(
                    at: { bytes.baseAddress! + (first + min($0, used - 1)) * BLAKE3Lanes.blockLength },
                    counter: 0, counterStep: 0, length: BLAKE3Lanes.blockLength,
                    flags: isRoot ? [.parent, .root] : .parent)
                for lane in 0..<used { result.append(lanes.chainingValue(lane)) }
            }
        }
        return result
    }

    // MARK: Chunks

    /// Whole chunks, of which none is the last, four at a time.
    private static func chunks(_ bytes: UnsafeRawBufferPointer, firstChunk: UInt64) -> [ChainingValue] {
        let count = bytes.count / chunkLength
        var result: [ChainingValue] = []
        result.reserveCapacity(count + 1)
        for first in stride(from: 0, to: count, by: 4) {
            var lanes = BLAKE3Lanes()
            let used = min(4, count - first)
            for block in 0..<16 {
                lanes.compress(
                    at: { lane in
                        bytes.baseAddress! + (first + min(lane, used - 1)) * chunkLength
                            + block * BLAKE3Lanes.blockLength
                    },
                    counter: firstChunk + UInt64(first), counterStep: 1, length: BLAKE3Lanes.blockLength,
                    flags: block == 0 ? .chunkStart : block == 15 ? .chunkEnd : [])
            }
            for lane in 0..<used { result.append(lanes.chainingValue(lane)) }
        }
        return result
    }

    /// The chunk that ends the input: it may be short, or empty if it is the only one.
    private static func lastChunk(_ bytes: UnsafeRawBufferPointer, number: UInt64, isRoot: Bool) -> ChainingValue {
        var lanes = BLAKE3Lanes()
        var at = 0
        repeat {
            let length = min(BLAKE3Lanes.blockLength, bytes.count - at)
            var flags: BLAKE3Lanes.Flags = at == 0 ? .chunkStart : []
            if at + length == bytes.count { flags.formUnion(isRoot ? [.chunkEnd, .root] : .chunkEnd) }
            withUnsafeTemporaryAllocation(byteCount: BLAKE3Lanes.blockLength, alignment: 4) { block in
                block.initializeMemory(as: UInt8.self, repeating: 0)
                block.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[at..<(at + length)]))
                lanes.compress(
                    at: { _ in UnsafeRawPointer(block.baseAddress!) }, counter: number, counterStep: 0, length: length,
                    flags: flags)
            }
            at += BLAKE3Lanes.blockLength
        } while at < bytes.count
        return lanes.chainingValue(0)
    }
}
