import ContainerNetwork
import Kernel
import Synchronization

/// Runs blocking work on a thread of its own.
func blocking<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result {
    let thread = try EventThread()
    defer { thread.shutDown() }
    return try await thread.run { _ in try work() }
}

let loopback = InternetAddress(ipv4: 127, 0, 0, 1)

func endpoint(_ port: UInt16, _ address: InternetAddress = loopback) -> InternetEndpoint {
    InternetEndpoint(address, port: port)
}

/// Waits for a socket; a test that hangs is cut off here.
func until(_ socket: FileDescriptor, _ events: ReadinessEvents, seconds: Int = 60) throws -> Bool {
    try !poll([PollRequest(socket, events)], timeoutMilliseconds: seconds * 1000)[0].isEmpty
}

func receiveDatagram(_ socket: FileDescriptor) throws -> [UInt8] {
    guard try until(socket, .readable) else { return [] }
    return try socket.read(count: 65535)
}

/// Reads until `count` bytes or the end have come.
func readAll(_ socket: FileDescriptor, count: Int = .max) throws -> [UInt8] {
    var result: [UInt8] = []
    while result.count < count {
        guard try until(socket, .readable) else { break }
        let piece = try socket.read(count: min(count - result.count, 1 << 16))
        if piece.isEmpty { break }
        result += piece
    }
    return result
}

func writeAll(_ bytes: [UInt8], to socket: FileDescriptor) throws {
    var sent = 0
    while sent < bytes.count {
        let result = bytes.withUnsafeBytes { socket.send(UnsafeRawBufferPointer(rebasing: $0[sent...])) }
        if result > 0 {
            sent += result
        } else if result == -11 {
            guard try until(socket, .writable) else { return }
        } else {
            throw KernelError(ErrorNumber(rawValue: Int32(-result)), "send in a test")
        }
    }
}

func acceptOne(_ listener: FileDescriptor) throws -> FileDescriptor? {
    guard try until(listener, .readable) else { return nil }
    return try listener.accept(nonBlocking: true)
}

/// Messages, by hand: the tests do not trust the codec that they test.
enum Wire {
    static func name(_ text: String) -> [UInt8] {
        text.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }

    static func word(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 255), UInt8(value & 255)] }

    static func query(_ name: String, _ type: Int, id: Int = 0x1234, edns: Int? = nil) -> [UInt8] {
        var bytes = word(id) + word(0x0100) + word(1) + word(0) + word(0) + word(edns == nil ? 0 : 1)
        bytes += self.name(name) + word(type) + word(1)
        if let edns { bytes += [0] + word(41) + word(edns) + [0, 0, 0, 0] + word(0) }
        return bytes
    }

    /// An answer to `query` with so many records of `127.1.0.x`, or only a code.
    static func response(
        _ query: [UInt8], addresses: [[UInt8]] = [], code: Int = 0, isTruncated: Bool = false
    ) -> [UInt8] {
        var end = 12
        while query[end] != 0 { end += 1 + Int(query[end]) }
        end += 5
        var bytes = Array(query[..<2]) + word(0x8180 | code | (isTruncated ? 0x0200 : 0)) + word(1)
        bytes += word(addresses.count) + word(0) + word(0) + query[12..<end]
        for address in addresses { bytes += [0xc0, 12] + word(1) + word(1) + [0, 0, 0, 60] + word(4) + address }
        return bytes
    }

    static func code(_ message: [UInt8]) -> Int { message.count < 12 ? -1 : Int(message[3] & 15) }
    static func isTruncated(_ message: [UInt8]) -> Bool { message[2] & 2 != 0 }
    static func answerCount(_ message: [UInt8]) -> Int { Int(message[6]) << 8 | Int(message[7]) }

    /// The data of the answers, whose names must be pointers.
    static func answers(_ message: [UInt8]) -> [[UInt8]] {
        var offset = 12
        while message[offset] != 0 { offset += 1 + Int(message[offset]) }
        offset += 5
        var result: [[UInt8]] = []
        for _ in 0..<answerCount(message) {
            let size = Int(message[offset + 10]) << 8 | Int(message[offset + 11])
            result.append(Array(message[(offset + 12)..<(offset + 12 + size)]))
            offset += 12 + size
        }
        return result
    }

    static func timeToLive(_ message: [UInt8]) -> Int {
        var offset = 12
        while message[offset] != 0 { offset += 1 + Int(message[offset]) }
        return Int(message[offset + 13]) << 8 | Int(message[offset + 14])
    }
}

/// A server that answers as a closure says, on loopback.
final class FakeUpstream: Sendable {
    let port: UInt16
    private let thread: EventThread
    private let seen = Mutex<[(message: [UInt8], isStream: Bool)]>([])

    /// - Parameter answer: gets the query, and whether it came by stream; returns what to send.
    init(_ answer: @escaping @Sendable ([UInt8], Bool) -> [[UInt8]]) async throws {
        let (datagrams, listener) = try Self.bind()
        port = try datagrams.localEndpoint().port
        thread = try EventThread()
        try await thread.run { [self] loop in
            let batch = DatagramBatch(capacity: 16, datagramSize: 65535)
            _ = try loop.watch(datagrams, .readable) { _ in
                while batch.receive(from: datagrams) > 0 {
                    let received = (0..<batch.count).map { (Array(batch.datagram($0)), batch.sender($0)) }
                    batch.removeAll()
                    for (message, sender) in received {
                        self.seen.withLock { $0.append((message, false)) }
                        for reply in answer(message, false) {
                            reply.withUnsafeBytes { batch.append($0, to: sender, from: nil) }
                            batch.send(on: datagrams)
                        }
                    }
                }
            }
            _ = try loop.watch(listener, .readable) { _ in
                guard let socket = (try? listener.accept(nonBlocking: true)) ?? nil else { return }
                var watch: EventLoop.Watch?
                watch = try? loop.watch(socket, .readable) { _ in
                    let bytes = (try? socket.read(count: 65535)) ?? []
                    if bytes.count > 2 {
                        let message = Array(bytes[2...])
                        self.seen.withLock { $0.append((message, true)) }
                        for reply in answer(message, true) {
                            _ = (Wire.word(reply.count) + reply).withUnsafeBytes { socket.send($0) }
                        }
                    } else if let watch {
                        loop.forget(watch)
                        try? socket.close()
                    }
                }
            }
        }
    }

    /// A port that is free for both.
    private static func bind() throws -> (FileDescriptor, FileDescriptor) {
        for _ in 0..<100 {
            let datagrams = try Socket.bind(.udp, endpoint(0))
            if let listener = try? Socket.bind(.tcp, datagrams.localEndpoint()) { return (datagrams, listener) }
        }
        throw KernelError(.busy, "find a port for a test")
    }

    var queries: [(message: [UInt8], isStream: Bool)] { seen.withLock { $0 } }
    func upstream(_ origin: Upstream.Origin = .host) -> Upstream { Upstream(loopback, port: port, from: origin) }
    func stop() { thread.shutDown() }
}

/// A name server on loopback for one test.
struct ServedNames {
    let thread: EventThread
    let server: NameServer
    let port: UInt16
    let streamPort: UInt16

    init(_ configuration: NameServerConfiguration, options: NameServer.Options = .init()) async throws {
        thread = try EventThread()
        server = NameServer(on: thread, options: options)
        let sockets = try NameServerSockets.open(address: loopback, port: 0)
        port = try sockets.datagramPort
        streamPort = try sockets.listenerPort
        try await server.open("c", sockets: sockets, configuration: configuration)
    }

    func ask(_ message: [UInt8]) async throws -> [UInt8] {
        let port = port
        return try await blocking {
            let socket = try Socket.connect(.udp, to: endpoint(port))
            try socket.writeAll(message)
            return try receiveDatagram(socket)
        }
    }

    func askByStream(_ messages: [[UInt8]]) async throws -> [[UInt8]] {
        let port = streamPort
        return try await blocking {
            let socket = try Socket.connect(.tcp, to: endpoint(port))
            _ = try until(socket, .writable)
            try writeAll(messages.flatMap { Wire.word($0.count) + $0 }, to: socket)
            return try messages.map { _ in
                let size = try readAll(socket, count: 2)
                return size.count < 2 ? [] : try readAll(socket, count: Int(size[0]) << 8 | Int(size[1]))
            }
        }
    }

    func stop() async throws {
        try await server.closeAll()
        thread.shutDown()
    }
}
