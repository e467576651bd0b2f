import JSON
import Kernel

/// The containers of the command line: one directory each below a root.
public struct ContainerStore: Sendable {
    public let root: String

    public init(root: String) { self.root = root }

    func directory(of id: String) -> String { root + "/" + id }

    /// - Throws: `.usage` unless `id` is made of letters, digits and `_+-.` and is no special directory.
    static func check(_ id: String) throws(RuntimeError) {
        let isValid = id.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "_+-.".utf8.contains(byte)
            }
        }
        guard isValid, !id.isEmpty, id != ".", id != "..", id.utf8.count <= 255 else {
            throw RuntimeError(.usage, "invalid container ID format: \"\(id)\"; use letters, digits and _+-.")
        }
    }

    /// Takes an identifier for a container that is about to be made.
    /// - Returns: its directory.
    func reserve(_ id: String) throws(RuntimeError) -> String {
        try Self.check(id)
        let here = FileDescriptor.currentDirectory
        let path = directory(of: id)
        do throws(KernelError) {
            do throws(KernelError) {
                try here.makeDirectory(path, mode: 0o711)
            } catch {
                guard error.code == .notFound else { throw error }
                try here.makeDirectories(root, mode: 0o711)
                try here.makeDirectory(path, mode: 0o711)
            }
        } catch {
            if error.code == .exists { throw RuntimeError(.containerExists, "container with given ID already exists") }
            throw RuntimeError(error)
        }
        return path
    }

    func remove(_ id: String) throws(RuntimeError) {
        do throws(KernelError) {
            try FileDescriptor.currentDirectory.removeTree(directory(of: id))
        } catch {
            if error.code != .notFound { throw RuntimeError(error) }
        }
    }

    func save(_ record: ContainerRecord) throws(RuntimeError) {
        do throws(KernelError) {
            try FileDescriptor.currentDirectory.replaceFile(
                StoredContainer.recordPath(in: directory(of: record.id)), with: record.json.serialized(), mode: 0o600)
        } catch {
            throw RuntimeError(error)
        }
    }

    /// Finds a container.
    /// - Throws: `.noSuchContainer`.
    public func container(_ id: String) throws(RuntimeError) -> StoredContainer {
        try Self.check(id)
        let path = directory(of: id)
        let bytes: [UInt8]
        do throws(KernelError) {
            bytes = try FileDescriptor.currentDirectory.readFile(StoredContainer.recordPath(in: path))
        } catch {
            if error.code == .notFound { throw RuntimeError(.noSuchContainer, "container does not exist") }
            throw RuntimeError(error)
        }
        do throws(JSONError) {
            return StoredContainer(record: try ContainerRecord(parsing: bytes), directory: path)
        } catch {
            throw RuntimeError(.system, "the state of container \(id) in \(path) is damaged: \(error)")
        }
    }

    /// All containers, by name.
    public func all() throws(RuntimeError) -> [StoredContainer] {
        let entries: [DirectoryEntry]
        do throws(KernelError) {
            entries = try FileDescriptor.currentDirectory.entries(of: root)
        } catch {
            if error.code == .notFound { return [] }
            throw RuntimeError(error)
        }
        // One that is just being made or removed has no record.
        return entries.map(\.name).sorted().compactMap { try? container($0) }
    }

    /// Whether a directory is there for `id`, with or without a record.
    func exists(_ id: String) -> Bool { FileDescriptor.currentDirectory.exists(directory(of: id)) }

    /// Keeps others from changing a container's state while `body` runs.
    func locked<Result>(_ id: String, _ body: () throws(RuntimeError) -> Result) throws(RuntimeError) -> Result {
        let lock: FileDescriptor
        do throws(KernelError) {
            lock = try FileDescriptor.open(directory(of: id), [.readOnly, .directory])
            _ = try lock.lock(.exclusive)
        } catch {
            if error.code == .notFound { throw RuntimeError(.noSuchContainer, "container does not exist") }
            throw RuntimeError(error)
        }
        defer { withExtendedLifetime(lock) {} }
        return try body()
    }
}
