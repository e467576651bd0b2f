import Kernel
import NixLanguage
import NixStore

/// `nix-env --query`: the packages of an expression, or of a profile.
enum EnvCommand {
    static let help = """
        Usage: dhow-nix env --query [--available] [OPTIONS] [NAME...]

        List packages: those of an expression ('--available'), or those that a profile has. NAME may be a regular
        expression, with a version behind it or not.

          --available, -a         packages of an expression; else those of the profile
          --file, -f PATH         the expression (~/.nix-defexpr)
          --attr, -A PATH         only what is there in the expression
          --profile, -p PATH      the profile (~/.nix-profile)
          --attr-path, -P         print the attribute path too
          --no-name               do not print the name
          --system, --drv-path, --out-path, --description
                                  print these too
          --json, --xml           in another form
          --meta                  in these forms, with all that 'meta' has
          --system-filter NAME    only for this platform
          --arg NAME EXPR, --argstr NAME TEXT, -I PATH, --store DIR, --option NAME VALUE, --show-trace

        """

    static func run(_ arguments: Arguments) throws {
        var rest = arguments
        var settings = Settings()
        let host = LocalHost()
        var (isQuery, isAvailable) = (false, false)
        var (file, profile): (String?, String?) = (nil, nil)
        var query = PackageQuery(.expression("{ }", basePath: "/"))
        while let item = rest.next() {
            switch item {
            case .word(let word): query.selectors.append(word)
            case .option("--help"): throw HelpRequest(text: help)
            case .option(let whole):
                for option in Arguments.separate(whole) {
                    switch option {
                    case "-q", "--query": isQuery = true
                    case "-a", "--available": isAvailable = true
                    case "--installed": isAvailable = false
                    case "-f", "--file": file = try rest.value(of: option)
                    case "-p", "--profile": profile = try rest.value(of: option)
                    case "-A", "--attr": query.attributePaths.append(try rest.value(of: option))
                    case "-P", "--attr-path": query.columns.insert(.attributePath)
                    case "--no-name": query.columns.remove(.name)
                    case "--system": query.columns.insert(.system)
                    case "--drv-path": query.columns.insert(.derivationPath)
                    case "--out-path": query.columns.insert(.outputPaths)
                    case "--description": query.columns.insert(.description)
                    case "--meta": query.columns.insert(.meta)
                    case "--json": query.format = .json
                    case "--xml": query.format = .xml
                    case "--system-filter":
                        let name = try rest.value(of: option)
                        query.system = name == "*" ? nil : name == "current" ? settings.configuration.system : name
                    default:
                        guard try settings.take(option, &rest) else {
                            throw UsageError("unrecognised flag '\(option)'; only '--query' is done here")
                        }
                    }
                }
            }
        }
        guard isQuery else { throw UsageError("only '--query' is done here: nothing is installed") }
        settings.finish(host)
        query.source = isAvailable ? try source(file, host) : try installed(profile, host)
        query.arguments = settings.arguments
        query.settings = settings.evaluation
        let result = try query.run(on: settings.host(isReadOnly: true)).get()
        for note in result.notes { Output.error.write(note + "\n") }
        Output.standard.write(result.output)
    }

    /// What a profile's manifest lists; a profile without one has nothing.
    private static func installed(_ profile: String?, _ host: LocalHost) throws -> Evaluation.Source {
        let place = try profile ?? home(host) + "/.nix-profile"
        let manifest = Settings.absolute(place, host) + "/manifest.nix"
        guard FileDescriptor.currentDirectory.exists(manifest) else { return .expression("[ ]", basePath: "/") }
        return .file(manifest)
    }

    private static func home(_ host: LocalHost) throws -> String {
        guard let home = host.environment("HOME") else {
            throw UsageError("HOME is not set; name the files with '--file' or '--profile'")
        }
        return home
    }

    private static func source(_ file: String?, _ host: LocalHost) throws -> Evaluation.Source {
        if let file, file.hasPrefix("<"), file.hasSuffix(">") { return .expression("import \(file)", basePath: "/") }
        let path = try file.map { Settings.absolute($0, host) } ?? home(host) + "/.nix-defexpr"
        guard try kind(path) == .directory, try kind(path + "/default.nix") == nil else { return .file(path) }
        // All channels as one set, in which names are not looked for in sets that do not ask for it.
        var entries = ""
        var seen: Set<String> = []
        try collect(path, into: &entries, &seen)
        return .expression("{ _combineChannels = [ ]; \(entries) }", basePath: "/")
    }

    private static func kind(_ path: String) throws -> FileKind? {
        // Through links.
        try FileDescriptor.currentDirectory.statusIfPresent(of: path, followLinks: true).map {
            $0.isDirectory ? .directory : .regular
        }
    }

    /// Writes an attribute for each expression in a directory, and in directories of it that are none themselves.
    private static func collect(_ path: String, into entries: inout String, _ seen: inout Set<String>) throws {
        for name in try LocalHost().readDirectory(path).map(\.name.description).sorted() {
            // The manifest of a profile lies there in very old ones.
            guard name != "manifest.nix" else { continue }
            let file = path + "/" + name
            guard let kind = try kind(file) else { continue }
            if kind == .directory, try Self.kind(file + "/default.nix") == nil {
                try collect(file, into: &entries, &seen)
                continue
            }
            let attribute = name.hasSuffix(".nix") ? String(name.dropLast(4)) : name
            guard seen.insert(attribute).inserted else {
                Output.error.write("warning: name collision in input Nix expressions, skipping '\(file)'\n")
                continue
            }
            entries += "\(quoted(attribute)) = import (/. + \(quoted(file))); "
        }
    }

    /// A string of the language.
    private static func quoted(_ text: String) -> String {
        "\"" + text.map { "\"\\$".contains($0) ? "\\\($0)" : String($0) }.joined() + "\""
    }
}
