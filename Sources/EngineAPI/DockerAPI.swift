import Engine
import EngineModel
import JSON
import Logging
import NIOCore
import NIOHTTP1

/// The Docker Engine API in front of an engine.
///
///     let api = DockerAPI(engine: engine, logger: logger)
///     let server = HTTPServer(group: group, commonHeaders: api.commonHeaders, responder: api.respond)
///
/// It only translates: paths and queries to the engine's calls, the engine's values to JSON, its errors to statuses.
public struct DockerAPI: Sendable {
    let engine: ContainerEngine
    let logger: Logger
    let version: String
    /// What may change while the server runs.
    public let settings: LiveSettings
    private var router = Router()

    /// The longest JSON body that is read, in bytes.
    static let bodyLimit = 16 << 20

    public init(engine: ContainerEngine, logger: Logger) {
        self.engine = engine
        self.logger = logger
        version = engine.configuration.version
        settings = LiveSettings(labels: engine.configuration.labels, debug: engine.configuration.debug)
        var router = Router()
        addSystemRoutes(to: &router)
        addRegistryRoutes(to: &router)
        addImageRoutes(to: &router)
        addContainerRoutes(to: &router)
        addContainerStreamRoutes(to: &router)
        addArchiveRoutes(to: &router)
        addExecRoutes(to: &router)
        addVolumeRoutes(to: &router)
        addNetworkRoutes(to: &router)
        addSwarmRoutes(to: &router)
        addAbsentRoutes(to: &router)
        self.router = router
    }

    /// What every answer says about the server.
    public var commonHeaders: [(String, String)] {
        [
            ("Api-Version", APIVersion.current.description),
            ("Docker-Experimental", "false"),
            ("Ostype", "linux"),
            ("Server", "Dhow/\(version) (linux)"),
        ]
    }

    /// Answers a request.
    public func respond(_ request: HTTPRequest) async -> HTTPResponse {
        logger.debug("Calling \(request.method) \(request.path)")
        do {
            let (version, path) = try APIVersion.split(request.path)
            guard let (route, parameters) = router.find(request.method, path) else {
                return .failure(.notFound, "page not found")
            }
            var request = request
            request.parameters = parameters
            if let version { request.apiVersion = version }
            return try await route(request)
        } catch {
            return failure(error, of: request)
        }
    }

    /// The answer that an error becomes: the one place where errors meet statuses.
    private func failure(_ error: any Error, of request: HTTPRequest) -> HTTPResponse {
        let status: HTTPResponseStatus
        switch error {
        case let error as EngineError:
            status =
                switch error.code {
                case .notFound: .notFound
                case .invalidParameter: .badRequest
                case .conflict: .conflict
                case .notModified: .notModified
                case .forbidden: .forbidden
                case .unauthorized: .unauthorized
                case .unavailable: .serviceUnavailable
                case .notImplemented: .notImplemented
                case .system: .internalServerError
                }
        case let error as HTTPFailure: status = error.status
        case is JSONError, is InvalidFilter: status = .badRequest
        case is CancellationError: status = .serviceUnavailable
        default: status = .internalServerError
        }
        if status == .notModified { return .empty(.notModified) }
        let message = error is CancellationError ? "the request was cancelled" : "\(error)"
        if status.code >= 500 && status != .notImplemented && !(error is CancellationError) {
            logger.error("Handler for \(request.method) \(request.path) returned error: \(message)")
        } else {
            logger.debug("Handler for \(request.method) \(request.path) returned error: \(message)")
        }
        return .failure(status, message)
    }
}

// MARK: What routes share

extension HTTPRequest {
    /// The JSON body.
    /// - Throws: `HTTPFailure` when there is none, it is too long, or not declared to be JSON; `JSONError`.
    func json() async throws -> JSONValue {
        guard let value = try await jsonIfAny() else {
            throw HTTPFailure(.badRequest, "invalid JSON: got EOF while reading request body")
        }
        return value
    }

    /// The JSON body, or `nil` when it is empty.
    func jsonIfAny() async throws -> JSONValue? {
        let bytes = try await body.collect(limit: DockerAPI.bodyLimit)
        guard !bytes.isEmpty else { return nil }
        let type = headers.first(name: "Content-Type") ?? ""
        let essence = type.prefix { $0 != ";" }.lowercased().trimmed
        guard essence == "application/json" || essence.isEmpty else {
            throw HTTPFailure(.badRequest, "unsupported Content-Type header (\(type)): must be 'application/json'")
        }
        do {
            return try JSONValue(parsing: bytes)
        } catch {
            throw HTTPFailure(.badRequest, "invalid JSON: \(error)")
        }
    }

    /// The `filters` parameter.
    func filters() throws -> Filters {
        do {
            return try Filters(parsing: query["filters"] ?? "")
        } catch {
            throw HTTPFailure(.badRequest, "invalid filters: \(error)")
        }
    }

    /// A moment in the query; `nil` when missing or 0.
    func moment(_ name: String) throws -> Timestamp? {
        guard let text = query.text(name), text != "0" else { return nil }
        guard let moment = Timestamp(parameter: text) else {
            throw HTTPFailure(
                .badRequest, "invalid value for \"\(name)\": \"\(text)\" is neither seconds since 1970 nor RFC 3339")
        }
        return moment
    }

    /// The `platform` parameter as `os/architecture[/variant]`, whichever of its two forms was sent; empty when none.
    func platform() throws -> String {
        guard let text = query.text("platform") else { return "" }
        guard text.hasPrefix("{") else { return text }
        let value: JSONValue
        do {
            value = try JSONValue(parsing: text)
        } catch {
            throw HTTPFailure(.badRequest, "invalid platform: \(error)")
        }
        let parts = [value["os"]?.string, value["architecture"]?.string, value["variant"]?.string]
        return parts.compactMap { $0 }.filter { !$0.isEmpty }.joined(separator: "/")
    }
}

extension HTTPResponse {
    /// Values one a line, each sent as it comes.
    static func lines<Element: JSONConvertible>(
        _ values: some AsyncSequence<Element, any Error> & Sendable
    ) -> HTTPResponse {
        .stream(contentType: "application/json") { writer in
            for try await value in values { try await writer.writeLine(value.json) }
        }
    }

    /// A stream of bytes, whose failure before the first byte is thrown, so that it gets a status.
    static func bytes(
        _ stream: ByteStream, contentType: String, headers: HTTPHeaders = [:]
    ) async throws -> HTTPResponse {
        let first = try await stream.next()
        var response = HTTPResponse.stream(contentType: contentType) { writer in
            guard let first else { return }
            try await writer.write(first)
            while let chunk = try await stream.next() { try await writer.write(chunk) }
        }
        response.headers.add(contentsOf: headers)
        return response
    }

    /// Messages about work that goes on: a failure before the first one is thrown, so that it gets a status; later
    /// ones become a message themselves.
    static func progress(_ messages: AsyncThrowingStream<ProgressMessage, any Error>) async throws -> HTTPResponse {
        // Iterators of one stream share its place.
        var iterator = messages.makeAsyncIterator()
        return progressWithErrors(messages, first: try await iterator.next())
    }

    /// Messages about work that has begun, answered with when the first of them is there; any failure becomes a message.
    static func progressAtTheEnd(_ messages: AsyncThrowingStream<ProgressMessage, any Error>) async -> HTTPResponse {
        do { return try await progress(messages) } catch {
            let failure = ProgressMessage.failure("\(error)").json
            return .stream(contentType: "application/json") { writer in try await writer.writeLine(failure) }
        }
    }

    /// Messages about work that goes on; any failure becomes a message.
    static func progressWithErrors(
        _ messages: AsyncThrowingStream<ProgressMessage, any Error>, first: ProgressMessage? = nil
    ) -> HTTPResponse {
        .stream(contentType: "application/json") { writer in
            if let first { try await writer.writeLine(first.json) }
            do {
                for try await message in messages { try await writer.writeLine(message.json) }
            } catch let error as HTTPFailure where error == .clientLeft {
                throw error
            } catch {
                try await writer.writeLine(ProgressMessage.failure("\(error)").json)
            }
        }
    }
}

extension HTTPBodyWriter {
    /// A JSON value and a line feed.
    func writeLine(_ value: JSONValue) async throws {
        var bytes = value.bytes()
        bytes.append(UInt8(ascii: "\n"))
        try await write(bytes)
    }
}
