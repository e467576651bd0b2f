import JSON

/// How a daemon builds.
public enum DaemonBuildMode: UInt64, Sendable {
    case normal = 0
    /// Builds again what is not as it should be.
    case repair = 1
    /// Builds again and compares.
    case check = 2
}

/// What came of one target of a build.
public struct DaemonBuildResult: Sendable, Equatable {
    /// As it was asked for.
    public var target: String
    /// The protocol's number; see `isSuccess`.
    public var status: UInt64
    public var message: String
    public var timesBuilt: UInt64
    /// Seconds since 1970.
    public var startTime: UInt64
    public var stopTime: UInt64
    /// Which output is which object.
    public var outputs: [String: StorePath]

    /// Built (0), substituted (1), valid already (2), or resolved to one of those (13).
    public var isSuccess: Bool { [0, 1, 2, 13].contains(status) }
}

extension DaemonStore {
    /// A target that is some outputs of a derivation; no names are all.
    public func target(_ derivation: StorePath, outputs: [String] = []) -> String {
        directory.print(derivation) + "!" + (outputs.isEmpty ? "*" : outputs.sorted().joined(separator: ","))
    }

    /// Builds or fetches targets: the path of an object, or what `target(_:outputs:)` gives.
    /// - Throws: `StoreError` with the daemon's words when one fails.
    public func build(_ targets: [String], mode: DaemonBuildMode = .normal) throws {
        try perform(.buildPaths) { writer in
            writer.write(targets)
            writer.write(mode.rawValue)
        }
    }

    /// The same, with each target's own result.
    public func buildWithResults(_ targets: [String], mode: DaemonBuildMode = .normal) throws -> [DaemonBuildResult] {
        try withConnection { connection in
            guard connection.minor >= 34 else {
                try connection.request(
                    .buildPaths,
                    { writer in
                        writer.write(targets)
                        writer.write(mode.rawValue)
                    }, { _ = try $0.number() })
                return targets.map {
                    DaemonBuildResult(
                        target: $0, status: 0, message: "", timesBuilt: 0, startTime: 0, stopTime: 0, outputs: [:])
                }
            }
            return try connection.request(
                .buildPathsWithResults,
                { writer in
                    writer.write(targets)
                    writer.write(mode.rawValue)
                },
                { reader in
                    var results: [DaemonBuildResult] = []
                    for _ in 0..<(try reader.count()) {
                        results.append(try DaemonBuildResult(from: &reader, minor: connection.minor))
                    }
                    return results
                })
        }
    }

    /// Fetches an object unless it is valid.
    public func ensure(_ path: StorePath) throws { try perform(.ensurePath) { $0.write(path) } }

    /// Keeps the log of a build that was done elsewhere.
    public func addBuildLog(_ log: [UInt8], of derivation: StorePath) throws {
        try withConnection { connection in
            guard connection.minor >= 32 else {
                throw StoreError(.unsupported, "the Nix daemon at '\(socketPath)' is too old to keep logs of builds")
            }
            try connection.request(
                .addBuildLog, { $0.write(derivation.baseName) }, frames: Self.once(log), { _ = try $0.number() })
        }
    }
}

extension DaemonBuildResult {
    init(from reader: inout WireReader, minor: Int) throws {
        target = try reader.string()
        status = try reader.number()
        message = TerminalEscapes.removed(from: try reader.string())
        timesBuilt = try reader.number()
        _ = try reader.number()
        startTime = try reader.number()
        stopTime = try reader.number()
        if minor >= 37 {
            // Seconds of the processor's time, for the user and for the system.
            for _ in 0..<2 where try reader.flag() { _ = try reader.number() }
        }
        outputs = [:]
        for _ in 0..<(try reader.count()) {
            let identifier = try reader.string()
            let text = try reader.bytes()
            guard let mark = identifier.lastIndex(of: "!"), let value = try? JSONValue(parsing: text),
                case .object(let object) = value, case .string(let name)? = object["outPath"],
                let path = try? StorePath(name)
            else { throw StoreError(.badProtocol, "the daemon's answer is damaged: an output without a path") }
            outputs[String(identifier[identifier.index(after: mark)...])] = path
        }
    }
}
