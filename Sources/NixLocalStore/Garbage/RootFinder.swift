import Glibc
import Kernel
import NixStore

/// Looks for roots in directories of links and in what processes use.
struct RootFinder {
    let store: LocalStore
    let valid: Set<StorePath>
    let note: (String) -> Void
    var roots: GarbageRoots = [:]

    init(store: LocalStore, valid: Set<StorePath>, note: @escaping (String) -> Void) {
        self.store = store
        self.valid = valid
        self.note = note
    }

    private var here: FileDescriptor { .currentDirectory }

    // MARK: Links

    mutating func find(in path: String) throws {
        do {
            guard let status = try here.statusIfPresent(of: path) else { return }
            switch status.type {
            case .directory: for entry in try here.entries(of: path) { try find(in: path + "/" + entry.name) }
            case .symbolicLink: try follow(path, try here.readLinkText(path))
            case .regular:
                // A file may be named after what it keeps.
                let name = path.split(separator: "/").last.map(String.init) ?? ""
                if let object = try? StorePath(name), valid.contains(object) { roots[object, default: []].insert(path) }
            default: break
            }
        } catch let error as KernelError {
            switch error.code {
            case .accessDenied, .notFound, .notDirectory: note("cannot read potential root '\(path)'")
            default: throw StoreError(.system(error.code.rawValue), "looking for roots in '\(path)': \(error)")
            }
        }
    }

    private mutating func follow(_ link: String, _ target: String) throws(KernelError) {
        if store.directory.contains(target) { return found(link, target) }
        let folder = link[..<(link.utf8.lastIndex(of: UInt8(ascii: "/")) ?? link.startIndex)]
        let absolute = target.hasPrefix("/") ? target : folder + "/" + target
        guard let status = try here.statusIfPresent(of: absolute) else {
            // Somebody has removed the link that this one is about: `result` of a build, for instance.
            if link.hasPrefix(store.layout.roots + "/auto/") {
                note("removing stale link from '\(link)' to '\(absolute)'")
                try here.unlinkIfPresent(link)
            }
            return
        }
        guard status.isSymbolicLink else { return }
        let second = try here.readLinkText(absolute)
        if store.directory.contains(second) { found(absolute, second) }
    }

    private mutating func found(_ link: String, _ target: String) {
        guard let (path, _) = try? store.directory.split(target) else { return }
        if valid.contains(path) {
            roots[path, default: []].insert(link)
        } else {
            note("skipping invalid root from '\(link)' to '\(target)'")
        }
    }

    // MARK: Processes

    /// Adds what processes run, are in, have open, have mapped or name in their environment, and what the kernel runs.
    mutating func addRunning() {
        for process in (try? ProcessFiles.allProcessIDs()) ?? [] {
            let folder = "/proc/\(process)"
            // Processes end at any time, and those of others keep their secrets: what cannot be read is no root.
            for name in ["exe", "cwd"] { addLink("\(folder)/\(name)") }
            for entry in (try? here.entries(of: folder + "/fd")) ?? [] { addLink("\(folder)/fd/\(entry.name)") }
            if let maps = try? here.readFile(folder + "/maps") {
                for line in maps.split(separator: UInt8(ascii: "\n")) {
                    guard let slash = line.firstIndex(of: UInt8(ascii: "/")) else { continue }
                    addRunning(String(decoding: line[slash...], as: UTF8.self), folder + "/maps")
                }
            }
            if let environment = try? here.readFile(folder + "/environ") {
                addNames(in: environment, folder + "/environ")
            }
        }
        for file in ["/proc/sys/kernel/modprobe", "/proc/sys/kernel/fbsplash", "/proc/sys/kernel/poweroff_cmd"] {
            if let text = try? here.readText(file) { addRunning(String(text.prefix { $0 != "\n" }), file) }
        }
    }

    private mutating func addLink(_ link: String) {
        guard let target = try? here.readLinkText(link), target.hasPrefix("/") else { return }
        addRunning(target, link)
    }

    private mutating func addRunning(_ text: String, _ source: String) {
        // Files of a store that lies elsewhere are named by where they are.
        for base in Set([store.directory.path, store.layout.objects]) where text.hasPrefix(base + "/") {
            let name = text.dropFirst(base.utf8.count + 1).prefix { $0 != "/" && $0 != " " }
            guard let path = try? StorePath(String(name)), valid.contains(path) else { continue }
            roots[path, default: []].insert(source)
        }
    }

    private mutating func addNames(in bytes: [UInt8], _ source: String) {
        let needle = Array((store.directory.path + "/").utf8)
        var at = bytes.startIndex
        while let slash = bytes[at...].firstIndex(of: needle[0]) {
            at = slash + 1
            guard bytes[slash...].starts(with: needle) else { continue }
            let name = bytes[(slash + needle.count)...].prefix {
                $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ":") && $0 > 0x20 && $0 < 0x7F
            }
            // What follows the name in a value is not known to end it: the longest valid name counts.
            var candidate = name
            while candidate.count > StorePath.hashLength {
                if let path = try? StorePath(String(decoding: candidate, as: UTF8.self)), valid.contains(path) {
                    roots[path, default: []].insert(source)
                    break
                }
                candidate = candidate.dropLast()
            }
        }
    }
}
