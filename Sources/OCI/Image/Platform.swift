import JSON

/// What an image runs on (image-index.md): `linux/amd64`, `linux/arm64/v8`.
public struct Platform: JSONRecord, Hashable, CustomStringConvertible {
    public var architecture = ""
    public var os = ""
    public var osVersion: String?
    public var osFeatures: [String]?
    public var variant: String?
    public var features: [String]?
    public var unknownMembers = JSONObject()

    public init() {}

    public init(os: String, architecture: String, variant: String? = nil) {
        self.os = os
        self.architecture = architecture
        self.variant = variant
    }

    public mutating func members(_ json: inout JSONMembers) {
        json.always("architecture", &architecture)
        json.always("os", &os)
        json.optional("os.version", &osVersion)
        json.optional("os.features", &osFeatures)
        json.optional("variant", &variant)
        json.optional("features", &features)
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(os)
        hasher.combine(architecture)
        hasher.combine(variant)
    }

    /// Parses `os`, `architecture`, `os/architecture` or `os/architecture/variant`; what is missing is the host's.
    /// - Throws: `OCIError.invalidPlatform`.
    public init(_ text: String) throws(OCIError) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { $0.lowercased() }
        let isValid = parts.allSatisfy { part in
            !part.isEmpty
                && part.utf8.allSatisfy {
                    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || "_.-".utf8.contains($0)
                }
        }
        guard isValid, (1...3).contains(parts.count) else {
            throw OCIError(
                .invalidPlatform,
                "\"\(text.prefix(100))\" is an invalid platform: expected os/architecture[/variant], as linux/arm64/v8")
        }
        let platform: Platform
        switch parts.count {
        case 1 where Self.knownSystems.contains(parts[0]):
            platform = Platform(os: parts[0], architecture: Self.host.architecture, variant: Self.host.variant)
        case 1:
            platform = Platform(os: Self.host.os, architecture: parts[0])
            guard Self.knownArchitectures.contains(platform.normalized.architecture) else {
                throw OCIError(
                    .invalidPlatform,
                    "\"\(text.prefix(100))\": unknown operating system or architecture: invalid platform")
            }
        default: platform = Platform(os: parts[0], architecture: parts[1], variant: parts.count == 3 ? parts[2] : nil)
        }
        self = platform.normalized
    }

    private static let knownSystems: Set<String> = [
        "aix", "android", "darwin", "dragonfly", "freebsd", "illumos", "ios", "js", "linux", "netbsd", "openbsd",
        "plan9", "solaris", "wasip1", "windows",
    ]
    private static let knownArchitectures: Set<String> = [
        "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le",
        "riscv64", "s390x", "wasm",
    ]

    /// The platform this program was built for.
    public static let host: Platform = {
        #if arch(x86_64)
        return Platform(os: "linux", architecture: "amd64")
        #elseif arch(arm64)
        return Platform(os: "linux", architecture: "arm64", variant: "v8")
        #elseif arch(arm)
        return Platform(os: "linux", architecture: "arm", variant: "v7")
        #elseif arch(i386)
        return Platform(os: "linux", architecture: "386")
        #elseif arch(riscv64)
        return Platform(os: "linux", architecture: "riscv64")
        #elseif arch(s390x)
        return Platform(os: "linux", architecture: "s390x")
        #elseif arch(powerpc64le)
        return Platform(os: "linux", architecture: "ppc64le")
        #else
        return Platform(os: "linux", architecture: "unknown")
        #endif
    }()

    /// Go's names for what other tools call otherwise; a variant that is the architecture's default is left out,
    /// but for 64-bit Arm, where `v8` is written out.
    public var normalized: Platform {
        var result = self
        result.os = os.lowercased()
        if result.os == "macos" { result.os = "darwin" }
        let variant = self.variant.flatMap { $0.isEmpty ? nil : $0.lowercased() }
        switch (architecture.lowercased(), variant) {
        case ("i386", _), ("i686", _), ("x86", _): (result.architecture, result.variant) = ("386", nil)
        case ("x86_64", let variant), ("x86-64", let variant), ("amd64", let variant):
            (result.architecture, result.variant) = ("amd64", variant == "v1" ? nil : variant)
        case ("aarch64", let variant), ("arm64", let variant):
            result.architecture = "arm64"
            result.variant = variant == nil || variant == "8" ? "v8" : variant
        case ("armhf", _): (result.architecture, result.variant) = ("arm", "v7")
        case ("armel", _): (result.architecture, result.variant) = ("arm", "v6")
        case ("arm", let variant):
            result.architecture = "arm"
            result.variant =
                switch variant {
                case nil, "7": "v7"
                case "5": "v5"
                case "6": "v6"
                case "8": "v8"
                default: variant
                }
        case (let architecture, let variant): (result.architecture, result.variant) = (architecture, variant)
        }
        return result
    }

    /// How well `candidate` runs on this platform: 0 is exact, more is worse, `nil` does not run.
    ///
    /// As containerd ranks: a processor runs code for lower variants of itself, 64-bit Arm also 32-bit Arm's, and
    /// amd64 also 386's.
    public func rank(of candidate: Platform) -> Int? {
        let mine = normalized
        let other = candidate.normalized
        guard mine.os == other.os else { return nil }
        if let version = mine.osVersion, !version.isEmpty, let others = other.osVersion, others != version {
            return nil
        }
        // Also of a variant that no table knows.
        if mine.architecture == other.architecture, mine.variant == other.variant { return 0 }
        return mine.runnable.firstIndex { $0.architecture == other.architecture && $0.variant == other.variant }
    }

    /// Whether code for `candidate` runs on this platform.
    public func runs(_ candidate: Platform) -> Bool { rank(of: candidate) != nil }

    /// The architectures and variants that this platform runs, best first.
    private var runnable: [(architecture: String, variant: String?)] {
        func number(_ variant: String?, _ fallback: Int) -> Int {
            variant.flatMap { Int($0.drop { $0 == "v" }) } ?? fallback
        }
        func arm32(from top: Int) -> [(String, String?)] {
            stride(from: min(top, 8), through: 5, by: -1).map { ("arm", "v\($0)") }
        }
        switch architecture {
        case "amd64":
            let top = max(1, min(number(variant, 1), 8))
            let variants = stride(from: top, through: 1, by: -1).map { ("amd64", $0 == 1 ? nil : "v\($0)" as String?) }
            return variants + [("386", nil)]
        case "arm64":
            var variants: [(String, String?)] = [("arm64", variant)]
            if variant != "v8" { variants.append(("arm64", "v8")) }
            return variants + arm32(from: 8)
        case "arm": return arm32(from: number(variant, 7))
        default: return [(architecture, variant)]
        }
    }

    /// `os/architecture` or `os/architecture/variant`.
    public var description: String {
        variant.map { $0.isEmpty ? "\(os)/\(architecture)" : "\(os)/\(architecture)/\($0)" } ?? "\(os)/\(architecture)"
    }
}
