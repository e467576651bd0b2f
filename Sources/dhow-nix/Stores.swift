import NixBinaryCache
import NixLanguage
import NixLocalStore
import NixSettings
import NixStore
import Registry

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What the commands that talk with stores share: which store, which keys, how to transfer.
struct StoreSettings {
    var configuration = ProcessConfiguration.initial
    /// Whether a terminal's last line says how transfers go.
    var showsProgress = true
    private let host: LocalHost

    init(_ host: LocalHost, _ configuration: NixConfiguration = ProcessConfiguration.initial) {
        self.host = host
        self.configuration = configuration
    }

    /// The store that commands work on when they name none themselves.
    var store: String { configuration.storeName(host) }

    /// Takes an option if it is one of these.
    mutating func take(_ option: String, _ rest: inout Arguments) throws -> Bool {
        switch option {
        case "--quiet", "-v", "--verbose", "--refresh": return true
        case "--log-format":
            showsProgress = Settings.hasProgress(logFormat: try rest.value(of: option))
            return true
        default: return try configuration.take(option, &rest)
        }
    }

    /// How files are transferred.
    func transfer() throws -> TransferSettings { try configuration.transfer(host) }

    /// The keys whose signatures are believed.
    func trustedKeys() throws -> TrustedKeys {
        try TrustedKeys(parsing: configuration.trustedPublicKeys.joined(separator: " "))
    }

    var directory: StoreDirectory { StoreDirectory(host.environment("NIX_STORE_DIR") ?? "/nix/store") }

    /// Whether the options name a binary cache.
    static func namesCache(_ options: [String]) -> Bool {
        guard let at = options.firstIndex(of: "--store"), at + 1 < options.count else { return false }
        return CacheAddress.isOne(options[at + 1])
    }

    /// Opens the store that `text` names: `daemon`, `unix://SOCKET`, a binary cache's address, `local`, or the directory
    /// of a store of one's own. `auto` is the machine's store, or the daemon where only that may write to it.
    func open(_ text: String, creates: Bool = false) throws -> any SignableStore {
        if CacheAddress.isOne(text) {
            let disk = try NarInfoDiskCache.standardPath(environment: host.environment).map { try NarInfoDiskCache($0) }
            return try BinaryCacheStore(
                CacheAddress(text), directory: directory, settings: transfer(), disk: disk, creates: creates)
        }
        if let owned = try ownedStore(text) { return owned.daemon }
        let layout = try StoreLayout.named(text, environment: host.environment)
        var options = LocalStore.Options()
        options.optimises = configuration.optimisesAutomatically
        let keys = try trustedKeys()
        options.isSigned = { info, directory in info.countSignatures(by: keys, in: directory) > 0 }
        return try LocalStore(layout, options: options)
    }

    func environment(_ name: String) -> String? { host.environment(name) }

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

extension NixConfiguration {
    /// How files are transferred.
    /// - Throws: when the user names a file of logins that cannot be read.
    func transfer(_ host: LocalHost) throws -> TransferSettings {
        var transfer = TransferSettings()
        transfer.proxies = ProxySettings(environment: host.environment)
        transfer.certificateFile =
            sslCertFile ?? host.environment("NIX_SSL_CERT_FILE") ?? host.environment("SSL_CERT_FILE")
        transfer.stagingDirectory = host.environment("TMPDIR") ?? "/tmp"
        transfer.attempts = downloadAttempts
        if connectTimeout > 0 { transfer.connectTimeout = Double(connectTimeout) }
        if stalledDownloadTimeout > 0 { transfer.stallTimeout = Double(stalledDownloadTimeout) }
        do {
            transfer.logins = NetworkLogins(parsing: String(decoding: try host.readFile(netrcFile), as: UTF8.self))
        } catch let error where isSet(.netrcFile) {
            throw UsageError("cannot read the file of logins (netrc-file): \(error)")
        } catch {}
        return transfer
    }

    /// What a daemon is told of the user's own settings.
    var daemonOptions: DaemonOptions {
        var options = DaemonOptions()
        options.keepsFailed = keepsFailed
        options.keepsGoing = keepsGoing
        options.fallsBack = fallsBack
        options.maximumJobs = maxJobs
        options.maximumSilence = maxSilentTime
        if overridden.contains(.cores) { options.cores = cores }
        options.substitutes = substitutes
        for setting in overridden where !Self.local.contains(setting) {
            options.overrides[setting.rawValue] = text(of: setting)
        }
        return options
    }

    /// What is this process's own business, or has a place of its own in the protocol.
    private static let local: Set<Setting> = [
        .store, .keepFailed, .keepGoing, .fallback, .maxJobs, .maxSilentTime, .cores, .substitute, .showTrace,
        .experimentalFeatures, .pureEval, .restrictEval, .nixPath,
    ]
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
        ProgressLine.shared.show(event)
        guard !ProgressLine.shared.isShown else { return }
        switch event {
        case .planned(let count, _) where count > 0:
            Output.error.write("copying \(count) path\(count == 1 ? "" : "s")...\n")
        case .began(let info):
            Output.error.write("copying path '\(directory.print(info.path))' \(verb) '\(place)'...\n")
        case .planned, .copied, .finished, .failed: break
        }
    }
}
