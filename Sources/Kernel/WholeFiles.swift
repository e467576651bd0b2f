import CKernel
import Glibc

// Whole files at once. Paths are relative to this directory.
extension FileDescriptor {
    public func readFile(_ path: some PathName, limit: Int = 64 << 20) throws(KernelError) -> [UInt8] {
        let file = try open(path)
        do throws(KernelError) { return try file.readAll(limit: limit) } catch {
            throw KernelError(error.code, "read", path.displayName)
        }
    }

    /// A file's text; bytes that are not UTF-8 are replaced.
    public func readText(_ path: some PathName, limit: Int = 64 << 20) throws(KernelError) -> String {
        String(decoding: try readFile(path, limit: limit), as: UTF8.self)
    }

    /// Writes to a file in one call, as procfs, sysfs and cgroupfs want it; made if it is missing and `creating`.
    public func writeFile(
        _ path: some PathName, _ bytes: [UInt8], creating: Bool = false, mode: UInt32 = 0o644
    ) throws(KernelError) {
        let file = try open(path, creating ? [.writeOnly, .create, .truncate] : .writeOnly, mode: mode)
        do throws(KernelError) {
            try file.writeAll(bytes)
            try file.close()
        } catch { throw KernelError(error.code, "write to", path.displayName) }
    }

    public func writeFile(
        _ path: some PathName, _ text: String, creating: Bool = false, mode: UInt32 = 0o644
    ) throws(KernelError) {
        try writeFile(path, Array(text.utf8), creating: creating, mode: mode)
    }

    /// Replaces a file so that a reader sees the old or the new content, never a part.
    ///
    /// - Parameter durable: also return only when it is on the disk (the file, then its directory).
    public func replaceFile(
        _ path: String, with bytes: [UInt8], mode: UInt32 = 0o644, durable: Bool = false
    ) throws(KernelError) {
        // Hidden, beside the file, and removed again if anything fails.
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        let directory = slash.map { String(path[...$0]) } ?? ""
        let name = slash.map { path[path.utf8.index(after: $0)...] } ?? path[...]
        let temporary = "\(directory).\(name.prefix(200)).\(randomHexadecimal(bytes: 6))"
        let file = try open(temporary, [.writeOnly, .create, .exclusive, .noFollow], mode: mode)
        do throws(KernelError) {
            try file.writeAll(bytes)
            // The umask must not narrow what was asked for.
            try file.changeMode(mode)
            if durable { try file.synchronize() }
            try file.close()
            try rename(temporary, to: path)
            if durable {
                try open(directory.isEmpty ? "." : directory, [.readOnly, .directory]).synchronize()
            }
        } catch {
            try? unlinkIfPresent(temporary)
            throw KernelError(error.code, "write", path)
        }
    }

    public func replaceFile(
        _ path: String, with text: String, mode: UInt32 = 0o644, durable: Bool = false
    ) throws(KernelError) {
        try replaceFile(path, with: Array(text.utf8), mode: mode, durable: durable)
    }

    /// Makes a directory with a new random name under `parent`; returns its path.
    public func makeTemporaryDirectory(in parent: String, prefix: String = "", mode: UInt32 = 0o700)
        throws(KernelError) -> String
    {
        while true {
            let path = "\(parent)/\(prefix)\(randomHexadecimal(bytes: 8))"
            do throws(KernelError) {
                try makeDirectory(path, mode: mode)
                return path
            } catch { if error.code != .exists { throw error } }
        }
    }
}
