import CKernel
import Glibc

extension Socket {
    /// What runs over an internet socket.
    public enum Transport: String, Hashable, Sendable {
        case tcp, udp, sctp

        var kind: Int32 { self == .udp ? Kind.datagram.rawValue : Kind.stream.rawValue }
        var protocolNumber: Int32 {
            switch self {
            case .tcp: Int32(IPPROTO_TCP)
            case .udp: Int32(IPPROTO_UDP)
            case .sctp: 132
            }
        }
    }

    /// A socket of the internet's, close-on-exec and not blocking.
    public static func make(_ transport: Transport, _ family: Family) throws(KernelError) -> FileDescriptor {
        let type = transport.kind | 0o2000000 | O_NONBLOCK
        let result = try call("make a socket for", transport.rawValue) {
            ck_socket(family.rawValue, type, transport.protocolNumber)
        }
        return FileDescriptor(owning: Int32(result))
    }

    /// A socket bound to `endpoint`, and listening unless it is UDP's. IPv6 sockets take IPv6 only.
    public static func bind(_ transport: Transport, _ endpoint: InternetEndpoint, backlog: Int32 = 1024)
        throws(KernelError) -> FileDescriptor
    {
        let socket = try make(transport, endpoint.family)
        if transport == .tcp { try socket.setSocketOption(SO_REUSEADDR, 1) }
        if !endpoint.address.isIPv4 { try socket.setSocketOption(level: Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
        _ = try endpoint.withSocketAddress { address, length throws(KernelError) in
            try call("bind to", "\(transport.rawValue) \(endpoint)") { ck_bind(socket.rawValue, address, length) }
        }
        if transport != .udp { try call("listen at", "\(endpoint)") { ck_listen(socket.rawValue, backlog) } }
        return socket
    }

    /// A socket that is connected to `endpoint`, or, where that takes time, will become writable when it is or when
    /// it has failed (`FileDescriptor.takeSocketError`).
    public static func connect(_ transport: Transport, to endpoint: InternetEndpoint) throws(KernelError)
        -> FileDescriptor
    {
        let socket = try make(transport, endpoint.family)
        try socket.connect(to: endpoint)
        return socket
    }
}

extension InternetEndpoint {
    func withSocketAddress<Result>(
        _ body: (UnsafeMutableRawPointer, UInt32) throws(KernelError) -> Result
    ) throws(KernelError) -> Result {
        // Room for struct sockaddr_in6.
        var storage: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        return try withUnsafeMutablePointer(to: &storage) { storage throws(KernelError) -> Result in
            let pointer = UnsafeMutableRawPointer(storage)
            let length = store(into: pointer)
            return try body(pointer, length)
        }
    }
}

extension FileDescriptor {
    /// Begins to connect; a socket that does not block may still be at it afterwards.
    public func connect(to endpoint: InternetEndpoint) throws(KernelError) {
        _ = try endpoint.withSocketAddress { address, length throws(KernelError) in
            try call("connect to", "\(endpoint)") {
                let result = ck_connect(rawValue, address, length)
                return result == -Int(EINPROGRESS) ? 0 : result
            }
        }
    }

    /// Where this socket is bound.
    public func localEndpoint() throws(KernelError) -> InternetEndpoint {
        try endpoint("ask for the name of") { ck_getsockname($0, $1, $2) }
    }

    /// Where this socket is connected to.
    public func remoteEndpoint() throws(KernelError) -> InternetEndpoint {
        try endpoint("ask for the other end of") { ck_getpeername($0, $1, $2) }
    }

    private func endpoint(
        _ operation: String, _ ask: (Int32, UnsafeMutableRawPointer, UnsafeMutablePointer<UInt32>) -> Int
    ) throws(KernelError) -> InternetEndpoint {
        var storage = [UInt8](repeating: 0, count: InternetEndpoint.capacity)
        var length = UInt32(storage.count)
        try storage.withMutableBytes { bytes throws(KernelError) in
            guard let start = bytes.baseAddress else { return }
            try call(operation, description) { ask(rawValue, start, &length) }
        }
        guard let endpoint = storage.withUnsafeBytes({ InternetEndpoint($0) }) else {
            throw KernelError(ErrorNumber(rawValue: EAFNOSUPPORT), operation, description)
        }
        return endpoint
    }

    /// The error that is waiting on this socket (`SO_ERROR`), which is taken away; `nil` for none.
    public func takeSocketError() -> ErrorNumber? {
        var value: Int32 = 0
        var length: UInt32 = 4
        let result = ck_getsockopt(rawValue, SOL_SOCKET, SO_ERROR, &value, &length)
        if result < 0 { return ErrorNumber(rawValue: Int32(-result)) }
        return value == 0 ? nil : ErrorNumber(rawValue: value)
    }

    /// Makes closing a connection reset it.
    public func resetOnClose() {
        var value = linger(l_onoff: 1, l_linger: 0)
        _ = ck_setsockopt(rawValue, SOL_SOCKET, SO_LINGER, &value, UInt32(MemoryLayout<linger>.size))
    }

    /// The network namespace that this socket was made in (`SIOCGSKNS`).
    public func socketNamespace() throws(KernelError) -> FileDescriptor {
        FileDescriptor(
            owning: Int32(try call("find the network namespace of", description) { ck_ioctl(rawValue, 0x894c, 0) }))
    }

    /// Moves bytes between a pipe and something else without copying them; neither end blocks.
    /// - Returns: how many; 0 at the end, `-errno` otherwise. A loop's hot path: no error is made.
    public func splice(to target: FileDescriptor, count: Int) -> Int {
        // SPLICE_F_MOVE 1, SPLICE_F_NONBLOCK 2
        while true {
            let result = ck_splice(rawValue, nil, target.rawValue, nil, count, 3)
            if result != -Int(EINTR) { return result }
        }
    }

    /// `recv` and `send` without an error object, for loops: how many bytes, or `-errno`. Never `SIGPIPE`.
    public func receive(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        while true {
            let result = ck_read(rawValue, buffer.baseAddress, buffer.count)
            if result != -Int(EINTR) { return result }
        }
    }

    public func send(_ bytes: UnsafeRawBufferPointer) -> Int {
        var vector = iovec(iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
        return withUnsafeMutablePointer(to: &vector) { vector in
            var header = msghdr()
            header.msg_iov = vector
            header.msg_iovlen = 1
            while true {
                let result = ck_sendmsg(rawValue, &header, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
                if result != -Int(EINTR) { return result }
            }
        }
    }
}
