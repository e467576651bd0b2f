/// A route. Addresses are bytes in network order: 4 for IPv4, 16 for IPv6.
public struct Route: Sendable, Hashable {
    /// AF_INET 2, AF_INET6 10.
    public var family: UInt8
    /// Empty for the default route.
    public var destination: [UInt8]
    public var prefixLength: UInt8
    public var gateway: [UInt8]?
    /// The interface's number; 0 for none.
    public var interface: Int32
    /// 254 is the main table, 255 the local one.
    public var table: UInt32
    /// `RTN_*`: 1 unicast, 2 local, 3 broadcast, 6 blackhole, 7 unreachable.
    public var type: UInt8
    public var metric: UInt32
    /// The gateway is on the link though no address says so (`RTNH_F_ONLINK`).
    public var isOnLink: Bool

    public init(
        family: UInt8, destination: [UInt8] = [], prefixLength: UInt8 = 0, gateway: [UInt8]? = nil,
        interface: Int32 = 0, table: UInt32 = 254, type: UInt8 = 1, metric: UInt32 = 0, isOnLink: Bool = false
    ) {
        self.family = family
        self.destination = destination
        self.prefixLength = prefixLength
        self.gateway = gateway
        self.interface = interface
        self.table = table
        self.type = type
        self.metric = metric
        self.isOnLink = isOnLink
    }

    /// The default route of a family.
    public static func `default`(via gateway: [UInt8], interface: Int32, metric: UInt32 = 0, isOnLink: Bool = false)
        -> Route
    {
        Route(
            family: addressFamily(gateway), gateway: gateway, interface: interface, metric: metric, isOnLink: isOnLink)
    }

    public var isDefault: Bool { prefixLength == 0 }

    init?(_ message: NetlinkMessage) {
        // struct rtmsg: family, destination and source length, tos, table, protocol, scope, type, flags: 12 bytes.
        // RTM_NEWROUTE 24.
        guard message.type == 24, message.payload.count >= 12 else { return nil }
        let attributes = message.attributes(skipping: 12)
        let payload = message.payload
        self.init(
            family: payload.integer(at: 0, as: UInt8.self), destination: Array(attributes[1] ?? []),
            prefixLength: payload.integer(at: 1, as: UInt8.self), gateway: attributes[5].map(Array.init),
            interface: attributes.integer(4) ?? 0,
            table: attributes.integer(15) ?? UInt32(payload.integer(at: 4, as: UInt8.self)),
            type: payload.integer(at: 7, as: UInt8.self), metric: attributes.integer(6) ?? 0,
            isOnLink: payload.integer(at: 8, as: UInt32.self) & 0x4 != 0)
    }
}

extension NetlinkRequest {
    /// - Parameter replacing: replaces a route to the same destination with the same metric.
    public static func addRoute(_ route: Route, replacing: Bool = false) -> NetlinkRequest {
        routeRequest(24, replacing ? [.create, .replace] : [.create, .exclusive], "add a route", route)
    }

    public static func deleteRoute(_ route: Route) -> NetlinkRequest { routeRequest(25, [], "delete a route", route) }

    private static func routeRequest(_ type: UInt16, _ flags: Flags, _ operation: String, _ route: Route)
        -> NetlinkRequest
    {
        var request = NetlinkRequest(
            type, flags, operation: operation, subject: "through interface number \(route.interface)")
        request.append(route.family)
        request.append(route.prefixLength)
        request.append(UInt16(0))
        request.append(UInt8(truncatingIfNeeded: min(route.table, 255)))
        // RTPROT_BOOT 3; in deletes 0 matches whoever added it. Scope: universe 0 through a gateway, link 253 without one;
        // in deletes nowhere 255 matches any.
        request.append(UInt8(type == 25 ? 0 : 3))
        let isDirect = route.gateway == nil && route.type == 1 && route.family == 2
        request.append(UInt8(type == 25 ? 255 : isDirect ? 253 : 0))
        request.append(route.type)
        request.append(UInt32(route.isOnLink ? 0x4 : 0))
        if route.prefixLength > 0 { request.attribute(1, bytes: route.destination) }
        if let gateway = route.gateway { request.attribute(5, bytes: gateway) }
        if route.interface != 0 { request.attribute(4, route.interface) }
        if route.metric != 0 { request.attribute(6, route.metric) }
        request.attribute(15, route.table)
        return request
    }
}

extension NetlinkSocket {
    /// The routes of both families, of every table but the local one unless asked for.
    public func routes(includingLocal: Bool = false) throws(KernelError) -> [Route] {
        var routes: [Route] = []
        for family in [UInt8(2), 10] {
            var request = NetlinkRequest(26, .dump, operation: "list routes")
            request.append(family)
            request.append(bytes: [UInt8](repeating: 0, count: 11))
            do throws(KernelError) { routes += try query(request).compactMap(Route.init) } catch {
                // A kernel without IPv6.
                if error.code != .notSupported { throw error }
            }
        }
        return routes.filter { includingLocal || $0.table != 255 }
    }
}
