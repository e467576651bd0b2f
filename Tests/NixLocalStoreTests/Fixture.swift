import Glibc
import Kernel
import NixLocalStore
import NixStore
import Testing

/// A directory of a test's own, gone when the test is.
final class Fixture {
    let path: String

    init() throws {
        path = try FileDescriptor.currentDirectory.makeTemporaryDirectory(in: "/tmp", prefix: "dhow-store-test-")
    }

    deinit { Fixture.remove(path) }

    /// Called at a test's end: an optimiser lets go of an object after its last use.
    func keep() { withExtendedLifetime(self) {} }

    private static func remove(_ path: String) {
        // Directories of a store cannot be written to, which stops those who are not root.
        if let status = try? FileDescriptor.currentDirectory.status(of: path), status.isDirectory {
            chmod(path, 0o700)
            for entry in (try? FileDescriptor.currentDirectory.entries(of: path)) ?? [] {
                remove(path + "/" + entry.name)
            }
        }
        try? FileDescriptor.currentDirectory.removeTree(path)
    }

    var root: String { path + "/store" }
    var layout: StoreLayout { .chroot(root) }

    func open(_ change: (inout LocalStore.Options) -> Void = { _ in }) throws -> LocalStore {
        var options = LocalStore.Options()
        change(&options)
        return try LocalStore(layout, options: options)
    }

    @discardableResult
    func write(_ name: String, _ text: String, mode: UInt32 = 0o644) throws -> String {
        let file = path + "/" + name
        let folder = String(file[..<(file.lastIndex(of: "/") ?? file.startIndex)])
        try FileDescriptor.currentDirectory.makeDirectories(folder)
        try FileDescriptor.currentDirectory.writeFile(file, text, creating: true, mode: mode)
        try FileDescriptor.currentDirectory.changeMode(of: file, to: mode)
        return file
    }

    /// A small tree with one of everything.
    func tree(_ name: String = "tree") throws -> String {
        try write("\(name)/a", "alpha\n")
        try write("\(name)/bin/run", "#!/bin/sh\n", mode: 0o755)
        try write("\(name)/empty/.keep", "")
        try FileDescriptor.currentDirectory.makeSymbolicLink("\(path)/\(name)/link", to: "bin/run")
        return path + "/" + name
    }
}

extension LocalStore {
    /// The archive of a valid object, whole.
    func archiveBytes(of path: StorePath) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try archive(of: path) { bytes += $0 }
        return bytes
    }

    func add(_ info: PathInfo, bytes: [UInt8], checkSignatures: Bool = false) throws {
        var at = 0
        try add(info, checkSignatures: checkSignatures) { count in
            let end = min(at + count, bytes.count)
            defer { at = end }
            return Array(bytes[at..<end])
        }
    }
}

/// For derivations without inputs.
final class NoInputs: DerivationHashes {
    func hashModulo(of path: StorePath) throws -> Hash {
        throw StoreError(.badDerivation, "the test's derivation has no inputs")
    }
}
