import ContainerNetwork
import EngineModel
import Kernel

/// The network that containers are on when they ask for none.
extension ContainerEngine {
    /// The default network as the configuration wants it, under the ID that it had before; `nil` when it is switched off.
    /// Blocks.
    /// - Parameters:
    ///   - old: from the database.
    ///   - isUsed: whether containers run on it.
    func defaultBridge(_ old: NetworkRecord?, isUsed: Bool) throws -> NetworkRecord? {
        let settings = configuration.network
        guard settings.bridge != "none" else { return nil }
        var record = NetworkRecord()
        record.id = old?.id ?? Names.newID()
        record.name = "bridge"
        record.created = old?.created ?? Timestamp.now.nanosecondsSince1970
        record.driver = BridgeDriver.name
        record.usesIPv6 = settings.usesIPv6 || settings.bridgeAddress6 != nil || settings.range6 != nil
        record.options = settings.bridgeOptions
        record.options["com.docker.network.bridge.name"] =
            settings.bridge ?? old?.options["com.docker.network.bridge.name"] ?? "docker0"
        if isUsed, let old {
            // Containers that run have their addresses; what was asked for anew waits until none does.
            record.pools = old.pools
            record.usesIPv6 = old.usesIPv6
            record.hasNamedSubnets = old.hasNamedSubnets
            return record
        }
        var requests = try subnetRequests(of: record)
        record.hasNamedSubnets = !requests.isEmpty
        if let old, !old.hasNamedSubnets {
            // What was chosen before stays, so that containers keep their neighbourhood.
            let pools = try hostNetworking.pools().pools
            for pool in old.pools {
                guard let subnet = IPPrefix(pool.subnet), subnet.family == .v4 || record.usesIPv6,
                    !requests.contains(where: { $0.subnet?.family == subnet.family }),
                    pools.contains(where: { $0.base.contains(subnet) })
                else { continue }
                requests.append(SubnetRequest(subnet: subnet, gateway: IPAddress(pool.gateway)))
            }
        }
        try resolve(&record, requests, ignoring: record.options["com.docker.network.bridge.name"])
        return record
    }

    /// What the flags say of the default bridge's subnets, and what an interface that the user made has already.
    private func subnetRequests(of record: NetworkRecord) throws -> [SubnetRequest] {
        let settings = configuration.network
        var requests: [SubnetRequest] = []
        for (address, range) in [
            (settings.bridgeAddress4, settings.range4), (settings.bridgeAddress6, settings.range6),
        ] {
            if let address {
                requests.append(SubnetRequest(subnet: address.network, range: range?.network, gateway: address.address))
            } else if let range {
                requests.append(SubnetRequest(subnet: range.network))
            }
        }
        if let bridge = settings.bridge {
            let netlink = try NetlinkSocket()
            guard let link = try? netlink.link(named: bridge) else {
                throw EngineError.invalid("bridge device \(bridge) does not exist: make it, or leave out --bridge")
            }
            for entry in try netlink.addresses(of: link.index) {
                guard let address = IPAddress(bytes: entry.address),
                    let prefix = IPPrefix(address, length: Int(entry.prefixLength)), !Self.isLinkLocal(address),
                    address.family == .v4 || record.usesIPv6,
                    !requests.contains(where: { $0.subnet?.family == address.family })
                else { continue }
                let range = address.family == .v4 ? settings.range4 : settings.range6
                requests.append(SubnetRequest(subnet: prefix.network, range: range, gateway: address))
            }
        }
        for gateway in [settings.gateway4, settings.gateway6] {
            guard let gateway else { continue }
            guard let index = requests.firstIndex(where: { $0.subnet?.contains(gateway) ?? false }) else {
                throw EngineError.invalid(
                    "default gateway \(gateway) is in no subnet that the default bridge was given: name one that it is in "
                        + "with --bip")
            }
            if requests[index].gateway != gateway {
                requests[index].auxiliary[NetworkRecord.routerName(gateway.family)] = gateway
            }
        }
        return requests
    }

    private static func isLinkLocal(_ address: IPAddress) -> Bool {
        if case .v6(let address) = address { return address.isLinkLocal }
        return false
    }

    /// Decides, when the default bridge is about to be made, what depends on who else is on the host by now: its
    /// interface's name, and a subnet that no one else has taken meanwhile. Blocks.
    func completeDefaultBridge(_ record: inout NetworkRecord) throws {
        let name = try hostNetworking.defaultBridgeName()
        record.options["com.docker.network.bridge.name"] = name
        let requests = try subnetRequests(of: record)
        let routes = try hostNetworking.hostRoutes(ignoring: name)
        let isTaken = record.pools.contains { pool in
            guard let subnet = IPPrefix(pool.subnet) else { return true }
            return !requests.contains { $0.subnet == subnet } && routes.contains { $0.overlaps(subnet) }
        }
        if isTaken { try resolve(&record, requests, ignoring: name) }
    }
}

extension NetworkConfiguration {
    /// The default bridge's options, as `inspect` shows them.
    fileprivate var bridgeOptions: [String: String] {
        var options = defaultOptions[BridgeDriver.name] ?? [:]
        options["com.docker.network.bridge.default_bridge"] = "true"
        options["com.docker.network.bridge.enable_icc"] = "\(allowsCommunication)"
        options["com.docker.network.bridge.enable_ip_masquerade"] = "\(masquerades)"
        options["com.docker.network.bridge.host_binding_ipv4"] = hostBinding.map { "\($0)" } ?? "0.0.0.0"
        options["com.docker.network.driver.mtu"] = "\(mtu ?? 1500)"
        return options
    }
}
