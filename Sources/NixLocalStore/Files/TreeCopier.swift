import Kernel
import NixStore

/// Copies what an archive would hold of a tree, without making the archive.
struct TreeCopier {
    let source: any NARSource
    let accepts: (String) throws -> Bool

    /// Makes `target`, where there must be nothing, of `path`.
    mutating func copy(_ path: String, to target: String) throws {
        let here = FileDescriptor.currentDirectory
        switch try source.kind(of: path) {
        case .regular: try copyFile(path, to: target, isExecutable: try source.isExecutable(path))
        case .symlink: try here.makeSymbolicLink(Array(target.utf8), to: try source.target(ofLink: path))
        case .directory:
            try here.makeDirectory(target, mode: 0o700)
            for name in try source.names(in: path).sorted() {
                // The rest of a store on disk knows its files by names that are text.
                let text = name.description
                guard text.utf8.elementsEqual(name.bytes) else {
                    throw StoreError(.badArchive, "file name '\(text)' in '\(path)' is not UTF-8")
                }
                let below = path == "/" ? "/" + text : path + "/" + text
                guard try accepts(below) else { continue }
                try copy(below, to: target + "/" + text)
            }
        case .other: throw StoreError(.badArchive, "file '\(path)' has an unsupported type")
        }
    }

    mutating func copyFile(_ path: String, to target: String, isExecutable: Bool) throws {
        let file = try FileDescriptor.open(
            target, [.writeOnly, .create, .exclusive, .noFollow], mode: isExecutable ? 0o700 : 0o600)
        var failure: KernelError?
        try source.read(path, size: { _ in }) { bytes in
            guard failure == nil else { return }
            do throws(KernelError) { try file.writeAll(bytes) } catch { failure = error }
        }
        if let failure { throw KernelError(failure.code, "write", target) }
        try file.close()
    }
}

extension FileDescriptor {
    /// Makes a file that must be new.
    func writeNew(_ path: String, _ bytes: [UInt8]) throws(KernelError) {
        let file = try open(path, [.writeOnly, .create, .exclusive, .noFollow], mode: 0o600)
        try file.writeAll(bytes)
        try file.close()
    }
}
