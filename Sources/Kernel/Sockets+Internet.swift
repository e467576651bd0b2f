import CKernel
import Glibc

extension Socket {
    /// A socket bound to an address (4 or 16 bytes in network order) and port, in the calling thread's network
    /// namespace. Of IPv6 it serves IPv6 only.
    ///
    /// - Parameters:
    ///   - networkProtocol: 0 for the kind's own, 132 for SCTP.
    ///   - reusesAddress: `SO_REUSEADDR`: connections of an earlier listener that linger are no obstacle.
    /// - Throws: `EADDRINUSE`, `EADDRNOTAVAIL` when the host has no such address, `EACCES` for a low port without the
    ///   capability.
    public static func bind(
        _ kind: Kind, networkProtocol: Int32 = 0, address: [UInt8], port: UInt16, reusesAddress: Bool = false,
        nonBlocking: Bool = false
    ) throws(KernelError) -> FileDescriptor {
        let isV6 = address.count == 16
        let type = kind.rawValue | 0o2000000 | (nonBlocking ? O_NONBLOCK : 0)
        let socket = FileDescriptor(
            owning: Int32(try call("make a socket") { ck_socket(isV6 ? 10 : 2, type, networkProtocol) }))
        if reusesAddress { try socket.setSocketOption(SO_REUSEADDR, 1) }
        // IPPROTO_IPV6 41, IPV6_V6ONLY 26
        if isV6 { try socket.setSocketOption(level: 41, 26, 1) }
        let name = internetAddress(address, port: port)
        try call("bind to port", "\(port)") {
            name.withUnsafeBytes { ck_bind(socket.rawValue, $0.baseAddress, UInt32($0.count)) }
        }
        return socket
    }

    public static func listen(_ socket: FileDescriptor, backlog: Int32 = 4096) throws(KernelError) {
        try call("listen on", socket.description) { ck_listen(socket.rawValue, backlog) }
    }

    /// Connects a new socket to an address and port.
    public static func connect(_ kind: Kind, address: [UInt8], port: UInt16) throws(KernelError) -> FileDescriptor {
        let socket = try make(address.count == 16 ? .internet6 : .internet, kind)
        try connect(socket, address: address, port: port)
        return socket
    }

    public static func connect(_ socket: FileDescriptor, address: [UInt8], port: UInt16) throws(KernelError) {
        let name = internetAddress(address, port: port)
        try call("connect to port", "\(port)") {
            name.withUnsafeBytes { ck_connect(socket.rawValue, $0.baseAddress, UInt32($0.count)) }
        }
    }

    /// struct sockaddr_in or sockaddr_in6.
    static func internetAddress(_ address: [UInt8], port: UInt16) -> [UInt8] {
        let isV6 = address.count == 16
        var bytes = withUnsafeBytes(of: UInt16(isV6 ? 10 : 2)) { Array($0) }
        bytes += [UInt8(port >> 8), UInt8(port & 0xff)]
        if isV6 {
            // Flow information before, scope after.
            return bytes + [0, 0, 0, 0] + address + [0, 0, 0, 0]
        }
        return bytes + address + [UInt8](repeating: 0, count: 8)
    }
}
