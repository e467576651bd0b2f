/// The name of an image as users write it, normalised as Docker does: `debian` is `docker.io/library/debian:latest`.
///
/// The grammar is that of github.com/distribution/reference: an optional domain, path components of lower-case letters
/// and digits joined by `.`, `_`, `__` or dashes, an optional tag and an optional digest.
public struct ImageReference: Hashable, Sendable, CustomStringConvertible {
    /// The registry's host and port, `docker.io` when none was written.
    public let domain: String
    /// The repository within the registry: `library/debian`.
    public let path: String
    /// The tag, when one was written.
    public var tag: String?
    /// The digest of a manifest or index, when one was written.
    public var digest: Digest?

    public static let defaultDomain = "docker.io"
    public static let officialPrefix = "library/"
    public static let defaultTag = "latest"
    /// How long `domain/path` may be.
    public static let nameLimit = 255

    /// Parses and normalises a reference.
    /// - Throws: `OCIError.invalidReference` with Docker's wording.
    public init(_ text: String) throws(OCIError) {
        func fail(_ reason: String) -> OCIError {
            OCIError(.invalidReference, "invalid reference format: \(reason): \"\(text.prefix(300))\"")
        }
        guard !text.isEmpty else { throw fail("a name is needed") }
        if text.utf8.count == 64, Digest.isHex(text) {
            throw OCIError(
                .invalidReference,
                "invalid repository name (\(text)), cannot specify 64-byte hexadecimal strings")
        }
        var rest = Substring(text)
        if let at = rest.utf8.firstIndex(of: UInt8(ascii: "@")) {
            do throws(OCIError) {
                digest = try Digest(String(rest[rest.utf8.index(after: at)...]))
            } catch {
                throw fail(error.message)
            }
            rest = rest[..<at]
        }
        // A colon after the last slash begins the tag; one before it belongs to the port.
        let lastSlash = rest.utf8.lastIndex(of: UInt8(ascii: "/")) ?? rest.startIndex
        if let colon = rest.utf8.lastIndex(of: UInt8(ascii: ":")), colon >= lastSlash {
            let tag = String(rest[rest.utf8.index(after: colon)...])
            guard Self.isTag(tag) else { throw fail("the tag is not valid") }
            self.tag = tag
            rest = rest[..<colon]
        }
        var domain = Self.defaultDomain
        if let slash = rest.utf8.firstIndex(of: UInt8(ascii: "/")) {
            let first = rest[..<slash]
            let hasDomainCharacter = first.utf8.contains { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: ":") }
            if hasDomainCharacter || first == "localhost" || first.lowercased() != first {
                domain = String(first)
                rest = rest[rest.utf8.index(after: slash)...]
            }
        }
        if domain == "index.docker.io" { domain = Self.defaultDomain }
        guard Self.isDomain(domain) else { throw fail("the registry's name is not valid") }
        var path = String(rest)
        if domain == Self.defaultDomain, !path.utf8.contains(UInt8(ascii: "/")) { path = Self.officialPrefix + path }
        guard !path.utf8.contains(where: { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }) else {
            throw OCIError(.invalidReference, "invalid reference format: repository name (\(path)) must be lowercase")
        }
        guard Self.isPath(path) else { throw fail("the repository's name is not valid") }
        guard domain.utf8.count + 1 + path.utf8.count <= Self.nameLimit else {
            throw OCIError(
                .invalidReference, "repository name must not be more than \(Self.nameLimit) characters")
        }
        self.domain = domain
        self.path = path
    }

    private init(domain: String, path: String, tag: String?, digest: Digest?) {
        self.domain = domain
        self.path = path
        self.tag = tag
        self.digest = digest
    }

    /// The repository: `docker.io/library/debian`.
    public var name: String { "\(domain)/\(path)" }

    /// The repository as users know it: `debian`.
    public var familiarRepository: String {
        guard domain == Self.defaultDomain else { return name }
        if path.hasPrefix(Self.officialPrefix) {
            let short = path.dropFirst(Self.officialPrefix.count)
            // `library/foo/bar` must keep its prefix, or it would be read as another repository.
            if !short.contains("/") { return String(short) }
        }
        return path
    }

    private var suffix: String { (tag.map { ":" + $0 } ?? "") + (digest.map { "@\($0)" } ?? "") }

    /// The whole reference, canonical: `docker.io/library/debian:12`.
    public var canonicalName: String { name + suffix }

    /// The whole reference as Docker prints it: `debian:12`.
    public var familiarName: String { familiarRepository + suffix }

    /// The canonical form.
    public var description: String { canonicalName }

    /// This reference with the tag `latest` when it has neither tag nor digest.
    public var withDefaultTag: ImageReference {
        guard tag == nil, digest == nil else { return self }
        var result = self
        result.tag = Self.defaultTag
        return result
    }

    /// The repository alone.
    public var repository: ImageReference { ImageReference(domain: domain, path: path, tag: nil, digest: nil) }

    /// The same repository with another tag and no digest.
    /// - Throws: `OCIError.invalidReference` when `tag` is none.
    public func tagged(_ tag: String) throws(OCIError) -> ImageReference {
        guard Self.isTag(tag) else { throw OCIError(.invalidReference, "invalid tag format: \"\(tag.prefix(200))\"") }
        return ImageReference(domain: domain, path: path, tag: tag, digest: nil)
    }

    /// The same repository with a digest and no tag.
    public func digested(_ digest: Digest) -> ImageReference {
        ImageReference(domain: domain, path: path, tag: nil, digest: digest)
    }
}

// MARK: The grammar

extension ImageReference {
    private static func isLowerAlphanumeric(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || isDigit(byte)
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        isLowerAlphanumeric(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    /// `[\w][\w.-]{0,127}`
    public static func isTag(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard (1...128).contains(bytes.count), isAlphanumeric(bytes[0]) || bytes[0] == UInt8(ascii: "_") else {
            return false
        }
        return bytes.allSatisfy {
            isAlphanumeric($0) || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-")
        }
    }

    /// A host name or bracketed IPv6 address, and an optional port.
    private static func isDomain(_ text: String) -> Bool {
        var host = Array(text.utf8)
        if host.first == UInt8(ascii: "[") {
            guard let close = host.firstIndex(of: UInt8(ascii: "]")), close > 1 else { return false }
            let address = host[1..<close]
            guard
                address.allSatisfy({
                    isDigit($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0 | 0x20)
                        || $0 == UInt8(ascii: ":")
                })
            else { return false }
            let rest = host[(close + 1)...]
            return rest.isEmpty
                || (rest.count > 1 && rest.first == UInt8(ascii: ":") && rest.dropFirst().allSatisfy(isDigit))
        }
        if let colon = host.lastIndex(of: UInt8(ascii: ":")) {
            let port = host[(colon + 1)...]
            guard !port.isEmpty, port.allSatisfy(isDigit) else { return false }
            host = Array(host[..<colon])
        }
        return host.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { label in
            guard let first = label.first, let last = label.last else { return false }
            return isAlphanumeric(first) && isAlphanumeric(last)
                && label.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
        }
    }

    private static func isPath(_ text: String) -> Bool {
        let components = Array(text.utf8).split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return !components.isEmpty && components.allSatisfy { isPathComponent(Array($0)) }
    }

    /// Letters and digits, joined by one `.`, one or two `_`, or any number of `-`.
    private static func isPathComponent(_ bytes: [UInt8]) -> Bool {
        guard let first = bytes.first, let last = bytes.last, isLowerAlphanumeric(first), isLowerAlphanumeric(last)
        else {
            return false
        }
        var at = 0
        while at < bytes.count {
            if isLowerAlphanumeric(bytes[at]) {
                at += 1
                continue
            }
            let separator = bytes[at]
            var end = at
            while end < bytes.count, bytes[end] == separator { end += 1 }
            guard end < bytes.count, isLowerAlphanumeric(bytes[end]) else { return false }
            switch separator {
            case UInt8(ascii: "."): guard end - at == 1 else { return false }
            case UInt8(ascii: "_"): guard end - at <= 2 else { return false }
            case UInt8(ascii: "-"): break
            default: return false
            }
            at = end
        }
        return true
    }
}
