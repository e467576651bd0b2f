import ContainerNetwork
import EngineModel

/// Docker's checks of a request for a network that need no knowledge of the host.
enum NetworkValidation {
    /// - Throws: `EngineError.invalidParameter`, `.forbidden` for a predefined name.
    static func check(_ request: NetworkCreateRequest) throws(EngineError) {
        if NetworkRecord.predefinedNames.contains(request.name) || request.name == "default" {
            throw EngineError(.forbidden, "operation is not permitted on predefined \(request.name) network ")
        }
        // Docker takes any other name, with spaces too.
        guard !HostFiles.trim(request.name).isEmpty else { throw .invalid("invalid name: name is empty") }
        if ["host", "null"].contains(request.driver) {
            throw EngineError(
                .forbidden, "only one instance of \"\(request.driver)\" network is allowed")
        }
        if let driver = request.ipam?.driver, !["", "default"].contains(driver) {
            throw EngineError(
                .notFound,
                "could not find plugin \(driver) in v1 plugin registry: plugin not found; addresses are managed by the default driver"
            )
        }
        if request.isConfigOnly {
            guard request.driver.isEmpty || request.driver == "default" || request.driver == BridgeDriver.name else {
                throw .invalid("configuration only networks cannot have a driver")
            }
            if request.configFrom.map({ !$0.network.isEmpty }) ?? false {
                throw .invalid("a configuration network cannot depend on another configuration network")
            }
        }
        let subnets = (request.ipam?.config ?? []).compactMap { IPPrefix($0.subnet)?.family }
        for family in IPFamily.allCases where ["", BridgeDriver.name, OverlayNetwork.driver].contains(request.driver) {
            guard subnets.count(where: { $0 == family }) < 2 else {
                let driver = request.driver.isEmpty ? BridgeDriver.name : request.driver
                throw EngineError(.forbidden, "\(driver) driver doesn't support multiple subnets")
            }
        }
        if request.driver != "ipvlan", request.driver != "macvlan", request.enableIPv4 == false,
            request.enableIPv6 != true
        {
            throw .invalid("IPv4 or IPv6 must be enabled")
        }
    }
}
