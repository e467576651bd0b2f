import ContainerNetwork
import EngineModel

/// Docker's checks of a request for a network that need no knowledge of the host.
enum NetworkValidation {
    /// - Throws: `EngineError.invalidParameter`, `.forbidden` for a predefined name.
    static func check(_ request: NetworkCreateRequest) throws(EngineError) {
        if NetworkRecord.predefinedNames.contains(request.name) || request.name == "default" {
            throw EngineError(.forbidden, "operation is not permitted on predefined \(request.name) network ")
        }
        guard !request.name.isEmpty, !request.name.contains("/"), !request.name.hasPrefix("container:"),
            request.name.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) || Names.isValid(request.name, minimum: 1)
        else {
            throw .invalid(
                "invalid network name: \"\(request.name)\": it must not be empty, and has no slash, white space or control "
                    + "character")
        }
        if !["", "local"].contains(request.scope) {
            throw EngineError(
                .notImplemented, "networks of the scope \"\(request.scope)\" need a swarm, which Dhow does not have")
        }
        if request.isIngress { throw EngineError(.notImplemented, "ingress networks need a swarm, which Dhow does not have") }
        if ["host", "null"].contains(request.driver) {
            throw EngineError(
                .forbidden, "only one instance of \"\(request.driver)\" network is allowed")
        }
        if let driver = request.ipam?.driver, !["", "default"].contains(driver) {
            throw EngineError(
                .notFound, "could not find plugin \(driver) in v1 plugin registry: plugin not found; addresses are managed by the default driver")
        }
        if request.isConfigOnly {
            guard request.driver.isEmpty || request.driver == "default" || request.driver == BridgeDriver.name else {
                throw .invalid("configuration only networks cannot have a driver")
            }
            if request.configFrom.map({ !$0.network.isEmpty }) ?? false {
                throw .invalid("a configuration network cannot depend on another configuration network")
            }
        }
        if request.driver != "ipvlan", request.driver != "macvlan", request.enableIPv4 == false, request.enableIPv6 != true {
            throw .invalid("IPv4 or IPv6 must be enabled")
        }
    }
}
