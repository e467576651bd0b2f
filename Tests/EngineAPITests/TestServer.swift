import EngineAPI
import Glibc
import NIOCore
import NIOPosix
import Synchronization

/// A server on a socket of its own, with routes that the tests give.
final class TestServer: Sendable {
    let path: String
    private let server: HTTPServer
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    init(_ router: Router) async throws {
        path = "/tmp/engine-api-test-\(getpid())-\(UInt64.random(in: 0 ... .max)).sock"
        server = HTTPServer(group: group, commonHeaders: [("Server", "test")]) { request in
            guard let (route, parameters) = router.find(request.method, request.path[...]) else {
                return .failure(.notFound, "page not found")
            }
            var request = request
            request.parameters = parameters
            do {
                return try await route(request)
            } catch let failure as HTTPFailure {
                return .failure(failure.status, failure.message)
            } catch {
                return .failure(.internalServerError, "\(error)")
            }
        }
        let socket = try ListeningSocket.unix(path: path, group: "", isGroupRequired: false) { _ in }
        try await server.serve(listeningOn: socket.descriptor)
    }

    func connect() throws -> TestClient { try TestClient(path) }

    var connectionCount: Int { server.connectionCount }

    func stop() async throws {
        await server.stop(within: .seconds(1))
        try await group.shutdownGracefully()
        unlink(path)
    }

    /// Runs `body` against a server with `router`.
    static func with(_ router: Router, _ body: (TestServer) async throws -> Void) async throws {
        let server = try await TestServer(router)
        do { try await body(server) } catch {
            try await server.stop()
            throw error
        }
        try await server.stop()
    }
}

struct TestFailure: Error {
    var message: String
}

/// A client that writes and reads bytes, with a time limit.
final class TestClient {
    let descriptor: CInt

    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard status == 0 else { throw TestFailure(message: "cannot connect: \(errno)") }
    }

    deinit { if isOpen { Glibc.close(descriptor) } }
    private var isOpen = true

    func close() {
        isOpen = false
        Glibc.close(descriptor)
    }

    func send(_ text: String) async throws { try await send(Array(text.utf8)) }

    /// Sends as much as the server takes before it closes.
    func send(_ bytes: [UInt8]) async throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = try await patiently { [rest] in
                rest.withUnsafeBytes {
                    Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL | MSG_DONTWAIT))
                }
            }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    func closeSending() { shutdown(descriptor, CInt(SHUT_WR)) }

    /// What comes next, at most `limit` bytes; empty at the end.
    func receive(_ limit: Int = 65536) async throws -> [UInt8] { try await socketReceive(descriptor, limit) }

    func receiveText() async throws -> String { String(decoding: try await receive(), as: UTF8.self) }

    /// Everything until the end.
    func receiveAll() async throws -> String {
        var all: [UInt8] = []
        while true {
            let more = try await receive()
            if more.isEmpty { return String(decoding: all, as: UTF8.self) }
            all += more
        }
    }

    /// Text until `marker` has come.
    func receive(until marker: String) async throws -> String {
        var all = ""
        while !all.contains(marker) {
            let more = try await receiveText()
            if more.isEmpty { throw TestFailure(message: "the end came before \(marker): \(all)") }
            all += more
        }
        return all
    }
}

/// Tries a call on a socket until it would not block; tests must not block the threads that all tests share.
func patiently(_ call: () -> Int) async throws -> Int {
    let deadline = ContinuousClock.now + .seconds(10)
    while true {
        let count = call()
        if count >= 0 || errno != EAGAIN { return count }
        if ContinuousClock.now > deadline { throw TestFailure(message: "nothing came for ten seconds") }
        try await Task.sleep(for: .milliseconds(1))
    }
}

func socketReceive(_ descriptor: CInt, _ limit: Int) async throws -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: limit)
    let count = try await patiently { recv(descriptor, &buffer, limit, CInt(MSG_DONTWAIT)) }
    if count < 0 && errno == ECONNRESET { return [] }
    guard count >= 0 else { throw TestFailure(message: "cannot receive: \(errno)") }
    return Array(buffer.prefix(count))
}

/// A socket pair whose other end the test holds.
func socketPair() -> (CInt, CInt) {
    var ends: [CInt] = [-1, -1]
    socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0, &ends)
    return (ends[0], ends[1])
}
