import Archive
import Kernel
import NixStore

/// The files that a binary cache is made of. Every call blocks.
protocol CacheObjects: Sendable {
    /// A small file's bytes; `nil` when it is not there.
    func get(_ name: String, limit: Int) throws -> [UInt8]?
    /// A file as a stream; what is not there is an error at the first read.
    func open(_ name: String) throws -> any ByteSource
    /// A new file, whole or not at all.
    func put(_ name: String, _ bytes: [UInt8]) throws
    /// Moves the file at `path` there, whole or not at all. Afterwards it is gone from `path`.
    func put(_ name: String, fileAt path: String) throws
    /// Where files are made before they are put.
    var stagingDirectory: String { get }
}

/// A cache in a directory.
struct DirectoryObjects: CacheObjects {
    let root: String

    /// Refuses names that would lead out of the directory.
    private func path(_ name: String) throws -> String {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard !name.isEmpty, !name.utf8.contains(0), !name.contains("://"),
            parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." })
        else { throw StoreError(.badCache, "the binary cache '\(root)' names a file outside of itself: '\(name)'") }
        return root + "/" + name
    }

    func get(_ name: String, limit: Int) throws -> [UInt8]? {
        let path = try path(name)
        do { return try FileDescriptor.currentDirectory.readFile(path, limit: limit) } catch {
            if error.code == .notFound { return nil }
            throw StoreError(.badCache, "reading '\(path)' of the binary cache: \(error.code)")
        }
    }

    func open(_ name: String) throws -> any ByteSource {
        let path = try path(name)
        do { return DescriptorSource(try FileDescriptor.open(path)) } catch {
            throw StoreError(
                error.code == .notFound ? .notFound : .badCache,
                "reading '\(path)' of the binary cache: \(error.code)")
        }
    }

    func put(_ name: String, _ bytes: [UInt8]) throws {
        let path = try path(name)
        try makeParent(of: path)
        try FileDescriptor.currentDirectory.replaceFile(path, with: bytes, mode: 0o644)
    }

    func put(_ name: String, fileAt staged: String) throws {
        let path = try path(name)
        try makeParent(of: path)
        let file = try FileDescriptor.open(staged)
        try file.changeMode(0o644)
        // The name must not come to be before the bytes.
        try file.synchronizeData()
        try FileDescriptor.currentDirectory.rename(staged, to: path)
    }

    private func makeParent(of path: String) throws {
        let parent = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
        try FileDescriptor.currentDirectory.makeDirectories(parent)
    }

    var stagingDirectory: String { root }

    /// Removes a file that may be there.
    static func remove(_ path: String) throws { try FileDescriptor.currentDirectory.unlinkIfPresent(path) }
}
