import OCI
import TOML

// The file's syntax and its rules.

extension RegistriesConf {
    /// Takes over what a file says: search registries, the mode, tables of the same prefix and aliases of the same name
    /// replace what was said before.
    /// - Parameter path: for messages.
    /// - Throws: `RegistryError.invalidInput`, which names the file and the line.
    public mutating func merge(_ text: [UInt8], path: String) throws(RegistryError) {
        let reader = Reader(path: path)
        let file = try reader.table(text)
        if let old = file["registries"] {
            throw reader.fail(
                old.line,
                "the format's version 1 ([registries.search] and the like) is not read: write "
                    + "unqualified-search-registries and [[registry]] tables")
        }
        if let entry = file["unqualified-search-registries"] {
            searchRegistries = []
            for registry in try reader.strings(entry) {
                guard !registry.contains("/"), WebAddress.split(registry) != nil else {
                    throw reader.fail(entry.line, "\"\(registry)\" is no registry's host")
                }
                searchRegistries.append(registry)
            }
        }
        if let entry = file["short-name-mode"] {
            let name = try reader.string(entry)
            guard let mode = ShortNameMode(rawValue: name.isEmpty ? "permissive" : name) else {
                throw reader.fail(
                    entry.line, "invalid short-name-mode \"\(name)\": enforcing, permissive and disabled are known")
            }
            shortNameMode = mode
        }
        if let entry = file["registry"] {
            var new: [Namespace] = []
            for table in try reader.tables(entry) {
                let namespace = try reader.namespace(table)
                guard !new.contains(where: { $0.prefix == namespace.prefix }) else {
                    throw reader.fail(table.line, "the registry \"\(namespace.prefix)\" is there already")
                }
                new.append(namespace)
            }
            namespaces.removeAll { old in new.contains { $0.prefix == old.prefix } }
            namespaces += new
        }
        if let entry = file["aliases"] { try merge(aliases: entry, reader) }
    }

    private mutating func merge(aliases entry: TOMLTable.Entry, _ reader: Reader) throws(RegistryError) {
        guard case .table(let table) = entry.value else { throw reader.fail(entry.line, "aliases is no table") }
        for alias in table.entries {
            let name = String(decoding: alias.name, as: UTF8.self)
            let value = try reader.string(alias)
            guard Self.isShort(name), let short = try? ImageReference(name), short.tag == nil, short.digest == nil
            else {
                throw reader.fail(alias.line, "\"\(name)\" is no short name without tag and digest")
            }
            guard !value.isEmpty else {
                aliases[name] = nil
                continue
            }
            guard !Self.isShort(value), let whole = try? ImageReference(value), whole.tag == nil, whole.digest == nil
            else {
                throw reader.fail(
                    alias.line, "\"\(value)\" is no image's name with its registry, and without tag and digest")
            }
            aliases[name] = value
        }
    }
}

/// Reads values, and knows the file they are in.
private struct Reader {
    let path: String

    func fail(_ line: Int?, _ reason: String) -> RegistryError {
        RegistryError(.invalidInput, "\(path)\(line.map { ":\($0)" } ?? ""): \(reason)")
    }

    func table(_ text: [UInt8]) throws(RegistryError) -> TOMLTable {
        do { return try TOMLReader.read(text) } catch let error as TOMLError {
            throw fail(error.line, error.reason)
        } catch {
            throw fail(nil, "\(error)")
        }
    }

    func string(_ entry: TOMLTable.Entry) throws(RegistryError) -> String {
        guard case .string(let bytes) = entry.value else { throw wrong(entry, "string") }
        return String(decoding: bytes, as: UTF8.self)
    }

    func boolean(_ entry: TOMLTable.Entry?) throws(RegistryError) -> Bool {
        guard let entry else { return false }
        guard case .boolean(let value) = entry.value else { throw wrong(entry, "true or false") }
        return value
    }

    func strings(_ entry: TOMLTable.Entry) throws(RegistryError) -> [String] {
        guard case .array(let values) = entry.value else { throw wrong(entry, "array of strings") }
        var texts: [String] = []
        for value in values {
            guard case .string(let bytes) = value else { throw wrong(entry, "array of strings") }
            texts.append(String(decoding: bytes, as: UTF8.self))
        }
        return texts
    }

    func tables(_ entry: TOMLTable.Entry) throws(RegistryError) -> [TOMLTable] {
        guard case .array(let values) = entry.value else { throw wrong(entry, "array of tables: write [[…]]") }
        var tables: [TOMLTable] = []
        for value in values {
            guard case .table(let table) = value else { throw wrong(entry, "array of tables: write [[…]]") }
            tables.append(table)
        }
        return tables
    }

    private func wrong(_ entry: TOMLTable.Entry, _ wanted: String) -> RegistryError {
        fail(entry.line, "\(String(decoding: entry.name, as: UTF8.self)) is no \(wanted)")
    }

    func namespace(_ table: TOMLTable) throws(RegistryError) -> RegistriesConf.Namespace {
        let location = try table["location"].map { entry throws(RegistryError) in try self.location(entry) }
        var prefix = ""
        if let entry = table["prefix"] { prefix = try string(entry) }
        if prefix.isEmpty { prefix = location ?? "" }
        guard !prefix.isEmpty else { throw fail(table.line, "a registry has neither a prefix nor a location") }
        let line = table["prefix"]?.line ?? table.line
        while prefix.hasSuffix("/") { prefix.removeLast() }
        if prefix.contains("*") {
            let domain = prefix.dropFirst(2)
            guard prefix.hasPrefix("*."), !domain.isEmpty, !domain.contains(where: { "*/:@".contains($0) }) else {
                throw fail(line, "wrong prefix \"\(prefix)\": only *.example.com may have a star")
            }
        } else if prefix.hasPrefix("http://") || prefix.hasPrefix("https://") {
            throw fail(line, "wrong prefix \"\(prefix)\": it is written without \"http…://\"")
        } else if location == nil {
            throw fail(table.line, "the registry \"\(prefix)\" has no location")
        }
        var namespace = RegistriesConf.Namespace(
            prefix: prefix, location: location == prefix ? nil : location, origin: "\(path):\(table.line)")
        namespace.isInsecure = try boolean(table["insecure"])
        namespace.isBlocked = try boolean(table["blocked"])
        let byDigestOnly = try boolean(table["mirror-by-digest-only"])
        if let entry = table["mirror"] {
            for mirror in try tables(entry) { namespace.mirrors.append(try self.mirror(mirror, byDigestOnly)) }
        }
        return namespace
    }

    private func mirror(_ table: TOMLTable, _ byDigestOnly: Bool) throws(RegistryError) -> RegistriesConf.Mirror {
        guard let entry = table["location"] else { throw fail(table.line, "a mirror has no location") }
        var mirror = RegistriesConf.Mirror(location: try location(entry))
        mirror.isInsecure = try boolean(table["insecure"])
        if byDigestOnly { mirror.use = .digestOnly }
        if let entry = table["pull-from-mirror"] {
            let name = try string(entry)
            guard !byDigestOnly || name.isEmpty else {
                throw fail(
                    entry.line, "pull-from-mirror cannot be said together with the registry's mirror-by-digest-only")
            }
            guard let use = RegistriesConf.MirrorUse(rawValue: name.isEmpty ? mirror.use.rawValue : name) else {
                throw fail(
                    entry.line, "invalid pull-from-mirror \"\(name)\": all, digest-only and tag-only are known")
            }
            mirror.use = use
        }
        return mirror
    }

    private func location(_ entry: TOMLTable.Entry) throws(RegistryError) -> String {
        var location = try string(entry)
        while location.hasSuffix("/") { location.removeLast() }
        guard !location.isEmpty else { throw fail(entry.line, "the location is empty") }
        guard !location.contains("://") else {
            throw fail(entry.line, "wrong location \"\(location)\": it is written without \"http…://\"")
        }
        let host = location.prefix { $0 != "/" }
        guard WebAddress.split(String(host)) != nil else {
            throw fail(entry.line, "wrong location \"\(location)\": \"\(host)\" is no host of a registry")
        }
        return location
    }
}
