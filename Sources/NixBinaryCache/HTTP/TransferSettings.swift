import Registry

/// How files of binary caches are transferred.
public struct TransferSettings: Sendable {
    /// How often a file is asked for without getting anything more of it (`download-attempts`).
    public var attempts = 5
    /// Milliseconds before the second attempt; each further one waits twice as long.
    public var firstWait: Int64 = 250
    /// Seconds to wait for a connection (`connect-timeout`).
    public var connectTimeout: Double = 15
    /// Seconds without a byte after which a transfer has failed (`stalled-download-timeout`).
    public var stallTimeout: Double = 300
    /// Names and passwords for hosts (`netrc-file`).
    public var logins = NetworkLogins()
    /// Certificates of trusted authorities, if not the system's (`ssl-cert-file`).
    public var certificateFile: String?
    public var proxies = ProxySettings()
    /// Where archives are compressed before they are sent.
    public var stagingDirectory = "/tmp"
    public var userAgent = "dhow"

    public init() {}
}

/// Names and passwords by host, as a `.netrc` has them.
public struct NetworkLogins: Sendable, Equatable {
    private var logins: [String: (name: String, password: String)] = [:]
    private var standard: (name: String, password: String)?

    public init() {}

    /// Reads the words `machine HOST login NAME password WORD` and `default login …`; others are passed over.
    public init(parsing text: String) {
        let lines = text.split(whereSeparator: \.isNewline).map { line in
            line.split(whereSeparator: \.isWhitespace).prefix { !$0.hasPrefix("#") }
        }
        var words = lines.joined().makeIterator()
        var host: String?
        var (name, password) = ("", "")
        var isOpen = false
        func close(_ logins: inout NetworkLogins) {
            guard isOpen else { return }
            if let host {
                if logins.logins[host] == nil { logins.logins[host] = (name, password) }
            } else {
                logins.standard = (name, password)
            }
        }
        while let word = words.next() {
            switch word {
            case "machine", "default":
                close(&self)
                isOpen = true
                host = word == "machine" ? words.next().map { $0.lowercased() } : nil
                (name, password) = ("", "")
            case "login": name = words.next().map(String.init) ?? ""
            case "password": password = words.next().map(String.init) ?? ""
            case "account": _ = words.next()
            default: break
            }
        }
        close(&self)
    }

    /// Who we are at `host`.
    public func login(for host: String) -> (name: String, password: String)? { logins[host.lowercased()] ?? standard }

    public static func == (left: Self, right: Self) -> Bool {
        left.logins.mapValues { [$0.name, $0.password] } == right.logins.mapValues { [$0.name, $0.password] }
            && left.standard?.name == right.standard?.name && left.standard?.password == right.standard?.password
    }
}
