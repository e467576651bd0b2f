// swift-tools-version: 6.1
import PackageDescription

// Coverage for libFuzzer in everything that it runs, and access to what a module keeps to itself.
let instrumented: [SwiftSetting] = [
    .unsafeFlags(["-sanitize=fuzzer", "-parse-as-library", "-enable-testing"])
]

// lld, because gold cannot read the debugging information in libFuzzer's archive.
let fuzzer: [LinkerSetting] = [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])]

/// A module of Dhow, whole or only the files that parse; `Shared` is a link to Dhow's own sources.
func module(
    _ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = ["README.md"],
    sources: [String]? = nil, libraries: [String] = []
) -> Target {
    .target(
        name: name, dependencies: dependencies, path: "Shared/\(name)", exclude: sources == nil ? exclude : [],
        sources: sources, swiftSettings: instrumented,
        linkerSettings: libraries.map { .linkedLibrary($0) })
}

/// The executable `fuzz-NAME`, from `Targets/NAME`.
func target(_ name: String, _ dependencies: Target.Dependency...) -> Target {
    .executableTarget(
        name: "fuzz-\(name)", dependencies: ["Fuzzing"] + dependencies, path: "Targets/\(name)",
        swiftSettings: [.unsafeFlags(["-sanitize=fuzzer", "-enable-testing"])], linkerSettings: fuzzer)
}

let package = Package(
    name: "DhowFuzz",
    targets: [
        // Dhow. What needs NIO, BoringSSL or SQLite stays out, so that all of it builds in a minute.
        .target(name: "CKernel", path: "Shared/CKernel"),
        .systemLibrary(name: "CSeccomp", path: "Shared/CLibraries/CSeccomp"),
        .systemLibrary(name: "CCompression", path: "Shared/CLibraries/CCompression"),
        module("Kernel", ["CKernel"]),
        module("JSON"),
        module("TOML"),
        module("OCI", ["JSON"]),
        module("Archive", ["Kernel", "CCompression"], libraries: ["z", "zstd", "lzma", "bz2"]),
        module("Cgroups", ["Kernel", "OCI", "JSON"]),
        module("Monitor", ["OCI", "Kernel", "JSON"]),
        module(
            "ContainerRuntime", ["Monitor", "Kernel", "OCI", "Cgroups", "JSON", "CSeccomp", "CCompression"],
            exclude: ["README.md", "Init/README.md", "Monitor/README.md"], libraries: ["seccomp", "z"]),
        module("Credentials", ["JSON", "Kernel"]),
        module(
            "Registry", ["OCI", "TOML"],
            sources: [
                "RegistryError.swift", "Endpoints/WebAddress.swift", "Endpoints/AddressRange.swift",
                "Endpoints/ProxySettings.swift", "Authentication/Challenge.swift", "Distribution/LinkHeader.swift",
                "RegistriesConf/RegistriesConf.swift", "RegistriesConf/RegistriesConf+Reading.swift",
            ]),
        module("EngineModel", ["OCI", "JSON"]),
        module("CommandLineKit", ["JSON"]),
        module(
            "Engine", ["Archive", "EngineModel", "JSON", "Kernel", "OCI"],
            sources: [
                "EngineError.swift", "Creation/BindSpecification.swift", "Reading/LogFiles.swift",
                "Reading/LogReader.swift", "Specification/SeccompProfile.swift",
                "Specification/SecurityOptions.swift", "Specification/UserLookup.swift", "Support/HostFiles.swift",
                "Support/Names.swift",
                "Support/PathText.swift", "Support/Signals.swift",
            ]),
        module(
            "EngineAPI", ["EngineModel", "NIOHTTP1"],
            sources: [
                "APIVersion.swift", "HTTP/DetachSequence.swift", "HTTP/HTTPFailure.swift", "HTTP/HTTPQuery.swift",
                "HTTP/PercentEncoding.swift", "Listening/ListenAddress.swift",
            ]),
        module(
            "Commands", ["CommandLineKit", "EngineModel"],
            sources: [
                "Create/MountOption.swift", "Create/NetworkOption.swift", "Create/OptionText.swift", "File.swift",
            ]),
        module(
            "Storage", ["JSON", "Kernel", "OCI"],
            sources: ["Images/ImageRunConfig+Changes.swift", "StorageError.swift"]),

        .target(name: "CNixSupport", path: "Shared/CNixSupport"),
        module(
            "NixStore", ["Crypto"],
            sources: [
                "BinaryCache/CacheInfo.swift", "BinaryCache/KeyValueText.swift", "BinaryCache/NarInfo.swift",
                "ByteString.swift", "Daemon/DaemonEvent.swift", "Daemon/DaemonWire.swift", "Derivation", "Hash", "NAR",
                "Paths", "Store", "StoreError.swift", "Transfer/Condition.swift", "Transfer/Threads.swift",
            ]),
        module("NixLanguage", ["NixStore", "CNixSupport", "TOML"]),

        // What the targets share, and what the parsers name of NIO's and of swift-crypto's.
        .target(name: "Fuzzing", path: "Support/Fuzzing", swiftSettings: instrumented),
        .target(name: "NIOHTTP1", path: "Support/NIOHTTP1"),
        .target(name: "Crypto", path: "Support/Crypto"),

        target("changes", "Storage", "OCI"),
        target("dbus", "Cgroups", "Kernel"),
        target("decompress", "Archive"),
        target("derivation", "NixStore"),
        target("flags", "CommandLineKit"),
        target("http", "EngineAPI", "EngineModel"),
        target("image", "OCI", "JSON"),
        target("json", "JSON"),
        target("log", "Engine", "EngineModel", "Kernel", "ContainerRuntime"),
        target("model", "EngineModel", "JSON"),
        target("monitor", "Monitor", "JSON"),
        target("nar", "NixStore"),
        target("nix", "NixLanguage", "NixStore"),
        target("nix-data", "NixLanguage", "NixStore"),
        target("narinfo", "NixStore"),
        target("nix-daemon", "NixStore"),
        target("options", "Commands", "CommandLineKit", "Engine", "Kernel"),
        target("reference", "OCI"),
        target("registry", "Registry", "Credentials"),
        target("seccomp", "Engine", "OCI", "ContainerRuntime"),
        target("spec", "ContainerRuntime", "OCI", "JSON"),
        target("tar", "Archive", "Kernel"),
        target("template", "CommandLineKit", "JSON"),
        target("unpack", "Archive", "Kernel"),
        target("users", "Engine"),
    ],
    swiftLanguageModes: [.v6]
)
