import ContainerNetwork
import EngineModel
import Kernel

/// Where a node says that it is: an address of the host and a port, found as dockerd finds them.
///
/// Dhow's swarm is of one node, so nothing listens there; clients show it.
package struct SwarmAddress: Sendable, Equatable {
    package var address: IPAddress
    package var port: UInt16

    /// `ADDRESS|INTERFACE[:PORT]`, with a port that is 0 when there is none.
    package struct Text: Equatable {
        package var host: String
        package var port: UInt16

        /// `nil` for a port that is none.
        package init?(_ text: String) {
            if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
                host = String(text[text.index(after: text.startIndex)..<end])
                let rest = text[text.index(after: end)...]
                guard rest.isEmpty || rest.hasPrefix(":"), let port = Self.port(rest.dropFirst()) else { return nil }
                self.port = port
            } else if text.count(where: { $0 == ":" }) == 1, let colon = text.firstIndex(of: ":") {
                host = String(text[..<colon])
                guard let port = Self.port(text[text.index(after: colon)...]) else { return nil }
                self.port = port
            } else {
                host = text
                port = 0
            }
        }

        private static func port(_ text: Substring) -> UInt16? {
            if text.isEmpty { return 0 }
            guard let port = UInt16(text), port != 0 else { return nil }
            return port
        }
    }

    /// The host's interfaces with their addresses, but those of this daemon and of engines' bridges.
    package struct Interface: Sendable {
        package var name: String
        package var addresses: [IPAddress]
        package var isCandidate: Bool

        package init(name: String, addresses: [IPAddress], isCandidate: Bool) {
            self.name = name
            self.addresses = addresses
            self.isCandidate = isCandidate
        }
    }

    static func interfaces() throws -> [Interface] {
        let netlink = try NetlinkSocket()
        return try netlink.links().map { link in
            let addresses = try netlink.addresses(of: link.index).filter { $0.scope == 0 || link.isLoopback }
                .compactMap { IPAddress(bytes: $0.address) }
            let isBridge =
                link.kind == "bridge"
                && (["docker0", "docker_gwbridge"].contains(link.name) || link.name.hasPrefix("br-"))
            return Interface(
                name: link.name, addresses: addresses,
                isCandidate: link.isUp && !link.isLoopback && !isBridge && InterfaceMark(link.alias) == nil)
        }
    }

    /// - Throws: `EngineError.invalidParameter`, with dockerd's sentences.
    package init(_ request: SwarmInitRequest, _ interfaces: [Interface]) throws(EngineError) {
        guard !request.listenAddr.isEmpty else { throw .invalid("invalid ListenAddr \"\": invalid empty address") }
        guard let listen = Text(request.listenAddr), let advertise = Text(request.advertiseAddr) else {
            throw .invalid(
                "invalid port in the listen address \"\(request.listenAddr)\" or the advertise address "
                    + "\"\(request.advertiseAddr)\": it is a number from 1 to 65535")
        }
        let form = "an IP address or network interface (with optional port number)"
        guard let own = try Self.address(listen.host, interfaces) else {
            throw .invalid("listen address must be \(form)")
        }
        guard own.isUnspecified || own.isLoopback || interfaces.contains(where: { $0.addresses.contains(own) }) else {
            throw .invalid("cannot listen on \(own): no interface of this host has the address")
        }
        port = advertise.port != 0 ? advertise.port : listen.port != 0 ? listen.port : 2377
        if !request.dataPathAddr.isEmpty {
            guard let address = try Self.address(request.dataPathAddr, interfaces), !address.isUnspecified else {
                throw .invalid(
                    "data path address must be a non-zero IP address or network interface (without a port number)")
            }
        }
        if !advertise.host.isEmpty {
            guard let address = try Self.address(advertise.host, interfaces), !address.isUnspecified else {
                throw .invalid("advertise address must be a non-zero \(form.dropFirst(3))")
            }
            self.address = address
        } else if !own.isUnspecified {
            address = own
        } else {
            address = try Self.only(interfaces)
        }
    }

    /// The address that a text is, or that the interface of this name has; `nil` when it is neither.
    private static func address(_ text: String, _ interfaces: [Interface]) throws(EngineError) -> IPAddress? {
        if let address = IPAddress(text) { return address }
        guard let interface = interfaces.first(where: { $0.name == text }) else { return nil }
        return try single(interface)
    }

    private static func single(_ interface: Interface) throws(EngineError) -> IPAddress {
        for family in IPFamily.allCases {
            let own = interface.addresses.filter { $0.family == family }
            if own.count > 1 {
                throw .invalid(
                    "interface \(interface.name) has more than one \(family) address (\(own[0]) and \(own[1]))")
            }
            if let address = own.first { return address }
        }
        throw .invalid("interface \(interface.name) has no usable IPv4 or IPv6 address")
    }

    /// The host's address, when there is no choice.
    private static func only(_ interfaces: [Interface]) throws(EngineError) -> IPAddress {
        let candidates = interfaces.filter(\.isCandidate)
        for family in IPFamily.allCases {
            let found = candidates.flatMap { interface in
                interface.addresses.filter { $0.family == family }.map { (interface.name, $0) }
            }
            guard let first = found.first else { continue }
            guard found.count > 1 else { return first.1 }
            let second = found[1]
            let place =
                first.0 == second.0
                ? "on interface \(first.0) (\(first.1) and \(second.1))"
                : "on different interfaces (\(first.1) on \(first.0) and \(second.1) on \(second.0))"
            throw .invalid(
                "could not choose an IP address to advertise since this system has multiple addresses \(place) - "
                    + "specify one with --advertise-addr")
        }
        throw .invalid("could not find the system's IP address - specify one with --advertise-addr")
    }
}
