import Credentials
import ImageTransports
import Kernel
import OCI
import Registry

/// The file that `sync --src yaml` takes: for each registry which images, and how it is reached.
struct ImageList {
    struct Source {
        let registry: String
        /// The tags or digests of a repository; none stands for all tags.
        var images: [(repository: String, names: [String])] = []
        /// Those of a repository's tags that fit.
        var filtered: [(repository: String, filter: TagFilter)] = []
        var credential: Credential?
        var verifiesTLS: Bool?
        var certificates: String?

        /// How the registry is reached: what the file says counts more than the command line.
        func access(_ common: RegistryAccess) -> RegistryAccess {
            var access = common
            if let credential { access.authentication = .given(credential) }
            if let verifiesTLS { access.verifiesTLS = verifiesTLS }
            if let certificates { access.certificateFolder = certificates }
            return access
        }
    }

    enum TagFilter {
        /// Fits anywhere in the tag.
        case expression(Regex<AnyRegexOutput>)
        /// The tag is such a version.
        case versions(VersionConstraint)

        func includes(_ tag: String) -> Bool {
            switch self {
            case .expression(let expression): tag.firstMatch(of: expression) != nil
            case .versions(let constraint): SemanticVersion(tag).map { constraint.includes($0) } ?? false
            }
        }
    }

    let sources: [Source]

    /// - Throws: `TransportError.invalidInput`, which names the file and the line.
    init(_ path: String) throws {
        let bytes: [UInt8]
        do throws(KernelError) { bytes = try FileDescriptor.currentDirectory.readFile(path, limit: 4 << 20) } catch {
            throw TransportError(.notFound, "cannot read the list of images \(path): \(error)")
        }
        let reader = Reader(path: path)
        var sources: [Source] = []
        for (registry, node) in try reader.members(try YAMLDocument.read(bytes, path: path), "the list") {
            sources.append(try reader.source(registry, node))
        }
        self.sources = sources
    }

    private struct Reader {
        let path: String

        func fail(_ line: Int, _ reason: String) -> TransportError {
            TransportError(.invalidInput, "\(path):\(line): \(reason)")
        }

        func members(_ node: YAMLDocument.Node, _ what: String) throws -> [(key: String, node: YAMLDocument.Node)] {
            switch node.value {
            case .mapping(let members): return members
            case .null: return []
            default: throw fail(node.line, "\(what) has to be a mapping: lines of \"key: value\"")
            }
        }

        func text(_ node: YAMLDocument.Node, _ what: String) throws -> String {
            guard case .scalar(let text) = node.value else { throw fail(node.line, "\(what) has to be a string") }
            return text
        }

        func source(_ registry: String, _ node: YAMLDocument.Node) throws -> Source {
            var source = Source(registry: registry)
            for (key, node) in try members(node, "the registry \(registry)") {
                switch key {
                case "images":
                    for (repository, node) in try members(node, key) {
                        source.images.append((repository, try names(node, repository)))
                    }
                case "images-by-tag-regex":
                    for (repository, node) in try members(node, key) {
                        source.filtered.append((repository, .expression(try expression(node, repository))))
                    }
                case "images-by-semver":
                    for (repository, node) in try members(node, key) {
                        source.filtered.append((repository, .versions(try constraint(node, repository))))
                    }
                case "credentials":
                    var (name, password) = ("", "")
                    for (key, node) in try members(node, key) {
                        switch key {
                        case "username": name = try text(node, key)
                        case "password": password = try text(node, key)
                        default: throw fail(node.line, "credentials are username and password, not \"\(key)\"")
                        }
                    }
                    source.credential = .password(username: name, password: password)
                case "tls-verify":
                    switch try text(node, key) {
                    case "true": source.verifiesTLS = true
                    case "false": source.verifiesTLS = false
                    default: throw fail(node.line, "tls-verify is true or false")
                    }
                case "cert-dir": source.certificates = try text(node, key)
                default:
                    throw fail(
                        node.line,
                        "\"\(key)\" is not known of a registry: there are images, images-by-tag-regex, "
                            + "images-by-semver, credentials, tls-verify and cert-dir")
                }
            }
            return source
        }

        private func expression(_ node: YAMLDocument.Node, _ repository: String) throws -> Regex<AnyRegexOutput> {
            let pattern = try text(node, repository)
            do { return try Regex(pattern) } catch {
                throw fail(node.line, "\"\(pattern)\" is no regular expression: \(error)")
            }
        }

        private func constraint(_ node: YAMLDocument.Node, _ repository: String) throws -> VersionConstraint {
            let text = try text(node, repository)
            guard let constraint = VersionConstraint(text) else {
                throw fail(
                    node.line,
                    "\"\(text)\" does not say which versions: write it as \">=1.2 <2.0\", \"^1.2\" or \"1.x\"")
            }
            return constraint
        }

        private func names(_ node: YAMLDocument.Node, _ repository: String) throws -> [String] {
            switch node.value {
            case .null: return []
            case .sequence(let elements):
                return try elements.map { try text($0, "each tag or digest of \(repository)") }
            default: throw fail(node.line, "the tags of \(repository) have to be a list, as [\"1.0\", \"2.0\"]")
            }
        }
    }
}
