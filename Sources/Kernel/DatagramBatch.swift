import CKernel
import Glibc

/// Datagrams that are received and sent many at a time (`recvmmsg`, `sendmmsg`).
///
/// One batch serves any number of sockets, one after another. Not for use by two threads.
public final class DatagramBatch {
    public let capacity: Int
    public let datagramSize: Int
    /// How many datagrams are in it.
    public private(set) var count = 0

    private static let controlSize = 64
    private let bytes: UnsafeMutableRawPointer
    private let addresses: UnsafeMutableRawPointer
    private let controls: UnsafeMutableRawPointer
    private let vectors: UnsafeMutablePointer<iovec>
    private let messages: UnsafeMutablePointer<ck_mmsghdr>

    public init(capacity: Int, datagramSize: Int) {
        self.capacity = capacity
        self.datagramSize = datagramSize
        bytes = .allocate(byteCount: capacity * datagramSize, alignment: 64)
        addresses = .allocate(byteCount: capacity * 32, alignment: 8)
        controls = .allocate(byteCount: capacity * Self.controlSize, alignment: 8)
        addresses.initializeMemory(as: UInt8.self, repeating: 0, count: capacity * 32)
        controls.initializeMemory(as: UInt8.self, repeating: 0, count: capacity * Self.controlSize)
        vectors = .allocate(capacity: capacity)
        messages = .allocate(capacity: capacity)
        for index in 0..<capacity {
            (vectors + index).initialize(to: iovec(iov_base: bytes + index * datagramSize, iov_len: datagramSize))
            (messages + index).initialize(to: ck_mmsghdr())
        }
    }

    deinit {
        bytes.deallocate()
        addresses.deallocate()
        controls.deallocate()
        vectors.deallocate()
        messages.deallocate()
    }

    public func removeAll() { count = 0 }
    public var isFull: Bool { count == capacity }

    /// Receives what is there, at most a full batch, in place of what was in the batch.
    /// - Parameter wantsLocalAddress: the socket has `IP_PKTINFO` or `IPV6_RECVPKTINFO`.
    /// - Returns: how many datagrams, or `-errno`.
    public func receive(from socket: FileDescriptor, wantsLocalAddress: Bool = false) -> Int {
        count = 0
        for index in 0..<capacity {
            vectors[index].iov_len = datagramSize
            prepare(index)
            messages[index].header.msg_namelen = UInt32(InternetEndpoint.capacity)
            if wantsLocalAddress {
                messages[index].header.msg_control = controls + index * Self.controlSize
                messages[index].header.msg_controllen = Self.controlSize
            }
        }
        while true {
            let result = ck_recvmmsg(socket.rawValue, messages, UInt32(capacity), Int32(MSG_DONTWAIT))
            if result == -Int(EINTR) { continue }
            if result > 0 { count = result }
            return result
        }
    }

    private func prepare(_ index: Int) {
        var header = msghdr()
        header.msg_name = addresses + index * 32
        header.msg_iov = vectors + index
        header.msg_iovlen = 1
        messages[index] = ck_mmsghdr(header: header, length: 0)
    }

    /// The bytes of a datagram that was received.
    public func datagram(_ index: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            start: bytes + index * datagramSize, count: min(Int(messages[index].length), datagramSize))
    }

    public func isTruncated(_ index: Int) -> Bool { messages[index].header.msg_flags & Int32(MSG_TRUNC) != 0 }

    /// Who sent a datagram that was received.
    public func sender(_ index: Int) -> InternetEndpoint? {
        InternetEndpoint(
            UnsafeRawBufferPointer(
                start: addresses + index * 32, count: min(Int(messages[index].header.msg_namelen), 28)))
    }

    /// The address that a received datagram was sent to, where the socket tells.
    public func localAddress(_ index: Int) -> InternetAddress? {
        let length = Int(messages[index].header.msg_controllen)
        let control = UnsafeRawBufferPointer(
            start: controls + index * Self.controlSize, count: min(length, Self.controlSize))
        // struct cmsghdr: length 8, level 4, type 4. in_pktinfo: ifindex, spec_dst, addr; in6_pktinfo: addr, ifindex.
        guard control.count >= 28 else { return nil }
        let level = control.load(fromByteOffset: 8, as: Int32.self)
        let type = control.load(fromByteOffset: 12, as: Int32.self)
        if level == 0 && type == 8 {
            return InternetAddress(bytes: control[20..<24])
        }
        if level == 41 && type == 50 && control.count >= 36 {
            var address = InternetAddress(bytes: control[16..<32])
            if control[16] == 0xfe && control[17] & 0xc0 == 0x80 {
                address?.scope = control.load(fromByteOffset: 32, as: UInt32.self)
            }
            return address
        }
        return nil
    }

    /// Adds a datagram to send: `fill` writes it and returns its length; 0 for none.
    ///
    /// - Parameters:
    ///   - endpoint: `nil` on a connected socket.
    ///   - source: the local address to send from; `nil`: the socket's.
    public func append(
        to endpoint: InternetEndpoint?, from source: InternetAddress? = nil,
        _ fill: (UnsafeMutableRawBufferPointer) -> Int
    ) {
        guard count < capacity else { return }
        let index = count
        let length = fill(UnsafeMutableRawBufferPointer(start: bytes + index * datagramSize, count: datagramSize))
        guard length > 0 else { return }
        append(length: length, endpoint, source)
    }

    /// Adds a datagram, which may be empty.
    public func append(
        _ datagram: UnsafeRawBufferPointer, to endpoint: InternetEndpoint?, from source: InternetAddress?
    ) {
        guard count < capacity, datagram.count <= datagramSize else { return }
        UnsafeMutableRawBufferPointer(start: bytes + count * datagramSize, count: datagramSize).copyMemory(
            from: datagram)
        append(length: datagram.count, endpoint, source)
    }

    private func append(length: Int, _ endpoint: InternetEndpoint?, _ source: InternetAddress?) {
        let index = count
        prepare(index)
        vectors[index].iov_len = length
        if let endpoint {
            messages[index].header.msg_namelen = endpoint.store(into: addresses + index * 32)
        } else {
            messages[index].header.msg_name = nil
        }
        if let source { setSource(source, of: index) }
        count += 1
    }

    /// Makes a datagram leave from a local address.
    private func setSource(_ source: InternetAddress, of index: Int) {
        let control = controls + index * Self.controlSize
        control.initializeMemory(as: UInt8.self, repeating: 0, count: Self.controlSize)
        // IP_PKTINFO's ipi_spec_dst chooses the source; CMSG_LEN is 16 and the data, CMSG_SPACE rounds up to 8.
        control.storeBytes(of: source.isIPv4 ? 28 : 36, as: Int.self)
        control.storeBytes(of: source.isIPv4 ? 0 : 41, toByteOffset: 8, as: Int32.self)
        control.storeBytes(of: source.isIPv4 ? 8 : 50, toByteOffset: 12, as: Int32.self)
        let target = control + (source.isIPv4 ? 20 : 16)
        for (offset, byte) in source.bytes.enumerated() {
            target.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
        }
        if !source.isIPv4 { control.storeBytes(of: source.scope, toByteOffset: 32, as: UInt32.self) }
        messages[index].header.msg_control = control
        messages[index].header.msg_controllen = source.isIPv4 ? 32 : 40
    }

    /// Sends datagrams that were received on, without copying them.
    /// - Parameter endpoint: `nil` on a connected socket.
    public func resend(
        _ range: Range<Int>, on socket: FileDescriptor, to endpoint: InternetEndpoint? = nil,
        from source: InternetAddress? = nil
    ) {
        for index in range {
            let length = datagram(index).count
            prepare(index)
            vectors[index].iov_len = length
            if let endpoint {
                messages[index].header.msg_namelen = endpoint.store(into: addresses + index * 32)
            } else {
                messages[index].header.msg_name = nil
            }
            if let source { setSource(source, of: index) }
        }
        send(range, on: socket)
    }

    /// Sends all; datagrams that the kernel will not take now, or refuses, are dropped as the network might.
    public func send(on socket: FileDescriptor) {
        send(0..<count, on: socket)
        count = 0
    }

    private func send(_ range: Range<Int>, on socket: FileDescriptor) {
        var first = range.lowerBound
        var isRetry = false
        while first < range.upperBound {
            let result = ck_sendmmsg(
                socket.rawValue, messages + first, UInt32(range.upperBound - first),
                Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
            if result > 0 {
                first += result
                isRetry = false
            } else if result == -Int(EINTR) {
                continue
            } else if result == -Int(ECONNREFUSED) && !isRetry {
                // An earlier datagram's ICMP error, reported here and now gone: this datagram has not been tried.
                isRetry = true
            } else {
                first += 1
                isRetry = false
            }
        }
    }
}
