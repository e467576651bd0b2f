import NixLocalStore
import NixStore

/// `store diff-closures`: which packages of two closures are others, by name, version and size.
struct ClosureDifference {
    /// Of each package's name and version, the bytes of the archives of its outputs.
    private typealias Packages = [String: [String: UInt64]]

    /// Differences in size below this are noise.
    private static let smallest = 8 << 10

    private let before: Packages
    private let after: Packages

    init(from before: StorePath, to after: StorePath, in store: any MachineStore) throws {
        self.before = try Self.packages(of: before, in: store)
        self.after = try Self.packages(of: after, in: store)
    }

    private static func packages(of root: StorePath, in store: any MachineStore) throws -> Packages {
        var packages: Packages = [:]
        for path in try store.closure(of: [root]) {
            let (name, version) = split(path.name)
            // What a daemon says may be anything; no closure is larger than 2^62 bytes.
            let size = min(try store.requireInfo(of: path).narSize, 1 << 62)
            let known = packages[name, default: [:]][version, default: 0]
            packages[name, default: [:]][version] = min(known + size, 1 << 62)
        }
        return packages
    }

    /// A package's name and version, without an output's name behind it, which cannot be told from a word that ends the
    /// version.
    static func split(_ text: some StringProtocol) -> (name: String, version: String) {
        var bytes = Array(text.utf8)[...]
        func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }
        if let dash = bytes.lastIndex(of: UInt8(ascii: "-")) {
            let last = bytes[(dash + 1)...]
            let isOutput =
                !last.isEmpty && last.allSatisfy { (0x61...0x7A).contains($0) }
                || ["lib32", "lib64"].contains { last.elementsEqual($0.utf8) }
            if isOutput { bytes = bytes[..<dash] }
        }
        let dash = bytes.indices.dropLast().first { bytes[$0] == UInt8(ascii: "-") && !isLetter(bytes[$0 + 1]) }
        guard let dash else { return (String(decoding: bytes, as: UTF8.self), "") }
        return (String(decoding: bytes[..<dash], as: UTF8.self), String(decoding: bytes[(dash + 1)...], as: UTF8.self))
    }

    /// A line for each package that is another.
    /// - Parameter colours: whether growth is red and the opposite green.
    func lines(colours: Bool) -> [String] {
        Set(before.keys).union(after.keys).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.compactMap { name in
            let (old, new) = (before[name] ?? [:], after[name] ?? [:])
            let removed = Set(old.keys).subtracting(new.keys)
            let added = Set(new.keys).subtracting(old.keys)
            func sum(_ sizes: Packages.Value) -> Int64 { Int64(sizes.values.reduce(0) { min($0 + $1, 1 << 62) }) }
            let growth = sum(new) - sum(old)
            var items: [String] = []
            if !removed.isEmpty || !added.isEmpty { items.append("\(Self.list(removed)) → \(Self.list(added))") }
            if abs(growth) >= Self.smallest {
                let size = Self.kibibytes(growth)
                items.append(colours ? "\u{1B}[\(growth > 0 ? 31 : 32);1m\(size)\u{1B}[0m" : size)
            }
            return items.isEmpty ? nil : "\(name): \(items.joined(separator: ", "))\n"
        }
    }

    private static func list(_ versions: Set<String>) -> String {
        guard !versions.isEmpty else { return "∅" }
        return versions.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map { $0.isEmpty ? "ε" : $0 }
            .joined(separator: ", ")
    }

    private static func kibibytes(_ bytes: Int64) -> String {
        let tenths = Int64((Double(abs(bytes)) * 10 / 1024).rounded(.toNearestOrEven))
        return "\(bytes < 0 ? "-" : "+")\(tenths / 10).\(tenths % 10) KiB"
    }
}
