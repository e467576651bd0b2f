import Glibc
import Hashing
import Kernel
import OCI
import Registry

/// A file without a name, for bytes whose digest and size must be known before they can go on.
struct SpoolFile: Sendable {
    let file: FileDescriptor
    let digest: Digest
    let size: Int64

    /// Takes a whole stream.
    init(_ stream: BlobStream) async throws {
        let file = try Self.unnamedFile()
        let hash = ContentHash()
        var size: Int64 = 0
        for try await buffer in stream {
            hash.update(buffer)
            try file.append(buffer)
            size += Int64(buffer.readableBytes)
        }
        self.file = file
        digest = try hash.digest
        self.size = size
    }

    var stream: BlobStream { .of(file, from: 0, to: size) }

    /// Where large temporary files go: TMPDIR, or a place that is no memory.
    static var directory: String {
        getenv("TMPDIR").map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 } ?? "/var/tmp"
    }

    static func unnamedFile(in directory: String = SpoolFile.directory) throws -> FileDescriptor {
        do throws(KernelError) {
            return try FileDescriptor.open(directory, [.readWrite, .temporary], mode: 0o600)
        } catch {
            guard error.code == .notSupported || error.code == .isDirectory else { throw error }
            // A file system without nameless files: the name goes at once.
            let path = "\(directory)/.dhow-\(randomHexadecimal(bytes: 8))"
            let file = try FileDescriptor.open(path, [.readWrite, .create, .exclusive], mode: 0o600)
            try FileDescriptor.currentDirectory.unlink(path)
            return file
        }
    }
}
