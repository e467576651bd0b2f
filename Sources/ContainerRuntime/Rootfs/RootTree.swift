import Kernel

/// The container's root file system, seen from outside: no link in it leads out.
struct RootTree {
    let root: FileDescriptor

    init(_ root: FileDescriptor) { self.root = root }

    /// A handle on what is at `path`; `nil` when there is nothing.
    func existing(_ path: String) throws(KernelError) -> FileDescriptor? {
        do throws(KernelError) {
            return try root.openInRoot(path)
        } catch {
            if error.code == .notFound || error.code == .notDirectory || error.code == .accessDenied { return nil }
            throw error
        }
    }

    /// A handle on a mount point, which is made when missing, with the directories above it.
    func target(_ path: String, isDirectory: Bool) throws(KernelError) -> FileDescriptor {
        if isDirectory { return try directory(path, depth: 0) }
        if let found = try existing(path) { return found }
        let (parent, name) = Self.split(path)
        let directory = try directory(parent, depth: 0)
        do throws(KernelError) {
            _ = try directory.open(name, [.writeOnly, .create, .exclusive, .noFollow], mode: 0o644)
        } catch {
            guard error.code == .exists else { throw error }
            // A link to nothing: what it points to is made.
            let target = try directory.readLinkText(name)
            return try self.target(target.hasPrefix("/") ? target : parent + "/" + target, isDirectory: false)
        }
        return try root.openInRoot(path)
    }

    /// A handle on the directory that `path` is to be made in, and the last part of the name.
    func parent(of path: String) throws(KernelError) -> (directory: FileDescriptor, name: String) {
        let (parent, name) = Self.split(path)
        return (try directory(parent, depth: 0), name)
    }

    /// As the kernel's own limit on links in a path.
    private static let maximumDepth = 40

    private func directory(_ path: String, depth: Int) throws(KernelError) -> FileDescriptor {
        if let found = try existing(path) { return found }
        guard depth < Self.maximumDepth, path != "/", !path.isEmpty else {
            throw KernelError(.symlinkLoop, "make directory", path)
        }
        let (parent, name) = Self.split(path)
        let above = try directory(parent, depth: depth + 1)
        do throws(KernelError) {
            try above.makeDirectory(name, mode: 0o755)
        } catch {
            guard error.code == .exists else { throw error }
            if let link = try? above.readLinkText(name) {
                // A link to a directory that does not exist yet, as /var/run to /run in a sparse image.
                let target = link.hasPrefix("/") ? cleanedPath(link) : cleanedPath(parent + "/" + link)
                return try directory(target, depth: depth + 1)
            }
        }
        return try root.openInRoot(path)
    }

    static func split(_ path: String) -> (parent: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return ("/", path) }
        let parent = String(path[..<slash])
        return (parent.isEmpty ? "/" : parent, String(path[path.index(after: slash)...]))
    }
}
