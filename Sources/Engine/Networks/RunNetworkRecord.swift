import ContainerNetwork
import EngineModel
import JSON

/// What a running container has of networks: written beside its monitor's files before its program runs, read by the
/// next daemon, gone with the run.
package struct RunNetworkRecord: JSONRecord {
    package var sandboxID = ""
    package var endpoints: [Endpoint] = []
    package var ports: [Port] = []
    package var unknownMembers = JSONObject()

    package init() {}

    /// Without networks, for one container. A sandbox is the container's network namespace, of which it has one.
    package init(sandboxOf container: String) { sandboxID = container }

    package mutating func members(_ json: inout JSONMembers) {
        json.required("sandboxID", &sandboxID)
        json.always("endpoints", &endpoints)
        json.always("ports", &ports)
    }

    /// A place on a network.
    package struct Endpoint: JSONRecord {
        package var networkID = ""
        /// By which the container's request, and `inspect`, name the network.
        package var networkName = ""
        package var endpointID = ""
        /// With the subnet's length; empty for none.
        package var address4 = ""
        package var address6 = ""
        package var macAddress = ""
        /// In the container.
        package var interface = ""
        package var hostInterface = ""
        /// Of the subnets; empty for none.
        package var gateway4 = ""
        package var gateway6 = ""
        package var routesOnLink = false
        /// Whether the container's traffic to elsewhere goes this way, by family.
        package var isDefault4 = false
        package var isDefault6 = false
        package var unknownMembers = JSONObject()

        package init() {}

        package mutating func members(_ json: inout JSONMembers) {
            json.required("networkID", &networkID)
            json.required("networkName", &networkName)
            json.required("endpointID", &endpointID)
            json.omitEmpty("address4", &address4)
            json.omitEmpty("address6", &address6)
            json.omitEmpty("macAddress", &macAddress)
            json.omitEmpty("interface", &interface)
            json.omitEmpty("hostInterface", &hostInterface)
            json.omitEmpty("gateway4", &gateway4)
            json.omitEmpty("gateway6", &gateway6)
            json.omitEmpty("routesOnLink", &routesOnLink)
            json.omitEmpty("isDefault4", &isDefault4)
            json.omitEmpty("isDefault6", &isDefault6)
        }

        package var prefix4: IPPrefix? { IPPrefix(address4) }
        package var prefix6: IPPrefix? { IPPrefix(address6) }
        package var prefixes: [IPPrefix] { [prefix4, prefix6].compactMap { $0 } }

        /// As its driver knows it.
        package var joined: JoinedEndpoint? {
            guard !interface.isEmpty, let mac = MACAddress(macAddress) else { return nil }
            return JoinedEndpoint(
                interface: interface, macAddress: mac, hostInterface: hostInterface.isEmpty ? nil : hostInterface,
                gateway4: IPAddress(gateway4), gateway6: IPAddress(gateway6), routesOnLink: routesOnLink)
        }
    }

    /// A port of the host that leads to one of the container's.
    package struct Port: JSONRecord {
        package var networkProtocol = ""
        package var containerPort: UInt16 = 0
        package var hostAddress = ""
        /// 0 where the container's own port is opened, on a routed network.
        package var hostPort: UInt16 = 0
        /// The network that it leads through, and the container's address there.
        package var networkID = ""
        package var target = ""
        package var unknownMembers = JSONObject()

        package init() {}

        package mutating func members(_ json: inout JSONMembers) {
            json.required("networkProtocol", &networkProtocol)
            json.required("containerPort", &containerPort)
            json.required("hostAddress", &hostAddress)
            json.required("hostPort", &hostPort)
            json.required("networkID", &networkID)
            json.required("target", &target)
        }

        /// As the firewall knows it; `nil` where the families differ and only a proxy can lead on.
        package var published: PublishedPort? {
            guard let networkProtocol = PortProtocol(networkProtocol), let host = IPAddress(hostAddress),
                let target = IPAddress(target), host.family == target.family
            else { return nil }
            return PublishedPort(
                networkProtocol, host: host, hostPort == 0 ? containerPort : hostPort, to: target, containerPort)
        }
    }
}
