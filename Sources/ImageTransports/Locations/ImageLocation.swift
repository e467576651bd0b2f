import OCI

/// Where an image is, as skopeo's users write it: `docker://debian:12`, `oci:/tmp/layout:12`.
public enum ImageLocation: Sendable, Equatable, CustomStringConvertible {
    /// In a registry; has a tag or a digest.
    case registry(ImageReference)
    /// In the archive that `docker save` writes.
    case dockerArchive(path: String, ArchiveSelection?)
    /// In a directory in OCI's image layout.
    case layout(path: String, name: String?)
    /// In a tar archive of such a directory.
    case layoutArchive(path: String, name: String?)
    /// In a directory of loose files, skopeo's own format.
    case directory(String)
    /// In the store of a daemon that speaks Docker's API.
    case daemon(DaemonImage, DaemonKind)

    /// Which of an archive's images is meant.
    public enum ArchiveSelection: Sendable, Equatable {
        case reference(ImageReference)
        /// By its place, for images without a name.
        case index(Int)
    }

    public enum DaemonImage: Sendable, Equatable {
        case reference(ImageReference)
        case id(Digest)
    }

    public enum DaemonKind: String, Sendable, Equatable {
        case docker = "docker-daemon"
        /// Dhow's own.
        case own = "dhow"
    }

    /// The transports by name.
    public static let transports = [
        "docker", "docker-archive", "oci", "oci-archive", "dir", "docker-daemon", "dhow",
    ]

    /// Whether a text begins with a transport, so that it cannot be the name of a container or a local image.
    public static func hasTransport(_ text: String) -> Bool {
        guard let colon = text.firstIndex(of: ":") else { return false }
        let name = text[..<colon]
        // `docker:latest` and `dhow:1.0` are names of images, too.
        return name == "docker"
            ? text.hasPrefix("docker://") : transports.contains(String(name)) && name != DaemonKind.own.rawValue
    }

    /// - Throws: `TransportError.invalidInput`, in the words of containers/image.
    public init(_ text: String) throws(TransportError) {
        func invalid(_ reason: String) -> TransportError {
            TransportError(.invalidInput, "Invalid image name \"\(text.prefix(300))\", \(reason)")
        }
        guard let colon = text.firstIndex(of: ":") else {
            throw invalid("expected colon-separated transport:reference")
        }
        let transport = String(text[..<colon])
        let rest = String(text[text.index(after: colon)...])
        switch transport {
        case "docker": self = try Self.registry(rest)
        case "docker-archive": self = try Self.dockerArchive(rest)
        case "oci", "oci-archive": self = try Self.layout(rest, isArchive: transport == "oci-archive")
        case "dir":
            guard !rest.isEmpty else { throw invalid("a directory is needed") }
            self = .directory(rest)
        case "docker-daemon", "dhow": self = try Self.daemon(rest, transport == "dhow" ? .own : .docker)
        default:
            throw invalid("unknown transport \"\(transport)\"; there are: \(Self.transports.joined(separator: ", "))")
        }
    }

    private static func reference(_ text: String, _ what: String) throws(TransportError) -> ImageReference {
        do throws(OCIError) { return try ImageReference(text) } catch {
            throw TransportError(.invalidInput, "\(what): \(error.message)")
        }
    }

    private static func registry(_ rest: String) throws(TransportError) -> ImageLocation {
        guard rest.hasPrefix("//") else {
            throw TransportError(.invalidInput, "docker: image reference \(rest.prefix(300)) does not start with //")
        }
        let reference = try reference(String(rest.dropFirst(2)), "docker").withDefaultTag
        guard reference.tag == nil || reference.digest == nil else {
            throw TransportError(
                .invalidInput,
                "Docker references with both a tag and digest are currently not supported: leave one out of "
                    + reference.familiarName)
        }
        return .registry(reference)
    }

    private static func dockerArchive(_ rest: String) throws(TransportError) -> ImageLocation {
        func invalid(_ reason: String) -> TransportError {
            TransportError(.invalidInput, "docker-archive reference \"\(rest.prefix(300))\" \(reason)")
        }
        let (path, selection) = cut(rest)
        guard !path.isEmpty else { throw invalid("isn't of the form <path>[:<reference>]") }
        guard let selection else { return .dockerArchive(path: path, nil) }
        if selection.hasPrefix("@") {
            guard let index = Int(selection.dropFirst()) else { throw invalid("has an invalid source index") }
            guard index >= 0 else { throw invalid("has a negative source index") }
            return .dockerArchive(path: path, .index(index))
        }
        let reference = try reference(selection, "docker-archive parsing reference").withDefaultTag
        guard reference.digest == nil else {
            throw invalid("names a digest, which archives of this kind cannot hold: use a tag")
        }
        return .dockerArchive(path: path, .reference(reference))
    }

    private static func layout(_ rest: String, isArchive: Bool) throws(TransportError) -> ImageLocation {
        let (path, name) = cut(rest)
        guard !path.isEmpty else {
            throw TransportError(.invalidInput, "oci: \"\(rest.prefix(300))\" isn't of the form <path>[:<name>]")
        }
        let allowed = { (byte: UInt8) in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "-._:@/+".utf8.contains(byte)
            }
        }
        if let name, !name.utf8.allSatisfy(allowed) {
            throw TransportError(.invalidInput, "Invalid image \(name.prefix(300))")
        }
        let chosen = name.flatMap { $0.isEmpty ? nil : $0 }
        return isArchive ? .layoutArchive(path: path, name: chosen) : .layout(path: path, name: chosen)
    }

    private static func daemon(_ rest: String, _ kind: DaemonKind) throws(TransportError) -> ImageLocation {
        if let digest = try? Digest(rest) { return .daemon(.id(digest), kind) }
        let reference = try reference(rest, kind.rawValue).withDefaultTag
        guard reference.digest == nil else {
            throw TransportError(
                .invalidInput,
                "\(kind.rawValue): \(reference.familiarName) has a digest, by which a daemon's store is not searched; use a "
                    + "tag, or the image's ID")
        }
        return .daemon(.reference(reference), kind)
    }

    /// Cuts at the first colon.
    private static func cut(_ text: String) -> (String, String?) {
        guard let colon = text.firstIndex(of: ":") else { return (text, nil) }
        return (String(text[..<colon]), String(text[text.index(after: colon)...]))
    }

    public var description: String {
        switch self {
        case .registry(let reference): return "docker://\(reference.familiarName)"
        case .dockerArchive(let path, let selection):
            switch selection {
            case nil: return "docker-archive:\(path)"
            case .index(let index): return "docker-archive:\(path):@\(index)"
            case .reference(let reference): return "docker-archive:\(path):\(reference.canonicalName)"
            }
        case .layout(let path, let name): return "oci:\(path):\(name ?? "")"
        case .layoutArchive(let path, let name): return "oci-archive:\(path):\(name ?? "")"
        case .directory(let path): return "dir:\(path)"
        case .daemon(.id(let digest), let kind): return "\(kind.rawValue):\(digest)"
        case .daemon(.reference(let reference), let kind): return "\(kind.rawValue):\(reference.canonicalName)"
        }
    }
}
