import Glibc
import Kernel
import NixStore

/// What keeps objects from being collected: each with the links, files and processes that name it.
public typealias GarbageRoots = [StorePath: Set<String>]

extension LocalStore {
    /// Every root: links below `gcroots` and `profiles`, what running processes use, and what they have asked for.
    /// - Parameter note: told about links that lead nowhere.
    public func roots(note: @escaping (String) -> Void = { _ in }) throws -> GarbageRoots {
        var finder = RootFinder(store: self, valid: try allValidPaths(), note: note)
        try finder.find(in: layout.roots)
        try finder.find(in: layout.profiles)
        finder.addRunning()
        for (path, processes) in try readTemporaryRoots() {
            for process in processes { finder.roots[path, default: []].insert("{temp:\(process)}") }
        }
        return finder.roots
    }

    /// What living processes have asked to keep, by their numbers. Files of dead processes are removed.
    func readTemporaryRoots() throws -> [StorePath: Set<Int32>] {
        let here = FileDescriptor.currentDirectory
        var roots: [StorePath: Set<Int32>] = [:]
        for entry in try here.entries(of: layout.temporaryRoots) {
            guard let process = Int32(entry.name) else { continue }
            let name = "\(layout.temporaryRoots)/\(entry.name)"
            let file: FileDescriptor
            do throws(KernelError) { file = try FileDescriptor.open(name, .readWrite) } catch {
                if error.code == .notFound { continue }
                throw error
            }
            // Its owner holds the lock for as long as it lives.
            if process != Processes.currentID, try file.lock(.exclusive, wait: false) {
                try here.unlinkIfPresent(name)
                try file.writeAll("d")
                continue
            }
            for text in try here.readFile(name).split(separator: 0) {
                guard let path = try? directory.parse(String(decoding: text, as: UTF8.self)) else { continue }
                roots[path, default: []].insert(process)
            }
        }
        return roots
    }

    /// Makes `link` a root: a symbolic link to `path`, found through another one in `gcroots/auto`.
    /// - Parameter link: an absolute path; a link of this kind that is there already is replaced.
    public func addRoot(_ link: String, to path: StorePath) throws {
        try checkRootLink(link)
        let here = FileDescriptor.currentDirectory
        try addTemporaryRoot(path)
        do throws(KernelError) {
            let slash = link.utf8.lastIndex(of: UInt8(ascii: "/")) ?? link.startIndex
            try here.makeDirectories(slash == link.startIndex ? "/" : String(link[..<slash]))
            try here.replaceLink(link, to: directory.print(path))
            if !link.hasPrefix(layout.roots + "/") {
                let name = Base32.encode(Hash(.sha1, of: link).bytes)
                try here.makeDirectories(layout.roots + "/auto")
                try here.replaceLink("\(layout.roots)/auto/\(name)", to: link)
            }
        } catch { throw StoreError(.system(error.code.rawValue), "making the root '\(link)': \(error)") }
    }
}

extension MachineStore {
    /// Refuses links that must not become roots: what is in the store, or is something else already.
    func checkRootLink(_ link: String) throws {
        if directory.contains(link) {
            throw StoreError(
                .badStorePath,
                "creating a garbage collector root (\(link)) in the Nix store is forbidden (are you running nix-build "
                    + "inside the store?)")
        }
        let here = FileDescriptor.currentDirectory
        if let status = try here.statusIfPresent(of: link) {
            guard status.isSymbolicLink, directory.contains(try here.readLinkText(link)) else {
                throw StoreError(.badStorePath, "cannot create symlink '\(link)'; already exists")
            }
        }
    }
}

extension FileDescriptor {
    /// Makes a symbolic link, or points an existing one elsewhere without a moment in between.
    func replaceLink(_ link: String, to target: String) throws(KernelError) {
        let temporary = "\(link).tmp-\(randomHexadecimal(bytes: 8))"
        try makeSymbolicLink(temporary, to: target)
        do throws(KernelError) { try rename(temporary, to: link) } catch {
            try? unlink(temporary)
            throw error
        }
    }
}
