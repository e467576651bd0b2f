import Engine
import EngineModel
import JSON
import NIOHTTP1

extension DockerAPI {
    func addSystemRoutes(to router: inout Router) {
        for method in [HTTPMethod.GET, .HEAD] {
            router.add(method, "/_ping") { [engine] _ in
                HTTPResponse(
                    headers: [
                        "Content-Type": "text/plain; charset=utf-8",
                        "Cache-Control": "no-cache, no-store, must-revalidate",
                        "Pragma": "no-cache",
                        // The classic builder's; BuildKit's would be 2.
                        "Builder-Version": "1",
                        "Swarm": engine.swarmState,
                    ], body: .bytes(.init(string: "OK")))
            }
        }

        router.get("/version") { [engine] _ in .json(engine.version()) }
        router.get("/info") { [engine, settings] _ in
            var info = try await engine.info()
            info.labels = settings.labels
            info.debug = settings.debug
            return .json(info)
        }

        router.get("/events") { [engine] request in
            let events = try engine.events(
                since: request.moment("since"), until: request.moment("until"), filters: request.filters())
            return .stream(contentType: "application/json") { writer in
                for await event in events { try await writer.writeLine(event.json) }
            }
        }

        router.get("/system/df") { [engine] request in
            var kinds: Set<DiskUsageKind> = []
            for name in request.query.all("type") {
                guard let kind = DiskUsageKind(rawValue: name) else {
                    throw HTTPFailure(.badRequest, "unknown object type: \(name)")
                }
                kinds.insert(kind)
            }
            var usage = try await engine.diskUsage(kinds)
            if request.wantsVirtualSizes { usage.images?.addVirtualSizes() }
            return .json(usage)
        }
    }
}
