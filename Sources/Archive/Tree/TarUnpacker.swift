import Kernel

/// Unpacks a tar stream under a directory, and never outside of it, whatever the names, links and order of its entries.
///
/// An entry that leads outside is refused, as is one of an unknown kind. What was unpacked before an error stays: give
/// it a directory of its own, and remove that.
public struct TarUnpacker {
    private let root: FileDescriptor
    private let path: [UInt8]
    private let options: UnpackOptions

    /// - Parameters:
    ///   - root: what `/` means for symbolic links on the way.
    ///   - path: the target directory in it, which must exist; empty for the root itself.
    public init(into root: FileDescriptor, at path: [UInt8] = [], options: UnpackOptions) {
        self.root = root
        self.path = path
        self.options = options
    }

    /// Reads `source`, which is not compressed, to its very end, also past the archive's end marker.
    ///
    /// Names and directories are not synced to the disk; that is the caller's, once for the whole tree.
    public func unpack(_ source: any ByteSource) throws -> UnpackResult {
        try asArchiveError {
            let session = try UnpackSession(root: root, path: path, options: options)
            let reader = TarReader(source, endMarkerRequired: options.endMarkerRequired)
            while let entry = try reader.next() { try session.unpack(entry, from: reader) }
            try reader.drain()
            return try session.finish()
        }
    }
}

/// One pass over a layer: decompress and show the bytes to an observer on one thread, unpack on this one.
public enum LayerPass {
    /// - Parameters:
    ///   - stream: the layer, compressed or not.
    ///   - observer: sees every decompressed byte in order, what follows the end marker included, and is done when this
    ///     returns: what a diffID is computed from.
    public static func unpack(
        _ stream: sending any ByteSource, compression: Compression? = nil, into directory: FileDescriptor,
        options: UnpackOptions, expansion: ExpansionLimits = .init(),
        observer: (@Sendable (UnsafeRawBufferPointer) -> Void)? = nil
    ) throws -> UnpackResult {
        let plain = try DecompressingSource(stream, compression: compression, limits: expansion)
        let ahead = try ReadAheadSource(plain, observer: observer)
        return try TarUnpacker(into: directory, options: options).unpack(ahead)
    }
}
