import CKernel
import Glibc
import Kernel

/// A port of the host that is a container's: bound, so that no other process can have it.
public final class PortReservation: Sendable {
    /// A bound socket of one host address: listening when it is of TCP or SCTP, so that a proxy need only accept.
    public struct Binding: Sendable {
        public let address: IPAddress
        /// `nil` for SCTP on a kernel without it.
        public let socket: FileDescriptor?
    }

    public let networkProtocol: PortProtocol
    public let port: UInt16
    public let owner: String
    public let bindings: [Binding]

    init(_ networkProtocol: PortProtocol, port: UInt16, owner: String, bindings: [Binding]) {
        self.networkProtocol = networkProtocol
        self.port = port
        self.owner = owner
        self.bindings = bindings
    }

    /// Makes the sockets drop what comes to them: for when nobody serves them (translation takes the traffic away
    /// before it gets here, and what it leaves must not pile up in their queues).
    /// - Parameter family: of the sockets; `nil` for all.
    public func discardTraffic(_ family: IPFamily? = nil) throws(NetworkError) {
        // BPF_RET | BPF_K with 0: keep no byte.
        let program = [ck_sock_filter(code: 0x06, jt: 0, jf: 0, k: 0)]
        for binding in bindings where family == nil || binding.address.family == family {
            guard let socket = binding.socket else { continue }
            let result = program.withUnsafeBufferPointer { program in
                var header = ck_sock_fprog(len: 1, filter: program.baseAddress)
                // SO_ATTACH_FILTER
                return ck_setsockopt(socket.rawValue, SOL_SOCKET, 26, &header, UInt32(MemoryLayout<ck_sock_fprog>.size))
            }
            if result < 0 {
                throw NetworkError(
                    "reserve port \(port)",
                    KernelError(ErrorNumber(rawValue: Int32(-result)), "set a filter on", socket.description))
            }
        }
    }

    func close() { for binding in bindings { try? binding.socket?.close() } }
}
