import CKernel
import Glibc

// Copying without the bytes passing through this process, where the kernel can.
extension FileDescriptor {
    /// Shares the blocks of `source` (`FICLONE`); btrfs, xfs and overlay over them.
    /// - Returns: `false` where the file systems cannot.
    public func clone(from source: FileDescriptor) throws(KernelError) -> Bool {
        // FICLONE = _IOW(0x94, 9, int)
        do throws(KernelError) {
            try call("clone into", description) { ck_ioctl(rawValue, 0x4004_9409, UInt(source.rawValue)) }
            return true
        } catch {
            switch error.code {
            case .notSupported, .crossDevice, .invalidArgument, .notTerminal, .notImplemented: return false
            default: throw error
            }
        }
    }

    /// Copies `length` bytes from one offset to another (`copy_file_range`), or as many as there are.
    /// - Returns: how many were copied; 0 at the end.
    public func copyRange(
        from source: FileDescriptor, at sourceOffset: Int64, to offset: Int64, length: Int
    ) throws(KernelError) -> Int {
        var (from, to) = (sourceOffset, offset)
        return try call("copy into", description) {
            ck_copy_file_range(source.rawValue, &from, rawValue, &to, length)
        }
    }

    /// Sends at most `count` bytes from the current position of the file `source` (`sendfile`).
    public func send(from source: FileDescriptor, count: Int) throws(KernelError) -> Int {
        try call("send to", description) { ck_sendfile(rawValue, source.rawValue, nil, count) }
    }

    /// Moves at most `count` bytes from `source`; one of the two is a pipe (`splice`).
    /// - Returns: 0 at the end.
    public func splice(
        from source: FileDescriptor, count: Int, nonBlocking: Bool = false
    ) throws(KernelError) -> Int {
        // SPLICE_F_MOVE 1, SPLICE_F_NONBLOCK 2
        try call("splice into", description) {
            ck_splice(source.rawValue, nil, rawValue, nil, count, nonBlocking ? 3 : 1)
        }
    }

    /// Makes this regular file's content that of the regular file `source`: by clone, else by copying its data and
    /// leaving its holes.
    public func copyContents(of source: FileDescriptor) throws(KernelError) {
        let size = try source.status().size
        if size == 0 {
            // Files of procfs and the like say so, and have content all the same.
            try truncate(to: 0)
            try copyThroughMemory(from: source, range: 0..<Int64.max)
            return
        }
        if try clone(from: source) { return }
        try truncate(to: 0)
        var position: Int64 = 0
        while position < size {
            let start: Int64
            do throws(KernelError) {
                start = try source.seek(to: position, from: .data)
            } catch {
                if error.code == .noSuchDeviceOrAddress { break }
                if error.code != .invalidArgument { throw error }
                start = position
            }
            var end = size
            if let hole = try? source.seek(to: start, from: .hole), hole > start { end = min(hole, size) }
            try copyStored(from: source, range: start..<max(start, end))
            position = max(end, start + 1)
        }
        try truncate(to: size)
    }

    private func copyStored(from source: FileDescriptor, range: Range<Int64>) throws(KernelError) {
        var position = range.lowerBound
        while position < range.upperBound {
            let length = Int(min(range.upperBound - position, 1 << 30))
            let copied: Int
            do throws(KernelError) {
                copied = try copyRange(from: source, at: position, to: position, length: length)
            } catch {
                switch error.code {
                case .crossDevice, .invalidArgument, .notImplemented, .notSupported:
                    try copyThroughMemory(from: source, range: position..<range.upperBound)
                    return
                default: throw error
                }
            }
            // Also procfs and the like, which copy_file_range calls empty.
            if copied == 0 {
                try copyThroughMemory(from: source, range: position..<range.upperBound)
                return
            }
            position += Int64(copied)
        }
    }

    private func copyThroughMemory(from source: FileDescriptor, range: Range<Int64>) throws(KernelError) {
        var position = range.lowerBound
        while position < range.upperBound {
            let chunk = try source.pread(count: Int(min(range.upperBound - position, 1 << 20)), at: position)
            if chunk.isEmpty { return }
            try chunk.withBytes { bytes throws(KernelError) in try pwriteAll(bytes, at: position) }
            position += Int64(chunk.count)
        }
    }
}
