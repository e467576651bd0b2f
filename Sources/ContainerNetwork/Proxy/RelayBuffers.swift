import Kernel

/// What the relays of one loop share: a buffer for what is read and written at once, pipes and sockets that no one
/// uses now.
final class RelayBuffers {
    /// A read that fills this much is the sign of a bulk transfer, which a pipe carries better.
    static let scratchSize = 64 << 10
    /// What the kernel allows an ordinary user (`/proc/sys/fs/pipe-max-size`).
    static let pipeSize = 1 << 20
    private static let maximumIdlePipes = 32

    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: scratchSize, alignment: 4096)
    private var pipes: [Pipe] = []
    /// Sockets to containers that were made before there was a client, by transport and family.
    private var spareSockets: [Spare: FileDescriptor] = [:]

    struct Spare: Hashable {
        let transport: Socket.Transport
        let family: Socket.Family
    }

    deinit { scratch.deallocate() }

    /// An empty pipe; `nil` when no descriptors are left.
    func takePipe() -> Pipe? {
        if let pipe = pipes.popLast() { return pipe }
        guard let pipe = try? Pipe(nonBlocking: true) else { return nil }
        // A smaller one does, too.
        try? pipe.writeEnd.setPipeSize(Self.pipeSize)
        return pipe
    }

    /// Takes back a pipe, which must be empty.
    func giveBack(_ pipe: Pipe) {
        if pipes.count < Self.maximumIdlePipes { pipes.append(pipe) }
    }

    /// A socket to a container, made before its client is accepted: a client whose backend could not be reached for
    /// want of a descriptor stays in the queue.
    func takeSocket(_ kind: Spare) throws(KernelError) -> FileDescriptor {
        if let socket = spareSockets.removeValue(forKey: kind) { return socket }
        return try Socket.make(kind.transport, kind.family)
    }

    func giveBack(_ socket: FileDescriptor, _ kind: Spare) { spareSockets[kind] = socket }

    func removeAll() {
        pipes = []
        spareSockets = [:]
    }
}
