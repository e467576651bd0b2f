import Engine
import EngineModel
import JSON
import NIOHTTP1

extension DockerAPI {
    func addContainerRoutes(to router: inout Router) {
        router.get("/containers/json") { [engine] request in
            var options = ContainerListOptions()
            options.all = request.query.flag("all")
            options.limit = max(0, try request.query.integer("limit") ?? 0)
            options.size = request.query.flag("size")
            options.filters = try request.filters()
            return .json(try await engine.containers(options))
        }
        router.post("/containers/create") { [engine] request in
            let create = try ContainerCreateRequest(json: try await request.json())
            let response = try await engine.createContainer(
                create, name: request.query["name"] ?? "", platform: request.platform())
            return .json(response, .created)
        }
        router.post("/containers/prune") { [engine] request in
            .json(try await engine.pruneContainers(request.filters()))
        }
        router.get("/containers/{name}/json") { [engine] request in
            var container = try await engine.inspectContainer(
                request.parameter("name"), size: request.query.flag("size"))
            if request.apiVersion < APIVersion(major: 1, minor: 45) { container.addImplicitAliases() }
            return .json(container)
        }
        router.get("/containers/{name}/top") { [engine] request in
            .json(try await engine.top(request.parameter("name"), arguments: request.query["ps_args"] ?? ""))
        }
        router.get("/containers/{name}/changes") { [engine] request in
            let changes = try await engine.changes(request.parameter("name"))
            return .json(changes.isEmpty ? .null : changes.json)
        }

        router.post("/containers/{name}/start") { [engine] request in
            if let body = try await request.jsonIfAny(), body != .object([:]), !body.isNull {
                throw HTTPFailure(
                    .badRequest,
                    "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24"
                )
            }
            if request.query.text("checkpoint") != nil {
                throw HTTPFailure(.notImplemented, "checkpoints are not implemented")
            }
            try await engine.startContainer(request.parameter("name"))
            return .empty(.noContent)
        }
        router.post("/containers/{name}/stop") { [engine] request in
            try await engine.stopContainer(
                request.parameter("name"), signal: request.query["signal"] ?? "", timeout: request.query.integer("t"))
            return .empty(.noContent)
        }
        router.post("/containers/{name}/restart") { [engine] request in
            try await engine.restartContainer(
                request.parameter("name"), signal: request.query["signal"] ?? "", timeout: request.query.integer("t"))
            return .empty(.noContent)
        }
        router.post("/containers/{name}/kill") { [engine] request in
            try await engine.killContainer(request.parameter("name"), signal: request.query["signal"] ?? "")
            return .empty(.noContent)
        }
        router.post("/containers/{name}/pause") { [engine] request in
            try await engine.pauseContainer(request.parameter("name"))
            return .empty(.noContent)
        }
        router.post("/containers/{name}/unpause") { [engine] request in
            try await engine.unpauseContainer(request.parameter("name"))
            return .empty(.noContent)
        }
        router.post("/containers/{name}/rename") { [engine] request in
            try await engine.renameContainer(request.parameter("name"), to: request.query["name"] ?? "")
            return .empty(.noContent)
        }
        router.post("/containers/{name}/update") { [engine] request in
            let update = try ContainerUpdate(json: try await request.json())
            return .json(try await engine.updateContainer(request.parameter("name"), update))
        }
        router.post("/containers/{name}/resize") { [engine] request in
            let (height, width) = try request.consoleSize()
            try await engine.resizeContainer(request.parameter("name"), height: height, width: width)
            return .empty(.ok)
        }
        // The name of a link has a slash in it.
        router.delete("/containers/{name:.*}") { [engine] request in
            if request.query.flag("link") {
                try await engine.removeLink(request.parameter("name"))
                return .empty(.noContent)
            }
            try await engine.removeContainer(
                request.parameter("name"), force: request.query.flag("force"), removesVolumes: request.query.flag("v"))
            return .empty(.noContent)
        }
    }
}

extension HTTPRequest {
    /// The `h` and `w` parameters.
    func consoleSize() throws(HTTPFailure) -> (height: Int, width: Int) {
        func side(_ name: String) throws(HTTPFailure) -> Int {
            guard let value = try query.integer(name) else {
                throw HTTPFailure(.badRequest, "the query lacks the console's size, \"h\" and \"w\"")
            }
            guard (0...65535).contains(value) else {
                throw HTTPFailure(.badRequest, "the console's size \(name)=\(value) is out of range")
            }
            return value
        }
        return (try side("h"), try side("w"))
    }
}

extension ContainerInspect {
    /// Before API 1.45 the short ID and the host name were among the aliases of user-defined networks: clients of then
    /// look for them.
    fileprivate mutating func addImplicitAliases() {
        for (name, var settings) in networkSettings.networks ?? [:] where !["bridge", "host", "none"].contains(name) {
            var aliases = settings.aliases ?? []
            for alias in [String(id.prefix(12)), config.hostname] where !aliases.contains(alias) {
                aliases.append(alias)
            }
            settings.aliases = aliases
            networkSettings.networks?[name] = settings
        }
    }
}
