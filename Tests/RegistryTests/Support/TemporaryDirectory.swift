import Kernel

/// A directory that is removed with its owner.
final class TemporaryDirectory: Sendable {
    let path: String
    let descriptor: FileDescriptor

    init() throws {
        path = try FileDescriptor.currentDirectory.makeTemporaryDirectory(in: "/tmp", prefix: "registry-tests-")
        descriptor = try FileDescriptor.open(path, [.readOnly, .directory])
    }

    deinit { try? FileDescriptor.currentDirectory.removeTree(path) }
}
