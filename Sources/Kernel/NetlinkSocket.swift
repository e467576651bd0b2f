import CKernel
import Glibc
import Synchronization

/// A netlink socket: it stays in the network namespace that the calling thread was in when it was made.
///
/// Requests are answered before `sendmsg` returns, so nothing here waits on anyone but the kernel's own locks. One
/// thread at a time uses a socket; the lock makes that so.
public final class NetlinkSocket: Sendable {
    public let descriptor: FileDescriptor
    private let sequence = Mutex<UInt32>(1)

    public enum Family: Int32, Sendable {
        case route = 0
        case netfilter = 12
    }

    /// - Parameter groups: multicast groups to listen to (`setsockopt` numbers, not bits).
    public init(_ family: Family = .route, groups: [Int32] = [], nonBlocking: Bool = false) throws(KernelError) {
        // SOCK_RAW, SOCK_CLOEXEC
        let type: Int32 = 3 | 0o2000000 | (nonBlocking ? O_NONBLOCK : 0)
        descriptor = FileDescriptor(
            owning: Int32(try call("make a netlink socket") { ck_socket(16, type, family.rawValue) }))
        // SOL_NETLINK 270: NETLINK_CAP_ACK 10 leaves the request out of answers, NETLINK_EXT_ACK 11 gives reasons,
        // NETLINK_GET_STRICT_CHK 12 makes dumps filter.
        try descriptor.setSocketOption(level: 270, 10, 1)
        try descriptor.setSocketOption(level: 270, 11, 1)
        try? descriptor.setSocketOption(level: 270, 12, 1)
        // struct sockaddr_nl: family, padding, port (chosen by the kernel), groups.
        let address: [UInt8] = [16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        _ = try address.withBytes { bytes throws(KernelError) in
            try call("bind a netlink socket") { ck_bind(descriptor.rawValue, bytes.baseAddress, 12) }
        }
        // NETLINK_ADD_MEMBERSHIP
        for group in groups { try descriptor.setSocketOption(level: 270, 1, group) }
    }

    /// Sends one request and waits for its acknowledgement.
    public func perform(_ request: NetlinkRequest) throws(KernelError) { try perform([request]) }

    /// Sends all requests in one system call and collects their acknowledgements.
    ///
    /// The kernel works on each whether or not the one before failed.
    /// - Throws: the first failure, with the kernel's own explanation where it gives one.
    public func perform(_ requests: [NetlinkRequest]) throws(KernelError) {
        for failure in try performAll(requests) { if let failure { throw failure } }
    }

    /// As `perform`, with every request's failure by itself.
    public func performAll(_ requests: [NetlinkRequest]) throws(KernelError) -> [KernelError?] {
        if requests.isEmpty { return [] }
        return try locked { first throws(KernelError) in
            try send(requests, first)
            var failures = [KernelError?](repeating: nil, count: requests.count)
            var outstanding = requests.count { $0.isAcknowledged }
            while outstanding > 0 {
                for message in try receive() {
                    let index = Int(message.sequence &- first)
                    guard requests.indices.contains(index), message.type == 2 else { continue }
                    if let code = Self.errorCode(message), failures[index] == nil {
                        failures[index] = Self.failure(code, message, of: requests[index])
                    }
                    if requests[index].isAcknowledged { outstanding -= 1 }
                    // A request that is not acknowledged fails for the batch: no acknowledgement follows.
                    if !requests[index].isAcknowledged, failures[index] != nil { return failures }
                }
            }
            return failures
        }
    }

    /// Sends a request whose answer is data: a dump, or a single object (then it must not carry `.dump`).
    public func query(_ request: NetlinkRequest) throws(KernelError) -> [NetlinkMessage] {
        for attempt in 0... {
            let result = try locked { first throws(KernelError) -> [NetlinkMessage]? in
                try send([request], first)
                var answers: [NetlinkMessage] = []
                var isInterrupted = false
                while true {
                    for message in try receive() where message.sequence == first {
                        // NLM_F_DUMP_INTR: what was listed changed meanwhile.
                        if message.flags & 0x10 != 0 { isInterrupted = true }
                        switch message.type {
                        case 2:
                            if let code = Self.errorCode(message) { throw Self.failure(code, message, of: request) }
                            return answers
                        case 3:
                            if let code = Self.errorCode(message) { throw Self.failure(code, message, of: request) }
                            return isInterrupted ? nil : answers
                        default: answers.append(message)
                        }
                    }
                }
            }
            if let result { return result }
            if attempt == 20 { throw KernelError(.interrupted, request.operation, request.subject) }
        }
        return []
    }

    /// What one `recvmsg` gives. For listeners: `EAGAIN` when nothing is there and the socket does not block,
    /// `ENOBUFS` when messages were lost.
    public func receive() throws(KernelError) -> [NetlinkMessage] {
        // MSG_PEEK | MSG_TRUNC tells the size without a copy.
        let size = try call("read from a netlink socket") {
            receiveOnce(descriptor.rawValue, nil, 0, Int32(0x2 | 0x20))
        }
        var failure = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: max(size, 16)) { buffer, count in
            repeat {
                failure = receiveOnce(descriptor.rawValue, buffer.baseAddress, buffer.count, 0)
            } while failure == -Int(EINTR)
            count = max(0, failure)
        }
        try call("read from a netlink socket") { failure }
        return NetlinkMessage.split(bytes)
    }

    private func locked<Result>(_ body: (UInt32) throws(KernelError) -> Result) throws(KernelError) -> Result {
        try sequence.withLock { sequence throws(KernelError) in
            // Every use gets a range of numbers of its own, so that answers left over are told apart.
            sequence &+= 1 << 16
            return try body(sequence)
        }
    }

    private func send(_ requests: [NetlinkRequest], _ first: UInt32) throws(KernelError) {
        var bytes: [UInt8] = []
        for (index, request) in requests.enumerated() {
            while bytes.count % 4 != 0 { bytes.append(0) }
            bytes.append(contentsOf: request.finished(sequence: first &+ UInt32(index)))
        }
        do throws(KernelError) { _ = try descriptor.send(bytes) } catch {
            throw KernelError(error.code, requests[0].operation, requests[0].subject)
        }
    }

    /// The error number of an acknowledgement; `nil` for success.
    private static func errorCode(_ message: NetlinkMessage) -> ErrorNumber? {
        let raw = message.payload.integer(at: 0, as: Int32.self)
        return raw < 0 ? ErrorNumber(rawValue: -raw) : nil
    }

    private static func failure(_ code: ErrorNumber, _ message: NetlinkMessage, of request: NetlinkRequest)
        -> KernelError
    {
        var advice = ""
        // NLM_F_ACK_TLVS: attributes follow the error and the request's header (20 bytes); type 1 is the text.
        if message.flags & 0x200 != 0, message.type == 2 {
            advice = message.attributes(skipping: 20).string(1) ?? ""
        }
        return KernelError(code, request.operation, request.subject, advice: advice)
    }
}

/// `recvmsg` into one buffer.
private func receiveOnce(_ descriptor: Int32, _ buffer: UnsafeMutableRawPointer?, _ count: Int, _ flags: Int32)
    -> Int
{
    var vector = iovec(iov_base: buffer, iov_len: count)
    return withUnsafeMutablePointer(to: &vector) { vector in
        var header = msghdr()
        header.msg_iov = vector
        header.msg_iovlen = 1
        return ck_recvmsg(descriptor, &header, flags)
    }
}
