import CKernel
import Glibc

extension FileDescriptor {
    /// Takes the next connection; `nil` when there is none and this socket does not block.
    public func accept(nonBlocking: Bool = false) throws(KernelError) -> FileDescriptor? {
        while true {
            let result = ck_accept4(rawValue, 0o2000000 | (nonBlocking ? O_NONBLOCK : 0))
            if result >= 0 { return FileDescriptor(owning: Int32(result)) }
            switch Int32(-result) {
            case EINTR, ECONNABORTED: continue
            case EAGAIN: return nil
            default: try call("accept a connection on", description) { result }
            }
        }
    }

    public enum ShutdownSide: Int32, Sendable {
        case read = 0
        case write = 1
        case both = 2
    }

    public func shutdown(_ side: ShutdownSide) throws(KernelError) {
        try call("shut down", description) { ck_shutdown(rawValue, side.rawValue) }
    }

    /// Who is at the other end of a unix socket, as of its connect.
    public func peerCredentials() throws(KernelError) -> (processID: Int32, userID: UInt32, groupID: UInt32) {
        var credentials = ck_ucred()
        var length = UInt32(MemoryLayout<ck_ucred>.size)
        try call("ask who is at the other end of", description) {
            ck_getsockopt(rawValue, SOL_SOCKET, SO_PEERCRED, &credentials, &length)
        }
        return (credentials.pid, credentials.uid, credentials.gid)
    }

    public func setSocketOption(level: Int32 = SOL_SOCKET, _ name: Int32, _ value: Int32) throws(KernelError) {
        var value = value
        try call("set an option of", description) { ck_setsockopt(rawValue, level, name, &value, 4) }
    }

    /// Sends bytes, and descriptors with them (`SCM_RIGHTS`). Never raises `SIGPIPE`.
    /// - Returns: how many bytes went.
    public func send(_ bytes: [UInt8], descriptors: [FileDescriptor] = [], flags: Int32 = 0)
        throws(KernelError) -> Int
    {
        // struct cmsghdr: length 8, level 4, type 4; data padded to 8.
        let control = descriptors.isEmpty ? 0 : 16 + (descriptors.count * 4 + 7) / 8 * 8
        var message = [UInt64](repeating: 0, count: control / 8)
        if control > 0 {
            message.withUnsafeMutableBytes { buffer in
                buffer.storeBytes(of: 16 + descriptors.count * 4, as: Int.self)
                buffer.storeBytes(of: SOL_SOCKET, toByteOffset: 8, as: Int32.self)
                buffer.storeBytes(of: 1, toByteOffset: 12, as: Int32.self)
                for (index, descriptor) in descriptors.enumerated() {
                    buffer.storeBytes(of: descriptor.rawValue, toByteOffset: 16 + 4 * index, as: Int32.self)
                }
            }
        }
        return try call("send to", description) {
            bytes.withUnsafeBytes { bytes in
                message.withUnsafeMutableBytes { message in
                    var vector = iovec(
                        iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
                    return withUnsafeMutablePointer(to: &vector) { vector in
                        var header = msghdr()
                        header.msg_iov = vector
                        header.msg_iovlen = 1
                        header.msg_control = control > 0 ? message.baseAddress : nil
                        header.msg_controllen = control
                        return ck_sendmsg(rawValue, &header, flags | Int32(MSG_NOSIGNAL))
                    }
                }
            }
        }
    }

    /// Receives at most `count` bytes and `maximumDescriptors` descriptors; no bytes at the end.
    ///
    /// The descriptors are owned from here on, close-on-exec.
    /// - Throws: `EMSGSIZE` when more descriptors came than allowed: those beyond were closed by the kernel.
    public func receive(count: Int, maximumDescriptors: Int = 0, flags: Int32 = 0)
        throws(KernelError) -> (bytes: [UInt8], descriptors: [FileDescriptor])
    {
        let control = maximumDescriptors == 0 ? 0 : 16 + (maximumDescriptors * 4 + 7) / 8 * 8
        var message = [UInt64](repeating: 0, count: control / 8)
        var used = 0
        var isTruncated = false
        let bytes = try bytes(capacity: count) { buffer throws(KernelError) in
            try call("receive from", description) {
                message.withUnsafeMutableBytes { message in
                    var vector = iovec(iov_base: buffer.baseAddress, iov_len: buffer.count)
                    return withUnsafeMutablePointer(to: &vector) { vector in
                        var header = msghdr()
                        header.msg_iov = vector
                        header.msg_iovlen = 1
                        header.msg_control = control > 0 ? message.baseAddress : nil
                        header.msg_controllen = control
                        // MSG_CMSG_CLOEXEC
                        let result = ck_recvmsg(rawValue, &header, flags | 0x4000_0000)
                        used = Int(header.msg_controllen)
                        isTruncated = header.msg_flags & Int32(MSG_CTRUNC) != 0
                        return result
                    }
                }
            }
        }
        var descriptors: [FileDescriptor] = []
        message.withUnsafeBytes { buffer in
            var position = 0
            while position + 16 <= used {
                let length = buffer.load(fromByteOffset: position, as: Int.self)
                guard length >= 16, position + length <= used else { break }
                let level = buffer.load(fromByteOffset: position + 8, as: Int32.self)
                let type = buffer.load(fromByteOffset: position + 12, as: Int32.self)
                if level == SOL_SOCKET && type == 1 {
                    for offset in stride(from: position + 16, to: position + length - 3, by: 4) {
                        let raw = buffer.load(fromByteOffset: offset, as: Int32.self)
                        descriptors.append(FileDescriptor(owning: raw))
                    }
                }
                position += (length + 7) / 8 * 8
            }
        }
        if isTruncated {
            throw KernelError(
                ErrorNumber(rawValue: EMSGSIZE), "receive from", description, advice: "too many descriptors were sent")
        }
        return (bytes, descriptors)
    }
}
