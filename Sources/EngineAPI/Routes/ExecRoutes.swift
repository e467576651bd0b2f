import Engine
import EngineModel
import JSON
import NIOCore
import NIOHTTP1

extension DockerAPI {
    func addExecRoutes(to router: inout Router) {
        router.post("/containers/{name}/exec") { [engine] request in
            let create = try ExecCreateRequest(json: try await request.json())
            guard create.cmd?.isEmpty == false else { throw HTTPFailure(.badRequest, "No exec command specified") }
            if !create.detachKeys.isEmpty, (try? DetachSequence.parse(create.detachKeys)) == nil {
                throw HTTPFailure(.badRequest, "Invalid escape keys (\(create.detachKeys)) provided")
            }
            return .json(IDResponse(id: try await engine.createExec(request.parameter("name"), create)), .created)
        }

        router.post("/exec/{id}/start") { [engine] request in
            let id = request.parameter("id")
            let start = try ExecStartRequest(json: try await request.jsonIfAny() ?? .object([:]))
            guard !start.detach else {
                _ = try await engine.startExec(id, start)
                return .empty(.ok)
            }
            let exec = try await engine.inspectExec(id)
            let isTerminal = exec.processConfig.tty
            let type = StreamType.of(isRaw: start.tty, request.apiVersion)
            return HTTPResponse(
                body: .hijack(
                    Hijack(contentType: type) {
                        do {
                            var stream = Hijack.Stream(descriptor: try await engine.startExec(id, start)?.descriptor)
                            if isTerminal {
                                let keys = try engine.detachKeys(ofExec: id)
                                stream.detachKeys =
                                    keys.isEmpty ? DetachSequence.standard : (try? DetachSequence.parse(keys)) ?? []
                            }
                            return stream
                        } catch {
                            return Self.refusal("\(error)", isRaw: start.tty)
                        }
                    }))
        }

        router.post("/exec/{id}/resize") { [engine] request in
            let (height, width) = try request.consoleSize()
            try await engine.resizeExec(request.parameter("id"), height: height, width: width)
            return .empty(.created)
        }
        router.get("/exec/{id}/json") { [engine] request in
            .json(try await engine.inspectExec(request.parameter("id")))
        }
    }

    /// A stream that holds only the reason why there is none. Clients have left HTTP by then, as with Docker: they look
    /// for the reason in the output, and for the exit code in the exec.
    private static func refusal(_ message: String, isRaw: Bool) -> Hijack.Stream {
        var text = ByteBuffer(string: message + "\r\n")
        var frame = ByteBuffer()
        if !isRaw {
            frame.writeBytes([1, 0, 0, 0])
            frame.writeInteger(UInt32(text.readableBytes))
        }
        frame.writeBuffer(&text)
        let once = ByteStream(Array(frame.readableBytesView))
        var stream = Hijack.Stream(descriptor: nil)
        stream.prelude = { try await once.next() }
        return stream
    }
}
