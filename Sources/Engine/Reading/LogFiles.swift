import Archive
import Kernel

/// A container's log on the disk: `<path>`, and before it the rotated `<path>.1`, `<path>.2` …, each maybe with `.gz`.
struct LogFiles: Sendable {
    var path: String

    /// Opens all files, the oldest first; the current one is last. Files that rotate meanwhile appear once.
    func open() throws -> [FileDescriptor] {
        for _ in 0..<8 {
            guard let current = try? FileDescriptor.open(path, .readOnly) else { return try rotated(count: count()) }
            let files = try rotated(count: count())
            // Between the two steps the files may all have moved up by one.
            let status = try current.status()
            let now = try FileDescriptor.currentDirectory.statusIfPresent(of: path)
            if now?.inode == status.inode, try !files.contains(where: { try $0.status().inode == status.inode }) {
                return files + [current]
            }
        }
        throw EngineError(.unavailable, "the log \(path) rotates faster than it can be read")
    }

    private func count() -> Int {
        var number = 0
        while HostFiles.exists("\(path).\(number + 1)") || HostFiles.exists("\(path).\(number + 1).gz") { number += 1 }
        return number
    }

    private func rotated(count: Int) throws -> [FileDescriptor] {
        try (1...max(1, count)).reversed().compactMap { try rotated($0) }
    }

    private func rotated(_ number: Int) throws -> FileDescriptor? {
        if let file = try? FileDescriptor.open("\(path).\(number)", .readOnly) { return file }
        guard let packed = try? FileDescriptor.open("\(path).\(number).gz", .readOnly) else { return nil }
        return try Self.unpack(packed, near: path)
    }

    /// The content of a packed file in one without a name, so that it can be read from any place.
    private static func unpack(_ packed: FileDescriptor, near path: String) throws -> FileDescriptor {
        let plain = try FileDescriptor.open(PathText.directory(of: path), [.temporary, .readWrite], mode: 0o600)
        let source = try DecompressingSource(DescriptorSource(packed))
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = try source.read(into: buffer)
            if count == 0 { return plain }
            try plain.writeAll(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }

    /// The files that came after `file`, the current one last; `nil` when it is still the current one.
    ///
    /// When `file` is not found under any name (packed or deleted by now), these are all files.
    func successors(of file: FileDescriptor) throws -> [FileDescriptor]? {
        let inode = try file.status().inode
        guard let now = try FileDescriptor.currentDirectory.statusIfPresent(of: path), now.inode != inode else {
            return nil
        }
        let files = try open()
        for (place, other) in files.enumerated() where try other.status().inode == inode {
            return Array(files[(place + 1)...])
        }
        return files
    }
}
