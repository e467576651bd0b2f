import CKernel
import Glibc

/// Sockets: the unix domain's, and as much of the internet's as a container's set-up needs.
public enum Socket {
    public enum Family: Int32, Sendable {
        case unix = 1
        case internet = 2
        case internet6 = 10
        case netlink = 16
    }

    public enum Kind: Int32, Sendable {
        case stream = 1
        case datagram = 2
        case raw = 3
        case sequentialPacket = 5
    }

    public static func make(_ family: Family, _ kind: Kind, nonBlocking: Bool = false) throws(KernelError)
        -> FileDescriptor
    {
        let type = kind.rawValue | 0o2000000 | (nonBlocking ? O_NONBLOCK : 0)
        return FileDescriptor(owning: Int32(try call("make a socket") { ck_socket(family.rawValue, type, 0) }))
    }

    /// Two connected unix sockets.
    public static func pair(_ kind: Kind = .stream, nonBlocking: Bool = false) throws(KernelError)
        -> (FileDescriptor, FileDescriptor)
    {
        var ends: (Int32, Int32) = (-1, -1)
        let type = kind.rawValue | 0o2000000 | (nonBlocking ? O_NONBLOCK : 0)
        try call("make a pair of sockets") {
            withUnsafeMutablePointer(to: &ends) {
                $0.withMemoryRebound(to: Int32.self, capacity: 2) { ck_socketpair(Family.unix.rawValue, type, 0, $0) }
            }
        }
        return (FileDescriptor(owning: ends.0), FileDescriptor(owning: ends.1))
    }

    /// A unix socket listening at `path`; what was there is not removed.
    ///
    /// - Parameter mode: its permissions, from the first moment.
    public static func listen(
        at path: String, kind: Kind = .stream, mode: UInt32 = 0o600, backlog: Int32 = 128, nonBlocking: Bool = false
    ) throws(KernelError) -> FileDescriptor {
        let socket = try make(.unix, kind, nonBlocking: nonBlocking)
        // The umask decides a socket's mode in bind, so the socket's own inode is set first.
        try socket.changeMode(mode)
        try withUnixAddress(path) { address, length throws(KernelError) in
            try call("listen at", path) { ck_bind(socket.rawValue, address, length) }
        }
        try FileDescriptor.currentDirectory.changeMode(of: path, to: mode)
        if kind != .datagram { try call("listen at", path) { ck_listen(socket.rawValue, backlog) } }
        return socket
    }

    /// Connects to the unix socket at `path`; one that starts with `@` is in the abstract namespace.
    public static func connect(to path: String, kind: Kind = .stream) throws(KernelError) -> FileDescriptor {
        let socket = try make(.unix, kind)
        try withUnixAddress(path) { address, length throws(KernelError) in
            try call("connect to", path) { ck_connect(socket.rawValue, address, length) }
        }
        return socket
    }

    /// Calls `body` with the address of a unix socket. Paths past the 107 bytes that fit are reached through an
    /// `O_PATH` descriptor of their directory.
    private static func withUnixAddress(
        _ path: String, _ body: (UnsafeRawPointer, UInt32) throws(KernelError) -> Void
    ) throws(KernelError) {
        var name = Array(path.utf8)
        if name.contains(0) || name.isEmpty { throw KernelError(.invalidArgument, "use the socket address", path) }
        var directory: FileDescriptor?
        if name.count > 107, let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")), !path.hasPrefix("@") {
            let parent = try FileDescriptor.open(String(path[...slash]), [.path, .directory])
            name = Array("\(parent.procPath)/\(path[path.utf8.index(after: slash)...])".utf8)
            directory = parent
        }
        if name.count > 107 {
            throw KernelError(.nameTooLong, "use the socket address", path, advice: "at most 107 bytes fit")
        }
        var length = UInt32(2 + name.count + 1)
        if name[0] == UInt8(ascii: "@") {
            name[0] = 0
            length -= 1
        }
        // struct sockaddr_un: family 2, path 108.
        var address = [UInt8](repeating: 0, count: 110)
        address[0] = UInt8(Family.unix.rawValue)
        address.replaceSubrange(2..<(2 + name.count), with: name)
        try address.withBytes { bytes throws(KernelError) in
            if let start = bytes.baseAddress { try body(start, length) }
        }
        withExtendedLifetime(directory) {}
    }
}
