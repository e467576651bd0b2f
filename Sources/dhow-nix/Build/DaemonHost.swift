import NixLanguage
import NixStore

/// The host of an evaluation that writes to a store which a Nix daemon owns. Its files are this machine's.
final class DaemonHost: LocalHost {
    private let daemon: DaemonStore
    private var known: [StorePath: Derivation] = [:]

    init(_ daemon: DaemonStore, system: String) {
        self.daemon = daemon
        super.init(store: daemon.directory, system: system)
    }

    override func isValid(_ path: StorePath) -> Bool { (try? daemon.isValid(path)) ?? false }

    override func references(of path: StorePath) throws -> Set<StorePath> {
        try daemon.info(of: path)?.references ?? []
    }

    override func addText(name: String, contents: [UInt8], references: Set<StorePath>) throws -> StorePath {
        try daemon.addText(contents, name: name, references: references)
    }

    override func addTree(
        name: String, path: String, method: IngestionMethod, accepts: ((String) throws -> Bool)?
    ) throws -> StorePath {
        guard try kind(of: path) != nil else { throw HostError(.missing, "path '\(path)' does not exist") }
        var bytes: [UInt8] = []
        switch method {
        case .recursive:
            try NARWriter(source: archiveSource, accepts: accepts ?? { _ in true }) { bytes.append(contentsOf: $0) }
                .write(path)
        case .flat: bytes = try readFile(path)
        }
        var rest = bytes[...]
        return try daemon.add(name: name, method: method) { limit in
            defer { rest = rest.dropFirst(limit) }
            return Array(rest.prefix(limit))
        }.path
    }

    override func addDerivation(_ derivation: Derivation) throws -> StorePath {
        let path = try daemon.addText(
            derivation.aterm(in: store), name: derivation.name + ".drv", references: derivation.references)
        known[path] = derivation
        return path
    }

    override func derivation(at path: StorePath) throws -> Derivation {
        if let derivation = known[path] { return derivation }
        let derivation = try Derivation(
            aterm: try readFile(store.print(path)), name: String(path.name.dropLast(4)), in: store)
        known[path] = derivation
        return derivation
    }

    override func realise(_ outputs: [(derivation: StorePath, output: String)]) throws {
        try daemon.build(outputs.map { daemon.target($0.derivation, outputs: [$0.output]) })
    }
}
