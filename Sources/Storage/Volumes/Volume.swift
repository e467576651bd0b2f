import OCI

/// A named directory that outlives containers.
public struct Volume: Sendable, Equatable {
    public var name: String
    public var driver: String
    public var labels: [String: String]
    /// The `local` driver's `type`, `o` and `device`.
    public var options: [String: String]
    public var created: DateTime
    /// Whether Dhow chose the name.
    public var isAnonymous: Bool
    /// `volumes/<name>/_data`.
    public var mountpoint: String

    public enum Source: Sendable, Equatable {
        /// A directory to bind.
        case directory(String)
        /// A file system to mount, as with `type=nfs` or `type=tmpfs`: by the container, in its own mount namespace.
        case fileSystem(type: String, device: String, options: [String])
    }

    /// What a container mounts.
    public var source: Source {
        guard let type = options["type"], let device = options["device"] else { return .directory(mountpoint) }
        let list = (options["o"] ?? "").split(separator: ",").map(String.init)
        if list.contains("bind") || list.contains("rbind") || type == "bind" { return .directory(device) }
        return .fileSystem(type: type, device: device, options: list)
    }

    /// - Throws: `StorageError.invalidInput` with Docker's words.
    static func check(name: String) throws(StorageError) {
        guard name.utf8.count >= 2 else {
            throw StorageError(
                .invalidInput, "volume name is too short, names should be at least two alphanumeric characters")
        }
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20)
        }
        let isValid =
            name.utf8.count <= 255 && name.utf8.first.map(isAlphanumeric) == true
            && name.utf8.allSatisfy { isAlphanumeric($0) || "_.-".utf8.contains($0) }
        guard isValid else {
            throw StorageError(
                .invalidInput,
                "\"\(name.prefix(300))\" includes invalid characters for a local volume name, "
                    + "only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, "
                    + "use absolute path")
        }
    }

    /// - Throws: `StorageError.invalidInput` or `.notSupported` with Docker's words.
    static func check(options: [String: String]) throws(StorageError) {
        let required = ["type": ["device"], "device": ["type"], "o": ["device", "type"]]
        for name in options.keys.sorted() {
            if name == "size" {
                throw StorageError(.notSupported, "quota size requested but no quota support")
            }
            guard let others = required[name] else { throw StorageError(.invalidInput, "invalid option: \"\(name)\"") }
            for other in others where options[other, default: ""].isEmpty {
                throw StorageError(.invalidInput, "missing required option: \"\(other)\"")
            }
        }
    }
}
