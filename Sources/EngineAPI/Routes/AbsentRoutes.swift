import JSON
import NIOHTTP1

extension DockerAPI {
    /// Parts of the API that this version lacks: answered as a Docker without them answers, or with a sentence, so that
    /// clients that only look around go on.
    func addAbsentRoutes(to router: inout Router) {
        func refuse(_ method: HTTPMethod, _ pattern: String, _ status: HTTPResponseStatus, _ message: String) {
            router.add(method, pattern) { _ in throw HTTPFailure(status, message) }
        }

        // Plugins: there are none.
        router.get("/plugins") { _ in .json(.array([])) }
        router.get("/plugins/{name:.*}/json") { request in
            throw HTTPFailure(.notFound, "plugin \"\(request.parameter("name"))\" not found")
        }
        for method in [HTTPMethod.GET, .POST, .DELETE] {
            refuse(method, "/plugins/{rest:.*}", .notImplemented, "plugins are not implemented")
        }

        // Building.
        let noBuilder = "building images is not implemented yet; build elsewhere and \"load\" the image"
        refuse(.POST, "/build", .notImplemented, noBuilder)
        refuse(.POST, "/build/cancel", .notImplemented, noBuilder)
        refuse(.POST, "/session", .notImplemented, "BuildKit sessions are not implemented yet: " + noBuilder)
        refuse(.POST, "/grpc", .notImplemented, "BuildKit over gRPC is not implemented yet: " + noBuilder)
        router.post("/build/prune") { _ in .json(["CachesDeleted": nil, "SpaceReclaimed": 0]) }

        // Checkpoints.
        for method in [HTTPMethod.GET, .POST] {
            refuse(method, "/containers/{name}/checkpoints", .notImplemented, "checkpoints are not implemented")
        }
        refuse(
            .DELETE, "/containers/{name}/checkpoints/{checkpoint}", .notImplemented, "checkpoints are not implemented")
    }
}
