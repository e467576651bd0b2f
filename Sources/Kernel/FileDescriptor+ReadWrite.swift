import CKernel
import Glibc

extension FileDescriptor {
    /// Reads at most `buffer.count` bytes; 0 at the end.
    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(KernelError) -> Int {
        try call("read", description) { ck_read(rawValue, buffer.baseAddress, buffer.count) }
    }

    /// Reads at most `count` bytes; empty at the end.
    public func read(count: Int) throws(KernelError) -> [UInt8] {
        try bytes(capacity: count) { buffer throws(KernelError) in try read(into: buffer) }
    }

    /// Reads until the end.
    /// - Throws: `E2BIG` when there are more than `limit` bytes.
    public func readAll(limit: Int = 64 << 20) throws(KernelError) -> [UInt8] {
        var all: [UInt8] = []
        while true {
            let chunk = try read(count: all.isEmpty ? 4096 : min(max(all.count, 4096), 1 << 20))
            if chunk.isEmpty { return all }
            if all.count + chunk.count > limit { throw KernelError(.tooBig, "read", "more than \(limit) bytes") }
            if all.isEmpty { all = chunk } else { all += chunk }
        }
    }

    /// Fills `buffer` unless the end comes first; returns how much was filled.
    public func readFully(into buffer: UnsafeMutableRawBufferPointer) throws(KernelError) -> Int {
        var done = 0
        while done < buffer.count {
            let count = try read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[done...]))
            if count == 0 { break }
            done += count
        }
        return done
    }

    public func pread(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(KernelError) -> Int {
        try call("read", description) { ck_pread(rawValue, buffer.baseAddress, buffer.count, offset) }
    }

    public func pread(count: Int, at offset: Int64) throws(KernelError) -> [UInt8] {
        try bytes(capacity: count) { buffer throws(KernelError) in try pread(into: buffer, at: offset) }
    }

    /// Writes at most `bytes.count` bytes; returns how many.
    public func write(_ bytes: UnsafeRawBufferPointer) throws(KernelError) -> Int {
        try call("write to", description) { ck_write(rawValue, bytes.baseAddress, bytes.count) }
    }

    public func writeAll(_ bytes: UnsafeRawBufferPointer) throws(KernelError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = try write(UnsafeRawBufferPointer(rebasing: rest))
            rest = rest.dropFirst(count)
        }
    }

    public func writeAll(_ bytes: [UInt8]) throws(KernelError) {
        try bytes.withBytes { buffer throws(KernelError) in try writeAll(buffer) }
    }

    public func writeAll(_ text: String) throws(KernelError) { try writeAll(Array(text.utf8)) }

    public func pwriteAll(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(KernelError) {
        var done = 0
        while done < bytes.count {
            done += try call("write to", description) {
                ck_pwrite(rawValue, bytes.baseAddress.map { $0 + done }, bytes.count - done, offset + Int64(done))
            }
        }
    }

    public enum SeekOrigin: Int32, Sendable {
        case start = 0
        case current = 1
        case end = 2
        /// The next byte that is stored (`SEEK_DATA`); `ENXIO` past the last one.
        case data = 3
        /// The next hole (`SEEK_HOLE`); the end of the file counts as one.
        case hole = 4
    }

    @discardableResult
    public func seek(to offset: Int64, from origin: SeekOrigin = .start) throws(KernelError) -> Int64 {
        Int64(try call("seek in", description) { ck_lseek(rawValue, offset, origin.rawValue) })
    }

    public func truncate(to length: Int64) throws(KernelError) {
        try call("truncate", description) { ck_ftruncate(rawValue, length) }
    }

    /// Reserves (`mode` 0) or punches out (`FALLOC_FL_*`) a range.
    public func allocate(mode: Int32 = 0, offset: Int64 = 0, length: Int64) throws(KernelError) {
        try call("allocate space in", description) { ck_fallocate(rawValue, mode, offset, length) }
    }

    /// Returns when the file's bytes and metadata are on the disk.
    public func synchronize() throws(KernelError) { try call("sync", description) { ck_fsync(rawValue) } }
    /// As `synchronize`, without metadata that reading does not need.
    public func synchronizeData() throws(KernelError) { try call("sync", description) { ck_fdatasync(rawValue) } }
    /// Writes out the whole file system that holds this file.
    public func synchronizeFileSystem() throws(KernelError) {
        try call("sync the file system of", description) { ck_syncfs(rawValue) }
    }

    public enum LockKind: Sendable { case shared, exclusive }

    /// Locks the open file (`flock`); the lock goes with the last descriptor of it.
    /// - Returns: `false` when someone else holds it and `wait` is false.
    @discardableResult
    public func lock(_ kind: LockKind, wait: Bool = true) throws(KernelError) -> Bool {
        let operation = (kind == .shared ? LOCK_SH : LOCK_EX) | (wait ? 0 : LOCK_NB)
        do throws(KernelError) {
            try call("lock", description) { ck_flock(rawValue, operation) }
            return true
        } catch {
            if error.code == .wouldBlock { return false }
            throw error
        }
    }

    public func unlock() throws(KernelError) { try call("unlock", description) { ck_flock(rawValue, LOCK_UN) } }
}

/// An array that `body` fills in place and says how much of.
func bytes(
    capacity: Int, _ body: (UnsafeMutableRawBufferPointer) throws(KernelError) -> Int
) throws(KernelError) -> [UInt8] {
    var failure: KernelError?
    let result = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
        do throws(KernelError) { count = try body(UnsafeMutableRawBufferPointer(buffer)) } catch {
            failure = error
            count = 0
        }
    }
    if let failure { throw failure }
    return result
}

extension [UInt8] {
    /// `withUnsafeBytes`, for closures that throw a `KernelError`.
    public func withBytes<Result>(
        _ body: (UnsafeRawBufferPointer) throws(KernelError) -> Result
    ) throws(KernelError) -> Result {
        let result: Swift.Result<Result, KernelError> = withUnsafeBytes { buffer in
            do throws(KernelError) { return .success(try body(buffer)) } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// `withUnsafeMutableBytes`, for closures that throw a `KernelError`.
    public mutating func withMutableBytes<Result>(
        _ body: (UnsafeMutableRawBufferPointer) throws(KernelError) -> Result
    ) throws(KernelError) -> Result {
        let result: Swift.Result<Result, KernelError> = withUnsafeMutableBytes { buffer in
            do throws(KernelError) { return .success(try body(buffer)) } catch { return .failure(error) }
        }
        return try result.get()
    }
}
