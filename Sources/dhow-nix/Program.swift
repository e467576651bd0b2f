import NixLanguage
import NixStore

/// `dhow-nix VERB …`, and the tools of the same work under their own names: `nix-build`, `nix-instantiate`,
/// `nix-store`, `nix-hash`.
struct Program {
    let arguments: [String]
    /// The same, byte by byte.
    let bytes: [ByteString]

    /// - Parameter bytes: the program's name and its arguments.
    init(_ bytes: [ByteString]) {
        self.bytes = bytes
        arguments = bytes.map(\.description)
    }

    func run() -> Int32 {
        let name = arguments.first.map { String($0.split(separator: "/").last ?? "") } ?? ""
        let rest = Array(arguments.dropFirst())
        if name.hasPrefix("nix"), rest.first == "--version" {
            // Scripts tell by it what the language can do.
            Output.standard.write("\(name) (Nix) \(Settings.nixVersion)\n")
            return 0
        }
        switch name {
        case "nix-instantiate": return run(InstantiateCommand.run, rest, called: name)
        case "nix-build": return run(NixBuildCommand.run, rest, called: name)
        case "nix-store" where rest.first == "--generate-binary-cache-key":
            return run(KeyCommand.generatePair, Array(rest.dropFirst()), called: name)
        case "nix-store": return run(NixStoreCommand.run, rest, called: name)
        case "nix-env": return run(EnvCommand.run, rest, called: name)
        case "nix-hash": return run(NixHashCommand.run, rest, called: name)
        default: break
        }
        let verb = rest.first ?? ""
        let options = Array(rest.dropFirst())
        let called = "\(name) \(verb)"
        switch verb {
        case "eval": return run(EvalCommand.run, options, called: called)
        case "build": return run(BuildCommand.run, options, called: called)
        case "log": return run(LogCommand.run, options, called: called)
        case "instantiate": return run(InstantiateCommand.run, options, called: called)
        case "store":
            return run(
                RemoteStoreCommand.isMeant(by: options) ? RemoteStoreCommand.run : StoreCommand.run, options,
                called: called)
        case "path-info":
            return run(
                StoreSettings.namesCache(options) ? RemotePathInfoCommand.run : PathInfoCommand.run, options,
                called: called)
        case "why-depends": return run(WhyDependsCommand.run, options, called: called)
        case "derivation": return run(DerivationCommand.run, options, called: called)
        case "show-derivation": return run(DerivationCommand.show, options, called: called)
        case "gc": return run(GarbageCommand.run, options, called: called)
        case "hash": return run(HashCommand.run, options, called: called)
        case "copy": return run(CopyCommand.run, options, called: called)
        case "config": return run(ConfigCommand.run, options, called: called)
        case "show-config": return run(ConfigCommand.show, options, called: called)
        case "env": return run(EnvCommand.run, options, called: called)
        case "repl": return run(ReplCommand.run, options, called: called)
        case "key": return run(KeyCommand.run, options, called: called)
        case "", "help", "--help", "-h":
            Output.standard.write(Self.help)
            return verb.isEmpty ? 1 : 0
        case "--version":
            Output.standard.write("dhow-nix (Nix \(Settings.nixVersion) language)\n")
            return 0
        default:
            Output.error.write("error: '\(verb)' is not a command of \(name)\nTry '\(name) --help' for the commands.\n")
            return 1
        }
    }

    private func run(_ command: (Arguments) throws -> Void, _ options: [String], called name: String) -> Int32 {
        do {
            try ProcessConfiguration.check()
            try command(Arguments(options, bytes: bytes.suffix(options.count)))
            return 0
        } catch let error as UsageError {
            Output.error.write("error: \(error.reason)\nTry '\(name) --help' for more information.\n")
        } catch let error as HelpRequest {
            Output.standard.write(error.text)
            return 0
        } catch is Quiet {
            return 1
        } catch let failure as BuildFailure {
            if !failure.isReported { Output.error.write("error: \(failure.error.reason)\n") }
            // The old tools' scripts tell failures apart by the status.
            return name.hasPrefix("nix-") ? failure.error.exitStatus : 1
        } catch {
            let text = String(describing: error)
            let whole = Array((text.hasPrefix("error:") ? text + "\n" : "error: \(text)\n").utf8)
            Output.error.write(Output.error.isTerminal ? whole : TerminalText.plain(whole))
            if let failure = error as? Evaluation.Failure, failure.isUsage {
                Output.error.write("Try '\(name) --help' for more information.\n")
            }
        }
        return 1
    }

    private static let help = """
        Usage: dhow-nix COMMAND [OPTIONS]

        Commands:
          eval         Evaluate an expression and print its value, as 'nix eval'
          build        Build derivations, as 'nix build'
          log          Print the log of a build
          instantiate  Evaluate or parse files, as 'nix-instantiate'
          store        Work on a store, as 'nix store' and 'nix-store'
          path-info    Print what a store knows of objects, as 'nix path-info'
          why-depends  Print why an object needs another, as 'nix why-depends'
          derivation   Print derivations as JSON, as 'nix derivation show'
          gc           Collect garbage
          hash         Print or convert hashes, as 'nix hash' and 'nix-hash'
          copy         Copy objects between stores and binary caches
          config       Print settings, as 'nix config show'
          env          List packages, as 'nix-env --query'
          repl         Evaluate expressions as they are typed, as 'nix repl'
          key          Make keys that sign what binary caches hold

        Each has '--help'.

        """
}
