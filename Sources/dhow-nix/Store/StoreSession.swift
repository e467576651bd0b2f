import Kernel
import NixLanguage
import NixLocalStore
import NixStore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A store that a command works on, and how the command speaks of it.
struct StoreSession {
    let store: any MachineStore

    var directory: StoreDirectory { store.directory }

    init(_ store: any MachineStore) { self.store = store }

    init(_ settings: Settings, options: LocalStore.Options? = nil) throws {
        store =
            try settings.ownedStore()
            ?? LocalStore(try settings.layout(), options: options ?? settings.storeOptions)
    }

    /// The daemon that owns the store, if one does.
    var daemon: DaemonStore? { (store as? DaemonOwnedStore)?.daemon }

    /// Where to keep what is on its way to a store whose directory is not ours to write to.
    var temporaryDirectory: String? {
        daemon == nil ? nil : LocalHost().environment("TMPDIR").flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
    }

    /// The store as this process's own to write to.
    /// - Parameter operation: what needs that.
    func ownStore(for operation: String) throws -> LocalStore {
        guard let own = store as? LocalStore else {
            throw StoreError(
                .unusableStore,
                "\(operation) changes the store's database, which only its daemon may; run it as the store's owner with "
                    + "'--store local'")
        }
        return own
    }

    /// The object that an argument names: a path in the store, a path below one, or a link that leads there.
    func object(_ argument: String) throws -> StorePath {
        try location(argument).path
    }

    /// The same, and the rest of the path in the object: empty, or from `/` on.
    func location(_ argument: String) throws -> (path: StorePath, rest: String) {
        var text = try Self.absolute(argument)
        // As many links as the kernel would follow.
        for _ in 0..<40 {
            if directory.contains(text) { return try directory.split(text) }
            if store.layout.objects != directory.path, text.hasPrefix(store.layout.objects + "/") {
                return try directory.split(directory.path + text.dropFirst(store.layout.objects.utf8.count))
            }
            guard let target = try? FileDescriptor.currentDirectory.readLinkText(text) else { break }
            let folder = text[..<(text.utf8.lastIndex(of: UInt8(ascii: "/")) ?? text.startIndex)]
            text = try Self.absolute(target.hasPrefix("/") ? target : folder + "/" + target)
        }
        throw StoreError(.badStorePath, "path '\(try Self.absolute(argument))' is not in the Nix store")
    }

    /// An absolute path without `.`, `..` and doubled slashes; links are not followed.
    static func absolute(_ path: String) throws -> String {
        var parts: [Substring] = []
        let whole = path.hasPrefix("/") ? path : try workingDirectory() + "/" + path
        for part in whole.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    /// What a derivation's argument stands for with `--use-output`, `--include-outputs` aside.
    func outputs(of path: StorePath) throws -> [StorePath] {
        guard path.isDerivation else { return [path] }
        let derivation = try store.derivation(at: path)
        return try derivation.outputs.keys.sorted().compactMap { try derivation.path(of: $0, in: directory) }
    }

    // MARK: Output

    func print(_ paths: some Sequence<StorePath>) {
        Output.standard.write(paths.map { directory.print($0) + "\n" }.joined())
    }

    static let rootWarning =
        "warning: you did not specify '--add-root'; the result might be removed by the garbage collector"

    static func say(_ line: String) { Output.error.write(line + "\n") }

    /// Writes a stream to standard output in large pieces.
    static func stream(_ body: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void) throws {
        var pending: [UInt8] = []
        try body { bytes in
            pending.append(contentsOf: bytes)
            if pending.count > 1 << 18 {
                Output.standard.write(pending)
                pending.removeAll(keepingCapacity: true)
            }
        }
        Output.standard.write(pending)
    }

    static func readInput(_ count: Int) throws -> [UInt8] {
        try FileDescriptor.standardInput.read(count: count)
    }

    /// Mebibytes with two digits, as Nix writes amounts.
    static func mebibytes(_ bytes: Int64) -> String {
        let hundredths = (Double(bytes) * 100 / 1_048_576).rounded(.toNearestOrEven)
        let number = Int64(abs(hundredths))
        let fraction = number % 100
        // -0.00 is what Nix says of a little less than nothing.
        return "\(bytes < 0 ? "-" : "")\(number / 100).\(fraction < 10 ? "0" : "")\(fraction) MiB"
    }

    /// `1234`, `5K`, `3M`, `2G`, `1T`: bytes.
    static func bytes(_ text: String) throws(UsageError) -> UInt64 {
        let units: [Character: UInt64] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40]
        let unit = text.last.flatMap { units[Character($0.uppercased())] }
        guard let number = UInt64(unit == nil ? text : String(text.dropLast())) else {
            throw UsageError("'\(text)' is not a number of bytes; write 500M or 20G")
        }
        let (product, overflows) = number.multipliedReportingOverflow(by: unit ?? 1)
        guard !overflows else { throw UsageError("'\(text)' is too large a number of bytes") }
        return product
    }
}

/// Seconds since 1970.
func currentTime() -> Int64 { Int64(time(nil)) }
