import Kernel
import NixStore

/// `builtin:buildenv`: one directory of symbolic links to what several packages have.
struct EnvironmentBuilder {
    let builder: BuiltinBuilder
    /// What each link leads to, by its path in the environment, and how important it is: the lower the more.
    private var priorities: [String: Int] = [:]
    private var done: Set<String> = []
    private var postponed: Set<String> = []
    private var target = ""

    init(builder: BuiltinBuilder) { self.builder = builder }

    private var here: FileDescriptor { .currentDirectory }

    private struct Package {
        var path: String
        var priority: Int
    }

    func run() throws {
        var copy = self
        try copy.build()
    }

    private mutating func build() throws {
        target = try builder.output
        try here.makeDirectory(target)
        let packages = try packages()
        for package in packages.sorted(by: { ($0.priority, $0.path) < ($1.priority, $1.path) }) {
            try add(package.path, priority: package.priority)
        }
        // What packages want to have beside them; of less weight than what was asked for.
        var priority = 1000
        while !postponed.isEmpty {
            let paths = postponed.sorted()
            postponed = []
            for path in paths {
                try add(path, priority: priority)
                priority += 1
            }
        }
        let manifest = try builder.attribute("manifest")
        try here.makeSymbolicLink(target + "/manifest.nix", to: manifest)
    }

    /// `ACTIVE PRIORITY COUNT OUTPUT…` for each.
    private func packages() throws -> [Package] {
        var words = BuilderEnvironment.words(ByteString(try builder.attribute("derivations")))[...]
        var packages: [Package] = []
        while let active = words.popFirst() {
            guard let priority = words.popFirst().flatMap({ Int($0) }),
                let count = words.popFirst().flatMap({ Int($0) }),
                count >= 0, count <= words.count
            else { throw BuildError(.failed, "attribute 'derivations' is not a list of packages") }
            for _ in 0..<count {
                guard let path = words.popFirst() else { break }
                if active != "false" { packages.append(Package(path: path, priority: priority)) }
            }
        }
        return packages
    }

    private mutating func add(_ package: String, priority: Int) throws {
        guard done.insert(package).inserted else { return }
        try link(package, at: "", priority: priority)
        let file = builder.store.layout.file(named: package) + "/nix-support/propagated-user-env-packages"
        guard here.exists(file) else { return }
        for path in try here.readText(file).split(whereSeparator: \.isWhitespace)
        where !done.contains(String(path)) {
            postponed.insert(String(path))
        }
    }

    private static let skipped: Set<String> = [
        "/propagated-build-inputs", "/nix-support", "/perllocal.pod", "/info/dir", "/log", "/manifest.nix",
        "/manifest.json",
    ]

    /// Links what is in `source`, a directory of the store, below `place`.
    private mutating func link(_ source: String, at place: String, priority: Int) throws {
        let entries: [DirectoryEntry]
        do throws(KernelError) {
            entries = try here.entries(of: builder.store.layout.file(named: source))
        } catch {
            if error.code == .notDirectory {
                throw BuildError(
                    .failed, "not including '\(source)' in the user environment because it's not a directory")
            }
            throw error
        }
        for name in entries.map(\.name).sorted() {
            let path = place + "/" + name
            if Self.skipped.contains(where: { path.hasSuffix($0) }) { continue }
            let file = source + "/" + name
            let isDirectory =
                (try? here.status(of: builder.store.layout.file(named: file), followLinks: true).isDirectory) ?? false
            try link(file, at: path, isDirectory: isDirectory, priority: priority)
        }
    }

    private mutating func link(_ file: String, at path: String, isDirectory: Bool, priority: Int) throws {
        let link = target + path
        guard let status = try here.statusIfPresent(of: link) else {
            try here.makeSymbolicLink(link, to: file)
            priorities[path] = priority
            return
        }
        if isDirectory {
            if status.isDirectory { return try self.link(file, at: path, priority: priority) }
            let other = try here.readLinkText(link)
            guard try here.status(of: builder.store.layout.file(named: other), followLinks: true).isDirectory else {
                throw BuildError(.failed, "collision between '\(other)' and non-directory '\(file)'")
            }
            // A link to one package's directory becomes a directory of links to both's.
            try here.unlink(link)
            try here.makeDirectory(link)
            try self.link(other, at: path, priority: priorities[path] ?? priority)
            return try self.link(file, at: path, priority: priority)
        }
        guard status.isSymbolicLink else {
            throw BuildError(.failed, "collision between '\(file)' and directory '\(link)'")
        }
        let other = try here.readLinkText(link)
        let known = priorities[path] ?? priority
        if other == file || known < priority { return }
        guard known > priority else {
            throw BuildError(
                .failed,
                "packages '\(file)' and '\(other)' have the same priority \(priority); use 'nix-env --set-flag priority "
                    + "NUMBER INSTALLED_PKGNAME' to change the priority of one of the conflicting packages (0 being the "
                    + "highest priority)")
        }
        try here.unlink(link)
        try here.makeSymbolicLink(link, to: file)
        priorities[path] = priority
    }
}
