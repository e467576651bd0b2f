import Engine
import EngineModel
import JSON
import NIOHTTP1

extension DockerAPI {
    /// A swarm of one node, for the networks' sake: what is about further nodes and services is refused with a
    /// sentence, as far as it cannot be answered with "there is none".
    func addSwarmRoutes(to router: inout Router) {
        router.get("/swarm") { [engine] _ in .json(try engine.inspectSwarm()) }
        router.post("/swarm/init") { [engine] request in
            .json(.string(try await engine.initSwarm(SwarmInitRequest(json: try await request.json()))))
        }
        router.post("/swarm/join") { [engine] _ in throw engine.joinRefusal }
        router.post("/swarm/leave") { [engine] request in
            try await engine.leaveSwarm(force: request.query.flag("force"))
            return .empty(.ok)
        }
        router.post("/swarm/update") { [engine] request in
            let version = try request.version(of: "swarm")
            try await engine.updateSwarm(
                SwarmSpec(json: try await request.json()), version: version,
                rotatesWorkerToken: request.query.flag("rotateWorkerToken"),
                rotatesManagerToken: request.query.flag("rotateManagerToken"))
            return .empty(.ok)
        }
        router.get("/swarm/unlockkey") { [engine] _ in
            try engine.checkSwarm()
            return .json(["UnlockKey": ""])
        }
        router.post("/swarm/unlock") { [engine] _ in
            try engine.checkSwarm()
            throw HTTPFailure(.conflict, "swarm is not locked")
        }
        addNodeRoutes(to: &router)
        addServiceRoutes(to: &router)
    }

    private func addNodeRoutes(to router: inout Router) {
        router.get("/nodes") { [engine] request in
            .json(.array(try engine.nodes(request.filters()).map(\.json)))
        }
        router.get("/nodes/{id}") { [engine] request in .json(try engine.inspectNode(request.parameter("id"))) }
        router.post("/nodes/{id}/update") { [engine] request in
            let version = try request.version(of: "node")
            try await engine.updateNode(
                request.parameter("id"), SwarmNodeSpec(json: try await request.json()), version: version)
            return .empty(.ok)
        }
        router.delete("/nodes/{id}") { [engine] request in
            let node = try engine.inspectNode(request.parameter("id"))
            throw HTTPFailure(
                .badRequest,
                "node \(node.head.id) is a cluster manager and is a member of the raft cluster. It must be demoted to "
                    + "worker before removal")
        }
    }

    /// Services and what belongs to them: there are none, and none can be made.
    private func addServiceRoutes(to router: inout Router) {
        for kind in ["service", "task", "secret", "config"] {
            router.get("/\(kind)s") { [engine] _ in
                try engine.checkSwarm()
                return .json(.array([]))
            }
            router.post("/\(kind)s/create") { [engine] _ in
                try engine.checkSwarm()
                throw HTTPFailure(
                    .notImplemented,
                    "\(kind)s are not implemented: Dhow's swarm is of one node and is there for its overlay networks. "
                        + "Run containers with a restart policy, or a Compose project")
            }
            for method in [HTTPMethod.GET, .POST, .DELETE] {
                router.add(method, "/\(kind)s/{rest:.*}") { [engine] request in
                    try engine.checkSwarm()
                    let name = request.parameter("rest").split(separator: "/").first ?? ""
                    throw HTTPFailure(.notFound, "\(kind) \(name) not found")
                }
            }
        }
    }
}

extension HTTPRequest {
    /// The `version` parameter.
    fileprivate func version(of kind: String) throws -> UInt64 {
        let text = query["version"] ?? ""
        guard let version = UInt64(text) else {
            throw HTTPFailure(
                .badRequest, "invalid \(kind) version '\(text)': strconv.ParseUint: parsing \"\(text)\": invalid syntax"
            )
        }
        return version
    }
}
