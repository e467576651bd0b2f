import EngineModel

/// The text of the files that Docker puts into every container's `/etc`.
package enum NetworkFiles {
    /// - Parameter extraHosts: `name:address`.
    package static func hosts(extraHosts: [String], hostGateway: String? = nil) -> String {
        var text = """
            127.0.0.1\tlocalhost
            ::1\tlocalhost ip6-localhost ip6-loopback
            fe00::\tip6-localnet
            ff00::\tip6-mcastprefix
            ff02::1\tip6-allnodes
            ff02::2\tip6-allrouters

            """
        text += entries(extraHosts, hostGateway: hostGateway)
        return text
    }

    /// The lines for `--add-host`.
    package static func entries(_ extraHosts: [String], hostGateway: String?) -> String {
        var text = ""
        for entry in extraHosts {
            guard let colon = entry.firstIndex(where: { $0 == ":" || $0 == "=" }) else { continue }
            let name = entry[..<colon]
            var address = String(entry[entry.index(after: colon)...])
            if address == "host-gateway" {
                guard let hostGateway else { continue }
                address = hostGateway
            }
            text += "\(address)\t\(name)\n"
        }
        return text
    }

    /// - Parameters:
    ///   - hostText: the host's file.
    ///   - keepsLocal: whether name servers on the loopback count; they do where the network is the host's.
    package static func resolvConf(
        hostText: String, servers: [String], search: [String], options: [String], keepsLocal: Bool
    ) -> String {
        var hostServers: [String] = []
        var hostSearch: [String] = []
        var hostOptions: [String] = []
        for line in hostText.split(separator: "\n") {
            let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
            guard let first = words.first, !first.hasPrefix("#"), !first.hasPrefix(";") else { continue }
            switch first {
            case "nameserver" where words.count > 1: hostServers.append(words[1])
            case "search", "domain": hostSearch = Array(words.dropFirst())
            case "options": hostOptions += words.dropFirst()
            default: break
            }
        }
        var names = servers
        if names.isEmpty {
            names = keepsLocal ? hostServers : hostServers.filter { !$0.hasPrefix("127.") && $0 != "::1" }
        }
        let domains = search.isEmpty ? hostSearch : search.filter { $0 != "." }
        let words = options.isEmpty ? hostOptions : options
        var text = names.map { "nameserver \($0)\n" }.joined()
        if !domains.isEmpty { text += "search \(domains.joined(separator: " "))\n" }
        if !words.isEmpty { text += "options \(words.joined(separator: " "))\n" }
        return text
    }
}
