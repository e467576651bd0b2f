import JSON
import Registry

extension RegistryConfiguration {
    /// As `GET /info` tells it.
    var info: JSONValue {
        let mirrors = JSONValue.array(mirrors.map { .string($0.hasSuffix("/") ? $0 : $0 + "/") })
        var indexes: JSONObject = [
            "docker.io": ["Name": "docker.io", "Mirrors": mirrors, "Secure": true, "Official": true]
        ]
        var ranges = ["::1/128", "127.0.0.0/8"]
        for entry in insecureRegistries {
            if entry.contains("/") {
                ranges.append(entry)
            } else {
                indexes[entry] = ["Name": .string(entry), "Mirrors": [], "Secure": false, "Official": false]
            }
        }
        return [
            "AllowNondistributableArtifactsCIDRs": nil, "AllowNondistributableArtifactsHostnames": nil,
            "InsecureRegistryCIDRs": .array(ranges.map { .string($0) }), "IndexConfigs": .object(indexes),
            "Mirrors": self.mirrors.isEmpty ? nil : mirrors,
        ]
    }
}

extension ProxySettings {
    /// For people to see.
    var withoutPassword: ProxySettings {
        func masked(_ text: String) -> String {
            guard let at = text.lastIndex(of: "@") else { return text }
            let start = text[..<at].lastIndex(of: "/").map { text.index(after: $0) } ?? text.startIndex
            return text[..<start] + "xxxxx:xxxxx" + text[at...]
        }
        return ProxySettings(httpProxy: masked(httpProxy), httpsProxy: masked(httpsProxy), noProxy: noProxy)
    }
}
