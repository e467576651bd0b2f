import AsyncHTTPClient
import Kernel
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NixStore
import Registry
import Synchronization

/// Transfers single files: attempts, resumption, redirects, logins.
final class CacheClient: Sendable {
    enum Body: Sendable {
        case bytes([UInt8])
        case file(String)
    }

    let settings: TransferSettings
    private let clients = Mutex<[ProxySettings.Proxy?: HTTPClient]>([:])

    init(_ settings: TransferSettings) { self.settings = settings }

    deinit {
        let last = clients.withLock { Array($0.values) }
        // What is under way has ended, because it holds this object.
        Task.detached { for client in last { try? await client.shutdown() } }
    }

    /// As curl has it, roughly.
    private static let redirectLimit = 10

    // MARK: Down

    /// The tag of what we have of a file, and of what the server has.
    final class Tags: Sendable {
        /// If the file still has it, nothing is sent.
        let known: String?
        let state = Mutex<(tag: String?, isUnchanged: Bool)>((nil, false))

        init(known: String?) { self.known = known }
    }

    /// Hands the bytes of a file to `pipe`, and goes on where it was when a connection breaks.
    func download(_ address: WebAddress, into pipe: BytePipe, tags: Tags? = nil) async throws {
        var received: Int64 = 0
        var validator: String?
        var attempt = 1
        var connections = 0
        while true {
            let before = received
            do {
                connections += 1
                try await fetch(address, from: &received, &validator, into: pipe, tags)
                return
            } catch let failure as Passing {
                // Something came: the count begins anew, but a server that gives byte by byte is not waited out.
                attempt = received > before && connections < settings.attempts * 10 ? 1 : attempt + 1
                guard attempt <= settings.attempts else {
                    throw StoreError(
                        .unreachable,
                        "cannot download '\(address.withoutSecrets)': \(failure.reason) "
                            + "(after \(connections) attempts and \(received) bytes)")
                }
            }
            try await Task.sleep(for: .milliseconds(wait(attempt)))
        }
    }

    /// A failure that may pass.
    private struct Passing: Error {
        let reason: String
    }

    private func wait(_ attempt: Int) -> Int64 {
        let doubled = settings.firstWait << Int64(min(max(attempt - 1, 0), 8))
        // Clients that were turned away together must not come back together.
        return doubled / 2 + Int64.random(in: 0...max(doubled, 1))
    }

    private func fetch(
        _ address: WebAddress, from received: inout Int64, _ validator: inout String?, into pipe: BytePipe,
        _ tags: Tags?
    ) async throws {
        var headers: HTTPHeaders = [:]
        if received > 0 {
            headers.add(name: "Range", value: "bytes=\(received)-")
            if let validator { headers.add(name: "If-Range", value: validator) }
        } else if let known = tags?.known {
            headers.add(name: "If-None-Match", value: known)
        }
        let response = try await follow(.GET, address, headers, nil)
        // Bytes at the beginning that we have already.
        var surplus: Int64 = 0
        switch response.status.code {
        case 200:
            surplus = received
            let tag = response.headers.first(name: "ETag").flatMap { $0.hasPrefix("W/") ? nil : $0 }
            if received > 0, let validator, tag != validator {
                throw StoreError(.badCache, "'\(address.withoutSecrets)' changed while it was downloaded")
            }
            validator = tag
            tags?.state.withLock { $0.tag = response.headers.first(name: "ETag") }
        case 304 where received == 0 && tags?.known != nil:
            tags?.state.withLock { $0 = (tags?.known, true) }
            return
        case 206 where received > 0:
            let range = response.headers.first(name: "Content-Range") ?? ""
            guard range.hasPrefix("bytes \(received)-") else {
                throw StoreError(
                    .badCache, "'\(address.withoutSecrets)' was to go on at byte \(received), and came with '\(range)'")
            }
        case 403, 404, 410:
            throw StoreError(
                .notFound,
                "'\(address.withoutSecrets)' is not there: HTTP error \(response.status.code) "
                    + "('\(response.status.reasonPhrase)')")
        default: throw Self.failure(response, address, "download")
        }
        if let encoding = response.headers.first(name: "Content-Encoding"), encoding != "identity" {
            throw StoreError(
                .unsupported,
                "'\(address.withoutSecrets)' came with the encoding '\(encoding)', which was not asked for")
        }
        do {
            for try await buffer in response.body {
                var bytes = Array(buffer.readableBytesView)
                let cut = min(surplus, Int64(bytes.count))
                surplus -= cut
                if cut > 0 { bytes.removeFirst(Int(cut)) }
                received += Int64(bytes.count)
                try await pipe.send(bytes)
            }
        } catch let error as BytePipe.Abandoned { throw error } catch { throw try Self.explained(error, address) }
    }

    /// What an answer with an error's status means.
    private static func failure(_ response: HTTPClientResponse, _ address: WebAddress, _ doing: String) -> any Error {
        let text = "HTTP status \(response.status.code) \(response.status.reasonPhrase)"
        switch response.status.code {
        case 408, 429, 500, 502, 503, 504: return Passing(reason: text)
        case 401, 407:
            return StoreError(
                .unreachable,
                "cannot \(doing) '\(address.withoutSecrets)': \(text); put the host's login into 'netrc-file'")
        default: return StoreError(.unreachable, "cannot \(doing) '\(address.withoutSecrets)': \(text)")
        }
    }

    /// A request that had no answer, or whose answer broke off.
    private static func explained(_ error: any Error, _ address: WebAddress) throws -> any Error {
        if error is CancellationError || error is StoreError || error is Passing { return error }
        switch TransportFailure(error) {
        case .connection(let reason, _): return Passing(reason: reason)
        case .noTLS:
            return StoreError(.unreachable, "'\(address.origin)' speaks HTTP without TLS: use http://")
        case .tls(let reason):
            return StoreError(
                .unreachable,
                "cannot trust '\(address.origin)': \(reason); 'ssl-cert-file' names certificates to trust")
        case .other: return CancellationError()
        }
    }

    // MARK: Up

    /// Sends a file. Blocks; not for a thread of an event loop or of Swift's tasks.
    func put(_ address: WebAddress, _ body: Body) throws {
        // A pipe that never holds anything carries the end of the task, and its error.
        let done = BytePipe()
        Task {
            do {
                try await upload(address, body)
                done.finish()
            } catch { done.finish(throwing: error) }
        }
        _ = try done.read(1)
    }

    private func upload(_ address: WebAddress, _ body: Body) async throws {
        var attempt = 1
        while true {
            do {
                let response = try await follow(.PUT, address, [:], body)
                guard (200...299).contains(response.status.code) else {
                    throw Self.failure(response, address, "upload to")
                }
                return
            } catch let failure as Passing {
                attempt += 1
                guard attempt <= settings.attempts else {
                    throw StoreError(
                        .unreachable,
                        "cannot upload to '\(address.withoutSecrets)': \(failure.reason) (after \(attempt - 1) attempts)"
                    )
                }
            }
            try await Task.sleep(for: .milliseconds(wait(attempt)))
        }
    }

    // MARK: One request

    /// Through redirects. Each host sees only its own login.
    private func follow(
        _ method: HTTPMethod, _ start: WebAddress, _ headers: HTTPHeaders, _ body: Body?
    ) async throws -> HTTPClientResponse {
        var address = start
        for _ in 0...Self.redirectLimit {
            let response: HTTPClientResponse
            do { response = try await send(method, address, headers, body) } catch {
                throw try Self.explained(error, address)
            }
            guard [301, 302, 303, 307, 308].contains(response.status.code),
                let location = response.headers.first(name: "Location")
            else { return response }
            guard let next = address.resolving(location) else {
                throw StoreError(
                    .badCache, "'\(address.withoutSecrets)' redirects to an invalid address, '\(location.prefix(200))'")
            }
            guard next.scheme == .https || address.scheme == .http else {
                throw StoreError(
                    .badCache,
                    "'\(address.withoutSecrets)' redirects from TLS to '\(next.origin)', which is not encrypted")
            }
            address = next
        }
        throw StoreError(
            .badCache, "'\(start.withoutSecrets)' sends us in circles: stopped after \(Self.redirectLimit) redirects")
    }

    private func send(
        _ method: HTTPMethod, _ address: WebAddress, _ headers: HTTPHeaders, _ body: Body?
    ) async throws -> HTTPClientResponse {
        var request = HTTPClientRequest(url: address.description)
        request.method = method
        request.headers = headers
        request.headers.add(name: "User-Agent", value: settings.userAgent)
        let host = address.host.hasPrefix("[") ? String(address.host.dropFirst().dropLast()) : address.host
        if let login = settings.logins.login(for: host) {
            request.setBasicAuth(username: login.name, password: login.password)
        }
        switch body {
        case nil: break
        case .bytes(let bytes)?: request.body = .bytes(ByteBuffer(bytes: bytes))
        case .file(let path)?:
            let file = try FileDescriptor.open(path)
            let length = try file.status().size
            request.body = .stream(
                BlobStream {
                    let bytes = try await NIOThreadPool.singleton.runIfActive { try file.read(count: 256 << 10) }
                    return bytes.isEmpty ? nil : ByteBuffer(bytes: bytes)
                }, length: .known(length))
        }
        return try await client(for: address).execute(request, deadline: .distantFuture)
    }

    private func client(for address: WebAddress) throws -> HTTPClient {
        let proxy = try settings.proxies.proxy(for: address)
        return clients.withLock { clients in
            if let client = clients[proxy] { return client }
            let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration(proxy))
            clients[proxy] = client
            return client
        }
    }

    private func configuration(_ proxy: ProxySettings.Proxy?) -> HTTPClient.Configuration {
        func amount(_ seconds: Double) -> TimeAmount { .milliseconds(Int64(seconds * 1000)) }
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(
                connect: amount(settings.connectTimeout), read: amount(settings.stallTimeout),
                write: amount(settings.stallTimeout)),
            decompression: .disabled)
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 32
        if let certificateFile = settings.certificateFile {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.trustRoots = .file(certificateFile)
            configuration.tlsConfiguration = tls
        }
        configuration.proxy = proxy?.configuration
        return configuration
    }
}
