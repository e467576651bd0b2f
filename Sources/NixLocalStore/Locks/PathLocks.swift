import Kernel
import NixStore

/// Exclusive locks of store paths, as Nix's processes hold them: a file `PATH.lock` beside each, locked with `flock`.
///
/// The file goes with the lock. Whoever removes it first writes a byte into it, so that one who waited for the file
/// that is gone sees that it is stale and begins again.
public final class PathLocks: Sendable {
    private let held: [(name: String, file: FileDescriptor)]

    /// Waits until all are held. They are taken in order, so that two who want the same cannot wait for each other.
    /// - Parameters:
    ///   - wait: called with the path before the first wait for it.
    public convenience init(
        _ paths: some Collection<StorePath>, in layout: StoreLayout, wait: (StorePath) -> Void = { _ in }
    ) throws {
        var held: [(name: String, file: FileDescriptor)] = []
        for path in Set(paths).sorted() {
            let name = layout.file(path) + ".lock"
            let file = try Self.lock(name) {
                wait(path)
                return true
            }
            if let file { held.append((name, file)) }
        }
        self.init(held)
    }

    private init(_ held: [(name: String, file: FileDescriptor)]) { self.held = held }

    /// Takes the locks if nobody holds any of them.
    public static func ifFree(_ paths: some Collection<StorePath>, in layout: StoreLayout) throws -> PathLocks? {
        var held: [(name: String, file: FileDescriptor)] = []
        for path in Set(paths).sorted() {
            let name = layout.file(path) + ".lock"
            guard let file = try lock(name, mayWait: { false }) else {
                _ = PathLocks(held)
                return nil
            }
            held.append((name, file))
        }
        return PathLocks(held)
    }

    private static func lock(_ name: String, mayWait: () -> Bool) throws -> FileDescriptor? {
        do throws(KernelError) {
            while true {
                let file = try FileDescriptor.open(name, [.readWrite, .create], mode: 0o600)
                if try !file.lock(.exclusive, wait: false) {
                    guard mayWait() else { return nil }
                    try file.lock(.exclusive)
                }
                // A byte in it means that its last owner has removed it.
                if try file.status().size == 0 { return file }
            }
        } catch {
            throw StoreError(.system(error.code.rawValue), "locking '\(name)': \(error)")
        }
    }

    /// Releases the locks, and removes their files.
    deinit {
        for (name, file) in held.reversed() {
            try? FileDescriptor.currentDirectory.unlink(name)
            try? file.writeAll("d")
            try? file.close()
        }
    }
}
