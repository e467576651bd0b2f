import NixStore

/// What `nix-hash` and `nix hash` do once their options are read.
struct HashWork {
    enum Mode: String {
        /// A file's bytes.
        case flat
        /// A tree's archive.
        case nar
    }

    var algorithm: HashAlgorithm?
    var mode = Mode.nar
    var format: Hash.Format
    /// Whether digests are folded to 160 bits.
    var truncates = false

    /// Prints the hash of each file or tree, until one cannot be read.
    func printHashes(of paths: [ByteString], algorithm: HashAlgorithm) throws {
        for path in paths {
            let hash =
                switch mode {
                case .flat: try Hash(algorithm, contentsOf: path, in: DirectorySource(followsLinks: true))
                case .nar: try Hash(algorithm, archiveOf: path, in: DirectorySource())
                }
            Output.standard.write((truncates ? hash.truncatedText(to: 20, format) : hash.text(format)) + "\n")
        }
    }

    /// Prints each hash in another form, until one is none.
    /// - Parameter expected: the form in which they have to be.
    func convert(_ hashes: [String], from expected: Hash.Format? = nil) throws {
        for text in hashes {
            let (hash, found) = try Hash.parse(text, algorithm: algorithm)
            if let expected, found != expected {
                throw StoreError(
                    .badHash,
                    "input hash '\(text)' has format '\(found.rawValue)', but '--from \(expected.rawValue)' was specified"
                )
            }
            Output.standard.write(hash.text(format) + "\n")
        }
    }

    // MARK: Values of options

    static func algorithm(_ name: String) throws(UsageError) -> HashAlgorithm {
        guard let algorithm = HashAlgorithm(rawValue: name) else { throw UsageError(HashAlgorithm.unknown(name)) }
        return algorithm
    }

    static func format(_ name: String) throws(UsageError) -> Hash.Format {
        if name == "base32" {
            Output.error.write("warning: \"base32\" is a deprecated alias for hash format \"nix32\".\n")
            return .nix32
        }
        guard let format = Hash.Format(rawValue: name) else {
            throw UsageError("unknown hash format '\(name)', expect 'base16', 'nix32', 'base64', or 'sri'")
        }
        return format
    }

    static func mode(_ name: String) throws(UsageError) -> Mode {
        guard let mode = Mode(rawValue: name) else {
            throw UsageError("unknown file ingestion method '\(name)', expect 'flat' or 'nar'")
        }
        return mode
    }

    /// Skips an option that all of Nix's commands take, and that means nothing for hashes.
    static func skips(_ option: String, _ rest: inout Arguments) throws(UsageError) -> Bool {
        switch option {
        case "--quiet", "--verbose", "--debug", "--offline", "--refresh", "--fallback", "--keep-going", "--keep-failed",
            "--no-build-output", "--no-gc-warning", "--readonly-mode", "--print-build-logs", "--no-net":
            return true
        case "--store", "--log-format", "--cores", "--max-jobs", "--max-silent-time", "--timeout",
            "--experimental-features", "--extra-experimental-features":
            _ = try rest.value(of: option)
            return true
        case "--option":
            _ = try rest.value(of: option)
            _ = try rest.value(of: option)
            return true
        default:
            // `-v`, `-vv`, `-QK`.
            return !option.hasPrefix("--") && option.utf8.count > 1
                && option.utf8.dropFirst().allSatisfy { "vQKkL".utf8.contains($0) }
        }
    }
}
