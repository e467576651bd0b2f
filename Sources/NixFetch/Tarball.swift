import Archive
import Kernel
import NixLanguage
import NixStore

/// The tree in a tarball: its one outer directory, or its one file.
enum Tarball {
    struct Tree {
        let path: String
        /// Seconds since 1970.
        let lastModified: Int64
    }

    /// - Parameters:
    ///   - file: compressed or not.
    ///   - directory: where to unpack: `tree` is made in it.
    ///   - url: what errors call it.
    static func unpack(_ file: String, into directory: String, called url: String) throws -> Tree {
        let source = DescriptorSource(try FileDescriptor.open(file))
        return try unpack(try DecompressingSource(source), into: directory, called: url) { names, root in
            guard names.count == 1, let name = names.first else {
                throw HostError(.failed, "tarball '\(url)' contains an unexpected number of top-level files")
            }
            return root + "/" + name.description
        }
    }

    /// The same of an archive with any number of outermost entries: with several the directory that holds them.
    static func unpackWhole(_ file: String, into directory: String, called url: String) throws -> Tree {
        let source = DescriptorSource(try FileDescriptor.open(file))
        return try unpack(try DecompressingSource(source), into: directory, called: url) { names, root in
            guard let name = names.first else { throw HostError(.failed, "archive '\(url)' is empty") }
            return names.count == 1 ? root + "/" + name.description : root
        }
    }

    /// Unpacks a stream that is not compressed, and takes what `choose` does of it.
    static func unpack(
        _ source: any ByteSource, into directory: String, called url: String,
        choose: (_ names: [ByteString], _ root: String) throws -> String
    ) throws -> Tree {
        let here = FileDescriptor.currentDirectory
        let root = directory + "/tree"
        try here.makeDirectory(root, mode: 0o700)
        var options = UnpackOptions()
        options.ownership = .fixed(uid: Credentials.effectiveUserID, gid: Credentials.effectiveGroupID)
        do {
            _ = try TarUnpacker(into: try FileDescriptor.open(root, [.readOnly, .directory]), options: options)
                .unpack(source)
        } catch let error as ArchiveError {
            throw HostError(.failed, "cannot unpack '\(url)': \(error)")
        }
        let path = try choose(try DirectorySource().names(in: root), root)
        return Tree(path: path, lastModified: try here.status(of: path).modified.seconds)
    }
}
