import Glibc
import Kernel
import Synchronization

/// An HTTP server that does exactly what a test says, also what no server should.
final class CacheServer: Sendable {
    struct Request: Sendable {
        var method: String
        /// With its leading slash.
        var path: String
        /// Names in lower case.
        var headers: [String: String]
        var body: [UInt8]
    }

    enum Answer: Sendable {
        case file([UInt8], headers: [String: String] = [:], status: Int = 200)
        case status(Int, headers: [String: String] = [:])
        /// Announces all bytes, sends so many, and hangs up.
        case cut([UInt8], after: Int)
        /// Announces all bytes, sends so many, and waits until the server ends.
        case stall([UInt8], after: Int)
        /// Sends the bytes again and again.
        case endless([UInt8])
    }

    let port: UInt16
    private let listener: Int32
    private let log = Mutex<[Request]>([])
    private let isClosed = Atomic(false)
    private let threads = Mutex<[pthread_t]>([])
    private let respond: @Sendable (Request) -> Answer

    init(_ respond: @escaping @Sendable (Request) -> Answer) throws {
        self.respond = respond
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = listener
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 && listen(descriptor, 64) == 0
                    && getsockname(descriptor, address, &length) == 0
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        guard listener >= 0, result else {
            throw KernelError(ErrorNumber(rawValue: errno), "listen on", "127.0.0.1")
        }
        start { [self] in accept() }
    }

    var address: String { "http://127.0.0.1:\(port)" }
    var requests: [Request] { log.withLock { $0 } }
    func count(_ path: String) -> Int { requests.count { $0.path == path } }

    /// Ends all threads. Must be called.
    func stop() {
        isClosed.store(true, ordering: .sequentiallyConsistent)
        while let thread = threads.withLock({ $0.popLast() }) { pthread_join(thread, nil) }
        close(listener)
    }

    private func start(_ body: @escaping @Sendable () -> Void) {
        let work = Unmanaged.passRetained(Work(body))
        var thread = pthread_t()
        let result = pthread_create(
            &thread, nil,
            { argument in
                if let argument { Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body() }
                return nil
            }, work.toOpaque())
        precondition(result == 0)
        let started = thread
        threads.withLock { $0.append(started) }
    }

    /// Whether the descriptor can be read before the server ends.
    private func waitReadable(_ descriptor: Int32) -> Bool {
        while !isClosed.load(ordering: .sequentiallyConsistent) {
            var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            if Glibc.poll(&request, 1, 20) > 0 { return true }
        }
        return false
    }

    private func accept() {
        while waitReadable(listener) {
            let connection = Glibc.accept(listener, nil, nil)
            if connection >= 0 {
                start { [self] in
                    serve(connection)
                    shutdown(connection, Int32(SHUT_RDWR))
                    close(connection)
                }
            }
        }
    }

    private func serve(_ connection: Int32) {
        var bytes: [UInt8] = []
        func more() -> Bool {
            guard waitReadable(connection) else { return false }
            var buffer = [UInt8](repeating: 0, count: 65536)
            let count = recv(connection, &buffer, buffer.count, 0)
            if count > 0 { bytes += buffer[..<count] }
            return count > 0
        }
        let end = Array("\r\n\r\n".utf8)
        while bytes.firstRange(of: end) == nil { if !more() { return } }
        guard let head = bytes.firstRange(of: end) else { return }
        let lines = String(decoding: bytes[..<head.lowerBound], as: UTF8.self).split(separator: "\r\n")
        let words = lines[0].split(separator: " ")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts.count > 1 ? String(parts[1].drop { $0 == " " }) : ""
        }
        let length = headers["content-length"].flatMap { Int($0) } ?? 0
        while bytes.count - head.upperBound < length { if !more() { return } }
        let request = Request(
            method: String(words[0]), path: String(words[1]), headers: headers, body: Array(bytes[head.upperBound...]))
        log.withLock { $0.append(request) }
        send(respond(request), connection)
    }

    private func send(_ answer: Answer, _ connection: Int32) {
        func head(_ status: Int, _ headers: [String: String], _ length: Int?) -> [UInt8] {
            var text = "HTTP/1.1 \(status) Status\r\nConnection: close\r\n"
            for (name, value) in headers { text += "\(name): \(value)\r\n" }
            if let length { text += "Content-Length: \(length)\r\n" }
            return Array((text + "\r\n").utf8)
        }
        switch answer {
        case .file(let bytes, let headers, let status): write(head(status, headers, bytes.count) + bytes, connection)
        case .status(let status, let headers): write(head(status, headers, 0), connection)
        case .cut(let bytes, let count): write(head(200, [:], bytes.count) + bytes.prefix(count), connection)
        case .stall(let bytes, let count):
            write(head(200, [:], bytes.count) + bytes.prefix(count), connection)
            while !isClosed.load(ordering: .sequentiallyConsistent) { usleep(10_000) }
        case .endless(let bytes):
            write(head(200, [:], nil), connection)
            while !isClosed.load(ordering: .sequentiallyConsistent), write(bytes, connection) {}
        }
    }

    @discardableResult
    private func write(_ bytes: [UInt8], _ connection: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty, !isClosed.load(ordering: .sequentiallyConsistent) {
            let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
            let count = rest.withUnsafeBytes { Glibc.send(connection, $0.baseAddress, $0.count, flags) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                var request = pollfd(fd: connection, events: Int16(POLLOUT), revents: 0)
                _ = Glibc.poll(&request, 1, 20)
            } else {
                return false
            }
        }
        return rest.isEmpty
    }
}

private final class Work: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}
