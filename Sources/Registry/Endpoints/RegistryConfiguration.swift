import NIOCore
import OCI

/// How registries are reached.
public struct RegistryConfiguration: Sendable, Equatable {
    /// Base URLs that are asked before Docker's own registry.
    public var mirrors: [String] = []
    /// Hosts, hosts with ports, and address ranges (`10.0.0.0/8`) that may be spoken to without TLS, or with certificates
    /// that nobody vouches for. `127.0.0.0/8` and `::1` always are.
    public var insecureRegistries: [String] = []
    /// From where images are read, and what short names mean. `mirrors` are asked before this one's.
    public var registriesConf = RegistriesConf()
    /// Directories with a folder for each registry, `HOST[:PORT]`, of `*.crt` (authorities), `*.cert` and `*.key`
    /// (this client's own).
    public var certificateDirectories = ["/etc/docker/certs.d"]
    /// A folder of such files for every registry, instead.
    public var certificateFolder: String?
    /// Whether to speak TLS, and to mind certificates, also with registries that are on this machine.
    public var distrustsLoopback = false
    public var proxies = ProxySettings()
    /// What the registry is told about us.
    public var userAgent = "dhow"
    /// How many blobs one process fetches at a time, whatever the number of pulls.
    public var maximumDownloads = 3
    public var maximumUploads = 5
    /// How often a request is tried before its failure is believed.
    public var maximumAttempts = 5
    /// How long a connection may take to come about.
    public var connectTimeout = TimeAmount.seconds(30)
    /// How long nothing may come before a connection counts as lost.
    public var stallTimeout = TimeAmount.seconds(60)
    /// How long a registry may think when it has got the last byte of a blob: some read it all once more.
    public var commitTimeout = TimeAmount.minutes(15)
    /// The wait before the second attempt; each further one is twice as long, up to `longestWait`.
    public var firstWait = TimeAmount.milliseconds(500)
    /// Also the longest `Retry-After` that is waited for rather than reported.
    public var longestWait = TimeAmount.seconds(60)
    /// In bytes; what the distribution specification lets registries demand of manifests.
    public var manifestLimit = 4 << 20
    /// Blobs are sent in pieces of this size; `nil` sends them whole.
    public var uploadChunkSize: Int64?

    public init() {}

    /// Looks at what can be looked at without the network.
    /// - Throws: `RegistryError.invalidInput` with what is wrong.
    public func validate() throws(RegistryError) {
        _ = try dockerMirrors()
        for text in [proxies.httpProxy, proxies.httpsProxy] where !text.isEmpty { _ = try ProxySettings.Proxy(text) }
    }
}
