import Glibc

/// The file that holds the daemon's process number, locked as long as the daemon lives.
///
/// The lock is what tells a living daemon from the file that a killed one left; the number in it is for people.
package struct PIDFile: ~Copyable {
    package let path: String
    private let descriptor: CInt

    /// - Throws: `ConfigurationError` when another daemon holds the file.
    package init(path: String) throws(ConfigurationError) {
        self.path = path
        if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
            Self.makeDirectories(String(path[..<slash]))
        }
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard descriptor >= 0 else {
            throw ConfigurationError("cannot open the PID file \(path): \(String(cString: strerror(errno)))")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            var buffer = [UInt8](repeating: 0, count: 32)
            let count = max(0, read(descriptor, &buffer, buffer.count))
            close(descriptor)
            let digits = String(decoding: buffer.prefix(count).prefix { (0x30...0x39).contains($0) }, as: UTF8.self)
            throw ConfigurationError(
                "process with PID \(digits.isEmpty ? "?" : digits) is still running: it holds \(path); stop it, or give "
                    + "this daemon a --pidfile, --data-root and --exec-root of its own")
        }
        let text = Array("\(getpid())\n".utf8)
        guard ftruncate(descriptor, 0) == 0, pwrite(descriptor, text, text.count, 0) == text.count else {
            let cause = errno
            close(descriptor)
            throw ConfigurationError("cannot write the PID file \(path): \(String(cString: strerror(cause)))")
        }
        self.descriptor = descriptor
    }

    /// Removes the file; the lock goes with the process.
    package consuming func remove() { unlink(path) }

    deinit { close(descriptor) }

    private static func makeDirectories(_ path: String) {
        var prefix = ""
        for part in path.split(separator: "/") {
            prefix += "/" + part
            // An error shows when the file is opened.
            mkdir(prefix, 0o711)
        }
    }
}
