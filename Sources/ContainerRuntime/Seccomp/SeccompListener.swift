import JSON
import Kernel
import OCI

/// Hands the notification descriptor of a filter to its supervisor (config-linux.md, The Container Process State).
enum SeccompListener {
    static func send(
        _ listener: FileDescriptor, for program: SeccompProgram?, state: RuntimeState
    ) throws(RuntimeError) {
        guard let path = program?.listenerPath else { return }
        var message = ContainerProcessState()
        message.ociVersion = state.ociVersion
        message.fds = ["seccompFd"]
        message.pid = state.pid ?? 0
        message.metadata = program?.listenerMetadata
        message.state = state
        do throws(KernelError) {
            let socket = try Socket.connect(to: path)
            _ = try socket.send(Array(message.json.serialized().utf8), descriptors: [listener])
        } catch {
            throw RuntimeError(
                .system, "cannot send the seccomp listener to \(path): \(error.code)", errno: error.code.rawValue)
        }
    }
}

extension SeccompCache {
    /// The program of a profile, if there is one, with or without a cache.
    static func program(for profile: LinuxSeccomp?, cache: String?) throws(RuntimeError) -> SeccompProgram? {
        guard let profile else { return nil }
        return try SeccompCache(directory: cache ?? "").program(for: profile)
    }
}
