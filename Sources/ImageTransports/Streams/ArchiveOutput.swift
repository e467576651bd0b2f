import Kernel

/// The file that an archive becomes: a new one, or a pipe or device that is there.
struct ArchiveOutput: ArchiveTarget {
    private enum Target: Sendable {
        case file(PendingFile)
        /// Gets the archive when it is complete.
        case stream(FileDescriptor, spool: FileDescriptor)
    }

    private let target: Target

    /// - Parameter occupied: what to say when there is a file with something in it; `nil` when that is replaced.
    init(_ path: String, occupied: String?) throws {
        let status = try FileDescriptor.currentDirectory.statusIfPresent(of: path, followLinks: true)
        if let status, !status.isRegular, !status.isDirectory {
            target = .stream(try FileDescriptor.open(path, .writeOnly), spool: try SpoolFile.unnamedFile())
            return
        }
        guard status?.isDirectory != true else { throw TransportError(.invalidInput, "\(path) is a directory") }
        if let occupied, let status, status.size > 0 { throw TransportError(.invalidInput, occupied) }
        target = .file(try PendingFile(for: path))
    }

    var file: FileDescriptor {
        switch target {
        case .file(let pending): pending.file
        case .stream(_, let spool): spool
        }
    }

    func commit() throws {
        switch target {
        case .file(let pending): try pending.commit()
        case .stream(let stream, let spool):
            var offset: Int64 = 0
            while true {
                let bytes = try spool.pread(count: pieceSize, at: offset)
                if bytes.isEmpty { return }
                try stream.writeAll(bytes)
                offset += Int64(bytes.count)
            }
        }
    }

    func abandon() { if case .file(let pending) = target { pending.abandon() } }
}
