import CommandLineKit
import EngineModel
import Kernel

/// The flags of `network create`.
struct NetworkCreateFlags {
    private let attachable, configOnly, ingress, isInternal, ipv4, ipv6: Flag<Bool>
    private let configFrom, driver, ipamDriver, scope: Flag<String>
    private let auxAddress, ipamOptions, options: Flag<[String: String]>
    private let gateway, ipRange, label, subnet: Flag<[String]>

    init(_ flags: FlagSet) {
        attachable = flags.bool("attachable", "Enable manual container attachment")
        auxAddress = flags.map("aux-address", "Auxiliary IPv4 or IPv6 addresses used by Network driver")
        configFrom = flags.string("config-from", "The network from which to copy the configuration")
        configOnly = flags.bool("config-only", "Create a configuration only network")
        driver = flags.string("driver", "d", default: "bridge", "Driver to manage the Network")
        gateway = flags.strings("gateway", "IPv4 or IPv6 Gateway for the master subnet")
        ingress = flags.bool("ingress", "Create swarm routing-mesh network")
        isInternal = flags.bool("internal", "Restrict external access to the network")
        ipRange = flags.strings("ip-range", "Allocate container ip from a sub-range")
        ipamDriver = flags.string("ipam-driver", default: "default", "IP Address Management Driver")
        ipamOptions = flags.map("ipam-opt", "Set IPAM driver specific options")
        ipv4 = flags.bool("ipv4", default: true, "Enable or disable IPv4 address assignment")
        ipv6 = flags.bool("ipv6", "Enable or disable IPv6 address assignment")
        label = flags.strings("label", "Set metadata on a network")
        options = flags.map("opt", "o", showsEmpty: true, "Set driver specific options")
        scope = flags.string("scope", "Control the network's scope")
        subnet = flags.strings("subnet", "Subnet in CIDR format that represents a network segment")
    }

    func request(_ name: String) throws -> NetworkCreateRequest {
        var request = NetworkCreateRequest()
        request.name = name
        request.driver = driver.value
        request.scope = scope.value
        request.isInternal = isInternal.value
        request.isAttachable = attachable.value
        request.isIngress = ingress.value
        request.isConfigOnly = configOnly.value
        if ipv4.isSet { request.enableIPv4 = ipv4.value }
        if ipv6.isSet { request.enableIPv6 = ipv6.value }
        if !configFrom.value.isEmpty {
            var reference = NetworkResource.ConfigReference()
            reference.network = configFrom.value
            request.configFrom = reference
        }
        request.options = options.value
        request.labels = OptionText.pairs(label.value)
        var ipam = IPAM()
        ipam.driver = ipamDriver.value
        ipam.options = ipamOptions.value
        ipam.config = try pools()
        request.ipam = ipam
        return request
    }

    /// Puts ranges, gateways and auxiliary addresses to the subnets that they are in, as Docker's client does.
    private func pools() throws -> [IPAM.Pool] {
        var pools: [IPAM.Pool] = []
        var prefixes: [Subnet] = []
        if subnet.value.count < ipRange.value.count || subnet.value.count < gateway.value.count {
            throw ExitStatus(1, "every ip-range or gateway must have a corresponding subnet")
        }
        for text in subnet.value.flatMap({ $0.split(separator: ",").map(String.init) }) {
            guard let prefix = Subnet(text) else { throw ExitStatus(1, "invalid CIDR address: \(text)") }
            if prefixes.contains(where: { $0.contains(prefix) || prefix.contains($0) }) {
                throw ExitStatus(1, "multiple overlapping subnet configuration is not supported")
            }
            prefixes.append(prefix)
            var pool = IPAM.Pool()
            pool.subnet = text
            pools.append(pool)
        }
        func place(_ text: String, _ what: String) throws -> Int {
            let bare = text.contains("/") ? text : text + (text.contains(":") ? "/128" : "/32")
            guard let address = Subnet(bare) else { throw ExitStatus(1, "invalid \(what): \(text)") }
            guard let index = prefixes.firstIndex(where: { $0.contains(address) }) else {
                throw ExitStatus(1, "no matching subnet for \(what) \(text)")
            }
            return index
        }
        for text in ipRange.value {
            let index = try place(text, "range")
            if !pools[index].ipRange.isEmpty {
                throw ExitStatus(
                    1,
                    "cannot configure multiple ranges (\(text), \(pools[index].ipRange)) on the same subnet (\(pools[index].subnet))"
                )
            }
            pools[index].ipRange = text
        }
        for text in gateway.value {
            let index = try place(text, "gateway")
            if !pools[index].gateway.isEmpty {
                throw ExitStatus(
                    1,
                    "cannot configure multiple gateways (\(text), \(pools[index].gateway)) for the same subnet (\(pools[index].subnet))"
                )
            }
            pools[index].gateway = text
        }
        for (name, text) in auxAddress.value.sorted(by: { $0.key < $1.key }) {
            let index = try place(text, "aux-address")
            var addresses = pools[index].auxiliaryAddresses ?? [:]
            addresses[name] = text
            pools[index].auxiliaryAddresses = addresses
        }
        return pools
    }
}

/// An address with a length, enough of it to tell what lies in what.
struct Subnet {
    private let bytes: [UInt8]
    private let length: Int

    init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let length = Int(parts[1]), let address = InternetAddress(parts[0])?.bytes,
            (0...(address.count * 8)).contains(length)
        else { return nil }
        bytes = address
        self.length = length
    }

    func contains(_ other: Subnet) -> Bool {
        guard bytes.count == other.bytes.count, other.length >= length else { return false }
        for bit in 0..<length where (bytes[bit / 8] ^ other.bytes[bit / 8]) >> UInt8(7 - bit % 8) & 1 != 0 {
            return false
        }
        return true
    }
}
