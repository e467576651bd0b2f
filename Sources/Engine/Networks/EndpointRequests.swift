import ContainerNetwork
import EngineModel

/// Which networks a container is to be on.
package enum EndpointRequests {
    /// The requests of a container by the network's name or ID, as it was given: the network of its mode first, then by
    /// name. None for the modes that have no network of their own.
    package static func of(_ record: ContainerRecord) -> [(network: String, settings: EndpointSettings)] {
        let mode = record.hostConfig.networkMode
        if record.config.networkDisabled || isNone(record) || mode == "host" || ContainerReference(mode) != nil {
            return []
        }
        var settings = (record.networkingConfig?.endpointsConfig ?? [:]).mapValues { $0 ?? EndpointSettings() }
        let main = settings.removeValue(forKey: mode)
        var result: [(network: String, settings: EndpointSettings)] = []
        // One that was disconnected since is not among them any more.
        if let main { result.append((mode, main)) }
        return result + settings.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// Whether a container is on the network "none": it is, in that mode, until someone disconnects it from there.
    static func isNone(_ record: ContainerRecord) -> Bool {
        guard record.hostConfig.networkMode == "none" else { return false }
        guard let endpoints = record.networkingConfig?.endpointsConfig else { return true }
        return endpoints["none"] != nil
    }

    /// Brings a request into the form that is kept: every network by the name that it was given, the mode's own among
    /// them, and the container's MAC address with the network that it is for.
    package static func complete(_ record: inout ContainerRecord) throws(EngineError) {
        let mode = record.hostConfig.networkMode
        var settings: [String: EndpointSettings] = [:]
        for (name, endpoint) in record.networkingConfig?.endpointsConfig ?? [:] {
            // The daemon decides which network is the default one; the mode says it by now.
            settings[name == "default" ? mode : name] = endpoint ?? EndpointSettings()
        }
        if record.config.networkDisabled || mode == "none" || mode == "host" || ContainerReference(mode) != nil {
            if settings.keys.contains(where: { $0 != mode && !["none", "host"].contains($0) }) {
                throw .invalid(
                    "conflicting options: cannot attach both user-defined and non-user-defined network-modes")
            }
            if mode == "none" {
                record.networkingConfig = record.networkingConfig ?? NetworkingConfig()
                record.networkingConfig?.endpointsConfig = ["none": settings["none"] ?? EndpointSettings()]
            }
            return
        }
        var main = settings[mode] ?? EndpointSettings()
        if !record.config.macAddress.isEmpty {
            guard main.macAddress.isEmpty || main.macAddress == record.config.macAddress else {
                throw .invalid(
                    "the container-wide MAC address must match the endpoint-specific MAC address for the main network, "
                        + "or be left empty")
            }
            main.macAddress = record.config.macAddress
        }
        settings[mode] = main
        for (name, endpoint) in settings {
            do throws(EngineError) { try check(endpoint, isUserDefined: name != "bridge") } catch {
                throw .invalid("invalid config for network \(name): invalid endpoint settings:\n\(error.message)")
            }
        }
        var config = record.networkingConfig ?? NetworkingConfig()
        config.endpointsConfig = settings
        record.networkingConfig = config
    }

    /// Docker's checks that need no knowledge of the network.
    package static func check(_ endpoint: EndpointSettings, isUserDefined: Bool) throws(EngineError) {
        let addresses = endpoint.ipamConfig
        if !isUserDefined {
            if !(addresses?.ipv4Address ?? "").isEmpty || !(addresses?.ipv6Address ?? "").isEmpty {
                throw .invalid("user specified IP address is supported on user defined networks only")
            }
            if !(endpoint.aliases ?? []).isEmpty {
                throw .invalid("network-scoped alias is supported only for containers in user defined networks")
            }
        }
        if let text = addresses?.ipv4Address, !text.isEmpty, IPAddress(text)?.family != .v4 {
            throw .invalid("invalid IPv4 address: \(text)")
        }
        if let text = addresses?.ipv6Address, !text.isEmpty, IPAddress(text)?.family != .v6 {
            throw .invalid("invalid IPv6 address: \(text)")
        }
        for text in addresses?.linkLocalIPs ?? [] where !text.isEmpty && IPAddress(text) == nil {
            throw .invalid("invalid link-local IP address: \(text)")
        }
        if !endpoint.macAddress.isEmpty {
            guard let mac = MACAddress(endpoint.macAddress) else {
                throw .invalid("invalid MAC address: \(endpoint.macAddress)")
            }
            if mac.isMulticast { throw .invalid("invalid MAC address: \(endpoint.macAddress) names a group") }
        }
    }

    /// The certain addresses that a request names.
    static func addresses(_ endpoint: EndpointSettings) -> [IPAddress] {
        [endpoint.ipamConfig?.ipv4Address, endpoint.ipamConfig?.ipv6Address].compactMap { $0.flatMap { IPAddress($0) } }
    }

    /// A list that Docker keeps in one driver option: separated by commas.
    static func sysctls(_ endpoint: EndpointSettings) -> [String] {
        (endpoint.driverOpts?["com.docker.network.endpoint.sysctls"] ?? "").split(separator: ",").map(String.init)
    }

    static func interfaceName(_ endpoint: EndpointSettings) -> String? {
        endpoint.driverOpts?["com.docker.network.endpoint.ifname"].flatMap { $0.isEmpty ? nil : $0 }
    }
}
