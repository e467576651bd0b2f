import Engine
import EngineModel
import JSON
import NIOCore
import NIOHTTP1

/// The media types of the streams of a container's process.
enum StreamType {
    /// The bytes themselves.
    static let raw = "application/vnd.docker.raw-stream"
    /// Frames with a header of 8 bytes: the stream's number, three zeros, the length (big-endian).
    static let multiplexed = "application/vnd.docker.multiplexed-stream"

    /// What clients of `version` are told; before 1.42 the type did not tell the two apart.
    static func of(isRaw: Bool, _ version: APIVersion) -> String {
        isRaw || version < APIVersion(major: 1, minor: 42) ? raw : multiplexed
    }
}

extension DockerAPI {
    func addContainerStreamRoutes(to router: inout Router) {
        router.get("/containers/{name}/logs") { [engine] request in
            var options = LogOptions()
            let query = request.query
            options.stdout = query.flag("stdout")
            options.stderr = query.flag("stderr")
            guard options.stdout || options.stderr else {
                throw HTTPFailure(.badRequest, "Bad parameters: you must choose at least one stream")
            }
            options.follow = query.flag("follow")
            options.timestamps = query.flag("timestamps")
            options.details = query.flag("details")
            options.since = try request.moment("since")
            options.until = try request.moment("until")
            // Docker takes whatever is no number for "all".
            if let tail = query.text("tail").flatMap({ Int($0) }), tail >= 0 { options.tail = tail }
            let (stream, isTerminal) = try await engine.logs(request.parameter("name"), options)
            return .stream(contentType: StreamType.of(isRaw: isTerminal, request.apiVersion)) { writer in
                while let chunk = try await stream.next() { try await writer.write(chunk) }
            }
        }

        router.get("/containers/{name}/stats") { [engine] request in
            let stream = request.query.flag("stream", default: true)
            let oneShot = request.query.flag("one-shot")
            if stream && oneShot {
                throw HTTPFailure(.badRequest, "cannot have stream=true and one-shot=true")
            }
            return .lines(try await engine.stats(request.parameter("name"), stream: stream, oneShot: oneShot))
        }

        router.post("/containers/{name}/wait") { [engine] request in
            var condition = WaitCondition.notRunning
            if let text = request.query.text("condition") {
                guard let named = WaitCondition(rawValue: text) else {
                    throw HTTPFailure(.badRequest, "invalid condition: \"\(text)\"")
                }
                condition = named
            }
            let wait = try await engine.wait(request.parameter("name"), condition)
            // The head says that the wait has begun: clients start the container when they have it.
            return .stream(contentType: "application/json") { writer in
                try await writer.writeLine(try await wait.value().json)
            }
        }

        router.post("/containers/{name}/attach") { [engine] request in
            let options = Self.attachOptions(request)
            let keys = try Self.detachKeys(request)
            _ = try await request.body.collect(limit: Self.bodyLimit)
            let attachment = try await engine.attach(request.parameter("name"), options)
            let stream = Self.stream(of: attachment, takesInput: options.stdin, keys)
            let type = StreamType.of(isRaw: attachment.isTerminal, request.apiVersion)
            return HTTPResponse(body: .hijack(Hijack(contentType: type) { stream }))
        }

        router.get("/containers/{name}/attach/ws") { [engine] request in
            var options = Self.attachOptions(request)
            // A WebSocket has frames of its own.
            options.isRaw = true
            // Before version 1.42 these did not count.
            if request.apiVersion < APIVersion(major: 1, minor: 42) {
                (options.stdin, options.stdout, options.stderr) = (true, true, true)
            }
            let keys = try Self.detachKeys(request)
            let name = request.parameter("name")
            _ = try await engine.inspectContainer(name, size: false)
            let handshake = try WebSocketHandshake(request)
            let attachment = try await engine.attach(name, options)
            let stream = Self.stream(of: attachment, takesInput: options.stdin, keys)
            var hijack = Hijack(contentType: StreamType.raw) { stream }
            var webSocket = Hijack.WebSocket(handshake)
            webSocket.sendsText = request.apiVersion < APIVersion(major: 1, minor: 28)
            webSocket.outlivesInput = attachment.endsInput
            hijack.webSocket = webSocket
            return HTTPResponse(body: .hijack(hijack))
        }
    }

    private static func attachOptions(_ request: HTTPRequest) -> AttachOptions {
        var options = AttachOptions()
        options.logs = request.query.flag("logs")
        options.stream = request.query.flag("stream")
        options.stdin = request.query.flag("stdin")
        options.stdout = request.query.flag("stdout")
        options.stderr = request.query.flag("stderr")
        return options
    }

    private static func detachKeys(_ request: HTTPRequest) throws -> [UInt8]? {
        try request.query.text("detachKeys").map(DetachSequence.parse)
    }

    private static func stream(
        of attachment: Attachment, takesInput: Bool, _ detachKeys: [UInt8]?
    ) -> Hijack.Stream {
        var stream = Hijack.Stream(descriptor: attachment.stream?.descriptor)
        if let replay = attachment.replay { stream.prelude = { try await replay.next() } }
        if attachment.isTerminal && takesInput { stream.detachKeys = detachKeys ?? DetachSequence.standard }
        return stream
    }
}
