import Kernel
import NixStore

/// Makes files of an archive, where there is nothing yet.
///
/// Every name is made relative to its open directory and must be new, so that no link in an archive leads a later
/// file out of it.
public struct NARUnpacker: NARVisitor {
    /// What files may be done with before anybody makes them canonical.
    public enum Permissions: Sendable {
        /// Nobody else may look until the object is whole.
        case own
        /// What the user's mask leaves.
        case usual
    }

    private let root: String
    private let permissions: Permissions
    private var directories: [FileDescriptor] = []
    private var file: FileDescriptor?
    private var current: [ByteString] = []

    /// - Parameter root: what the archive becomes.
    public init(at root: String, permissions: Permissions = .own) {
        self.root = root
        self.permissions = permissions
    }

    private func place(_ path: [ByteString]) -> (directory: FileDescriptor, name: [UInt8]) {
        if let last = path.last, let directory = directories.last { return (directory, last.bytes) }
        return (.currentDirectory, Array(root.utf8))
    }

    private func describe(_ path: [ByteString]) -> String {
        ([root] + path.map(\.description)).joined(separator: "/")
    }

    private func making<Result>(_ path: [ByteString], _ body: () throws(KernelError) -> Result) throws -> Result {
        do throws(KernelError) { return try body() } catch {
            if error.code == .noSpace || error.code == .quotaExceeded {
                throw StoreError(
                    .system(error.code.rawValue),
                    "unpacking '\(describe(path))': \(error.code); make room with 'dhow nix gc'")
            }
            throw StoreError(.system(error.code.rawValue), "unpacking '\(describe(path))': \(error.code)")
        }
    }

    public mutating func enterDirectory(_ path: [ByteString]) throws {
        let (directory, name) = place(path)
        let made = try making(path) { () throws(KernelError) in
            try directory.makeDirectory(name, mode: permissions == .own ? 0o700 : 0o777)
            return try directory.open(name, [.readOnly, .directory, .noFollow])
        }
        directories.append(made)
    }

    public mutating func leaveDirectory(_ path: [ByteString]) throws { directories.removeLast() }

    public mutating func symlink(_ path: [ByteString], target: [UInt8]) throws {
        let (directory, name) = place(path)
        try making(path) { () throws(KernelError) in try directory.makeSymbolicLink(name, to: target) }
    }

    public mutating func beginFile(_ path: [ByteString], isExecutable: Bool, size: UInt64) throws {
        let (directory, name) = place(path)
        current = path
        file = try making(path) { () throws(KernelError) in
            let all: UInt32 = permissions == .own ? 0o600 : 0o666
            return try directory.open(
                name, [.writeOnly, .create, .exclusive, .noFollow], mode: isExecutable ? all | all >> 2 & 0o111 : all)
        }
    }

    public mutating func fileBytes(_ bytes: ArraySlice<UInt8>) throws {
        guard let file else { return }
        let failure = bytes.withUnsafeBytes { buffer -> KernelError? in
            do throws(KernelError) {
                try file.writeAll(buffer)
                return nil
            } catch { return error }
        }
        if let failure { try making(current) { () throws(KernelError) in throw failure } }
    }

    public mutating func endFile() throws {
        guard let file else { return }
        self.file = nil
        try making(current) { () throws(KernelError) in try file.close() }
    }
}
