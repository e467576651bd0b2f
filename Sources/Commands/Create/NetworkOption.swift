import CommandLineKit
import EngineModel

/// `--network NAME`, or `--network name=NAME,alias=…,ip=…`.
struct NetworkOption {
    var target = ""
    var aliases: [String] = []
    var links: [String] = []
    var ipv4 = ""
    var ipv6 = ""
    var linkLocal: [String] = []
    var macAddress = ""
    var driverOptions: [String: String] = [:]
    var gatewayPriority = 0

    init(target: String) { self.target = target }

    init(_ text: String) throws(FlagError) {
        guard text.contains("=") else {
            target = text
            return
        }
        guard let fields = CommaSeparated.fields(text) else { throw .invalid("parse error in '\(text)'") }
        for field in fields {
            guard let (name, raw) = OptionText.cut(field, "=") else {
                throw .invalid("invalid field \(field) must be a key=value pair")
            }
            let value = raw.trimmed
            switch name.lowercased().trimmed {
            case "name": target = value
            case "alias": aliases.append(value)
            case "driver-opt":
                guard let (key, option) = OptionText.cut(value, "=") else {
                    throw .invalid("invalid key value pair format in driver options")
                }
                driverOptions[key.trimmed.lowercased()] = option.trimmed
            case "ip": ipv4 = value
            case "ip6": ipv6 = value
            case "mac-address":
                guard MACAddress.isValid(value) else { throw .invalid("\(value) is not a valid mac address") }
                macAddress = value
            case "link-local-ip": linkLocal.append(value)
            case "gw-priority":
                guard let priority = Int(value) else {
                    throw .invalid("invalid gw-priority (\(value)): invalid syntax")
                }
                gatewayPriority = priority
            default: throw .invalid("invalid field key \(name)")
            }
        }
        guard !target.isEmpty else { throw .invalid("network name/id is not specified") }
    }

    var isUserDefined: Bool {
        !["", "default", "bridge", "host", "none"].contains(target) && !target.hasPrefix("container:")
    }

    /// What the API takes.
    func endpoint() throws(CommandLineError) -> EndpointSettings {
        if target.trimmed.isEmpty { throw CommandLineError("no name set for network") }
        if !isUserDefined {
            if !aliases.isEmpty {
                throw CommandLineError("network-scoped aliases are only supported for user-defined networks")
            }
            if !links.isEmpty { throw CommandLineError("links are only supported for user-defined networks") }
        }
        var settings = EndpointSettings()
        settings.aliases = aliases.isEmpty ? nil : aliases
        settings.links = links.isEmpty ? nil : links
        settings.driverOpts = driverOptions.isEmpty ? nil : driverOptions
        settings.macAddress = macAddress
        settings.gwPriority = gatewayPriority
        if !ipv4.isEmpty || !ipv6.isEmpty || !linkLocal.isEmpty {
            for (address, isGood) in [(ipv4, OptionText.isAddress(ipv4)), (ipv6, OptionText.isIPv6(ipv6))]
            where !address.isEmpty && !isGood {
                throw CommandLineError("invalid IP address: \(address)")
            }
            var addresses = EndpointSettings.IPAMConfig()
            addresses.ipv4Address = ipv4
            addresses.ipv6Address = ipv6
            addresses.linkLocalIPs = linkLocal.isEmpty ? nil : linkLocal
            settings.ipamConfig = addresses
        }
        return settings
    }
}

enum MACAddress {
    /// Six, eight or twenty bytes in hexadecimal, between colons or hyphens, or three or four groups between dots.
    static func isValid(_ text: String) -> Bool {
        func groups(_ separator: Character, _ length: Int) -> Int? {
            let parts = text.split(separator: separator, omittingEmptySubsequences: false)
            let areGood = parts.allSatisfy { $0.utf8.count == length && $0.allSatisfy(\.isHexDigit) }
            return areGood ? parts.count : nil
        }
        if let count = groups(":", 2) ?? groups("-", 2) { return [6, 8, 20].contains(count) }
        return groups(".", 4).map { [3, 4, 10].contains($0) } ?? false
    }
}

extension String {
    /// Without blanks at either end.
    var trimmed: String {
        var rest = self[...]
        while let first = rest.first, first.isWhitespace { rest.removeFirst() }
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return String(rest)
    }
}

/// Ports to publish or expose: `8080:80`, `127.0.0.1:8000-8001:80-81/udp`, `80`.
struct PortOptions {
    /// `80/tcp` to where it is published.
    var bindings: [String: [PortBinding]?] = [:]
    var exposed: Set<String> = []

    private static let protocols: Set<String> = ["tcp", "udp", "sctp"]

    mutating func publish(_ text: String) throws(CommandLineError) {
        let text = try Self.standardNotation(text)
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let last = parts[parts.count - 1]
        let hostPort = parts.count > 1 ? parts[parts.count - 2] : ""
        var address = parts.count > 2 ? parts[..<(parts.count - 2)].joined(separator: ":") : ""
        let (container, kind) = try Self.splitProtocol(last)
        if address.hasPrefix("[") {
            guard address.hasSuffix("]") else { throw CommandLineError("invalid IP address \(address)") }
            address = String(address.dropFirst().dropLast())
        }
        if !address.isEmpty, !OptionText.isAddress(address) { throw CommandLineError("invalid IP address: \(address)") }
        if container.isEmpty { throw CommandLineError("no port specified: \(text)<empty>") }
        guard let range = Self.range(container) else { throw CommandLineError("invalid containerPort: \(container)") }
        var hostRange: ClosedRange<Int>?
        if !hostPort.isEmpty {
            guard let parsed = Self.range(hostPort) else { throw CommandLineError("invalid hostPort: \(hostPort)") }
            hostRange = parsed
            // A range on the host for a single port means: any free one of it.
            if parsed.count != range.count, range.count != 1 {
                throw CommandLineError(
                    "invalid ranges specified for container and host Ports: \(container) and \(hostPort)")
            }
        }
        guard Self.protocols.contains(kind.lowercased()) else { throw CommandLineError("invalid proto: \(kind)") }
        for port in range {
            let name = "\(port)/\(kind.lowercased())"
            var published = ""
            if let hostRange {
                published =
                    range.count == 1 && hostRange.count > 1
                    ? "\(hostRange.lowerBound)-\(hostRange.upperBound)"
                    : String(hostRange.lowerBound + port - range.lowerBound)
            }
            exposed.insert(name)
            bindings[name] = ((bindings[name] ?? nil) ?? []) + [PortBinding(hostIP: address, hostPort: published)]
        }
    }

    mutating func expose(_ text: String) throws(CommandLineError) {
        if text.contains(":") { throw CommandLineError("invalid port format for --expose: \(text)") }
        let (ports, kind) = try Self.splitProtocol(text)
        guard let range = Self.range(ports) else {
            throw CommandLineError(
                "invalid range format for --expose: \(text), error: "
                    + (ports.isEmpty ? "empty string specified for ports" : Self.rangeFailure(ports)))
        }
        for port in range { exposed.insert("\(port)/\(kind.lowercased())") }
    }

    private static func rangeFailure(_ text: String) -> String {
        let ends = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        if let bad = ends.first(where: { UInt16($0) == nil }) {
            let reason = bad.allSatisfy(\.isNumber) && !bad.isEmpty ? "value out of range" : "invalid syntax"
            return "strconv.ParseUint: parsing \(goQuoted(bad)): \(reason)"
        }
        return "invalid range specified for port: \(text)"
    }

    private static func splitProtocol(_ text: String) throws(CommandLineError) -> (String, String) {
        guard let (ports, kind) = OptionText.cut(text, "/") else { return (text, "tcp") }
        return (ports, kind.isEmpty ? "tcp" : kind)
    }

    private static func range(_ text: String) -> ClosedRange<Int>? {
        guard let (low, high) = OptionText.cut(text, "-") else {
            return UInt16(text).map { Int($0)...Int($0) }
        }
        guard let low = UInt16(low), let high = UInt16(high), low <= high else { return nil }
        return Int(low)...Int(high)
    }

    /// Turns `target=80,published=8080,protocol=tcp` into the short form.
    private static func standardNotation(_ text: String) throws(CommandLineError) -> String {
        guard text.contains("=") else { return text }
        var values: [String: String] = [:]
        for field in text.split(separator: ",") {
            guard let (key, value) = OptionText.cut(field, "="), !key.isEmpty, !value.isEmpty else {
                throw CommandLineError("invalid publish opts format (should be name=value but got '\(field)')")
            }
            values[key] = value
        }
        let published = values["published"].map { $0 + ":" } ?? ""
        return "\(published)\(values["target"] ?? "")/\(values["protocol"] ?? "tcp")"
    }
}
