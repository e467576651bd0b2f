import Kernel

/// Makes an entry from its header block and from what the headers before it said.
struct TarEntryParser {
    enum Sparse {
        case none
        case oldGNU([SparseExtent], continues: Bool)
        case extents([SparseExtent])
        case mapInContent
    }

    struct Result {
        var entry: TarEntry
        /// Bytes of content in the archive.
        var storedSize: Int64
        var sparse: Sparse
    }

    let view: TarBlockView
    let storedSize: Int64

    /// - Parameters:
    ///   - name: GNU's long name, which a PAX path overrules.
    ///   - records: this entry's PAX records, which overrule `globals`.
    func parse(name: [UInt8]?, linkName: [UInt8]?, globals: PAXRecords, records: PAXRecords) throws -> Result {
        let format = view.format
        let type = view.byte(TarBlock.typeOffset)
        var entry = TarEntry(path: name ?? headerPath(format), kind: kind(type), mode: 0)
        entry.linkTarget = linkName ?? Array(view.text(TarBlock.linkName))
        entry.mode = UInt32(truncatingIfNeeded: try number(TarBlock.mode, "mode")) & 0o7777
        entry.uid = try number(TarBlock.uid, "user ID")
        entry.gid = try number(TarBlock.gid, "group ID")
        entry.modified = Timestamp(seconds: try number(TarBlock.modified, "time"))
        if format != .v7 {
            entry.userName = Array(view.text(TarBlock.userName))
            entry.groupName = Array(view.text(TarBlock.groupName))
            if entry.kind == .characterDevice || entry.kind == .blockDevice {
                entry.deviceMajor = UInt32(truncatingIfNeeded: try number(TarBlock.deviceMajor, "device number"))
                entry.deviceMinor = UInt32(truncatingIfNeeded: try number(TarBlock.deviceMinor, "device number"))
            }
        }
        var result = Result(entry: entry, storedSize: storedSize, sparse: .none)
        result.entry.size = storedSize
        if format == .gnu {
            // Many writers leave these fields alone, so rubbish in them is no error.
            result.entry.accessed = view.number(TarBlock.gnuAccessed).flatMap { $0 > 0 ? Timestamp(seconds: $0) : nil }
            result.entry.changed = view.number(TarBlock.gnuChanged).flatMap { $0 > 0 ? Timestamp(seconds: $0) : nil }
            if type == UInt8(ascii: "S") { try applyOldSparse(&result) }
        }
        if !(globals.isEmpty && records.isEmpty) {
            var reader = PAXApplication()
            for record in globals.records { try reader.apply(record.key, record.value, to: &result) }
            for record in records.records { try reader.apply(record.key, record.value, to: &result) }
            try reader.finish(&result)
        }
        try normalize(&result)
        return result
    }

    private func number(_ field: TarBlock.Field, _ what: String) throws -> Int64 {
        guard let value = view.number(field) else { throw corruptArchive("the \(what) of an entry is not valid") }
        return value
    }

    private func kind(_ type: UInt8) -> TarEntry.Kind {
        switch type {
        // 7 is a contiguous file, S a sparse one.
        case 0, UInt8(ascii: "0"), UInt8(ascii: "7"), UInt8(ascii: "S"): .file
        case UInt8(ascii: "1"): .hardLink
        case UInt8(ascii: "2"): .symbolicLink
        case UInt8(ascii: "3"): .characterDevice
        case UInt8(ascii: "4"): .blockDevice
        // D is GNU's directory with a list of names as its content.
        case UInt8(ascii: "5"), UInt8(ascii: "D"): .directory
        case UInt8(ascii: "6"): .fifo
        default: .other(type)
        }
    }

    private func headerPath(_ format: TarBlock.Format) -> [UInt8] {
        let name = view.text(TarBlock.name)
        if format == .ustar, view.byte(TarBlock.prefix.offset) != 0 {
            var path = Array(view.text(TarBlock.prefix))
            path.append(UInt8(ascii: "/"))
            path.append(contentsOf: name)
            return path
        }
        return Array(name)
    }

    private func applyOldSparse(_ result: inout Result) throws {
        let size = try number(TarBlock.gnuRealSize, "size")
        if size < 0 { throw corruptArchive("the size of a sparse file is not valid") }
        result.entry.size = size
        var extents: [SparseExtent] = []
        try SparseMap.appendPairs(of: view, at: TarBlock.gnuSparse.offset, count: 4, to: &extents)
        result.sparse = .oldGNU(extents, continues: view.byte(TarBlock.gnuSparseContinues) != 0)
    }

    /// What holds for every format: names without NUL and trailing slashes, directories by their slash, no content
    /// where there can be none.
    private func normalize(_ result: inout Result) throws {
        if result.entry.path.contains(0) || result.entry.linkTarget.contains(0) {
            throw corruptArchive("a name in it holds a NUL byte")
        }
        if result.entry.path.isEmpty { throw corruptArchive("an entry has no name") }
        if result.entry.path.last == UInt8(ascii: "/") {
            if result.entry.kind == .file { result.entry.kind = .directory }
            while result.entry.path.count > 1, result.entry.path.last == UInt8(ascii: "/") {
                result.entry.path.removeLast()
            }
        }
        switch result.entry.kind {
        case .file, .other: break
        case .directory where view.byte(TarBlock.typeOffset) == UInt8(ascii: "D"): result.entry.size = 0
        default:
            // Some writers give links and directories a size, and none of them content.
            result.entry.size = 0
            result.storedSize = 0
            result.sparse = .none
        }
        if result.entry.kind == .hardLink || result.entry.kind == .symbolicLink {
            if result.entry.linkTarget.isEmpty {
                throw corruptArchive("the link \"\(result.entry.name)\" has no target")
            }
        } else {
            result.entry.linkTarget = []
        }
    }
}

/// Applies PAX records, one after another, to an entry.
private struct PAXApplication {
    private var sparseNumbers: [[UInt8]] = []
    private var hasMap = false
    private var isSparse10 = false
    private var sparseName: [UInt8]?
    private var sparseSize: Int64?
    /// Where an attribute is among the entry's: a header of a MiB holds tens of thousands.
    private var attributePositions: [[UInt8]: Int] = [:]

    mutating func apply(_ key: [UInt8], _ value: [UInt8], to result: inout TarEntryParser.Result) throws {
        func integer() throws -> Int64 {
            guard let number = PAXNumber.integer(value) else { throw invalid(key) }
            return number
        }
        func time() throws -> Timestamp {
            guard let time = PAXNumber.time(value) else { throw invalid(key) }
            return time
        }
        // An empty value takes the header block's own word for it.
        if value.isEmpty && !key.starts(with: Self.schily) { return }
        switch String(decoding: key, as: UTF8.self) {
        case "path": result.entry.path = value
        case "linkpath": result.entry.linkTarget = value
        case "size":
            let size = try integer()
            if size < 0 || size > Int64.max - 1024 { throw invalid(key) }
            result.storedSize = size
            if case .none = result.sparse { result.entry.size = size }
        case "uid": result.entry.uid = try integer()
        case "gid": result.entry.gid = try integer()
        case "uname": result.entry.userName = value
        case "gname": result.entry.groupName = value
        case "mtime": result.entry.modified = try time()
        case "atime": result.entry.accessed = try time()
        case "ctime": result.entry.changed = try time()
        case "SCHILY.devmajor": result.entry.deviceMajor = UInt32(truncatingIfNeeded: try integer())
        case "SCHILY.devminor": result.entry.deviceMinor = UInt32(truncatingIfNeeded: try integer())
        case "GNU.sparse.major": isSparse10 = try integer() == 1
        case "GNU.sparse.name": sparseName = value
        case "GNU.sparse.size", "GNU.sparse.realsize", "SCHILY.realsize": sparseSize = try integer()
        case "GNU.sparse.offset", "GNU.sparse.numbytes": sparseNumbers.append(value)
        case "GNU.sparse.map":
            sparseNumbers = []
            hasMap = true
            result.sparse = .extents(try SparseMap.list(value))
        default: try applyAttribute(key, value, to: &result.entry)
        }
    }

    mutating func finish(_ result: inout TarEntryParser.Result) throws {
        if isSparse10 {
            result.sparse = .mapInContent
        } else if !hasMap, !sparseNumbers.isEmpty {
            result.sparse = .extents(try SparseMap.pairs(sparseNumbers))
        }
        if case .none = result.sparse { return }
        if let sparseName { result.entry.path = sparseName }
        if let sparseSize {
            if sparseSize < 0 { throw corruptArchive("the size of a sparse file is not valid") }
            result.entry.size = sparseSize
        }
    }

    private static let schily = Array("SCHILY.xattr.".utf8)
    private static let libarchive = Array("LIBARCHIVE.xattr.".utf8)

    private mutating func applyAttribute(_ key: [UInt8], _ value: [UInt8], to entry: inout TarEntry) throws {
        if key.starts(with: Self.schily) {
            try set(Array(key[Self.schily.count...]), value, replaces: true, in: &entry)
        } else if key.starts(with: Self.libarchive) {
            guard let name = percentDecoded(key[Self.libarchive.count...]), let bytes = base64Decoded(value) else {
                throw invalid(key)
            }
            try set(name, bytes, replaces: false, in: &entry)
        }
    }

    private mutating func set(_ name: [UInt8], _ value: [UInt8], replaces: Bool, in entry: inout TarEntry) throws {
        if name.isEmpty || name.contains(0) { throw corruptArchive("an extended attribute's name is not valid") }
        if let index = attributePositions[name] {
            if replaces { entry.attributes[index].value = value }
        } else {
            attributePositions[name] = entry.attributes.count
            entry.attributes.append(.init(name: name, value: value))
        }
    }

    private func invalid(_ key: [UInt8]) -> ArchiveError {
        corruptArchive("the PAX record \"\(String(decoding: key, as: UTF8.self))\" is not valid")
    }
}

/// `%41` to `A`; `nil` when a percent sign has no two digits.
func percentDecoded(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
    var result: [UInt8] = []
    var rest = bytes
    while let byte = rest.popFirst() {
        if byte != UInt8(ascii: "%") {
            result.append(byte)
            continue
        }
        guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
            return nil
        }
        rest = rest.dropFirst(2)
        result.append(value)
    }
    return result
}

/// Base 64 with or without its padding.
func base64Decoded(_ bytes: [UInt8]) -> [UInt8]? {
    var result: [UInt8] = []
    var bits: UInt32 = 0
    var count = 0
    for byte in bytes {
        let digit: UInt8
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit = byte - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): digit = byte - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"): digit = 62
        case UInt8(ascii: "/"): digit = 63
        case UInt8(ascii: "="), 0x0A: continue
        default: return nil
        }
        bits = bits << 6 | UInt32(digit)
        count += 6
        if count >= 8 {
            count -= 8
            result.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
        }
    }
    return result
}

func base64Encoded(_ bytes: [UInt8]) -> [UInt8] {
    let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var result: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
        let group = bytes[start..<min(start + 3, bytes.count)]
        let value = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - group.count))
        for index in 0..<4 {
            result.append(
                index <= group.count ? digits[Int(value >> UInt32(18 - 6 * index)) & 63] : UInt8(ascii: "="))
        }
    }
    return result
}
