import Kernel

/// The conversation between the parent and the child of a launch, over a pair of packet sockets. It is close-on-exec,
/// so its end tells the parent that the program runs.
struct LaunchChannel {
    /// What the child says.
    enum Report {
        /// All namespaces exist; the hooks of the runtime may run.
        case namespacesReady
        /// Only the program is missing.
        case created
        case console(FileDescriptor)
        case seccompListener(FileDescriptor)
        /// The child has made the process that goes on; it ends itself.
        case successor(pid: Int32, pidfd: FileDescriptor)
        case failed(RuntimeError)
        /// The program runs, or the child died without a word.
        case closed
    }

    /// What the parent says.
    enum Order: UInt8 {
        case placed = 0x70
        case hooksDone = 0x68
        case start = 0x73
    }

    let socket: FileDescriptor

    static func pair() throws(KernelError) -> (parent: LaunchChannel, child: LaunchChannel) {
        let ends = try Socket.pair(.sequentialPacket)
        return (LaunchChannel(socket: ends.0), LaunchChannel(socket: ends.1))
    }

    // MARK: The child's side

    func report(_ report: Report) throws(KernelError) {
        switch report {
        case .namespacesReady: _ = try socket.send([0x6e])
        case .created: _ = try socket.send([0x72])
        case .console(let file): _ = try socket.send([0x63], descriptors: [file])
        case .seccompListener(let file): _ = try socket.send([0x6c], descriptors: [file])
        case .successor(let pid, let pidfd):
            _ = try socket.send([0x70] + Array(String(pid).utf8), descriptors: [pidfd])
        case .failed(let error): _ = try socket.send(Self.encode(error))
        case .closed: break
        }
    }

    /// Waits for an order.
    /// - Returns: `nil` when the parent is gone.
    func awaitOrder() throws(KernelError) -> Order? {
        let message = try socket.receive(count: 1)
        return message.bytes.first.flatMap { Order(rawValue: $0) }
    }

    // MARK: The parent's side

    func send(_ order: Order) throws(KernelError) { _ = try socket.send([order.rawValue]) }

    func nextReport() throws(KernelError) -> Report {
        let message: (bytes: [UInt8], descriptors: [FileDescriptor])
        do throws(KernelError) {
            message = try socket.receive(count: 1 << 16, maximumDescriptors: 1)
        } catch {
            if error.code == .connectionReset { return .closed }
            throw error
        }
        switch (message.bytes.first, message.descriptors.first) {
        case (0x6e, _): return .namespacesReady
        case (0x72, _): return .created
        case (0x63, let file?): return .console(file)
        case (0x6c, let file?): return .seccompListener(file)
        case (0x70, let file?):
            let pid = Int32(String(decoding: message.bytes.dropFirst(), as: UTF8.self)) ?? 0
            return .successor(pid: pid, pidfd: file)
        case (0x65, _): return .failed(Self.decode(message.bytes))
        default: return .closed
        }
    }

    // MARK: Errors as bytes

    private static let codes: [RuntimeError.Code] = [
        .system, .invalidSpecification, .commandNotFound, .commandNotExecutable, .hookFailed, .wrongState, .notRunning,
    ]

    static func encode(_ error: RuntimeError) -> [UInt8] {
        let code = codes.firstIndex(of: error.code) ?? 0
        return [0x65, UInt8(code), UInt8(truncatingIfNeeded: error.errno)] + error.message.utf8.prefix(60_000)
    }

    static func decode(_ bytes: [UInt8]) -> RuntimeError {
        guard bytes.count >= 3 else { return RuntimeError(.system, "the child failed without a reason") }
        let code = codes.indices.contains(Int(bytes[1])) ? codes[Int(bytes[1])] : .system
        return RuntimeError(code, String(decoding: bytes[3...], as: UTF8.self), errno: Int32(bytes[2]))
    }
}
