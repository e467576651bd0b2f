import Kernel
import Synchronization
import Testing

@testable import ContainerNetwork

/// One after another: they count the descriptors of the process.
@Suite(.serialized) struct ProxyTests {
    private struct Served {
        let thread: EventThread
        let proxy: PortProxy
        let id: PortProxy.ID
        let backend: FileDescriptor
        let front: InternetEndpoint

        init(
            _ transport: Socket.Transport, front address: InternetAddress = loopback,
            options: PortProxy.Options = .init()
        ) async throws {
            backend = try Socket.bind(transport, endpoint(0))
            let listener = try Socket.bind(transport, endpoint(0, address))
            front = InternetEndpoint(address, port: try listener.localEndpoint().port)
            thread = try EventThread()
            proxy = PortProxy(on: thread, options: options)
            id = try await proxy.start(transport, listener: listener, backend: try backend.localEndpoint())
        }

        func stop() async throws {
            try await proxy.stopAll()
            thread.shutDown()
        }
    }

    private static func pattern(_ count: Int) -> [UInt8] {
        var state: UInt64 = 88_172_645_463_325_252
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            for index in 0..<count {
                state ^= state << 13
                state ^= state >> 7
                state ^= state << 17
                buffer[index] = UInt8(truncatingIfNeeded: state >> 24)
            }
            filled = count
        }
    }

    @Test func bulkArrivesWholeBothWays() async throws {
        let served = try await Served(.tcp)
        let bytes = Self.pattern(64 << 20)
        let (front, backend) = (served.front, served.backend)
        async let received = blocking { () -> Bool in
            guard let socket = try acceptOne(backend) else { return false }
            let got = try readAll(socket)
            try writeAll(got, to: socket)
            return got == bytes
        }
        let echoed = try await blocking { () -> Bool in
            let socket = try Socket.connect(.tcp, to: front)
            _ = try until(socket, .writable)
            try writeAll(bytes, to: socket)
            try socket.shutdown(.write)
            return try readAll(socket) == bytes
        }
        #expect(try await received)
        #expect(echoed)
        try await served.stop()
    }

    @Test func eitherSideMayEndFirst() async throws {
        let served = try await Served(.tcp)
        let (front, backend) = (served.front, served.backend)
        let result = try await blocking { () -> [[UInt8]] in
            let client = try Socket.connect(.tcp, to: front)
            guard let server = try acceptOne(backend) else { return [] }
            try writeAll([1, 2], to: server)
            try server.shutdown(.write)
            let first = try readAll(client)
            try writeAll([3], to: client)
            let second = try readAll(server, count: 1)
            try client.shutdown(.write)
            return [first, second, try readAll(server)]
        }
        #expect(result == [[1, 2], [3], []])
        try await served.stop()
    }

    @Test func aClosedBackendResetsTheClient() async throws {
        let served = try await Served(.tcp)
        let front = served.front
        try served.backend.close()
        let failure = try await blocking { () -> ErrorNumber? in
            let client = try Socket.connect(.tcp, to: front)
            _ = try until(client, .readable)
            do { return try client.read(count: 1).isEmpty ? nil : .exists } catch let error as KernelError {
                return error.code
            }
        }
        #expect(failure == .connectionReset)
        try await served.stop()
    }

    @Test func aResetIsPassedOn() async throws {
        let served = try await Served(.tcp)
        let (front, backend) = (served.front, served.backend)
        let failure = try await blocking { () -> ErrorNumber? in
            let client = try Socket.connect(.tcp, to: front)
            guard let server = try acceptOne(backend) else { return nil }
            try writeAll([1], to: client)
            _ = try readAll(server, count: 1)
            client.resetOnClose()
            try client.close()
            _ = try until(server, .readable)
            do { return try server.read(count: 1).isEmpty ? nil : .exists } catch let error as KernelError {
                return error.code
            }
        }
        #expect(failure == .connectionReset)
        try await served.stop()
    }

    /// One reader stands still while its writer writes; the others' connections go on.
    @Test func aSlowReaderHoldsUpItsWriterOnly() async throws {
        let served = try await Served(.tcp)
        let (front, backend) = (served.front, served.backend)
        let bytes = Self.pattern(24 << 20)
        let outcome = try await blocking { () -> Bool in
            let client = try Socket.connect(.tcp, to: front)
            guard let server = try acceptOne(backend) else { return false }
            var sent = 0
            // Until neither the kernel nor the proxy takes more.
            while try until(client, .writable, seconds: 1), sent < bytes.count {
                let result = bytes.withUnsafeBytes {
                    client.send(UnsafeRawBufferPointer(rebasing: $0[sent..<min(sent + 65536, bytes.count)]))
                }
                if result > 0 { sent += result }
            }
            let other = try Socket.connect(.tcp, to: front)
            guard let otherServer = try acceptOne(backend) else { return false }
            try writeAll([7], to: other)
            guard try readAll(otherServer, count: 1) == [7] else { return false }
            return try readAll(server, count: sent) == Array(bytes[..<sent])
        }
        #expect(outcome)
        try await served.stop()
    }

    @Test(.timeLimit(.minutes(5))) func manyConnectionsLeaveNothingBehind() async throws {
        let served = try await Served(.tcp)
        let (front, backend) = (served.front, served.backend)
        var before = 0
        for round in 0..<3 {
            let outcome = try await blocking { () -> Int in
                let clients = try (0..<200).map { _ in try Socket.connect(.tcp, to: front) }
                var servers: [FileDescriptor] = []
                while servers.count < 200, let server = try acceptOne(backend) { servers.append(server) }
                for (index, client) in clients.enumerated() { try writeAll([UInt8(index), 9], to: client) }
                var seen: Set<UInt8> = []
                for server in servers {
                    let bytes = try readAll(server, count: 2)
                    seen.insert(bytes[0])
                    try writeAll(bytes, to: server)
                }
                var right = 0
                for (index, client) in clients.enumerated() {
                    if try readAll(client, count: 2) == [UInt8(index), 9] { right += 1 }
                }
                return seen.count == 200 ? right : -1
            }
            #expect(outcome == 200)
            while try await served.proxy.connectionCount() > 0 { await Task.yield() }
            // What is kept for later is there after the first round.
            if round == 0 { before = try openDescriptors() }
        }
        try await settle(before)
        try await served.proxy.stop(served.id)
        // The port is free at once.
        #expect(throws: Never.self) { try Socket.bind(.tcp, front) }
        try await served.stop()
    }

    @Test func anIPv6PortLeadsToAnIPv4Container() async throws {
        let served = try await Served(.tcp, front: try #require(InternetAddress("::1")))
        let (front, backend) = (served.front, served.backend)
        let bytes = try await blocking { () -> [UInt8] in
            let client = try Socket.connect(.tcp, to: front)
            guard let server = try acceptOne(backend) else { return [] }
            try writeAll([5], to: client)
            return try readAll(server, count: 1)
        }
        #expect(bytes == [5])
        try await served.stop()
    }

    @Test func datagramsAndTheirRepliesFindTheirWay() async throws {
        for address in [loopback, InternetAddress("::1")].compactMap({ $0 }) {
            let served = try await Served(.udp, front: address)
            let (front, backend) = (served.front, served.backend)
            let right = try await blocking { () -> Int in
                let clients = try (0..<20).map { _ in try Socket.connect(.udp, to: front) }
                for (index, client) in clients.enumerated() {
                    try client.writeAll([UInt8](repeating: UInt8(index), count: 1 + index * 300))
                }
                let batch = DatagramBatch(capacity: 8, datagramSize: 65535)
                var echoed = 0
                while echoed < 20 {
                    guard try until(backend, .readable) else { return -1 }
                    let count = batch.receive(from: backend)
                    for index in 0..<max(count, 0) {
                        batch.resend(index..<(index + 1), on: backend, to: batch.sender(index))
                    }
                    echoed += max(count, 0)
                }
                var right = 0
                for (index, client) in clients.enumerated() {
                    let bytes = try receiveDatagram(client)
                    if bytes == [UInt8](repeating: UInt8(index), count: 1 + index * 300) { right += 1 }
                }
                return right
            }
            #expect(right == 20)
            #expect(try await served.proxy.connectionCount() == 20)
            try await served.stop()
        }
    }

    /// On a wildcard port the reply comes from the address that was asked.
    @Test func repliesComeFromTheAddressAsked() async throws {
        let served = try await Served(.udp, front: InternetAddress(ipv4: 0, 0, 0, 0))
        let (port, backend) = (served.front.port, served.backend)
        let reply = try await blocking { () -> [UInt8] in
            let client = try Socket.connect(.udp, to: endpoint(port, InternetAddress(ipv4: 127, 9, 9, 9)))
            try client.writeAll([1])
            let batch = DatagramBatch(capacity: 1, datagramSize: 100)
            _ = try until(backend, .readable)
            _ = batch.receive(from: backend)
            batch.resend(0..<1, on: backend, to: batch.sender(0))
            // The socket is connected: a reply from elsewhere would not reach it.
            return try receiveDatagram(client)
        }
        #expect(reply == [1])
        try await served.stop()
    }

    @Test(.timeLimit(.minutes(5))) func idleDatagramClientsAreForgotten() async throws {
        let served = try await Served(.udp, options: .init(datagramIdleMilliseconds: 20, maximumFlows: 4))
        let front = served.front
        let before = try openDescriptors()
        try await blocking {
            for index in 0..<12 { try Socket.connect(.udp, to: front).writeAll([UInt8(index)]) }
        }
        #expect(try await served.proxy.connectionCount() <= 4)
        while try await served.proxy.connectionCount() > 0 { await Task.yield() }
        try await settle(before)
        try await served.stop()
    }

    @Test(.enabled(if: hasSCTP())) func associationsAreCarried() async throws {
        let served = try await Served(.sctp)
        let (front, backend) = (served.front, served.backend)
        let result = try await blocking { () -> [[UInt8]] in
            let client = try Socket.connect(.sctp, to: front)
            _ = try until(client, .writable)
            guard let server = try acceptOne(backend) else { return [] }
            try writeAll([1, 2, 3], to: client)
            let first = try readAll(server, count: 3)
            try writeAll([4], to: server)
            let second = try readAll(client, count: 1)
            try server.close()
            return [first, second, try readAll(client)]
        }
        #expect(result == [[1, 2, 3], [4], []])
        try await served.stop()
    }
}

/// The process's sockets and pipes. What the language's own runtime opens when it is first needed, for timers and the
/// like, is neither.
private func openDescriptors() throws -> Int {
    let directory = "/proc/self/fd"
    return try FileDescriptor.currentDirectory.entries(of: directory).count { entry in
        let target = (try? FileDescriptor.currentDirectory.readLinkText("\(directory)/\(entry.name)")) ?? ""
        return target.hasPrefix("socket:") || target.hasPrefix("pipe:")
    }
}

/// Waits until no more descriptors are open than there were. Other suites open some meanwhile, and close them; what
/// leaks stays.
private func settle(_ count: Int) async throws {
    while try openDescriptors() > count { try await Task.sleep(for: .milliseconds(20)) }
}

private func hasSCTP() -> Bool { (try? Socket.make(.sctp, .internet)) != nil }
