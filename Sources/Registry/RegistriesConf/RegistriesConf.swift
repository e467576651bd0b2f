import OCI

/// What containers-registries.conf(5), version 2, says: from where images are read, and what short names mean.
public struct RegistriesConf: Sendable, Equatable {
    /// When a mirror is asked.
    public enum MirrorUse: String, Sendable {
        case all
        case digestOnly = "digest-only"
        case tagOnly = "tag-only"
    }

    public struct Mirror: Sendable, Equatable {
        /// What takes the prefix's place in names.
        public var location: String
        public var isInsecure = false
        public var use = MirrorUse.all
    }

    /// A table `[[registry]]`.
    public struct Namespace: Sendable, Equatable {
        /// With what the names begin that it is about, or `*.example.com` for all hosts below.
        public var prefix: String
        /// What takes the prefix's place; `nil` leaves names as they are.
        public var location: String?
        public var isInsecure = false
        public var isBlocked = false
        public var mirrors: [Mirror] = []
        /// File and line, for messages.
        public var origin: String
    }

    /// What is done about a short name that more than one registry may have.
    public enum ShortNameMode: String, Sendable {
        /// It is refused: there is nobody to ask.
        case enforcing
        /// The registries are asked in order.
        case permissive
        case disabled
    }

    /// Where names without a registry are looked for; Docker's own rule holds while there are none.
    public var searchRegistries: [String] = []
    public var namespaces: [Namespace] = []
    /// Whole names by short ones.
    public var aliases: [String: String] = [:]
    public var shortNameMode = ShortNameMode.permissive

    public init() {}

    /// The table with the longest prefix that fits.
    func namespace(of reference: ImageReference) -> Namespace? {
        namespaces.filter { $0.matched(in: reference.name) != nil || $0.matched(in: reference.canonicalName) != nil }
            .max { $0.prefix.utf8.count < $1.prefix.utf8.count }
    }

    /// This configuration with every `insecure` as `value`.
    public func settingInsecure(_ value: Bool) -> RegistriesConf {
        var result = self
        for index in result.namespaces.indices {
            result.namespaces[index].isInsecure = value
            for mirror in result.namespaces[index].mirrors.indices {
                result.namespaces[index].mirrors[mirror].isInsecure = value
            }
        }
        return result
    }
}

extension RegistriesConf.Namespace {
    /// How much of a name the prefix stands for; `nil` when it does not fit.
    func matched(in name: String) -> Int? {
        let bytes = Array(name.utf8)
        func ends(_ index: Int) -> Bool { index == bytes.count || "/:@".utf8.contains(bytes[index]) }
        if prefix.hasPrefix("*.") {
            let host = bytes.prefix { !"/:@".utf8.contains($0) }
            let domain = prefix.dropFirst().utf8
            return host.count > domain.count && host.suffix(domain.count).elementsEqual(domain) ? host.count : nil
        }
        let count = prefix.utf8.count
        return bytes.starts(with: prefix.utf8) && ends(count) ? count : nil
    }

    /// Where an image is read from when `location` takes the prefix's place.
    func rewritten(_ reference: ImageReference, _ location: String?) throws(RegistryError) -> ImageReference {
        guard let location, let count = matched(in: reference.name) else { return reference.repository }
        let rest = String(decoding: Array(reference.name.utf8).dropFirst(count), as: UTF8.self)
        do throws(OCIError) { return try ImageReference(location + rest) } catch {
            throw RegistryError(.invalidInput, "\(origin): \"\(location)\" makes \(reference.name) no name: \(error)")
        }
    }
}

// MARK: Short names

extension RegistriesConf {
    /// The whole names that a short one may stand for, in the order in which they are tried; `nil` where Docker's own rule
    /// holds: the name is whole, or no registries to search are given.
    public func candidates(for name: String) throws(RegistryError) -> [ImageReference]? {
        guard !searchRegistries.isEmpty, Self.isShort(name) else { return nil }
        let short = name.prefix { $0 != ":" && $0 != "@" }
        let rest = name.dropFirst(short.count)
        if let alias = aliases[String(short)] { return [try Self.reference(alias + rest)] }
        if shortNameMode == .enforcing, searchRegistries.count > 1 {
            throw RegistryError(
                .invalidInput,
                "the short name \(name) may mean an image of \(searchRegistries.joined(separator: " or ")), and "
                    + "registries.conf's short-name-mode is \"enforcing\": write the whole name, or an alias into "
                    + "registries.conf")
        }
        var candidates: [ImageReference] = []
        for registry in searchRegistries { candidates.append(try Self.reference("\(registry)/\(name)")) }
        return candidates
    }

    /// Whether a name says no registry.
    static func isShort(_ name: String) -> Bool {
        guard let slash = name.firstIndex(of: "/") else { return true }
        let first = name[..<slash]
        return !first.contains { ".:".contains($0) } && first != "localhost" && first.lowercased() == first
    }

    private static func reference(_ text: String) throws(RegistryError) -> ImageReference {
        do throws(OCIError) { return try ImageReference(text) } catch {
            throw RegistryError(.invalidInput, error.message)
        }
    }
}
