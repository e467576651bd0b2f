import CommandLineKit
import JSON
import Registry

/// The flags about registries, and their keys in the configuration file.
struct RegistryFlags {
    private let mirrors: Flag<[String]>
    private let insecure: Flag<[String]>
    private let downloads: Flag<Int64>
    private let uploads: Flag<Int64>
    private let attempts: Flag<Int64>
    private let httpProxy: Flag<String>
    private let httpsProxy: Flag<String>
    private let noProxy: Flag<String>
    private let registriesConf: Flag<String>

    init(_ flags: FlagSet) {
        mirrors = flags.strings("registry-mirror", nil, "Preferred registry mirror")
        insecure = flags.strings("insecure-registry", nil, "Enable insecure registry communication")
        downloads = flags.int("max-concurrent-downloads", nil, default: 3, "Set the max concurrent downloads")
        uploads = flags.int("max-concurrent-uploads", nil, default: 5, "Set the max concurrent uploads")
        attempts = flags.int("max-download-attempts", nil, default: 5, "Set the max download attempts for each pull")
        httpProxy = flags.string("http-proxy", nil, "HTTP proxy URL to use for outgoing traffic")
        httpsProxy = flags.string("https-proxy", nil, "HTTPS proxy URL to use for outgoing traffic")
        noProxy = flags.string(
            "no-proxy", nil, "Comma-separated list of hosts or IP addresses for which the proxy is skipped")
        registriesConf = flags.string(
            "registries-conf", nil, "File of registries, instead of containers' own registries.conf; empty for none")
    }

    static let options = [
        DaemonFlags.Option(flag: "registry-mirror", key: "registry-mirrors", kind: .list),
        DaemonFlags.Option(flag: "insecure-registry", key: "insecure-registries", kind: .list),
        DaemonFlags.Option(flag: "max-concurrent-downloads", key: "max-concurrent-downloads", kind: .integer),
        DaemonFlags.Option(flag: "max-concurrent-uploads", key: "max-concurrent-uploads", kind: .integer),
        DaemonFlags.Option(flag: "max-download-attempts", key: "max-download-attempts", kind: .integer),
        DaemonFlags.Option(flag: "http-proxy", key: "http-proxy", kind: .text),
        DaemonFlags.Option(flag: "https-proxy", key: "https-proxy", kind: .text),
        DaemonFlags.Option(flag: "no-proxy", key: "no-proxy", kind: .text),
        DaemonFlags.Option(flag: "registries-conf", key: "registries-conf", kind: .text),
    ]

    /// In the file the proxies are one object, `proxies`.
    static func unfoldProxies(in object: inout JSONObject) throws(ConfigurationError) {
        guard let value = object["proxies"] else { return }
        object["proxies"] = nil
        if value.isNull { return }
        guard let proxies = value.object else {
            throw ConfigurationError("the value of \"proxies\" is no object: \(value.serialized())")
        }
        for (name, value) in proxies {
            guard ["http-proxy", "https-proxy", "no-proxy"].contains(name) else {
                throw ConfigurationError(
                    "the following directives don't match any configuration option: proxies.\(name)")
            }
            object[name] = value
        }
    }

    /// - Parameter environment: whose `HTTP_PROXY` and the like hold where nothing else is said.
    func configuration(
        userAgent: String, environment: (String) -> String?
    ) throws(ConfigurationError) -> RegistryConfiguration {
        var configuration = RegistryConfiguration()
        configuration.userAgent = userAgent
        configuration.mirrors = mirrors.value
        configuration.insecureRegistries = insecure.value
        configuration.maximumDownloads = try positive(downloads, "max concurrent downloads")
        configuration.maximumUploads = try positive(uploads, "max concurrent uploads")
        configuration.maximumAttempts = try positive(attempts, "max download attempts")
        configuration.proxies = ProxySettings(
            httpProxy: httpProxy.value, httpsProxy: httpsProxy.value, noProxy: noProxy.value
        ).merged(over: ProxySettings(environment: environment))
        do throws(RegistryError) {
            try configuration.validate()
            if !registriesConf.isSet {
                configuration.registriesConf = try RegistriesConf(environment: environment)
            } else if !registriesConf.value.isEmpty {
                configuration.registriesConf = try RegistriesConf(
                    file: registriesConf.value, environment: environment)
            }
        } catch {
            throw ConfigurationError(error.message)
        }
        return configuration
    }

    private func positive(_ flag: Flag<Int64>, _ what: String) throws(ConfigurationError) -> Int {
        guard flag.value > 0, let number = Int(exactly: flag.value) else {
            throw ConfigurationError("invalid \(what): \(flag.value): should be more than 0")
        }
        return number
    }
}
