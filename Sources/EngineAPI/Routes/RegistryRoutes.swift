import Credentials
import Engine
import EngineModel
import JSON
import NIOHTTP1

extension DockerAPI {
    func addRegistryRoutes(to router: inout Router) {
        router.post("/auth") { [engine] request in
            .json(try await engine.logIn(AuthConfig(json: request.json())))
        }

        router.get("/distribution/{name:.*}/json") { [engine] request in
            .json(try await engine.distribution(request.parameter("name"), credential: request.credential()))
        }

        router.get("/images/search") { [engine] request in
            guard let limit = Int(request.query.text("limit") ?? "0") else {
                throw HTTPFailure(.badRequest, "invalid limit: \"\(request.query["limit"] ?? "")\" is no number")
            }
            let found = try await engine.searchImages(
                request.query["term"] ?? "", limit: limit, filters: request.filters(),
                credential: request.credential())
            return .json(found.json)
        }

        router.post("/images/{name:.*}/push") { [engine] request in
            let messages = try await engine.pushImages(
                request.parameter("name"), tag: request.query["tag"] ?? "", credential: request.credential())
            return try await .progress(messages)
        }

        // Not Docker's, whose client asks the registry itself.
        router.get("/dhow/manifests/{name:.*}") { [engine] request in
            let (descriptor, bytes) = try await engine.manifest(
                request.parameter("name"), credential: request.credential())
            var answer = RegistryManifest()
            answer.descriptor = descriptor
            answer.raw = Base64.encode(bytes)
            return .json(answer)
        }
    }

    /// `POST /images/create?fromImage=…`
    func pull(_ image: String, _ request: HTTPRequest) async throws -> HTTPResponse {
        var options = ImagePullOptions()
        options.image = image
        options.tag = request.query["tag"] ?? ""
        options.platform = try request.platform()
        options.credential = try request.credential()
        return try await .progress(try await engine.pullImages(options))
    }
}

extension HTTPRequest {
    /// What `X-Registry-Auth` holds.
    func credential() throws -> Credential? {
        guard let header = headers.first(name: "X-Registry-Auth") else { return nil }
        do throws(JSONError) { return try AuthConfig(header: header).credential } catch {
            throw HTTPFailure(.badRequest, "invalid X-Registry-Auth header: \(error)")
        }
    }
}
