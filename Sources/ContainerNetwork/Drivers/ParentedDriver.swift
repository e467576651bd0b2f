/// A driver whose networks lie on an interface of the host's.
protocol ParentedDriver: NetworkDriver {
    associatedtype Mode
    var parent: ParentInterface { get }
    /// How the driver's options want containers to share the interface.
    static func mode(_ network: NetworkSpecification) throws(NetworkError) -> Mode
}

extension ParentedDriver {
    public func check(_ network: NetworkSpecification) throws(NetworkError) {
        _ = try Self.mode(network)
        _ = try DriverOptions(values: network.options).mtu()
        _ = try ParentInterface.name(network)
    }

    public func create(_ network: NetworkSpecification) throws(NetworkError) {
        try check(network)
        _ = try parent.make(network)
    }

    public func remove(_ network: NetworkSpecification) throws(NetworkError) { try parent.remove(network) }
}
