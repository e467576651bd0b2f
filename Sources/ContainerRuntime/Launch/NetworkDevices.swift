import CKernel
import Kernel

/// Moves network devices into a container's network namespace, by rtnetlink.
enum NetworkDevices {
    /// - Parameter name: what it is called inside.
    static func move(_ device: String, to pid: Int32, as name: String) throws(RuntimeError) {
        do throws(KernelError) {
            let socket = FileDescriptor(owning: try check(ck_socket(16, 3 | 0o2000000, 0), "open netlink", ""))
            let namespace = try FileDescriptor.open("/proc/\(pid)/ns/net")
            var request = Message(type: 16)  // RTM_NEWLINK
            request.append(interface: try indexOf(device))
            request.append(attribute: 3, Array(name.utf8) + [0])  // IFLA_IFNAME
            request.append(attribute: 28, withUnsafeBytes(of: namespace.rawValue) { Array($0) })  // IFLA_NET_NS_FD
            _ = try socket.send(request.bytes)
            try acknowledge(socket, "move network device \(device) into the container as", name)
        } catch {
            throw RuntimeError(error)
        }
    }

    private static func indexOf(_ device: String) throws(KernelError) -> Int32 {
        let path = "/sys/class/net/\(device)/ifindex"
        guard !device.contains("/"), let text = try? FileDescriptor.currentDirectory.readText(path),
            let index = Int32(text.prefix { $0.isNumber })
        else { throw KernelError(.noDevice, "find network device", device) }
        return index
    }

    private static func acknowledge(_ socket: FileDescriptor, _ operation: String, _ subject: String)
        throws(KernelError)
    {
        let answer = try socket.receive(count: 4096).bytes
        // struct nlmsghdr: 16 bytes; NLMSG_ERROR (2) holds a negative errno.
        guard answer.count >= 20, answer[4] == 2 else { return }
        let error = answer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 16, as: Int32.self) }
        if error != 0 { throw KernelError(ErrorNumber(rawValue: -error), operation, subject) }
    }

    private static func check(_ result: Int, _ operation: String, _ subject: String) throws(KernelError) -> Int32 {
        if result < 0 { throw KernelError(ErrorNumber(rawValue: Int32(-result)), operation, subject) }
        return Int32(result)
    }

    /// A request to rtnetlink (linux/netlink.h, linux/rtnetlink.h).
    private struct Message {
        private var body: [UInt8] = []
        private let type: UInt16

        init(type: UInt16) { self.type = type }

        /// struct ifinfomsg with nothing but the index.
        mutating func append(interface index: Int32) {
            body += [0, 0, 0, 0]
            withUnsafeBytes(of: index) { body += $0 }
            body += [UInt8](repeating: 0, count: 8)
        }

        mutating func append(attribute type: UInt16, _ value: [UInt8]) {
            withUnsafeBytes(of: UInt16(4 + value.count)) { body += $0 }
            withUnsafeBytes(of: type) { body += $0 }
            body += value
            while body.count % 4 != 0 { body.append(0) }
        }

        var bytes: [UInt8] {
            var header: [UInt8] = []
            withUnsafeBytes(of: UInt32(16 + body.count)) { header += $0 }
            withUnsafeBytes(of: type) { header += $0 }
            withUnsafeBytes(of: UInt16(1 | 4)) { header += $0 }  // NLM_F_REQUEST | NLM_F_ACK
            header += [UInt8](repeating: 0, count: 8)
            return header + body
        }
    }
}
