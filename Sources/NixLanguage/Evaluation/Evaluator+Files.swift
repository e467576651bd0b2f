import NixStore

extension Evaluator {
    // MARK: Parsing

    func parse(
        _ text: [UInt8], origin: SourceOrigin, basePath: String, scope: UnsafePointer<Scope>? = nil
    ) throws -> Node {
        let context = ParserContext(
            arena: arena, symbols: symbols, positions: positions, stack: stack, lints: settings.lints,
            basePath: basePath, home: { [unowned self] literal in try home(for: literal) },
            warn: { [unowned self] warning in warn(warning) })
        let node = try text.withUnsafeBufferPointer { try Parser.parse($0, origin: origin, context: context) }
        let resolver = Resolver(symbols: symbols, stack: stack, overrides: names.overrides)
        if let scope {
            try resolver.resolve(node, scope)
        } else {
            try withBaseScope { try resolver.resolve(node, $0) }
        }
        return node
    }

    func withBaseScope<Result>(_ body: (UnsafePointer<Scope>) throws -> Result) rethrows -> Result {
        try withUnsafePointer(to: Scope(names: .base(baseSlots, baseEnvironment), up: nil), body)
    }

    private func home(for literal: String) throws -> String {
        if settings.isPure {
            throw EvaluationError(.restricted, "the path '\(literal)' can not be resolved in pure mode")
        }
        guard let home = host.environment("HOME"), !home.isEmpty else {
            throw EvaluationError(.evaluation, "cannot determine user's home directory")
        }
        return home
    }

    func warn(_ warning: EvaluationError) {
        // Several lines without a place stand as they are.
        let isIndented = warning.position.isKnown || warning.trace != nil
        let printer = ErrorPrinter(positions: positions, showsTrace: showsTrace)
        host.log(
            Array(
                (isIndented
                    ? printer.print(warning, prefix: "warning:") : "warning: " + warning.message).utf8))
    }

    // MARK: Files of code

    /// The value of the file at `path`; each file is evaluated once.
    func evaluateFile(_ path: String) throws -> Value {
        let resolved: String
        if let known = resolvedImports[path] {
            resolved = known
        } else {
            resolved = try resolveExpressionPath(path)
            resolvedImports[path] = resolved
        }
        if let value = files[resolved] { return try force(value) }
        let node = arena.allocate(MemoryLayout<FileNode>.size).assumingMemoryBound(to: FileNode.self)
        node.initialize(to: FileNode(header: NodeHeader(kind: .file, position: .none), path: Text(arena, resolved)))
        let value = arena.value(.thunk(Node(node), baseEnvironment))
        files[resolved] = value
        return try force(value)
    }

    /// Reads, parses and evaluates a file; what its promise does.
    @inline(never)
    func evaluateFileNow(_ path: String) throws -> Value {
        let node = try parseFile(path)
        do { return try evaluate(node, baseEnvironment) } catch {
            throw traced(error, .none, "while evaluating the file '\(path)':")
        }
    }

    func parseFile(_ path: String, scope: UnsafePointer<Scope>? = nil) throws -> Node {
        if let code = internalFile(path) { return internalNode(CanonicalPath.baseName(path), code) }
        return try parse(
            try host.readFile(try resolveSymlinks(path)), origin: .file(path), basePath: CanonicalPath.parent(path),
            scope: scope)
    }

    /// The file that `import path` means: links followed, so that relative paths in it work; `default.nix` of a
    /// directory.
    func resolveExpressionPath(_ path: String, addsDefault: Bool = true) throws -> String {
        if internalFile(path) != nil { return path }
        try host.checkAccess(to: path)
        var path = path
        var followed = 0
        while path != "/" {
            followed += 1
            guard followed < 1024 else {
                throw EvaluationError(
                    .file, "too many symbolic links encountered while traversing the path '\(path)'")
            }
            let parent = try resolveSymlinks(CanonicalPath.parent(path))
            let real = parent == "/" ? "/" + CanonicalPath.baseName(path) : parent + "/" + CanonicalPath.baseName(path)
            guard let kind = try host.kind(of: real) else { throw missing(real) }
            guard kind == .symlink else { break }
            let target = try host.readLink(real)
            path = CanonicalPath.make(target.hasPrefix("/") ? target : CanonicalPath.parent(path) + "/" + target)
        }
        if addsDefault, try host.kind(of: try resolveSymlinks(path)) == .directory {
            return path == "/" ? "/default.nix" : path + "/default.nix"
        }
        return path
    }

    func missing(_ path: String) -> EvaluationError { EvaluationError(.file, "path '\(path)' does not exist") }

    /// A path with the links on its way followed; the last component too, unless told otherwise. What does not exist
    /// stays as it is.
    func resolveSymlinks(_ path: String, followsLast: Bool = true) throws -> String {
        try host.checkAccess(to: path)
        var pending = path.split(separator: "/", omittingEmptySubsequences: true).map(String.init)
        pending.reverse()
        var result = ""
        var followed = 0
        while let component = pending.popLast() {
            if component == "." { continue }
            if component == ".." {
                result = result.isEmpty ? "" : String(result[..<result.lastIndex(of: "/")!])
                continue
            }
            let next = result + "/" + component
            if followsLast || !pending.isEmpty, try host.kind(of: next) == .symlink {
                followed += 1
                guard followed < 1024 else {
                    throw EvaluationError(.file, "infinite symlink recursion in path '\(path)'")
                }
                let target = try host.readLink(next)
                if target.hasPrefix("/") { result = "" }
                pending.append(contentsOf: target.split(separator: "/").map(String.init).reversed())
            } else {
                result = next
            }
        }
        return result.isEmpty ? "/" : result
    }

    // MARK: Search path

    /// The file that `<name>` means in a search path.
    func findFile(_ name: String, in entries: [EvaluationSettings.SearchPathEntry]) throws -> String {
        for entry in entries {
            guard let suffix = suffix(of: name, in: entry.prefix), let root = try resolveSearchPath(entry.path) else {
                continue
            }
            let path = try resolveSymlinks(CanonicalPath.make(root + "/" + suffix))
            if try host.kind(of: path) != nil { return path }
        }
        if name.hasPrefix("nix/") { return "/__corepkgs__/" + name.dropFirst(4) }
        throw EvaluationError(
            .thrown,
            settings.isPure
                ? "cannot look up '<\(name)>' in pure evaluation mode (use '--impure' to override)"
                : "file '\(name)' was not found in the Nix search path (add it using $NIX_PATH or -I)")
    }

    /// What of `name` is below an entry's prefix.
    private func suffix(of name: String, in prefix: String) -> String? {
        if prefix.isEmpty { return name }
        guard name.hasPrefix(prefix) else { return nil }
        let rest = name.dropFirst(prefix.count)
        if rest.isEmpty { return "" }
        return rest.first == "/" ? String(rest.dropFirst()) : nil
    }

    private func resolveSearchPath(_ path: String) throws -> String? {
        if let known = resolvedSearchPaths[path] { return known }
        var resolved: String?
        if ["http://", "https://", "file://", "channel:"].contains(where: { path.hasPrefix($0) }) {
            do {
                let result = try host.fetch(FetchRequest(kind: .tarball, url: path, name: "source"))
                resolved = host.store.print(result.path)
            } catch {
                warn(
                    EvaluationError(
                        .evaluation, "Nix search path entry '\(path)' cannot be downloaded, ignoring: \(error)"))
            }
        } else {
            let absolute =
                path.hasPrefix("/") ? path : CanonicalPath.make(host.workingDirectory + "/" + path)
            if try host.kind(of: try resolveSymlinks(absolute)) != nil {
                resolved = absolute
            } else {
                warn(EvaluationError(.evaluation, "Nix search path entry '\(path)' does not exist, ignoring"))
            }
        }
        resolvedSearchPaths[path] = .some(resolved)
        return resolved
    }
}
