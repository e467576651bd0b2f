import Glibc

/// Tells the service manager, if there is one, about this process's state (`sd_notify(3)`), such as `READY=1`.
/// - Returns: `false` when nobody asked (`NOTIFY_SOCKET` is not set).
@discardableResult
public func notifyServiceManager(_ state: String, socketPath: String) throws(KernelError) -> Bool {
    if socketPath.isEmpty { return false }
    let socket = try Socket.connect(to: socketPath, kind: .datagram)
    _ = try socket.send(Array(state.utf8))
    return true
}

/// Writes to systemd's journal in its native form: datagrams of fields.
public struct Journal: Sendable {
    private let socket: FileDescriptor

    /// - Throws: when no journal listens at `path`.
    public init(path: String = "/run/systemd/journal/socket") throws(KernelError) {
        socket = try Socket.connect(to: path, kind: .datagram)
    }

    /// Writes one entry. Names are of the form `[A-Z0-9_]+`; values are any bytes.
    public func write(_ fields: [(name: String, value: [UInt8])]) throws(KernelError) {
        var entry: [UInt8] = []
        for (name, value) in fields {
            entry += Array(name.utf8)
            if value.contains(UInt8(ascii: "\n")) {
                // Such a value is preceded by its length, 8 bytes in little-endian order.
                entry.append(UInt8(ascii: "\n"))
                withUnsafeBytes(of: UInt64(value.count).littleEndian) { entry += $0 }
            } else {
                entry.append(UInt8(ascii: "="))
            }
            entry += value
            entry.append(UInt8(ascii: "\n"))
        }
        do throws(KernelError) { _ = try socket.send(entry) } catch {
            // Too big for a datagram: it goes in a sealed memory file.
            guard error.code.rawValue == EMSGSIZE || error.code.rawValue == ENOBUFS else { throw error }
            let file = try FileDescriptor.makeMemoryFile("journal-entry")
            try file.writeAll(entry)
            try file.addSeals(.all)
            _ = try socket.send([], descriptors: [file])
        }
    }
}
