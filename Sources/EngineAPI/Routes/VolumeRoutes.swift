import Engine
import EngineModel
import JSON
import NIOHTTP1

extension DockerAPI {
    func addVolumeRoutes(to router: inout Router) {
        router.get("/volumes") { [engine] request in .json(try await engine.volumes(request.filters())) }
        router.post("/volumes/create") { [engine] request in
            let create = try VolumeCreateRequest(json: try await request.jsonIfAny() ?? .object([:]))
            return .json(try await engine.createVolume(create), .created)
        }
        router.post("/volumes/prune") { [engine] request in
            var filters = try request.filters()
            // Before API 1.42 named volumes were pruned too.
            if request.apiVersion < APIVersion(major: 1, minor: 42) { filters.add("all", "true") }
            return .json(try await engine.pruneVolumes(filters))
        }
        router.get("/volumes/{name}") { [engine] request in
            .json(try await engine.inspectVolume(request.parameter("name")))
        }
        router.delete("/volumes/{name}") { [engine] request in
            try await engine.removeVolume(request.parameter("name"), force: request.query.flag("force"))
            return .empty(.noContent)
        }
    }
}
