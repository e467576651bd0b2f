// swift-tools-version: 6.1
import Foundation
import PackageDescription

// C libraries are linked as archives where Debian ships one, so that the three programs run on any Linux with glibc
// and start without searching for shared objects.
func archive(_ names: String...) -> [LinkerSetting] {
    [.unsafeFlags(names.flatMap { ["-Xlinker", "-l:lib\($0).a"] })]
}

// Swift's, C++'s and all other libraries travel inside the programs; what is left to the system is glibc. A shared
// library costs each start its relocations, as does a position-independent executable: together half of a start.
// `make build` puts the archives, and nothing else, where the linker looks first.
let selfContained: [LinkerSetting] = [
    .unsafeFlags(
        ["-static-stdlib", "-use-ld=lld", "-L", "\(Context.packageDirectory)/.build/archives"]
            + ["-no-pie", "-static-libgcc"].flatMap { ["-Xclang-linker", $0] }
            + ["--as-needed", "--no-export-dynamic"].flatMap { ["-Xlinker", $0] })
]

// What the archive of Foundation, which GRDB and swift-crypto import, needs in turn: only modules compiled for a static
// build say so themselves.
let foundation: [LinkerSetting] = [
    .unsafeFlags(
        (["--start-group"]
            + [
                "Foundation", "FoundationInternationalization", "FoundationEssentials", "CoreFoundation",
                "_FoundationICU", "_FoundationCShims", "_FoundationCollections",
            ].map { "-l" + $0 } + ["--end-group"]).flatMap { ["-Xlinker", $0] })
]

// The same of FoundationEssentials, for programs without GRDB.
let foundationEssentials: [LinkerSetting] = [
    .unsafeFlags(
        (["--start-group"]
            + ["FoundationEssentials", "_FoundationCShims", "_FoundationCollections", "swiftSynchronization"]
            .map { "-l" + $0 } + ["--end-group"]).flatMap { ["-Xlinker", $0] })
]

let package = Package(
    name: "Dhow",
    products: [
        .executable(name: "dhow", targets: ["dhow"]),
        .executable(name: "dhowd", targets: ["dhowd"]),
        .executable(name: "dhow-runtime", targets: ["dhow-runtime"]),
        .executable(name: "dhow-nix", targets: ["dhow-nix"]),
        .executable(name: "dhow-copy", targets: ["dhow-copy"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    ],
    targets: [
        // Bottom: the kernel and C libraries.
        .target(name: "CKernel"),
        .systemLibrary(name: "CSeccomp", path: "Sources/CLibraries/CSeccomp"),
        .systemLibrary(name: "CCompression", path: "Sources/CLibraries/CCompression"),
        .systemLibrary(name: "CSQLite", path: "Sources/CLibraries/CSQLite"),
        .systemLibrary(name: "CYAML", path: "Sources/CLibraries/CYAML"),
        .target(name: "Kernel", dependencies: ["CKernel"]),
        .target(name: "JSON"),
        .target(name: "TOML"),

        // The container formats.
        .target(name: "OCI", dependencies: ["JSON"]),
        .target(name: "Credentials", dependencies: ["JSON", "Kernel"]),
        .target(
            name: "Archive", dependencies: ["Kernel", "CCompression"],
            linkerSettings: archive("z", "zstd", "lzma", "bz2")),
        .target(name: "Hashing", dependencies: ["OCI", .product(name: "Crypto", package: "swift-crypto")]),
        .target(name: "Cgroups", dependencies: ["Kernel", "OCI", "JSON"]),
        .target(
            name: "Registry",
            dependencies: [
                "OCI", "Credentials", "Hashing", "JSON", "Kernel", "TOML",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
            ],
            // Its tests look inside; nothing here is hot enough to mind.
            swiftSettings: [.unsafeFlags(["-enable-testing"], .when(configuration: .release))]),
        .target(
            name: "Storage",
            dependencies: [
                "OCI", "Archive", "Hashing", "Kernel", "JSON",
                .product(name: "GRDB", package: "GRDB.swift"),
            ]),

        // Running containers.
        .target(name: "Monitor", dependencies: ["OCI", "Kernel", "JSON"]),
        .target(
            name: "ContainerRuntime",
            dependencies: ["Monitor", "Kernel", "OCI", "Cgroups", "JSON", "CSeccomp", "CCompression"],
            linkerSettings: archive("seccomp", "z")),

        // Networks. libnftables is loaded at run time, by the daemons that have bridge networks.
        .target(
            name: "ContainerNetwork", dependencies: ["Kernel", "CKernel"],
            // Its tests look inside; nothing here is hot enough to mind.
            swiftSettings: [.unsafeFlags(["-enable-testing"], .when(configuration: .release))]),

        // The engine, its interface and its clients.
        .target(name: "EngineModel", dependencies: ["OCI", "JSON"]),
        .target(
            name: "Engine",
            dependencies: [
                "Storage", "Registry", "Credentials", "Monitor", "EngineModel", "Cgroups", "ContainerNetwork",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]),
        .target(
            name: "EngineAPI",
            dependencies: [
                "Engine", "EngineModel", "Credentials", "JSON",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
                .product(name: "Crypto", package: "swift-crypto"),
            ]),
        .target(
            name: "EngineClient",
            dependencies: [
                "EngineModel", "Kernel",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ]),
        .target(name: "CommandLineKit", dependencies: ["JSON"]),

        // Images between registries, archives, directories and daemons, and the tool for that.
        .target(
            name: "ImageTransports",
            dependencies: [
                "OCI", "JSON", "Kernel", "Archive", "Hashing", "Registry", "Credentials", "EngineClient",
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            // Its tests look inside; nothing here is hot enough to mind.
            swiftSettings: [.unsafeFlags(["-enable-testing"], .when(configuration: .release))]),
        // For size, for the reason that holds for the commands below.
        .target(
            name: "CopyCommands",
            dependencies: [
                "ImageTransports", "Registry", "Credentials", "CommandLineKit", "EngineClient", "Archive", "Hashing",
                "Kernel", "OCI", "JSON", "CYAML",
            ],
            // Its tests look inside.
            swiftSettings: [.unsafeFlags(["-Osize", "-enable-testing"], .when(configuration: .release))],
            linkerSettings: archive("yaml")),

        // For size: with -O, Swift 6.3.1 crashes while it splits the coroutines of asynchronous closures here, and
        // nothing in the commands is hot.
        .target(
            name: "Commands",
            dependencies: ["CommandLineKit", "EngineClient", "EngineModel", "Credentials", "Archive", "Kernel", "OCI"],
            swiftSettings: [.unsafeFlags(["-Osize"], .when(configuration: .release))]),

        // Nix: the names of things in a store, and the language. The evaluator's state is one thread's, so that checks of
        // exclusive access would only cost time.
        .target(name: "CNixSupport"),
        .target(
            name: "NixStore", dependencies: ["Kernel", "JSON", .product(name: "Crypto", package: "swift-crypto")]),
        .target(name: "NixSettings", dependencies: ["Kernel"]),
        .target(
            name: "NixLocalStore",
            dependencies: ["NixStore", "Kernel", .product(name: "GRDB", package: "GRDB.swift")],
            swiftSettings: [.unsafeFlags(["-enable-testing"], .when(configuration: .release))]),
        .target(
            name: "NixLanguage", dependencies: ["NixStore", "CNixSupport", "TOML"],
            swiftSettings: [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]),

        // Apart from NixStore, so that what only names, reads and writes a store needs no event loop.
        .target(
            name: "NixBinaryCache",
            dependencies: [
                "NixStore", "Registry", "Archive", "Kernel", "JSON", "CSQLite",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
            ],
            linkerSettings: archive("sqlite3")),

        // Builds in containers: with the runtime as a program beside its own, not linked in.
        .target(
            name: "NixBuild", dependencies: ["NixStore", "NixLocalStore", "OCI", "Archive", "Kernel", "JSON"],
            // Its tests look inside; what is hot is below.
            swiftSettings: [.unsafeFlags(["-enable-testing"], .when(configuration: .release))]),

        .target(
            name: "NixFetch",
            dependencies: [
                "NixLanguage", "NixLocalStore", "NixBinaryCache", "NixStore", "Archive", "Kernel", "JSON",
            ]),

        .target(
            name: "DaemonKit",
            dependencies: [
                "EngineAPI", "Engine", "Registry", "ContainerNetwork", "CommandLineKit", "JSON", "Kernel", "CKernel",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]),

        // The programs.
        .executableTarget(name: "dhow", dependencies: ["Commands"], linkerSettings: selfContained),
        .executableTarget(
            name: "dhowd", dependencies: ["DaemonKit"], linkerSettings: selfContained + foundation + archive("sqlite3")),
        .executableTarget(
            name: "dhow-runtime", dependencies: ["ContainerRuntime", "CommandLineKit"],
            linkerSettings: [.unsafeFlags(["-static-executable"])]),
        .executableTarget(
            name: "dhow-nix",
            dependencies: [
                "NixLanguage", "NixStore", "NixLocalStore", "NixBinaryCache", "NixBuild", "NixFetch", "NixSettings",
                "Registry",
                "Kernel", "JSON",
            ],
            linkerSettings: selfContained + foundation + archive("sqlite3")),

        .executableTarget(
            name: "dhow-copy", dependencies: ["CopyCommands", "CKernel"],
            linkerSettings: selfContained + foundationEssentials),

        // Tests mirror the folders.
        .testTarget(name: "JSONTests", dependencies: ["JSON"]),
        .testTarget(name: "KernelTests", dependencies: ["Kernel"]),
        .testTarget(name: "OCITests", dependencies: ["OCI"]),
        .testTarget(name: "ArchiveTests", dependencies: ["Archive"]),
        .testTarget(name: "CredentialsTests", dependencies: ["Credentials", "JSON", "Kernel"]),
        .testTarget(
            name: "RegistryTests",
            dependencies: [
                "Registry", "Credentials", "Hashing", "Kernel",
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]),
        .testTarget(
            name: "ImageTransportsTests", dependencies: ["ImageTransports", "Hashing", "Registry", "Archive", "Kernel"]),
        .testTarget(name: "CopyCommandsTests", dependencies: ["CopyCommands", "ImageTransports"]),
        .testTarget(name: "CgroupsTests", dependencies: ["Cgroups"]),
        .testTarget(name: "StorageTests", dependencies: ["Storage"]),
        .testTarget(name: "ContainerRuntimeTests", dependencies: ["ContainerRuntime"]),
        .testTarget(name: "ContainerNetworkTests", dependencies: ["ContainerNetwork", "Kernel", "CKernel"]),
        .testTarget(name: "NixLocalStoreTests", dependencies: ["NixLocalStore", "NixStore", "Kernel"]),
        .testTarget(name: "NixStoreTests", dependencies: ["NixStore", "Kernel"]),
        .testTarget(
            name: "NixBinaryCacheTests",
            dependencies: [
                "NixBinaryCache", "NixStore", "Archive", "Kernel", "JSON",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ]),
        .testTarget(name: "NixBuildTests", dependencies: ["NixBuild", "NixStore", "NixLocalStore", "Kernel", "JSON"]),
        .testTarget(name: "NixSettingsTests", dependencies: ["NixSettings", "Kernel"]),
        .testTarget(name: "NixLanguageTests", dependencies: ["NixLanguage", "NixStore"]),
        .testTarget(name: "EngineModelTests", dependencies: ["EngineModel"]),
        .testTarget(name: "EngineTests", dependencies: ["Engine"]),
        .testTarget(
            name: "EngineAPITests",
            dependencies: ["EngineAPI", .product(name: "NIOPosix", package: "swift-nio")]),
        .testTarget(name: "DaemonKitTests", dependencies: ["DaemonKit"]),
        .testTarget(name: "CommandLineKitTests", dependencies: ["CommandLineKit"]),
        .testTarget(name: "CommandsTests", dependencies: ["Commands"]),
        .testTarget(name: "EndToEnd", dependencies: ["JSON", "Kernel"]),
    ],
    swiftLanguageModes: [.v6]
)
