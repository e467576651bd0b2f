import Glibc

/// The whole of a file; `nil` when it does not exist.
package func readFile(_ path: String, limit: Int = 64 << 20) throws(MonitorError) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
        if errno == ENOENT || errno == ENOTDIR { return nil }
        throw .system("cannot open \(path)")
    }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var status = stat()
    if fstat(descriptor, &status) == 0 { bytes.reserveCapacity(Int(status.st_size) + 1) }
    let chunk = 64 << 10
    while true {
        let before = bytes.count
        var failure: Int32 = 0
        let count = withUnsafeTemporaryAllocation(byteCount: chunk, alignment: 1) { buffer -> Int in
            let count = read(descriptor, buffer.baseAddress, chunk)
            if count < 0 { failure = errno }
            if count > 0 { bytes.append(contentsOf: buffer[..<count]) }
            return count
        }
        if count < 0 {
            if failure == EINTR { continue }
            throw .system("cannot read \(path)", failure)
        }
        if count == 0 { return bytes }
        if before + count > limit { throw MonitorError(.invalidData, "\(path) is larger than \(limit) bytes") }
    }
}

/// Replaces `path` by a new file in one step: after a crash there is the old content or the new, never a part.
///
/// - Parameter isDurable: also wait until the disk has it (pointless on a tmpfs).
package func writeFileAtomically(
    _ path: String, _ bytes: [UInt8], mode: mode_t = 0o600, isDurable: Bool = false
) throws(MonitorError) {
    let temporary = path + ".tmp"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode)
    guard descriptor >= 0 else { throw .system("cannot create \(temporary)") }
    var isOpen = true
    defer { if isOpen { close(descriptor) } }
    do throws(MonitorError) {
        try writeAll(descriptor, bytes, to: temporary)
        if isDurable, fsync(descriptor) != 0 { throw .system("cannot flush \(temporary)") }
        isOpen = false
        if close(descriptor) != 0 { throw .system("cannot close \(temporary)") }
        if rename(temporary, path) != 0 { throw .system("cannot rename \(temporary) to \(path)") }
    } catch {
        unlink(temporary)
        throw error
    }
}

/// Writes all of `bytes` to a blocking descriptor.
package func writeAll(_ descriptor: Int32, _ bytes: [UInt8], to path: String) throws(MonitorError) {
    var offset = 0
    while offset < bytes.count {
        var failure: Int32 = 0
        let count = bytes.withUnsafeBytes { buffer -> Int in
            let count = write(descriptor, buffer.baseAddress?.advanced(by: offset), buffer.count - offset)
            if count < 0 { failure = errno }
            return count
        }
        if count < 0 {
            if failure == EINTR { continue }
            throw .system("cannot write \(path)", failure)
        }
        offset += count
    }
}
