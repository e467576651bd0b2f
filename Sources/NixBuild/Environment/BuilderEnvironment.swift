import Kernel
import NixStore

/// What a builder finds in its environment, and in files that the environment names.
struct BuilderEnvironment {
    private(set) var variables: [ByteString: ByteString] = [:]
    /// Files for the build directory, by name.
    private(set) var files: [String: [UInt8]] = [:]

    /// - Parameters:
    ///   - buildDirectory: as the builder sees it.
    init(
        _ derivation: Derivation, attributes: StructuredAttributes?, graphs: [String: [UInt8]], buildDirectory: String,
        hasNetwork: Bool, settings: BuildSettings, in store: StoreDirectory
    ) throws {
        set("PATH", "/path-not-set")
        // Programs that want to write to a home must fail.
        set("HOME", "/homeless-shelter")
        set("NIX_STORE", store.path)
        set("NIX_BUILD_CORES", "\(settings.cores == 0 ? HostSystem.processorCount : settings.cores)")
        files = graphs
        if let attributes {
            files[".attrs.json"] = attributes.json
            files[".attrs.sh"] = attributes.shell
            set("NIX_ATTRS_JSON_FILE", buildDirectory + "/.attrs.json")
            set("NIX_ATTRS_SH_FILE", buildDirectory + "/.attrs.sh")
        } else {
            let asFile = Set(Self.words(derivation.environment["passAsFile"]))
            for (name, value) in derivation.environment {
                guard asFile.contains(name.description) else {
                    variables[name] = value
                    continue
                }
                let file = ".attr-" + Hash(.sha256, of: name.bytes).text(.nix32)
                files[file] = value.bytes
                variables[ByteString(name.bytes + Array("Path".utf8))] = ByteString(buildDirectory + "/" + file)
            }
        }
        for name in ["NIX_BUILD_TOP", "TMPDIR", "TEMPDIR", "TMP", "TEMP", "PWD"] { set(name, buildDirectory) }
        if derivation.fixedOutput != nil {
            // Fetchers need not check the hash themselves.
            set("NIX_OUTPUT_CHECKED", "1")
        }
        if hasNetwork {
            for name in derivation.strings("impureEnvVars", attributes) { set(name, settings.environment(name) ?? "") }
        }
        set("NIX_LOG_FD", "2")
        set("TERM", "xterm-256color")
    }

    private mutating func set(_ name: String, _ value: String) { variables[ByteString(name)] = ByteString(value) }

    static func words(_ value: ByteString?) -> [String] {
        (value?.description ?? "").split { $0 == " " || $0 == "\t" || $0.isNewline }.map(String.init)
    }
}

extension Derivation {
    /// A list of words that the derivation has as an attribute.
    func strings(_ name: String, _ attributes: StructuredAttributes?) -> [String] {
        if let attributes { return attributes.object[name]?.array?.compactMap(\.string) ?? [] }
        return BuilderEnvironment.words(environment[ByteString(name)])
    }

    func flag(_ name: String, _ attributes: StructuredAttributes?) -> Bool {
        if let attributes { return attributes.object[name]?.bool ?? false }
        return environment[ByteString(name)] == "1"
    }
}
