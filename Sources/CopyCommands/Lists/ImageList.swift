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
        /// Tags by a regular expression.
        var patterns: [(repository: String, pattern: String, line: Int)] = []
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

    let sources: [Source]
    private let path: String

    /// - Throws: `TransportError.invalidInput`, which names the file and the line.
    init(_ path: String) throws {
        self.path = path
        let bytes: [UInt8]
        do throws(KernelError) { bytes = try FileDescriptor.currentDirectory.readFile(path, limit: 4 << 20) } catch {
            throw TransportError(.notFound, "cannot read the list of images \(path): \(error)")
        }
        let reader = Reader(path: path)
        var sources: [Source] = []
        for (registry, node) in try reader.members(try PlainYAML.read(bytes, path: path), "the list") {
            sources.append(try reader.source(registry, node))
        }
        self.sources = sources
    }

    /// The tags that a pattern fits, anywhere in them.
    func tags(_ tags: [String], matching pattern: String, line: Int) throws -> [String] {
        let expression: Regex<AnyRegexOutput>
        do { expression = try Regex(pattern) } catch {
            throw TransportError(.invalidInput, "\(path):\(line): \"\(pattern)\" is no regular expression: \(error)")
        }
        return tags.filter { $0.firstMatch(of: expression) != nil }
    }

    private struct Reader {
        let path: String

        func fail(_ line: Int, _ reason: String) -> TransportError {
            TransportError(.invalidInput, "\(path):\(line): \(reason)")
        }

        func members(_ node: PlainYAML.Node, _ what: String) throws -> [(key: String, node: PlainYAML.Node)] {
            switch node.value {
            case .mapping(let members): return members
            case .null: return []
            default: throw fail(node.line, "\(what) has to be a mapping: lines of \"key: value\"")
            }
        }

        func text(_ node: PlainYAML.Node, _ what: String) throws -> String {
            guard case .scalar(let text) = node.value else { throw fail(node.line, "\(what) has to be a string") }
            return text
        }

        func source(_ registry: String, _ node: PlainYAML.Node) throws -> Source {
            var source = Source(registry: registry)
            for (key, node) in try members(node, "the registry \(registry)") {
                switch key {
                case "images":
                    for (repository, node) in try members(node, key) {
                        source.images.append((repository, try names(node, repository)))
                    }
                case "images-by-tag-regex":
                    for (repository, node) in try members(node, key) {
                        source.patterns.append((repository, try text(node, repository), node.line))
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
                case "images-by-semver":
                    throw fail(node.line, "images-by-semver is not supported: use images-by-tag-regex")
                default:
                    throw fail(
                        node.line,
                        "\"\(key)\" is not known of a registry: there are images, images-by-tag-regex, credentials, "
                            + "tls-verify and cert-dir")
                }
            }
            return source
        }

        private func names(_ node: PlainYAML.Node, _ repository: String) throws -> [String] {
            switch node.value {
            case .null: return []
            case .sequence(let elements):
                return try elements.map { try text($0, "each tag or digest of \(repository)") }
            default: throw fail(node.line, "the tags of \(repository) have to be a list, as [\"1.0\", \"2.0\"]")
            }
        }
    }
}
