import NixLocalStore
import NixStore

/// `why-depends`: by way of which objects one needs another.
struct WhyDependsCommand {
    static let help = """
        Usage: dhow-nix why-depends [--all] [--precise] [--store DIR] PATH DEPENDENCY

        Print the shortest chain of objects from PATH to DEPENDENCY, each of which names the next.

          --file, -f FILE, --expr TEXT
                                  PATH and DEPENDENCY are attributes of an expression
          --all, -a               print all such chains
          --precise               say in which files and links the names are

        """

    let session: StoreSession
    let package: StorePath
    let dependency: StorePath
    let isAll: Bool
    /// What each object of the closure names.
    private let references: [StorePath: Set<StorePath>]
    /// How many steps it is from an object to the dependency; only objects that need it are here.
    private let distances: [StorePath: Int]

    static func run(_ arguments: Arguments) throws {
        var rest = arguments
        var settings = Settings()
        var installables = Installables()
        defer { withExtendedLifetime(installables) {} }
        var words: [String] = []
        var (isAll, isPrecise) = (false, false)
        try rest.takeAll(
            help: help, word: { words.append($0) },
            option: { option, rest in
                if option == "--all" || option == "-a" {
                    isAll = true
                } else if option == "--precise" {
                    isPrecise = true
                } else if try !installables.take(option, &rest), try !settings.take(option, &rest) {
                    throw UsageError("unrecognised flag '\(option)'")
                }
            })
        guard words.count == 2 else { throw UsageError("'why-depends' needs two paths") }
        words =
            try installables.paths(of: [words[0]], as: .builtOutputs, settings)
            + installables.paths(of: [words[1]], as: .outputs, settings)
        guard words.count == 2 else { throw UsageError("each argument of 'why-depends' must be one object") }
        var options = LocalStore.Options()
        options.isWritable = false
        let session = try StoreSession(settings, options: options)
        let paths = try words.map(session.object)
        let command = try Self(session, paths[0], paths[1], isAll: isAll)
        if isPrecise { try command.printPlaces() } else { try command.printChains() }
    }

    private init(_ session: StoreSession, _ package: StorePath, _ dependency: StorePath, isAll: Bool) throws {
        (self.session, self.package, self.dependency, self.isAll) = (session, package, dependency, isAll)
        var references: [StorePath: Set<StorePath>] = [:]
        var referrers: [StorePath: [StorePath]] = [:]
        for path in try session.store.closure(of: [package]) {
            let named = try session.store.references(of: path).subtracting([path])
            references[path] = named
            for reference in named { referrers[reference, default: []].append(path) }
        }
        self.references = references
        // From the dependency to who needs it, one step after the other.
        var distances: [StorePath: Int] = references[dependency] == nil ? [:] : [dependency: 0]
        var (level, distance) = (Array(distances.keys), 0)
        while !level.isEmpty {
            distance += 1
            level = level.flatMap { referrers[$0] ?? [] }.filter { path in
                guard distances[path] == nil else { return false }
                distances[path] = distance
                return true
            }
        }
        self.distances = distances
    }

    /// Says so where the one does not need the other.
    var isDependent: Bool {
        if distances[package] != nil { return true }
        StoreSession.say(
            "'\(session.directory.print(package))' does not depend on '\(session.directory.print(dependency))'")
        return false
    }

    private func printChains() throws {
        guard isDependent else { return }
        Output.standard.write(session.directory.print(package) + "\n")
        // An explicit stack, for chains may be long.
        var stack = [(rest: next(package)[...], margin: "")]
        var seen: Set<StorePath> = [package]
        while var (rest, margin) = stack.popLast() {
            guard let path = rest.popFirst() else { continue }
            let isLast = !isAll || rest.isEmpty
            Output.standard.write("\(margin)\(isLast ? "└───" : "├───")\(session.directory.print(path))\n")
            if path == dependency, !isAll { return }
            stack.append((rest, margin))
            // What an object needs is printed once.
            guard seen.insert(path).inserted else { continue }
            stack.append((next(path)[...], margin + (isLast ? "    " : "│   ")))
        }
    }

    /// What an object names that needs the dependency, the nearest first.
    func next(_ path: StorePath) -> [StorePath] {
        (references[path] ?? []).filter { distances[$0] != nil }.sorted {
            (distances[$0] ?? 0, $0) < (distances[$1] ?? 0, $1)
        }
    }
}
