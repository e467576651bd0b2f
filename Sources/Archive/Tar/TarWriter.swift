import Kernel

/// What a writer changes in every entry.
public struct TarWriteOptions: Sendable {
    /// Replaces every modification time.
    public var modified: Timestamp?
    /// Replaces every owner.
    public var owner: (uid: Int64, gid: Int64)?
    /// Cuts times to whole seconds, as Docker does in layers: nanoseconds cost a PAX header a file.
    public var truncatesTimes = false
    /// Writes the headers in front of PAX records as Go's archive/tar does, so that archives equal those of programs in Go.
    public var writesExtendedHeadersAsGo = false

    public init(modified: Timestamp? = nil, owner: (uid: Int64, gid: Int64)? = nil, truncatesTimes: Bool = false) {
        self.modified = modified
        self.owner = owner
        self.truncatesTimes = truncatesTimes
    }
}

/// Writes a tar archive: ustar headers, and PAX headers before those entries whose values do not fit one. The same
/// entries give the same bytes.
///
/// Access and change times are not written, because a layer with them changes whenever it is looked at.
public final class TarWriter {
    private let sink: any ByteSink
    private let options: TarWriteOptions
    private let block = UnsafeMutableRawBufferPointer.allocate(byteCount: TarBlock.size, alignment: 16)
    private var contentLeft: Int64 = 0
    private var padding = 0
    private var currentPath: [UInt8] = []
    private var isFinished = false

    public init(_ sink: any ByteSink, options: TarWriteOptions = .init()) {
        self.sink = sink
        self.options = options
    }

    deinit { block.deallocate() }

    /// Writes an entry's header. For a file exactly `entry.size` bytes must follow through `write`.
    /// - Throws: `ArchiveError.corrupt` when the content of the entry before is not complete, `.unsupported` for what
    ///   no tar header can say.
    public func begin(_ entry: TarEntry) throws {
        try endContent()
        var entry = entry
        if let modified = options.modified { entry.modified = modified }
        if options.truncatesTimes { entry.modified.nanoseconds = 0 }
        if let owner = options.owner {
            (entry.uid, entry.gid) = (owner.uid, owner.gid)
            (entry.userName, entry.groupName) = ([], [])
        }
        if entry.kind != .file { entry.size = 0 }
        let header = try TarHeader(entry)
        let records = header.records.serialized
        if !records.isEmpty {
            TarHeader.fillExtended(
                block, for: entry.path, size: Int64(records.count), asGo: options.writesExtendedHeadersAsGo)
            try sink.write(UnsafeRawBufferPointer(block))
            try sink.write(records)
            try writeZeros((512 - records.count % 512) % 512)
        }
        header.fill(block)
        try sink.write(UnsafeRawBufferPointer(block))
        contentLeft = entry.size
        padding = Int((512 - entry.size % 512) % 512)
        currentPath = entry.path
    }

    /// Writes the next bytes of the current file.
    public func write(_ bytes: UnsafeRawBufferPointer) throws {
        if Int64(bytes.count) > contentLeft {
            throw ArchiveError(
                .corrupt, "\"\(String(decoding: currentPath, as: UTF8.self))\" grew while it was being archived")
        }
        try sink.write(bytes)
        contentLeft -= Int64(bytes.count)
    }

    /// Writes an entry with the content that `content` gives.
    public func add(_ entry: TarEntry, content: any ByteSource) throws {
        try begin(entry)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: streamBufferSize, alignment: 4096)
        defer { buffer.deallocate() }
        while true {
            let count = try content.read(into: buffer)
            if count == 0 { break }
            try write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
        try endContent()
    }

    /// Writes an entry with the given content, whose length becomes its size.
    public func add(_ entry: TarEntry, content: [UInt8] = []) throws {
        var entry = entry
        entry.size = Int64(content.count)
        try begin(entry)
        try content.withUnsafeBytes { try write($0) }
        try endContent()
    }

    /// Ends the archive with its two blocks of zeros, and finishes the sink.
    public func finish() throws {
        if isFinished { return }
        try endContent()
        try writeZeros(2 * TarBlock.size)
        try sink.finish()
        isFinished = true
    }

    private func endContent() throws {
        if contentLeft > 0 {
            throw ArchiveError(
                .truncated,
                "\"\(String(decoding: currentPath, as: UTF8.self))\" shrank by \(contentLeft) bytes while it "
                    + "was being archived"
            )
        }
        try writeZeros(padding)
        padding = 0
    }

    private func writeZeros(_ count: Int) throws {
        if count == 0 { return }
        try zeros.withUnsafeBytes { try sink.write(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    }

    private let zeros = [UInt8](repeating: 0, count: 2 * TarBlock.size)
}

/// The header of one entry: the fields of its block, and records for what does not fit there.
struct TarHeader {
    private var name: [UInt8]
    private var prefix: [UInt8] = []
    private var linkName: [UInt8]
    private var type: UInt8
    private let entry: TarEntry
    private(set) var records = PAXRecords()
    private var uid: Int64
    private var gid: Int64
    private var size: Int64
    private var modified: Int64

    /// The largest numbers that 7 and 11 octal digits hold.
    private static let maximum7: Int64 = 0o7777777
    private static let maximum11: Int64 = 0o77777777777

    init(_ entry: TarEntry) throws {
        self.entry = entry
        type =
            switch entry.kind {
            case .file: UInt8(ascii: "0")
            case .hardLink: UInt8(ascii: "1")
            case .symbolicLink: UInt8(ascii: "2")
            case .characterDevice: UInt8(ascii: "3")
            case .blockDevice: UInt8(ascii: "4")
            case .directory: UInt8(ascii: "5")
            case .fifo: UInt8(ascii: "6")
            case .other(let letter):
                throw ArchiveError(
                    .unsupported, "\"\(entry.name)\" is of the unknown type \(letter) and cannot be archived")
            }
        var path = entry.path
        if entry.kind == .directory, path.last != UInt8(ascii: "/") { path.append(UInt8(ascii: "/")) }
        if path.isEmpty { throw ArchiveError(.unsupported, "an entry without a name cannot be archived") }

        // Records stand in a fixed order: names, numbers, times, attributes by name.
        if let (prefix, name) = Self.split(path) {
            (self.prefix, self.name) = (prefix, name)
        } else {
            name = Array(path.prefix(TarBlock.name.count))
            records.append("path", path)
        }
        linkName = entry.linkTarget
        if linkName.count > TarBlock.linkName.count {
            records.append("linkpath", linkName)
            linkName = Array(linkName.prefix(TarBlock.linkName.count))
        }
        size = entry.size
        if size > Self.maximum11 {
            records.append("size", String(size))
            size = 0
        }
        (uid, gid) = (entry.uid, entry.gid)
        if !(0...Self.maximum7).contains(uid) {
            records.append("uid", String(uid))
            uid = 0
        }
        if !(0...Self.maximum7).contains(gid) {
            records.append("gid", String(gid))
            gid = 0
        }
        if entry.userName.count > 31 { records.append("uname", entry.userName) }
        if entry.groupName.count > 31 { records.append("gname", entry.groupName) }
        modified = entry.modified.seconds
        if entry.modified.nanoseconds != 0 || !(0...Self.maximum11).contains(modified) {
            records.append("mtime", PAXNumber.text(entry.modified))
            modified = min(max(modified, 0), Self.maximum11)
        }
        if Int64(entry.deviceMajor) > Self.maximum7 { records.append("SCHILY.devmajor", String(entry.deviceMajor)) }
        if Int64(entry.deviceMinor) > Self.maximum7 { records.append("SCHILY.devminor", String(entry.deviceMinor)) }
        for attribute in entry.attributes.sorted(by: { $0.name.lexicographicallyPrecedes($1.name) }) {
            try append(attribute)
        }
    }

    /// A key with an equals sign in it would be cut there, so such a name goes in libarchive's way, percent-encoded.
    private mutating func append(_ attribute: TarEntry.Attribute) throws {
        if !attribute.name.contains(UInt8(ascii: "=")) {
            records.records.append((Array("SCHILY.xattr.".utf8) + attribute.name, attribute.value))
            return
        }
        let name = attribute.name.flatMap { byte in
            byte == UInt8(ascii: "=") || byte == UInt8(ascii: "%")
                ? Array(byte == 0x3D ? "%3D".utf8 : "%25".utf8) : [byte]
        }
        records.records.append((Array("LIBARCHIVE.xattr.".utf8) + name, base64Encoded(attribute.value)))
    }

    /// The path as ustar's two fields: as one name if it fits, else cut at the last slash that makes both fit.
    private static func split(_ path: [UInt8]) -> (prefix: [UInt8], name: [UInt8])? {
        if path.count <= TarBlock.name.count { return ([], path) }
        // A slash that ends a directory's name is no place to cut.
        let last = min(path.count - 2, TarBlock.prefix.count)
        guard path.count <= TarBlock.prefix.count + 1 + TarBlock.name.count,
            let cut = path[0...last].lastIndex(of: UInt8(ascii: "/")), cut > 0,
            path.count - cut - 1 <= TarBlock.name.count
        else { return nil }
        return (Array(path[..<cut]), Array(path[(cut + 1)...]))
    }

    func fill(_ block: UnsafeMutableRawBufferPointer) {
        Self.fill(block, name: name, type: type, mode: entry.mode & 0o7777, size: size)
        Self.put(prefix, TarBlock.prefix, in: block)
        Self.put(linkName, TarBlock.linkName, in: block)
        Self.put(uid, TarBlock.uid, in: block)
        Self.put(gid, TarBlock.gid, in: block)
        Self.put(modified, TarBlock.modified, in: block)
        if entry.userName.count <= 31 { Self.put(entry.userName, TarBlock.userName, in: block) }
        if entry.groupName.count <= 31 { Self.put(entry.groupName, TarBlock.groupName, in: block) }
        if entry.kind == .characterDevice || entry.kind == .blockDevice {
            Self.put(Int64(entry.deviceMajor) & Self.maximum7, TarBlock.deviceMajor, in: block)
            Self.put(Int64(entry.deviceMinor) & Self.maximum7, TarBlock.deviceMinor, in: block)
        }
        Self.sign(block)
    }

    /// A header with owner 0 and time 0.
    static func fill(_ block: UnsafeMutableRawBufferPointer, name: [UInt8], type: UInt8, mode: UInt32, size: Int64) {
        block.initializeMemory(as: UInt8.self, repeating: 0)
        put(name, TarBlock.name, in: block)
        put(Int64(mode), TarBlock.mode, in: block)
        put(0, TarBlock.uid, in: block)
        put(0, TarBlock.gid, in: block)
        put(size, TarBlock.fileSize, in: block)
        put(0, TarBlock.modified, in: block)
        block[TarBlock.typeOffset] = type
        put(Array("ustar\u{0}00".utf8), TarBlock.magic, in: block)
        put(0, TarBlock.deviceMajor, in: block)
        put(0, TarBlock.deviceMinor, in: block)
        sign(block)
    }

    /// The header in front of an entry's PAX records.
    static func fillExtended(_ block: UnsafeMutableRawBufferPointer, for path: [UInt8], size: Int64, asGo: Bool) {
        let slash = UInt8(ascii: "/")
        guard asGo else {
            // A fixed name, without the process number that others put in.
            let name = Array("PaxHeaders/".utf8) + (path.split(separator: slash).last ?? [])
            return fill(block, name: name, type: UInt8(ascii: "x"), mode: 0o644, size: size)
        }
        let folderEnd = path.lastIndex(of: slash).map { $0 + 1 } ?? 0
        let name = path[..<folderEnd] + Array("PaxHeaders.0/".utf8) + path[folderEnd...]
        fill(block, name: Array(name), type: UInt8(ascii: "x"), mode: 0, size: size)
        // It leaves out the fields that only entries of their own have.
        for field in [TarBlock.deviceMajor, TarBlock.deviceMinor] {
            for offset in field.offset..<field.offset + field.count { block[offset] = 0 }
        }
        sign(block)
    }

    private static func sign(_ block: UnsafeMutableRawBufferPointer) {
        let range = TarBlock.checksum.offset..<TarBlock.checksum.offset + TarBlock.checksum.count
        for offset in range { block[offset] = 0x20 }
        var sum: Int64 = 0
        for byte in block { sum += Int64(byte) }
        // Six digits, a NUL and a space, as everyone writes it.
        for index in 0..<6 { block[range.lowerBound + index] = UInt8(0x30 + (sum >> Int64(3 * (5 - index))) & 7) }
        block[range.lowerBound + 6] = 0
    }

    private static func put(_ text: [UInt8], _ field: TarBlock.Field, in block: UnsafeMutableRawBufferPointer) {
        for (index, byte) in text.prefix(field.count).enumerated() { block[field.offset + index] = byte }
    }

    /// Octal digits that fill the field but for a NUL.
    private static func put(_ number: Int64, _ field: TarBlock.Field, in block: UnsafeMutableRawBufferPointer) {
        var rest = number
        for index in stride(from: field.count - 2, through: 0, by: -1) {
            block[field.offset + index] = UInt8(0x30 + rest & 7)
            rest >>= 3
        }
    }
}
