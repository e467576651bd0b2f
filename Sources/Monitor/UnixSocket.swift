import CKernel
import Glibc

/// Unix stream sockets by path.
package enum UnixSocket {
    /// Connects to the socket at `path`; the descriptor is non-blocking and close-on-exec.
    ///
    /// Waits at most two seconds for a listener whose queue is full.
    /// - Throws: `.lost` when nobody listens.
    package static func connect(_ path: String) throws(MonitorError) -> Int32 {
        let descriptor = try connect(path, type: Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue))
        do throws(MonitorError) {
            try setNonBlocking(descriptor)
        } catch {
            close(descriptor)
            throw error
        }
        return descriptor
    }

    /// The same with a socket of another type, which stays blocking: a send waits at most two seconds.
    package static func connect(_ path: String, type: Int32) throws(MonitorError) -> Int32 {
        let descriptor = try make(type)
        do throws(MonitorError) {
            var timeout = timeval(tv_sec: 2, tv_usec: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
            let failure = try withAddress(path) { address, length in
                Glibc.connect(descriptor, address, length) == 0 ? 0 : errno
            }
            if failure == ENOENT || failure == ECONNREFUSED {
                throw MonitorError(.lost, "nobody listens on \(path)")
            }
            if failure != 0 { throw .system("cannot connect to \(path)", failure) }
            return descriptor
        } catch {
            close(descriptor)
            throw error
        }
    }

    /// Listens at `path`, which is made afresh and for its owner only.
    package static func listen(_ path: String) throws(MonitorError) -> Int32 {
        let descriptor = try make(Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue))
        do throws(MonitorError) {
            unlink(path)
            let oldMask = umask(0o177)
            let failure = try withAddress(path) { address, length in
                bind(descriptor, address, length) == 0 ? 0 : errno
            }
            umask(oldMask)
            if failure != 0 { throw .system("cannot bind \(path)", failure) }
            if Glibc.listen(descriptor, 128) != 0 { throw .system("cannot listen on \(path)") }
            try setNonBlocking(descriptor)
            return descriptor
        } catch {
            close(descriptor)
            throw error
        }
    }

    package static func setNonBlocking(_ descriptor: Int32) throws(MonitorError) {
        let flags = fcntl(descriptor, F_GETFL)
        if flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0 {
            throw .system("cannot make descriptor \(descriptor) non-blocking")
        }
    }

    private static func make(_ type: Int32) throws(MonitorError) -> Int32 {
        let descriptor = socket(AF_UNIX, type, 0)
        guard descriptor >= 0 else { throw .system("cannot make a socket") }
        return descriptor
    }

    /// A path longer than `sun_path` is reached through a descriptor of its directory.
    private static func withAddress(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws(MonitorError) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let capacity = MemoryLayout.size(ofValue: address.sun_path) - 1
        var bytes = Array(path.utf8)
        var directory: Int32 = -1
        defer { if directory >= 0 { close(directory) } }
        if bytes.count > capacity {
            guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else {
                throw MonitorError(.invalidArgument, "the socket's path \(path) is too long")
            }
            let parent = String(decoding: bytes[..<slash], as: UTF8.self)
            directory = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard directory >= 0 else { throw .system("cannot open \(parent)") }
            bytes = Array("/proc/self/fd/\(directory)".utf8) + bytes[slash...]
            guard bytes.count <= capacity else {
                throw MonitorError(.invalidArgument, "the socket's path \(path) is too long")
            }
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
