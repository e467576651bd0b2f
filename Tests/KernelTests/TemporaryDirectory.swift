import Kernel

/// A directory that is removed with its owner.
final class TemporaryDirectory: Sendable {
    let path: String
    let descriptor: FileDescriptor

    init() throws {
        path = try FileDescriptor.currentDirectory.makeTemporaryDirectory(in: "/tmp", prefix: "kernel-tests-")
        descriptor = try FileDescriptor.open(path, [.readOnly, .directory])
    }

    deinit { try? FileDescriptor.currentDirectory.removeTree(path) }
}

/// The error number that `body` fails with; `nil` if it does not fail.
func failure(_ body: () throws -> Void) -> ErrorNumber? {
    do { try body() } catch { return (error as? KernelError)?.code }
    return nil
}
