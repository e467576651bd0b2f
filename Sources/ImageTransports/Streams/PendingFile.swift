import Glibc
import Kernel

/// A file that gets its name when it is whole. Until then it has none, so that nothing is left of it whatever happens.
struct PendingFile: Sendable {
    let file: FileDescriptor
    let path: String
    /// Where it lies for now, on file systems that keep no files without names.
    private let temporary: String?

    init(for path: String) throws(KernelError) {
        self.path = path
        let folder = Self.folder(of: path)
        do throws(KernelError) {
            file = try FileDescriptor.open(folder, [.readWrite, .temporary], mode: 0o644)
            temporary = nil
        } catch {
            guard error.code == .notSupported || error.code == .isDirectory else { throw error }
            let name = Self.temporaryName(for: path)
            file = try FileDescriptor.open(name, [.readWrite, .create, .exclusive], mode: 0o644)
            temporary = name
        }
    }

    static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    static func temporaryName(for path: String) -> String {
        "\(folder(of: path))/\(temporaryPrefix(for: path))\(randomHexadecimal(bytes: 8))"
    }

    private static func temporaryPrefix(for path: String) -> String {
        ".\((path.split(separator: "/").last.map(String.init) ?? "image").prefix(200))."
    }

    /// Whether `temporaryName` may have given a file this name.
    static func isTemporary(_ name: String, for path: String) -> Bool {
        let prefix = temporaryPrefix(for: path)
        let rest = name.dropFirst(prefix.count)
        return name.hasPrefix(prefix) && rest.utf8.count == 16 && rest.allSatisfy(\.isHexDigit)
    }

    /// Gives the file its name; a file that has it loses it.
    /// - Parameter name: another path than the one it was begun for.
    func commit(as name: String? = nil) throws(KernelError) {
        let path = name ?? path
        let here = FileDescriptor.currentDirectory
        if temporary == nil {
            do throws(KernelError) { return try here.link(file, as: path) } catch {
                guard error.code == .exists else { throw error }
            }
        }
        let name = temporary ?? Self.temporaryName(for: path)
        if temporary == nil { try here.link(file, as: name) }
        do throws(KernelError) { try here.rename(name, to: path) } catch {
            try? here.unlinkIfPresent(name)
            throw error
        }
    }

    func abandon() { if let temporary { try? FileDescriptor.currentDirectory.unlinkIfPresent(temporary) } }
}
