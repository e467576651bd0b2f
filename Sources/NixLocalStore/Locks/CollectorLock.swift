import Kernel
import NixStore

/// The lock that a collector holds while it looks for and removes garbage; whoever adds a root shares it.
enum CollectorLock {
    static func file(_ layout: StoreLayout) throws(KernelError) -> FileDescriptor {
        try FileDescriptor.open(layout.state + "/gc.lock", [.readWrite, .create], mode: 0o600)
    }
}

/// The socket on which a running collector takes roots.
enum CollectorSocket {
    static func path(_ layout: StoreLayout) -> String { layout.state + "/gc-socket/socket" }

    /// - Returns: `nil` when nobody listens.
    static func connect(_ layout: StoreLayout) throws(KernelError) -> FileDescriptor? {
        do throws(KernelError) { return try Socket.connect(to: path(layout)) } catch {
            if error.code == .connectionRefused || error.code == .notFound { return nil }
            throw error
        }
    }
}
