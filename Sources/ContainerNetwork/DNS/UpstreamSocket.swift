import Kernel

/// A datagram socket that is connected to one upstream server, and the queries that wait for answers on it.
///
/// The kernel takes datagrams from that server only, on a port of its choice; an answer must carry the random number
/// of a query that waits here, and its question.
final class UpstreamSocket {
    /// A socket is given up after so many queries, so that its port is not learnt.
    static let maximumUses = 200

    private let socket: FileDescriptor
    private let loop: EventLoop
    private var watch: EventLoop.Watch?
    private var waiting: [UInt16: PendingQuery] = [:]
    private var isRetired = false
    private(set) var uses = 0
    private(set) var lastUse = EventLoop.now()
    private let answer: (PendingQuery, DNSUpstreamReply, UnsafeRawBufferPointer) -> Void
    private let fail: (PendingQuery) -> Void

    init(
        _ socket: FileDescriptor, on loop: EventLoop, batch: DatagramBatch,
        answer: @escaping (PendingQuery, DNSUpstreamReply, UnsafeRawBufferPointer) -> Void,
        fail: @escaping (PendingQuery) -> Void, afterBatch: @escaping () -> Void
    ) throws(KernelError) {
        self.socket = socket
        self.loop = loop
        self.answer = answer
        self.fail = fail
        watch = try loop.watch(socket, .readable) { [self] _ in
            receive(batch)
            afterBatch()
        }
    }

    var isIdle: Bool { waiting.isEmpty }
    var isWorn: Bool { uses >= Self.maximumUses || watch == nil }

    func send(_ query: PendingQuery) {
        var generator = SystemRandomNumberGenerator()
        var id: UInt16
        repeat { id = generator.next() } while waiting[id] != nil
        query.message[0] = UInt8(id >> 8)
        query.message[1] = UInt8(truncatingIfNeeded: id)
        uses += 1
        lastUse = EventLoop.now()
        waiting[id] = query
        query.cancel = { [self] in
            waiting[id] = nil
            closeIfDone()
        }
        var result = query.message.withUnsafeBytes { socket.send($0) }
        // The first error may be an earlier datagram's.
        if result < 0 { result = query.message.withUnsafeBytes { socket.send($0) } }
        if result < 0 {
            waiting[id] = nil
            query.cancel = nil
            loop.later { [fail] in fail(query) }
        }
    }

    private func receive(_ batch: DatagramBatch) {
        let result = batch.receive(from: socket)
        // The server's port is closed: nothing that waits here will be answered.
        if result < 0 && result != -11 {
            let all = Array(waiting.values)
            waiting = [:]
            for query in all {
                query.cancel = nil
                fail(query)
            }
            return
        }
        for index in 0..<batch.count {
            let message = batch.datagram(index)
            guard !batch.isTruncated(index), message.count >= 2, let query = waiting[message.word(0)],
                let reply = DNSUpstreamReply(message, to: query.message, questionEnd: query.query.questionEnd)
            else { continue }
            waiting[reply.id] = nil
            query.cancel = nil
            answer(query, reply, message)
        }
        closeIfDone()
    }

    private func closeIfDone() {
        if isRetired && isIdle { close() }
    }

    /// Closes once the last query that waits here is answered or given up.
    func retire() {
        isRetired = true
        if isIdle { close() }
    }

    func close() {
        if let watch { loop.forget(watch) }
        watch = nil
        try? socket.close()
    }
}
