import CCompression
import CKernel
import Glibc
import Monitor

/// A file that is appended to, and set aside when it has grown to its limit: `path`, then `path.1`, `path.2`, … (the
/// higher the older), with `.gz` behind it when compressed.
package final class RotatingFile {
    package struct Limits: Equatable {
        /// In bytes; 0: none.
        var maxSize: Int64 = 0
        /// The current file included; with 1 it is emptied rather than set aside.
        var maxFiles = 1
        var compresses = false

        package init(maxSize: Int64 = 0, maxFiles: Int = 1, compresses: Bool = false) {
            self.maxSize = maxSize
            self.maxFiles = maxFiles
            self.compresses = compresses
        }
    }

    private let path: String
    private let limits: Limits
    private let loop: EventLoop
    private var descriptor: Int32
    /// The size of the current file.
    package private(set) var size: Int64
    /// The process that compresses the file set aside last, and its descriptor.
    private var compressor: (pid: pid_t, descriptor: Int32)?
    private var hasComplained = false

    package init(_ path: String, _ limits: Limits, loop: EventLoop) throws(MonitorError) {
        self.path = path
        self.limits = limits
        self.loop = loop
        descriptor = try Self.open(path)
        size = 0
        mendLastLine()
        // A monitor that was killed may have left one uncompressed.
        if limits.compresses, limits.maxFiles > 1, access(path + ".1", F_OK) == 0 { compress() }
    }

    /// Whether the file, when it has taken `pending` bytes, should be set aside before it takes `count` more.
    ///
    /// A line that is larger than the limit gets a file of its own. While the last file is still being compressed this
    /// one grows on.
    package func isFull(after pending: Int, adding count: Int) -> Bool {
        let held = size + Int64(pending)
        return limits.maxSize > 0 && held > 0 && held + Int64(count) > limits.maxSize && compressor == nil
    }

    /// Appends; what cannot be written whole is not written at all.
    package func append(_ bytes: UnsafeRawBufferPointer) {
        var written = 0
        while written < bytes.count {
            let count = write(descriptor, bytes.baseAddress?.advanced(by: written), bytes.count - written)
            if count >= 0 {
                written += count
            } else if errno != EINTR {
                complain("cannot write the log \(path)", errno)
                // Half a line would make the next one unreadable.
                if written > 0 { ftruncate(descriptor, off_t(size)) }
                return
            }
        }
        size += Int64(written)
        hasComplained = false
    }

    /// Sets the file aside and starts a new one.
    package func rotate() {
        if limits.maxFiles < 2 {
            if ftruncate(descriptor, 0) != 0 { complain("cannot empty the log \(path)", errno) }
            size = 0
            return
        }
        for number in stride(from: limits.maxFiles - 1, to: 1, by: -1) {
            for suffix in ["", ".gz"] {
                let to = "\(path).\(number)\(suffix)"
                if rename("\(path).\(number - 1)\(suffix)", to) != 0, number == limits.maxFiles - 1 {
                    // The oldest goes even when its successor is of the other kind.
                    unlink(to)
                }
            }
        }
        unlink(path + ".1.gz")
        if rename(path, path + ".1") != 0 { return complain("cannot rotate the log \(path)", errno) }
        do throws(MonitorError) {
            let fresh = try Self.open(path)
            Glibc.close(descriptor)
            descriptor = fresh
            size = 0
        } catch {
            // The old file, under its new name, still takes lines.
            complain(error.message, 0)
        }
        if limits.compresses { compress() }
    }

    package func close() {
        if let compressor {
            loop.forget(compressor.descriptor)
            Glibc.close(compressor.descriptor)
            // It goes on by itself; nobody waits for it any more.
            self.compressor = nil
        }
        Glibc.close(descriptor)
    }

    private static func open(_ path: String) throws(MonitorError) -> Int32 {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o640)
        guard descriptor >= 0 else { throw .system("cannot open the log \(path)") }
        return descriptor
    }

    /// After a crash of the host the file may end within a line: the next one starts afresh.
    private func mendLastLine() {
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_size > 0 else { return }
        size = Int64(status.st_size)
        var last: UInt8 = 0
        if pread(descriptor, &last, 1, status.st_size - 1) == 1, last != 0x0a {
            withUnsafeBytes(of: UInt8(0x0a)) { append($0) }
        }
    }

    private func complain(_ what: String, _ number: Int32) {
        guard !hasComplained else { return }
        hasComplained = true
        Diagnostics.warn(number == 0 ? what : MonitorError.system(what, number).message)
    }

    // MARK: Compression

    /// In a process of its own: the monitor has one thread, and a container must not wait for gzip.
    private func compress() {
        let pid = ckernel_fork()
        if pid == 0 {
            nice(10)
            _exit(Self.gzip(path + ".1", path + ".1.gz") ? 0 : 1)
        }
        guard pid > 0 else { return complain("cannot start compressing the log \(path)", errno) }
        let descriptor = ckernel_pidfd_open(pid, 0)
        do {
            guard descriptor >= 0 else { throw MonitorError.system("cannot watch the log's compression") }
            try loop.watch(descriptor, EventLoop.readable) { [unowned self] _ in
                loop.forget(descriptor)
                Glibc.close(descriptor)
                waitpid(pid, nil, 0)
                compressor = nil
            }
            compressor = (pid, descriptor)
        } catch {
            if descriptor >= 0 { Glibc.close(descriptor) }
            waitpid(pid, nil, 0)
        }
    }

    /// Replaces `source` by `target`; on failure `source` stays and no part of `target` is left.
    package static func gzip(_ source: String, _ target: String) -> Bool {
        let temporary = target + ".tmp"
        let input = Glibc.open(source, O_RDONLY | O_CLOEXEC)
        guard input >= 0 else { return false }
        defer { Glibc.close(input) }
        let output = Glibc.open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o640)
        guard output >= 0 else { return false }
        // From here on gzclose_w closes `output`.
        guard let stream = gzdopen(output, "wb") else {
            Glibc.close(output)
            unlink(temporary)
            return false
        }
        let size = 64 << 10
        let isCopied = withUnsafeTemporaryAllocation(byteCount: size, alignment: 16) { buffer -> Bool in
            while true {
                let count = read(input, buffer.baseAddress, size)
                if count == 0 { return true }
                guard count > 0, gzwrite(stream, buffer.baseAddress, UInt32(count)) == Int32(count) else {
                    return false
                }
            }
        }
        let isClosed = gzclose_w(stream) == Z_OK
        guard isCopied, isClosed, rename(temporary, target) == 0 else {
            unlink(temporary)
            return false
        }
        unlink(source)
        return true
    }
}
