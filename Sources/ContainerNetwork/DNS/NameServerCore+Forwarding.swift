import Glibc
import Kernel

extension NameServerCore {
    /// Asks the upstream servers, one after another, until one answers.
    func forward(
        _ message: UnsafeRawBufferPointer, _ query: DNSQuery, _ client: PendingQuery.Client, _ server: SandboxNameServer
    ) {
        let upstreams = server.upstreams(host: hostUpstreams)
        guard !upstreams.isEmpty else { return reply(.serverFailure, query, message, client, server) }
        let pending = PendingQuery(
            server: server, client: client, message: message, query: query, upstreams: upstreams)
        guard pendingCount < options.maximumPending, server.admit(pending) else {
            return reply(.refused, query, message, client, server)
        }
        pendingCount += 1
        ask(pending, overStream: pending.isStream)
    }

    private func ask(_ query: PendingQuery, overStream: Bool) {
        guard !query.isFinished else { return }
        query.attempt += 1
        let upstream = query.upstreams[query.position]
        do throws(KernelError) {
            if overStream {
                let socket = try connect(.tcp, to: upstream, for: query.server)
                let attempt = query.attempt
                // The event loop holds it until it is over.
                _ = try UpstreamStream(socket, on: loop, query) { [unowned self] reply, message in
                    guard query.attempt == attempt else { return }
                    if let reply {
                        take(reply, message, for: query, fromStream: true)
                    } else {
                        fail(query)
                    }
                    flushReplies()
                }
            } else {
                try channel(to: upstream, for: query.server).send(query)
            }
        } catch {
            loop.later { [weak self] in self?.failAndReply(query) }
            return
        }
        expect(query)
    }

    /// A server failed to answer: the next is asked; after the last the client hears of the failure.
    private func fail(_ query: PendingQuery) {
        guard !query.isFinished else { return }
        query.cancel?()
        query.cancel = nil
        query.position += 1
        if query.position < query.upstreams.count { return ask(query, overStream: query.isStream) }
        finish(query) { message in
            reply(.serverFailure, query.query, message, query.client, query.server)
        }
    }

    /// As `fail`, outside of what sends the replies of a batch itself.
    private func failAndReply(_ query: PendingQuery) {
        fail(query)
        flushReplies()
    }

    private func take(
        _ reply: DNSUpstreamReply, _ message: UnsafeRawBufferPointer, for query: PendingQuery, fromStream: Bool
    ) {
        guard !query.isFinished else { return }
        let code = DNSResponseCode(rawValue: reply.responseCode)
        if code == .serverFailure || code == .refused { return fail(query) }
        if reply.isTruncated && !fromStream { return ask(query, overStream: true) }
        finish(query) { original in
            let limit = query.query.datagramLimit(atMost: 65535)
            if fromStream && !query.isStream && message.count > limit {
                sendTruncated(message, limit: limit, query)
                return
            }
            var bytes = Array(message)
            bytes[0] = original[0]
            bytes[1] = original[1]
            bytes.withUnsafeBytes { sendWhole($0, query.client, query.server) }
        }
    }

    /// The whole answer came by stream and the client takes less in a datagram: it gets the header and the question,
    /// and comes back by stream.
    private func sendTruncated(_ message: UnsafeRawBufferPointer, limit: Int, _ query: PendingQuery) {
        var bytes = Array(message[..<query.query.questionEnd])
        bytes[0] = UInt8(query.query.id >> 8)
        bytes[1] = UInt8(truncatingIfNeeded: query.query.id)
        bytes[2] |= 2
        for index in 6..<12 { bytes[index] = 0 }
        bytes.withUnsafeBytes { sendWhole($0, query.client, query.server) }
    }

    private func finish(_ query: PendingQuery, _ send: (UnsafeRawBufferPointer) -> Void) {
        query.isFinished = true
        query.server.dismiss(query)
        pendingCount -= 1
        dropPassedDeadlines()
        guard !query.server.isClosed else { return }
        query.message[0] = UInt8(query.query.id >> 8)
        query.message[1] = UInt8(truncatingIfNeeded: query.query.id)
        query.message.withUnsafeBytes(send)
        query.message = []
    }

    // MARK: Time

    private func expect(_ query: PendingQuery) {
        let deadline = EventLoop.now() + UInt64(options.upstreamTimeoutMilliseconds) * 1_000_000
        deadlines.append((deadline, query, query.attempt))
        if deadlineTimer == nil { armDeadline() }
    }

    private func armDeadline() {
        dropPassedDeadlines()
        guard deadlinesStart < deadlines.count else { return }
        let next = deadlines[deadlinesStart].deadline
        let now = EventLoop.now()
        deadlineTimer = loop.after(milliseconds: next > now ? (next - now) / 1_000_000 + 1 : 0) { [unowned self] in
            deadlineTimer = nil
            passDeadlines()
            if deadlineTimer == nil { armDeadline() }
        }
    }

    /// Forgets the deadlines at the front whose queries are answered: most are, in order, long before their time.
    private func dropPassedDeadlines() {
        while deadlinesStart < deadlines.count {
            let next = deadlines[deadlinesStart]
            if !next.query.isFinished && next.query.attempt == next.attempt { break }
            deadlinesStart += 1
        }
        if deadlinesStart == deadlines.count || deadlinesStart >= 1024 {
            deadlines.removeFirst(deadlinesStart)
            deadlinesStart = 0
        }
    }

    private func passDeadlines() {
        let now = EventLoop.now()
        while deadlinesStart < deadlines.count, deadlines[deadlinesStart].deadline <= now {
            let next = deadlines[deadlinesStart]
            deadlinesStart += 1
            if !next.query.isFinished && next.query.attempt == next.attempt { fail(next.query) }
        }
        flushReplies()
    }

    /// Closes what nobody has used for a while.
    func startSweeping() {
        guard sweepTimer == nil else { return }
        sweepTimer = loop.after(milliseconds: 4000) { [unowned self] in
            sweepTimer = nil
            let limit = EventLoop.now() - 8_000_000_000
            var isBusy = Self.sweep(&hostChannels, before: limit)
            for server in servers.values {
                if Self.sweep(&server.channels, before: limit) { isBusy = true }
                for stream in server.streams.values where stream.lastUse < limit && stream.isIdle { stream.close() }
                if !server.streams.isEmpty { isBusy = true }
            }
            if isBusy { startSweeping() }
        }
    }

    private static func sweep(_ channels: inout [Upstream: UpstreamSocket], before limit: UInt64) -> Bool {
        for (upstream, channel) in channels where channel.isIdle && channel.lastUse < limit {
            channel.close()
            channels[upstream] = nil
        }
        return !channels.isEmpty
    }

    // MARK: Sockets

    private func channel(to upstream: Upstream, for server: SandboxNameServer) throws(KernelError) -> UpstreamSocket {
        let known = upstream.origin == .host ? hostChannels[upstream] : server.channels[upstream]
        if let known, !known.isWorn { return known }
        let socket = try connect(.udp, to: upstream, for: server)
        let channel = try UpstreamSocket(
            socket, on: loop, batch: upstreamReplies,
            answer: { [unowned self] in take($1, $2, for: $0, fromStream: false) },
            fail: { [weak self] in self?.failAndReply($0) }, afterBatch: { [unowned self] in flushReplies() })
        if upstream.origin == .host { hostChannels[upstream] = channel } else { server.channels[upstream] = channel }
        known?.retire()
        startSweeping()
        return channel
    }

    private func connect(_ transport: Socket.Transport, to upstream: Upstream, for server: SandboxNameServer)
        throws(KernelError) -> FileDescriptor
    {
        guard upstream.origin == .container else { return try Socket.connect(transport, to: upstream.endpoint) }
        let socket = try makeSocket(transport, upstream.endpoint.family, inNamespaceOf: server.sockets.datagrams)
        try socket.connect(to: upstream.endpoint)
        return socket
    }

    /// Makes a socket in another network namespace: the thread goes there and comes back.
    private func makeSocket(
        _ transport: Socket.Transport, _ family: Socket.Family, inNamespaceOf other: FileDescriptor
    ) throws(KernelError) -> FileDescriptor {
        let home = try FileDescriptor.open("/proc/thread-self/ns/net")
        try Namespaces.join(try other.socketNamespace(), .network)
        let result = Result { () throws(KernelError) in try Socket.make(transport, family) }
        do throws(KernelError) { try Namespaces.join(home, .network) } catch {
            // In the wrong network nothing that this thread does is right.
            fatalError("cannot return to the host's network namespace: \(error)")
        }
        return try result.get()
    }
}
