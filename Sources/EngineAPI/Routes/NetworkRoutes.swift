import EngineModel
import JSON
import NIOHTTP1

/// The networks that need no interface: `none` and `host`. Bridges are a later version's.
private struct BuiltInNetwork {
    var name: String
    var driver: String
    var id: String

    // The IDs are the SHA-256 of "dhow network NAME": the same everywhere, so that nobody has to remember them.
    static let all = [
        BuiltInNetwork(
            name: "host", driver: "host", id: "75d6bd251b711789b9a36dafc7100aea971ac0dc2e998cc20ce5453265df0f83"),
        BuiltInNetwork(
            name: "none", driver: "null", id: "85a9d7cfe7700db4460aa9eb417ade7994fb6bf0b5fb39d359bacc9bbc4fafa2"),
    ]

    var json: JSONValue {
        [
            "Name": .string(name), "Id": .string(id), "Created": .string(Timestamp.zero.description),
            "Scope": "local", "Driver": .string(driver), "EnableIPv4": true, "EnableIPv6": false,
            "IPAM": ["Driver": "default", "Options": nil, "Config": nil],
            "Internal": false, "Attachable": false, "Ingress": false, "ConfigFrom": ["Network": ""],
            "ConfigOnly": false, "Containers": [:], "Options": [:], "Labels": [:],
        ]
    }

    /// The network that `text` names: by name, or the beginning of its ID.
    static func find(_ text: String) throws(HTTPFailure) -> BuiltInNetwork {
        if let exact = all.first(where: { $0.name == text || $0.id == text }) { return exact }
        throw HTTPFailure(.notFound, "network \(text) not found")
    }

    func matches(_ filters: Filters) throws -> Bool {
        try filters.validate(["dangling", "driver", "id", "label", "name", "scope", "type"])
        if try filters.bool("dangling") == true { return false }
        func any(_ name: String, _ test: (String) -> Bool) -> Bool {
            filters[name].isEmpty || filters[name].contains(where: test)
        }
        return any("driver") { $0 == driver } && any("id") { id.hasPrefix($0) }
            && any("name") { name.firstRange(of: $0) != nil } && any("scope") { $0 == "local" }
            && any("type") { $0 == "builtin" } && filters["label"].isEmpty
    }
}

extension DockerAPI {
    func addNetworkRoutes(to router: inout Router) {
        let later = HTTPFailure(
            .notImplemented,
            "networks other than \"none\", \"host\" and \"container:NAME\" are not implemented yet")
        router.get("/networks") { request in
            let filters = try request.filters()
            return .json(.array(try BuiltInNetwork.all.filter { try $0.matches(filters) }.map(\.json)))
        }
        router.post("/networks/create") { _ in throw later }
        router.post("/networks/prune") { _ in .json(["NetworksDeleted": nil]) }
        router.post("/networks/{name}/connect") { _ in throw later }
        router.post("/networks/{name}/disconnect") { _ in throw later }
        router.get("/networks/{name}") { request in .json(try BuiltInNetwork.find(request.parameter("name")).json) }
        router.delete("/networks/{name}") { request in
            let network = try BuiltInNetwork.find(request.parameter("name"))
            throw HTTPFailure(.forbidden, "\(network.name) is a pre-defined network and cannot be removed")
        }
    }
}
