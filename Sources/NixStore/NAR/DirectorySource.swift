#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The files of this machine, as an archive sees them.
public struct DirectorySource: NARSource {
    private let followsLinks: Bool

    /// - Parameter followsLinks: whether `read` reads what a symbolic link leads to, rather than refuse it.
    public init(followsLinks: Bool = false) { self.followsLinks = followsLinks }

    private func status(_ path: ByteString) throws -> stat {
        var status = stat()
        guard path.withCString({ lstat($0, &status) }) == 0 else { throw Self.failure("getting status of", path) }
        return status
    }

    public func kind(of path: ByteString) throws -> FileKind {
        switch try status(path).st_mode & S_IFMT {
        case S_IFREG: .regular
        case S_IFDIR: .directory
        case S_IFLNK: .symlink
        default: .other
        }
    }

    public func isExecutable(_ path: ByteString) throws -> Bool { try status(path).st_mode & S_IXUSR != 0 }

    public func target(ofLink path: ByteString) throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBytes { bytes in
            path.withCString { readlink($0, bytes.assumingMemoryBound(to: CChar.self).baseAddress!, bytes.count) }
        }
        guard count >= 0 else { throw Self.failure("reading symbolic link", path) }
        return Array(buffer[..<count])
    }

    public func names(in path: ByteString) throws -> [ByteString] {
        guard let directory = path.withCString({ opendir($0) }) else { throw Self.failure("reading directory", path) }
        defer { closedir(directory) }
        var names: [ByteString] = []
        errno = 0
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if name != [0x2E], name != [0x2E, 0x2E] { names.append(ByteString(name)) }
            errno = 0
        }
        guard errno == 0 else { throw Self.failure("reading directory", path) }
        return names
    }

    public func read(_ path: ByteString, size: (UInt64) -> Void, body: (UnsafeRawBufferPointer) -> Void) throws {
        let flags = O_RDONLY | O_CLOEXEC | (followsLinks ? 0 : O_NOFOLLOW)
        let descriptor = path.withCString { open($0, flags) }
        guard descriptor >= 0 else { throw Self.failure("opening file", path) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Self.failure("getting status of", path) }
        size(UInt64(status.st_size))
        // Small enough that what was read is still near the processor when it is hashed.
        let capacity = min(max(Int(status.st_size), 4096), 1 << 17)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 64)
        defer { buffer.deallocate() }
        while true {
            let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Self.failure("reading file", path) }
            if count == 0 { return }
            body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }

    static func failure(_ what: String, _ path: ByteString) -> StoreError {
        let code = errno
        return StoreError(.system(code), "\(what) '\(path)': \(String(cString: strerror(code)))")
    }
}
