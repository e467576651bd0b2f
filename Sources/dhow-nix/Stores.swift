import NixBinaryCache
import NixLanguage
import NixLocalStore
import NixStore
import Registry

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What the commands that talk with stores share: which store, which keys, how to transfer.
struct StoreSettings {
    /// As in every nix.conf that says nothing else.
    static let standardKey = "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY="

    var store = "auto"
    var transfer = TransferSettings()
    var trustedKeys = standardKey
    private let host: LocalHost

    init(_ host: LocalHost) {
        self.host = host
        transfer.proxies = ProxySettings(environment: host.environment)
        transfer.certificateFile = host.environment("NIX_SSL_CERT_FILE") ?? host.environment("SSL_CERT_FILE")
        transfer.stagingDirectory = host.environment("TMPDIR") ?? "/tmp"
        if access("/etc/nix/netrc", R_OK) == 0 {
            transfer.logins = NetworkLogins(parsing: Self.text(of: "/etc/nix/netrc") ?? "")
        }
    }

    /// Takes an option if it is one of these.
    mutating func take(_ option: String, _ rest: inout Arguments) throws -> Bool {
        switch option {
        case "--store": store = try rest.value(of: option)
        case "--option":
            let name = try rest.value(of: option)
            try set(name, try rest.value(of: option))
        case "--trusted-public-keys", "--netrc-file", "--ssl-cert-file", "--download-attempts", "--connect-timeout",
            "--stalled-download-timeout":
            try set(String(option.dropFirst(2)), try rest.value(of: option))
        case "--extra-experimental-features", "--experimental-features": _ = try rest.value(of: option)
        case "--quiet", "-v", "--verbose", "--refresh": break
        default: return false
        }
        return true
    }

    private mutating func set(_ name: String, _ value: String) throws {
        func number() throws -> Double {
            guard let number = Double(value), number >= 0 else {
                throw UsageError("setting '\(name)' has invalid value '\(value)'")
            }
            return number
        }
        switch name {
        case "trusted-public-keys": trustedKeys = value
        case "extra-trusted-public-keys": trustedKeys += " " + value
        case "netrc-file":
            guard let text = Self.text(of: value) else { throw UsageError("cannot read the netrc file '\(value)'") }
            transfer.logins = NetworkLogins(parsing: text)
        case "ssl-cert-file": transfer.certificateFile = value
        case "download-attempts": transfer.attempts = max(1, Int(try number()))
        case "connect-timeout": transfer.connectTimeout = try number()
        case "stalled-download-timeout": transfer.stallTimeout = try number()
        default: break
        }
    }

    private static func text(of path: String) -> String? {
        (try? LocalHost().readFile(path)).map { String(decoding: $0, as: UTF8.self) }
    }

    var directory: StoreDirectory { StoreDirectory(host.environment("NIX_STORE_DIR") ?? "/nix/store") }

    /// Whether the options name a store that is another process's, or a binary cache.
    static func isRemote(_ options: [String]) -> Bool {
        guard let at = options.firstIndex(of: "--store"), at + 1 < options.count else { return false }
        let name = options[at + 1]
        return name == "daemon" || name.hasPrefix("unix:") || CacheAddress.isOne(name)
    }

    /// Opens the store that `text` names: `daemon`, `unix://SOCKET`, a binary cache's address, `local`, or the directory
    /// of a store of one's own. `auto` is the machine's store, or the daemon where only that may write to it.
    func open(_ text: String, creates: Bool = false) throws -> any SignableStore {
        if CacheAddress.isOne(text) {
            let disk = try NarInfoDiskCache.standardPath(environment: host.environment).map { try NarInfoDiskCache($0) }
            return try BinaryCacheStore(
                CacheAddress(text), directory: directory, settings: transfer, disk: disk, creates: creates)
        }
        let socket = host.environment("NIX_DAEMON_SOCKET_PATH") ?? DaemonStore.standardSocket
        if text == "daemon" || text == "unix://" { return try daemon(socket) }
        if text.hasPrefix("unix://") { return try daemon(String(text.dropFirst(7))) }
        let layout = try StoreLayout.named(text, environment: host.environment)
        if text == "auto", access(layout.database, W_OK) != 0, access(socket, W_OK) == 0 { return try daemon(socket) }
        var options = LocalStore.Options()
        let keys = try TrustedKeys(parsing: trustedKeys)
        options.isSigned = { info, directory in info.countSignatures(by: keys, in: directory) > 0 }
        return try LocalStore(layout, options: options)
    }

    private func daemon(_ socket: String) throws -> DaemonStore {
        try DaemonStore(socket: socket, directory: directory) { event in
            if case .message(let text) = event { Output.error.write(text + "\n") }
        }
    }

    /// The object that a word of the command line names: its path, or a link that leads there.
    func path(_ word: String) throws -> StorePath {
        var absolute = Settings.absolute(word, host)
        if !directory.contains(absolute), let target = realpath(absolute, nil) {
            absolute = String(cString: target)
            free(target)
        }
        return try directory.split(absolute).0
    }
}

/// Tells on standard error how a transfer goes.
final class TransferReport: Sendable {
    private let verb: String
    private let place: String

    init(_ verb: String, _ place: String) {
        self.verb = verb
        self.place = place
    }

    func show(_ event: ClosureCopy.Event, in directory: StoreDirectory) {
        switch event {
        case .planned(let count, _) where count > 0:
            Output.error.write("copying \(count) path\(count == 1 ? "" : "s")...\n")
        case .began(let info):
            Output.error.write("copying path '\(directory.print(info.path))' \(verb) '\(place)'...\n")
        case .planned, .copied, .finished: break
        }
    }
}
