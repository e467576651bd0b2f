import Kernel

/// A container's `/etc/hosts`, as dockerd 28 writes it.
public struct HostsFile: Sendable {
    public struct Entry: Hashable, Sendable {
        public var address: InternetAddress
        /// One name, or several with spaces between.
        public var names: String

        public init(_ address: InternetAddress, _ names: String) {
            self.address = address
            self.names = names
        }

        var line: String { "\(address)\t\(names)\n" }
    }

    /// Whether the container's network namespace has IPv6; without it the file has none.
    public var hasIPv6: Bool
    /// `--add-host` and `--link`.
    public var extraHosts: [Entry]
    public var hostname: String
    public var domainName: String
    /// The container's own, in the order of its networks.
    public var addresses: [InternetAddress]

    public init(
        hostname: String, domainName: String = "", addresses: [InternetAddress], extraHosts: [Entry] = [],
        hasIPv6: Bool = true
    ) {
        self.hostname = hostname
        self.domainName = domainName
        self.addresses = addresses
        self.extraHosts = extraHosts
        self.hasIPv6 = hasIPv6
    }

    /// The full name, and the bare one after it where they differ.
    private var ownNames: String {
        let full = domainName.isEmpty ? hostname : "\(hostname).\(domainName)"
        guard let dot = full.firstIndex(of: ".") else { return full }
        return "\(full) \(full[..<dot])"
    }

    public var text: String {
        var text = "127.0.0.1\tlocalhost\n"
        if hasIPv6 {
            text += "::1\tlocalhost ip6-localhost ip6-loopback\n"
            text += "fe00::\tip6-localnet\n"
            text += "ff00::\tip6-mcastprefix\n"
            text += "ff02::1\tip6-allnodes\n"
            text += "ff02::2\tip6-allrouters\n"
        }
        for entry in extraHosts + ownEntries where hasIPv6 || entry.address.isIPv4 { text += entry.line }
        return text
    }

    /// The lines of the container's own addresses: what joining a network adds and leaving takes away.
    public var ownEntries: [Entry] { addresses.map { Entry($0, ownNames) } }

    /// A file, perhaps edited in the container since, with lines added.
    public static func adding(_ entries: [Entry], to text: String) -> String {
        text + (text.isEmpty || text.hasSuffix("\n") || entries.isEmpty ? "" : "\n") + entries.map(\.line).joined()
    }

    /// A file, perhaps edited in the container since, without the lines that are still exactly `entries`.
    public static func removing(_ entries: [Entry], from text: String) -> String {
        let lines = text.splitBytes("\n", omittingEmpty: false).dropLast(text.hasSuffix("\n") ? 1 : 0)
        var kept = ""
        for line in lines where !entries.contains(where: { "\(line)\n" == $0.line }) { kept += "\(line)\n" }
        return kept
    }

    /// Reads `name:address` or `name=address`, where the address may be `host-gateway`: the host's, one of each family
    /// that `gateways` has.
    /// - Throws: `InvalidHost`.
    public static func entries(_ option: String, gateways: [InternetAddress]) throws(InvalidHost) -> [Entry] {
        guard let separator = option.firstIndex(where: { $0 == ":" || $0 == "=" }) else {
            throw InvalidHost(option: option, reason: "it must read NAME:ADDRESS")
        }
        let name = String(option[..<separator])
        var text = option[option.index(after: separator)...]
        guard !name.isEmpty, !name.contains(where: \.isWhitespace) else {
            throw InvalidHost(option: option, reason: "it has no name")
        }
        if text == "host-gateway" {
            guard !gateways.isEmpty else {
                throw InvalidHost(option: option, reason: "the host's address on the bridge is not known")
            }
            return gateways.map { Entry($0, name) }
        }
        if text.hasPrefix("["), text.hasSuffix("]") { text = text.dropFirst().dropLast() }
        guard let address = InternetAddress(text) else {
            throw InvalidHost(option: option, reason: "\"\(text)\" is no IP address")
        }
        return [Entry(address, name)]
    }

    public struct InvalidHost: Error, Equatable, CustomStringConvertible {
        public let option: String
        public let reason: String
        public var description: String { "cannot add the host \"\(option)\": \(reason)" }
    }
}
