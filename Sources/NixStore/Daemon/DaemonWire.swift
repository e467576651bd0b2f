/// What a request to a daemon is made of: numbers of 64 bits, little-endian, and strings with their length before and
/// zeros after them, up to a multiple of eight.
struct WireWriter {
    private(set) var bytes: [UInt8] = []
    let directory: StoreDirectory

    init(_ directory: StoreDirectory) { self.directory = directory }

    mutating func write(_ number: UInt64) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func write(_ flag: Bool) { write(UInt64(flag ? 1 : 0)) }

    mutating func write(_ text: String) { write(bytes: Array(text.utf8)) }

    mutating func write(bytes string: [UInt8]) {
        write(UInt64(string.count))
        bytes.append(contentsOf: string)
        while !bytes.count.isMultiple(of: 8) { bytes.append(0) }
    }

    mutating func write(_ strings: [String]) {
        write(UInt64(strings.count))
        for string in strings { write(string) }
    }

    mutating func write(_ path: StorePath) { write(directory.print(path)) }

    mutating func write(_ paths: some Collection<StorePath>) {
        write(UInt64(paths.count))
        for path in paths.sorted() { write(path) }
    }

    mutating func write(_ path: StorePath?) { write(path.map(directory.print) ?? "") }

    /// All that is known but the path itself.
    mutating func write(unkeyed info: PathInfo) {
        write(info.deriver)
        write(info.narHash.text(.base16))
        write(info.references)
        write(UInt64(bitPattern: info.registrationTime))
        write(info.narSize)
        write(info.isUltimate)
        write(info.signatures.sorted())
        write(info.contentAddress ?? "")
    }
}

/// Reads what a daemon sends. It may be anything: lengths and counts are believed only as far as bytes come.
struct WireReader {
    /// The longest string; a log line, a message or a path is far shorter.
    static let stringLimit: UInt64 = 16 << 20
    /// The longest list: no store has more objects.
    static let countLimit: UInt64 = 16 << 20

    /// Gives at most so many bytes; an empty answer is the end.
    private let input: (Int) throws -> [UInt8]
    private var buffer: [UInt8] = []
    private var at = 0
    let directory: StoreDirectory

    init(_ directory: StoreDirectory, input: @escaping (Int) throws -> [UInt8]) {
        self.directory = directory
        self.input = input
    }

    /// Whether bytes are there that nobody has looked at.
    var hasBuffered: Bool { at < buffer.count }

    /// At least one and at most `limit` bytes.
    mutating func some(_ limit: Int) throws -> ArraySlice<UInt8> {
        if at == buffer.count {
            buffer = try input(64 << 10)
            at = 0
            guard !buffer.isEmpty else {
                throw StoreError(.unreachable, "the daemon closed the connection in the middle of its answer")
            }
        }
        let count = min(limit, buffer.count - at)
        defer { at += count }
        return buffer[at..<at + count]
    }

    private mutating func take(_ count: Int) throws -> [UInt8] {
        var result: [UInt8] = []
        while result.count < count { result += try some(count - result.count) }
        return result
    }

    mutating func number() throws -> UInt64 { try take(8).reversed().reduce(0) { $0 << 8 | UInt64($1) } }

    mutating func flag() throws -> Bool { try number() != 0 }

    mutating func bytes() throws -> [UInt8] {
        let count = try number()
        guard count <= Self.stringLimit else {
            throw StoreError(.badProtocol, "the daemon announces a string of \(count) bytes, which makes no sense")
        }
        let bytes = try take(Int(count))
        let remainder = Int(count % 8)
        if remainder != 0 {
            guard try take(8 - remainder).allSatisfy({ $0 == 0 }) else {
                throw StoreError(.badProtocol, "the daemon's answer is damaged: padding that is not zero")
            }
        }
        return bytes
    }

    mutating func string() throws -> String { String(decoding: try bytes(), as: UTF8.self) }

    mutating func count() throws -> UInt64 {
        let count = try number()
        guard count <= Self.countLimit else {
            throw StoreError(.badProtocol, "the daemon announces a list of \(count) entries, which makes no sense")
        }
        return count
    }

    mutating func strings() throws -> [String] {
        var strings: [String] = []
        for _ in 0..<(try count()) { strings.append(try string()) }
        return strings
    }

    mutating func path() throws -> StorePath { try path(try string()) }

    private func path(_ text: String) throws -> StorePath {
        do { return try directory.parse(text) } catch {
            throw StoreError(.badProtocol, "the daemon's answer holds a wrong store path: \(error.reason)")
        }
    }

    mutating func optionalPath() throws -> StorePath? {
        let text = try string()
        return text.isEmpty ? nil : try path(text)
    }

    mutating func paths() throws -> Set<StorePath> {
        var paths: Set<StorePath> = []
        for _ in 0..<(try count()) { paths.insert(try path()) }
        return paths
    }

    /// What is known of `path`.
    mutating func info(of path: StorePath) throws -> PathInfo {
        let deriver = try optionalPath()
        let hash: Hash
        do { hash = try Hash(parsing: try string(), algorithm: .sha256) } catch let error as StoreError {
            guard case .badHash = error.code else { throw error }
            throw StoreError(.badProtocol, "the daemon's answer holds a wrong hash: \(error.reason)")
        }
        var info = PathInfo(path: path, narHash: hash, narSize: 0)
        info.deriver = deriver
        info.references = try paths()
        info.registrationTime = Int64(bitPattern: try number())
        info.narSize = try number()
        info.isUltimate = try flag()
        info.signatures = try strings()
        let address = try string()
        info.contentAddress = address.isEmpty ? nil : address
        return info
    }
}
