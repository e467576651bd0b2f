import Engine
import EngineModel
import JSON

extension DockerAPI {
    func addNetworkRoutes(to router: inout Router) {
        // Docker answers both, and some libraries write the slash.
        for path in ["/networks", "/networks/"] {
            router.get(path) { [engine] request in
                let networks = try await engine.networks(request.filters())
                return .json(.array(networks.map(\.json)))
            }
        }
        router.post("/networks/create") { [engine] request in
            let create = try NetworkCreateRequest(json: try await request.json())
            return .json(try await engine.createNetwork(create), .created)
        }
        router.post("/networks/prune") { [engine] request in
            .json(try await engine.pruneNetworks(request.filters()))
        }
        router.post("/networks/{name:.*}/connect") { [engine] request in
            let connect = try NetworkConnectRequest(json: try await request.json())
            try await engine.connectContainer(
                connect.container, to: request.parameter("name"), connect.endpointConfig ?? EndpointSettings())
            return .empty(.ok)
        }
        router.post("/networks/{name:.*}/disconnect") { [engine] request in
            let disconnect = try NetworkConnectRequest(json: try await request.json())
            try await engine.disconnectContainer(
                disconnect.container, from: request.parameter("name"), force: disconnect.force)
            return .empty(.ok)
        }
        router.get("/networks/{name:.*}") { [engine] request in
            .json(
                try await engine.inspectNetwork(request.parameter("name"), scope: request.query.text("scope")))
        }
        router.delete("/networks/{name:.*}") { [engine] request in
            try await engine.removeNetwork(request.parameter("name"))
            return .empty(.noContent)
        }
    }
}
