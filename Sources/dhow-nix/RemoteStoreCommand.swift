import JSON
import NixBinaryCache
import NixLanguage
import NixLocalStore
import NixStore

/// What of `store` works with any store: signatures of its objects, and who answers for it.
enum RemoteStoreCommand {
    static let help = """
        Usage: dhow-nix store sign --key-file FILE [-r] [--store STORE] PATH...
               dhow-nix store verify [--sigs-needed N] [--no-contents] [--no-trust] [-r] [--store STORE] PATH...
               dhow-nix store copy-sigs --substituter STORE [-r] [--store STORE] PATH...
               dhow-nix store ping|info [--json] [--store STORE]

        Sign objects; take over signatures from other stores; compare objects with what the store says of them, and
        that with its signatures; ask a store who it is.

          --key-file, -k FILE     the secret key
          --substituter, -s STORE where to take signatures from
          --sigs-needed, -n N     how many trusted keys must have signed each object (1)
          --no-contents, --no-trust
                                  without reading the objects; without looking at signatures
          -r, --recursive         with all that the objects refer to
          --store STORE           the daemon, unix://SOCKET, https://…, file:///…

        """

    /// Whether the arguments ask for one of these: `verify` of the machine's own store is `StoreCommand`'s.
    static func isMeant(by arguments: [String]) -> Bool {
        switch arguments.first {
        case "sign", "copy-sigs", "ping", "info": return true
        case "verify":
            return StoreSettings.namesCache(arguments)
                || arguments.contains { ["--sigs-needed", "-n", "--recursive", "-r"].contains($0) }
        default: return false
        }
    }

    private struct Options {
        var words: [String] = []
        var keyFile: String?
        var substituters: [String] = []
        var signaturesNeeded = 1
        var (checksContents, checksTrust, recurses, isJSON) = (true, true, false, false)
    }

    static func run(_ arguments: Arguments) throws {
        var rest = arguments
        var settings = StoreSettings(LocalHost())
        var options = Options()
        while let item = rest.next() {
            switch item {
            case .word(let word): options.words.append(word)
            case .option("--help"): throw HelpRequest(text: help)
            case .option(let option):
                switch option {
                case "--key-file", "-k": options.keyFile = try rest.value(of: option)
                case "--substituter", "-s": options.substituters.append(try rest.value(of: option))
                case "--sigs-needed", "-n":
                    let text = try rest.value(of: option)
                    guard let number = Int(text), number >= 0 else {
                        throw UsageError("'\(text)' is no number of signatures")
                    }
                    options.signaturesNeeded = number
                case "--no-contents": options.checksContents = false
                case "--no-trust": options.checksTrust = false
                case "-r", "--recursive": options.recurses = true
                case "--json": options.isJSON = true
                default:
                    guard try settings.take(option, &rest) else { throw UsageError("unrecognised flag '\(option)'") }
                }
            }
        }
        guard !options.words.isEmpty else {
            throw UsageError("'store' needs 'sign', 'copy-sigs', 'verify', 'ping' or 'info'")
        }
        let verb = options.words.removeFirst()
        let store = try settings.open(settings.store)
        switch verb {
        case "sign": try sign(options, store, settings)
        case "copy-sigs": try copySignatures(options, store, settings)
        case "verify": try verify(options, store, settings)
        case "ping", "info": try ping(options, store, settings)
        default: throw UsageError("'\(verb)' is not a command of 'store'")
        }
    }

    private static func infos(_ options: Options, _ store: any Store, _ settings: StoreSettings) throws -> [PathInfo] {
        guard !options.words.isEmpty else { throw UsageError("which paths?") }
        return try referenceClosure(
            of: try options.words.map(settings.path), parallelism: 8, follows: options.recurses
        ) { path in
            guard let info = try store.info(of: path) else {
                throw StoreError(.notFound, "path '\(store.directory.print(path))' is not valid")
            }
            return info
        }.values.sorted { $0.path < $1.path }
    }

    private static func sign(_ options: Options, _ store: any SignableStore, _ settings: StoreSettings) throws {
        guard let keyFile = options.keyFile else { throw UsageError("'store sign' needs '--key-file'") }
        let key = try SigningKey(readingFileAt: keyFile)
        var count = 0
        for info in try infos(options, store, settings) {
            let signature = try key.signature(of: info.fingerprint(in: store.directory))
            if info.signatures.contains(signature) { continue }
            try store.addSignatures([signature], to: info.path)
            count += 1
        }
        Output.error.write("added \(count) signatures\n")
    }

    private static func copySignatures(
        _ options: Options, _ store: any SignableStore, _ settings: StoreSettings
    ) throws {
        guard !options.substituters.isEmpty else {
            throw UsageError("you must specify at least one substituter using '-s'")
        }
        let others = try options.substituters.map { try settings.open($0) }
        let counts = try concurrently(try infos(options, store, settings), parallelism: 8) { info in
            var new: Set<String> = []
            for other in others {
                // A signature of something else under the same path is of no use here.
                guard let theirs = try other.info(of: info.path), theirs.narHash == info.narHash,
                    theirs.narSize == info.narSize, theirs.references == info.references
                else { continue }
                new.formUnion(theirs.signatures)
            }
            new.subtract(info.signatures)
            if !new.isEmpty { try store.addSignatures(new.sorted(), to: info.path) }
            return new.count
        }
        Output.error.write("imported \(counts.reduce(0, +)) signatures\n")
    }

    private static func verify(_ options: Options, _ store: any Store, _ settings: StoreSettings) throws {
        let keys = try settings.trustedKeys()
        let problems = try concurrently(try infos(options, store, settings), parallelism: 4) { info -> [String] in
            var problems: [String] = []
            let path = store.directory.print(info.path)
            if options.checksContents {
                var (hash, size) = (HashStream(.sha256), UInt64(0))
                do {
                    try store.archive(of: info.path) { bytes in
                        hash.update(bytes)
                        size += UInt64(bytes.count)
                    }
                    let found = hash.finish()
                    if found != info.narHash || size != info.narSize {
                        problems.append(
                            "path '\(path)' was modified! expected hash '\(info.narHash.text(.nix32, withAlgorithm: true))', "
                                + "got '\(found.text(.nix32, withAlgorithm: true))'")
                    }
                } catch { problems.append("\(error)") }
            }
            if options.checksTrust, !info.isUltimate, !info.isContentAddressed(in: store.directory) {
                let count = info.countSignatures(by: keys, in: store.directory)
                if count < options.signaturesNeeded {
                    problems.append(
                        "path '\(path)' is untrusted: \(count) of \(options.signaturesNeeded) signatures by trusted keys"
                    )
                }
            }
            return problems
        }.flatMap { $0 }
        if !problems.isEmpty { throw StoreError(.badSignature, problems.joined(separator: "\nerror: ")) }
    }

    private static func ping(_ options: Options, _ store: any Store, _ settings: StoreSettings) throws {
        var members: [(String, JSONValue)] = []
        var lines: [String] = []
        switch store {
        case let daemon as DaemonStore:
            let answer = try daemon.ping()
            members.append(("url", .string("unix://\(daemon.socketPath)")))
            lines = ["Store URL: unix://\(daemon.socketPath)", "Protocol: \(answer.protocolVersion)"]
            if let version = answer.daemonVersion {
                members.append(("version", .string(version)))
                lines.append("Version: \(version)")
            }
            if let isTrusted = answer.isTrusted {
                members.append(("trusted", .bool(isTrusted)))
                lines.append("Trusted: \(isTrusted ? 1 : 0)")
            }
        case let cache as BinaryCacheStore:
            members = [
                ("url", .string(cache.address.description)),
                ("priority", .integer(Int64(cache.cacheInfo.priority))),
                ("wantMassQuery", .bool(cache.cacheInfo.wantsMassQuery)),
            ]
            lines = [
                "Store URL: \(cache.address)", "Priority: \(cache.cacheInfo.priority)",
                "Wants mass queries: \(cache.cacheInfo.wantsMassQuery ? 1 : 0)",
            ]
        case let local as LocalStore:
            members = [("url", .string("local")), ("objects", .string(local.layout.objects))]
            lines = ["Store URL: local", "Objects: \(local.layout.objects)"]
        default: break
        }
        if options.isJSON {
            Output.standard.write(JSONValue.object(JSONObject(members)).serialized() + "\n")
        } else {
            Output.standard.write(lines.joined(separator: "\n") + "\n")
        }
    }
}
