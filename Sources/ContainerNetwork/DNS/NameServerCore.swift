import Kernel

/// All name servers of one event loop.
final class NameServerCore {
    let loop: EventLoop
    let options: NameServer.Options
    var servers: [String: SandboxNameServer] = [:]
    var hostUpstreams: [Upstream] = []
    /// Sockets in the host's namespace, which all containers share.
    var hostChannels: [Upstream: UpstreamSocket] = [:]
    var hostFile: HostResolvConfWatch?
    private let queries = DatagramBatch(capacity: 64, datagramSize: DNSReply.datagramSize)
    let replies = DatagramBatch(capacity: 64, datagramSize: DNSReply.datagramSize)
    private var repliesTo: SandboxNameServer?
    private let largeReply = DatagramBatch(capacity: 1, datagramSize: 65535)
    let upstreamReplies = DatagramBatch(capacity: 8, datagramSize: 65535)
    /// In the order of their deadlines, since all have the same time.
    var deadlines: [(deadline: UInt64, query: PendingQuery, attempt: Int)] = []
    var deadlinesStart = 0
    var deadlineTimer: EventLoop.Timer?
    var sweepTimer: EventLoop.Timer?
    var pendingCount = 0

    init(_ loop: EventLoop, _ options: NameServer.Options) {
        self.loop = loop
        self.options = options
    }

    // MARK: Life

    func open(_ id: String, _ sockets: NameServerSockets, _ configuration: NameServerConfiguration) throws(KernelError)
    {
        close(id)
        let server = SandboxNameServer(sockets, configuration)
        do throws(KernelError) {
            try sockets.datagrams.setNonBlocking(true)
            try sockets.listener.setNonBlocking(true)
            server.watches.append(
                try loop.watch(sockets.datagrams, .readable) { [unowned self, unowned server] _ in
                    withExtendedLifetime(server) { receiveDatagrams(server) }
                })
            server.watches.append(
                try loop.watch(sockets.listener, .readable) { [unowned self, unowned server] _ in
                    withExtendedLifetime(server) { acceptStreams(server) }
                })
        } catch {
            for watch in server.watches { loop.forget(watch) }
            throw error
        }
        servers[id] = server
    }

    /// Closes every socket of a container's name server: its network namespace lives as long as one.
    func close(_ id: String) {
        guard let server = servers.removeValue(forKey: id) else { return }
        flushReplies()
        server.isClosed = true
        for watch in server.watches { loop.forget(watch) }
        server.watches = []
        try? server.sockets.datagrams.close()
        try? server.sockets.listener.close()
        for query in server.pending.values {
            query.cancel?()
            query.cancel = nil
            if !query.isFinished {
                query.isFinished = true
                pendingCount -= 1
            }
        }
        server.pending = [:]
        server.questions = [:]
        for stream in server.streams.values { stream.close() }
        for channel in server.channels.values { channel.close() }
        server.channels = [:]
    }

    func closeAll() {
        for id in Array(servers.keys) { close(id) }
        for channel in hostChannels.values { channel.close() }
        hostChannels = [:]
        hostFile?.close()
        hostFile = nil
        deadlines = []
        deadlinesStart = 0
        if let deadlineTimer { loop.cancel(deadlineTimer) }
        if let sweepTimer { loop.cancel(sweepTimer) }
    }

    // MARK: Queries in

    private func receiveDatagrams(_ server: SandboxNameServer) {
        // A few batches, then the others' turn.
        for _ in 0..<4 where !server.isClosed {
            let result = queries.receive(from: server.sockets.datagrams)
            guard result > 0 else { break }
            for index in 0..<queries.count {
                guard let sender = queries.sender(index) else { continue }
                let message = queries.datagram(index)
                if queries.isTruncated(index) {
                    // A query past 4 KB.
                    append(to: sender, of: server) { buffer in
                        DNSReply.writeRefusal(.formatError, to: message, into: buffer)
                    }
                    continue
                }
                answer(message, .datagram(sender), server)
            }
            flushReplies()
            if result < queries.capacity { break }
        }
    }

    private func acceptStreams(_ server: SandboxNameServer) {
        while server.streams.count < SandboxNameServer.maximumStreams {
            let socket: FileDescriptor
            do throws(KernelError) {
                guard let next = try server.sockets.listener.accept(nonBlocking: true) else { return }
                socket = next
            } catch { break }
            let stream = try? NameServerStream(socket, on: loop) { [unowned self, unowned server] stream, message in
                answer(message, .stream(stream), server)
            } ended: { [unowned server] stream in
                server.streams[ObjectIdentifier(stream)] = nil
            }
            if let stream { server.streams[ObjectIdentifier(stream)] = stream }
            startSweeping()
        }
        // Too many connections, or no descriptors: those in the queue wait until some have gone.
        guard let watch = server.watches.last else { return }
        loop.wait(watch, for: [])
        loop.after(milliseconds: 50) { [weak self, weak server] in
            guard let server, !server.isClosed else { return }
            self?.loop.wait(watch, for: .readable)
        }
    }

    private func answer(_ message: UnsafeRawBufferPointer, _ client: PendingQuery.Client, _ server: SandboxNameServer) {
        let query: DNSQuery
        do throws(DNSQuery.Refusal) { query = try DNSQuery(message) } catch {
            switch error {
            case .ignored:
                if case .stream(let stream) = client { stream.close() }
            case .answered(let code):
                send(client, server) { buffer in DNSReply.writeRefusal(code, to: message, into: buffer) }
            }
            return
        }
        if let answers = localAnswers(query, server.configuration.names) {
            return reply(.success, query, message, client, server, answers: answers)
        }
        let isAddress = query.type == DNSRecordType.a || query.type == DNSRecordType.aaaa
        if isAddress && server.configuration.hasNdots && !query.name.text.containsByte(".") {
            return reply(.success, query, message, client, server)
        }
        forward(message, query, client, server)
    }

    /// What the container's networks know; `nil` when that is nothing, and others are to be asked.
    private func localAnswers(_ query: DNSQuery, _ names: NameScope) -> [DNSReply.Answer]? {
        guard query.recordClass == 1, query.name.isPlain else { return nil }
        switch query.type {
        case DNSRecordType.a, DNSRecordType.aaaa:
            guard var found = names.addresses(of: query.name.text) else { return nil }
            found.removeAll { $0.isIPv4 != (query.type == DNSRecordType.a) }
            if found.count > 1 { found.shuffle() }
            return found.map { .address($0) }
        case DNSRecordType.mx:
            // No mail exchanger: mail goes to the name's own address (RFC 5321, section 5.1).
            return names.addresses(of: query.name.text) == nil ? nil : []
        case DNSRecordType.ptr:
            guard let address = DNSPointerName.address(query.name.text), let name = names.name(of: address),
                let encoded = DNSName.encode(name)
            else { return nil }
            return [.name(encoded)]
        default: return nil
        }
    }

    // MARK: Replies out

    func reply(
        _ code: DNSResponseCode, _ query: DNSQuery, _ message: UnsafeRawBufferPointer, _ client: PendingQuery.Client,
        _ server: SandboxNameServer, answers: [DNSReply.Answer] = []
    ) {
        send(client, server) { buffer in
            let limit =
                switch client {
                case .datagram: query.datagramLimit(atMost: DNSReply.datagramSize)
                case .stream: 65535
                }
            return DNSReply.write(code, to: query, message, answers: answers, limit: limit, into: buffer)
        }
    }

    private func send(
        _ client: PendingQuery.Client, _ server: SandboxNameServer, _ fill: (UnsafeMutableRawBufferPointer) -> Int
    ) {
        switch client {
        case .datagram(let sender): append(to: sender, of: server, fill)
        case .stream(let stream):
            var buffer = [UInt8](repeating: 0, count: 65535)
            buffer.withUnsafeMutableBytes { buffer in
                let size = fill(buffer)
                stream.reply(UnsafeRawBufferPointer(rebasing: buffer[..<size]))
            }
        }
    }

    private func append(
        to sender: InternetEndpoint, of server: SandboxNameServer, _ fill: (UnsafeMutableRawBufferPointer) -> Int
    ) {
        if repliesTo !== server || replies.isFull { flushReplies() }
        repliesTo = server
        replies.append(to: sender, fill)
    }

    /// Sends a message as it is.
    func sendWhole(_ message: UnsafeRawBufferPointer, _ client: PendingQuery.Client, _ server: SandboxNameServer) {
        switch client {
        case .stream(let stream): stream.reply(message)
        case .datagram(let sender) where message.count <= DNSReply.datagramSize:
            append(to: sender, of: server) { buffer in
                buffer.copyMemory(from: message)
                return message.count
            }
        case .datagram(let sender):
            largeReply.removeAll()
            largeReply.append(message, to: sender, from: nil)
            largeReply.send(on: server.sockets.datagrams)
        }
    }

    /// What was appended goes out; callers do so once they have nothing more to append.
    func flushReplies() {
        guard let server = repliesTo else { return }
        repliesTo = nil
        if server.isClosed { replies.removeAll() } else { replies.send(on: server.sockets.datagrams) }
    }
}
