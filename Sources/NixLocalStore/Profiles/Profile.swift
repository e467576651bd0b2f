import Kernel
import NixStore

/// A user's environment that is changed by making new generations: links `NAME-7-link` to objects, and `NAME`, a link
/// to the current one.
public struct Profile: Sendable {
    public struct Generation: Sendable, Hashable {
        public let number: Int
        /// The link's absolute path.
        public let link: String
        public let path: StorePath
        /// When it was made, in seconds since 1970.
        public let created: Int64
    }

    /// The profile's own link.
    public let link: String
    private let store: any MachineStore
    private var here: FileDescriptor { .currentDirectory }

    public init(_ link: String, in store: any MachineStore) {
        self.link = link
        self.store = store
    }

    private var folder: String {
        let slash = link.utf8.lastIndex(of: UInt8(ascii: "/")) ?? link.startIndex
        return slash == link.startIndex ? "/" : String(link[..<slash])
    }

    private var name: String { String(link.split(separator: "/").last ?? "") }

    /// All generations, the oldest first, and the current one's number.
    public func generations() throws -> (all: [Generation], current: Int?) {
        try explained("reading") { () throws(KernelError) in
            guard here.exists(folder) else { return ([], nil) }
            var all: [Generation] = []
            for entry in try here.entries(of: folder) {
                guard let number = number(of: entry.name) else { continue }
                let file = folder + "/" + entry.name
                let target = try here.readLinkText(file)
                guard let (path, _) = try? store.directory.split(target) else { continue }
                let created = try here.status(of: file).modified.seconds
                all.append(Generation(number: number, link: file, path: path, created: created))
            }
            let current = try here.statusIfPresent(of: link) == nil ? "" : here.readLinkText(link)
            return (
                all.sorted { $0.number < $1.number },
                number(of: current.split(separator: "/").last.map(String.init) ?? "")
            )
        }
    }

    private func number(of file: String) -> Int? {
        // Byte by byte: file names are no texts to the system.
        guard file.utf8.starts(with: "\(name)-".utf8), file.utf8.reversed().starts(with: "-link".utf8.reversed()) else {
            return nil
        }
        let digits = String(decoding: file.utf8.dropFirst(name.utf8.count + 1).dropLast(5), as: UTF8.self)
        // There must be one after the last.
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(digits), number < Int.max else {
            return nil
        }
        return number
    }

    /// Makes a generation for `path` and switches to it; the newest, where that is the same already, is used again.
    @discardableResult
    public func add(_ path: StorePath) throws -> Generation {
        try locked {
            let (all, _) = try generations()
            if let last = all.last, last.path == path {
                try point(to: last)
                return last
            }
            try store.addTemporaryRoot(path)
            let number = (all.last?.number ?? 0) + 1
            let file = "\(folder)/\(name)-\(number)-link"
            if try isBelowProfiles() {
                try explained("making generation \(number) of") { () throws(KernelError) in
                    try here.replaceLink(file, to: store.directory.print(path))
                }
            } else {
                // Nobody looks for roots there.
                try store.addRoot(file, to: path)
            }
            let generation = Generation(number: number, link: file, path: path, created: 0)
            try point(to: generation)
            return try generations().all.last { $0.number == number } ?? generation
        }
    }

    /// Whether the collector of garbage comes by here, whatever links and `..` the profile's path goes by.
    private func isBelowProfiles() throws -> Bool {
        try explained("looking for") { () throws(KernelError) in
            guard here.exists(store.layout.profiles) else { return false }
            let (own, all) = (try canonicalPath(folder), try canonicalPath(store.layout.profiles))
            return own == all || own.hasPrefix(all + "/")
        }
    }

    /// Makes generation `number` the current one, or the one before the current.
    public func switchTo(_ number: Int?) throws -> (from: Int?, to: Int) {
        try locked {
            let (all, current) = try generations()
            let target =
                number.map { wanted in all.first { $0.number == wanted } }
                ?? all.last { $0.number < current ?? Int.max }
            guard let target else {
                throw StoreError(
                    .notValid,
                    number.map { "generation \($0) does not exist" }
                        ?? "no generation older than the current (\(current ?? 0)) exists")
            }
            try point(to: target)
            return (current, target.number)
        }
    }

    /// Removes generations; the objects stay until they are collected.
    /// - Returns: the numbers that are gone.
    public func delete(_ numbers: Set<Int>) throws -> [Int] {
        try locked {
            let (all, current) = try generations()
            if let current, numbers.contains(current) {
                throw StoreError(.stillInUse, "cannot delete current version of profile '\(link)'")
            }
            let gone = all.filter { numbers.contains($0.number) }
            try explained("deleting generations of") { () throws(KernelError) in
                for generation in gone { try here.unlinkIfPresent(generation.link) }
            }
            return gone.map(\.number)
        }
    }

    /// Removes all but the current generation.
    public func deleteOld() throws -> [Int] {
        let (all, current) = try generations()
        return try delete(Set(all.map(\.number)).subtracting([current].compactMap { $0 }))
    }

    /// Removes what was made before `time` (seconds since 1970), but the one that was current then, and today's.
    public func delete(olderThan time: Int64) throws -> [Int] {
        let (all, current) = try generations()
        let old = all.filter { $0.created < time }.dropLast()
        return try delete(Set(old.map(\.number)).subtracting([current].compactMap { $0 }))
    }

    private func point(to generation: Generation) throws {
        // Relative, so that the folder may move.
        let target = String(generation.link.split(separator: "/").last ?? "")
        try explained("switching") { () throws(KernelError) in try here.replaceLink(link, to: target) }
    }

    /// Calls `body` while nobody else changes the profile. The lock's file goes in the end; whoever waits for it sees
    /// by a byte in it that it has, as with all of Nix's locks.
    private func locked<Result>(_ body: () throws -> Result) throws -> Result {
        let file = try lock()
        defer {
            try? here.unlinkIfPresent(link + ".lock")
            try? file.writeAll("d")
        }
        return try body()
    }

    private func lock() throws -> FileDescriptor {
        try explained("locking") { () throws(KernelError) in
            try here.makeDirectories(folder)
            while true {
                let file = try here.open(link + ".lock", [.readWrite, .create], mode: 0o600)
                try file.lock(.exclusive)
                if try file.status().size == 0 { return file }
            }
        }
    }

    private func explained<Result>(
        _ what: String, _ body: () throws(KernelError) -> Result
    ) throws -> Result {
        do throws(KernelError) { return try body() } catch {
            throw StoreError(.system(error.code.rawValue), "\(what) profile '\(link)': \(error)")
        }
    }
}

extension MachineStore {
    /// The profiles below the store's directory of profiles, however deep.
    public func profiles() throws -> [Profile] {
        var links: [String] = []
        var pending = [layout.profiles]
        do throws(KernelError) {
            while let folder = pending.popLast() {
                for entry in try FileDescriptor.currentDirectory.entries(of: folder) {
                    let file = folder + "/" + entry.name
                    if entry.type == .directory { pending.append(file) }
                    guard entry.type == .symbolicLink else { continue }
                    // A profile's own link names a generation beside it.
                    let target = try FileDescriptor.currentDirectory.readLinkText(file)
                    if target.hasPrefix(entry.name + "-"), target.hasSuffix("-link") { links.append(file) }
                }
            }
        } catch { throw StoreError(.system(error.code.rawValue), "looking for profiles: \(error)") }
        return links.sorted().map { Profile($0, in: self) }
    }
}
