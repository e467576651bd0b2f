import Engine
import EngineModel
import JSON
import NIOHTTP1

extension DockerAPI {
    func addImageRoutes(to router: inout Router) {
        router.get("/images/json") { [engine] request in
            var options = ImageListOptions()
            options.all = request.query.flag("all")
            options.sharedSize = request.query.flag("shared-size")
            options.filters = try request.filters()
            // The parameter's form before API 1.41.
            if let reference = request.query.text("filter") { options.filters.add("reference", reference) }
            var images = try await engine.images(options)
            if request.wantsVirtualSizes { images.addVirtualSizes() }
            return .json(images)
        }

        router.get("/images/get") { [engine] request in
            let names = request.query.all("names").flatMap { $0.split(separator: ",").map(String.init) }
            guard !names.isEmpty else {
                throw HTTPFailure(.badRequest, "no images to save: the query has no \"names\"")
            }
            let archive = try await engine.saveImages(names, platform: request.platform())
            return try await .bytes(archive, contentType: "application/x-tar")
        }
        router.get("/images/{name:.*}/get") { [engine] request in
            let archive = try await engine.saveImages([request.parameter("name")], platform: request.platform())
            return try await .bytes(archive, contentType: "application/x-tar")
        }

        router.post("/images/load") { [engine] request in
            let messages = try await engine.loadImages(
                from: request.body, quiet: request.query.flag("quiet"), platform: request.platform())
            // As Docker: whatever is wrong with the archive is told in the stream. Where that is all there is to tell, it
            // begins when the archive was read: skopeo sends no more once it has an answer.
            return request.query.flag("quiet")
                ? await .progressAtTheEnd(messages) : .progressWithErrors(messages)
        }

        router.post("/images/create") { [engine, pull] request in
            let query = request.query
            if let image = query.text("fromImage") {
                return try await pull(image, request)
            }
            guard let source = query.text("fromSrc") else {
                throw HTTPFailure(.badRequest, "the query has neither \"fromImage\" nor \"fromSrc\"")
            }
            var options = ImageImportOptions()
            options.repository = query["repo"] ?? ""
            options.tag = query["tag"] ?? ""
            options.message = query["message"] ?? ""
            options.changes = query.all("changes")
            options.platform = try request.platform()
            if source == "-" {
                return try await .progress(try await engine.importImage(from: request.body, options: options))
            }
            return try await .progress(try await engine.importImage(fromAddress: source, options: options))
        }

        router.post("/images/prune") { [engine] request in
            .json(try await engine.pruneImages(request.filters()))
        }
        router.get("/images/{name:.*}/json") { [engine] request in
            var image = try await engine.inspectImage(request.parameter("name"))
            if request.wantsVirtualSizes { image.virtualSize = image.size }
            return .json(image)
        }
        router.get("/images/{name:.*}/history") { [engine] request in
            .json(try await engine.imageHistory(request.parameter("name")).json)
        }
        router.post("/images/{name:.*}/tag") { [engine] request in
            try await engine.tagImage(
                request.parameter("name"), repository: request.query["repo"] ?? "", tag: request.query["tag"] ?? "")
            return .empty(.created)
        }
        router.delete("/images/{name:.*}") { [engine] request in
            let items = try await engine.removeImage(
                request.parameter("name"), force: request.query.flag("force"),
                prunesParents: !request.query.flag("noprune"))
            return .json(items.json)
        }

        router.post("/commit") { [engine] request in
            let query = request.query
            var options = CommitOptions()
            options.container = query["container"] ?? ""
            options.repository = query["repo"] ?? ""
            options.tag = query["tag"] ?? ""
            options.message = query["comment"] ?? ""
            options.author = query["author"] ?? ""
            options.pause = query.flag("pause", default: true)
            options.changes = query.all("changes")
            if let body = try await request.jsonIfAny(), !body.isNull {
                options.config = try ContainerConfig(json: body)
            }
            return .json(IDResponse(id: try await engine.commit(options)), .created)
        }
    }
}

extension HTTPRequest {
    /// Whether the client's version of the API still tells an image's size a second time.
    var wantsVirtualSizes: Bool { apiVersion < APIVersion(major: 1, minor: 44) }
}

extension [ImageSummary] {
    mutating func addVirtualSizes() {
        for place in indices { self[place].unknownMembers["VirtualSize"] = .integer(self[place].size) }
    }
}
