import CKernel
import Glibc
import JSON
import Monitor
import OCI

/// `dhow-runtime monitor --directory DIR`: the process that creates one container, holds its standard streams, writes
/// its log, reaps it and records its exit.
///
/// It ignores every signal that can be ignored, so that a service manager which stops dhowd's whole control group does
/// not silently end containers: it leaves when its container has ended, or when it is asked to over its socket.
public enum MonitorProcess {
    /// The first connection, from whoever started the monitor; it is subscribed from the start.
    static let firstConnection: Int32 = 3

    /// Runs until the container has ended. `directory` holds `config.json` and `monitor.json`.
    public static func run(directory: String) -> Never {
        ckernel_tune_heap_for_idling()
        var all = sigset_t()
        sigfillset(&all)
        sigprocmask(SIG_BLOCK, &all, nil)
        // The starter did so already, unless a person did it by hand.
        _ = setsid()
        chdir("/")
        // PR_SET_NAME (15)
        "dhow-monitor".withCString { _ = ckernel_prctl(15, UInt(bitPattern: $0)) }
        let first = isSocket(firstConnection) ? firstConnection : nil
        if let first { _ = fcntl(first, F_SETFD, FD_CLOEXEC) }
        do throws(MonitorError) {
            let lock = try lockDirectory(directory)
            let monitor = try ContainerMonitor(directory: directory, lock: lock)
            if let first {
                try UnixSocket.setNonBlocking(first)
                try monitor.serve(first, isSubscribed: true)
            }
            exit(monitor.run())
        } catch {
            // Nothing of the container exists yet.
            Diagnostics.warn("the monitor cannot start: \(error)")
            let failure = MonitorError(error.code, error.message, exitCode: error.exitCode ?? 125)
            if let first, let frame = try? Frame.encode(Message.event(.failed(failure)).json) {
                _ = ckernel_send(first, frame, frame.count, nil, 0)
            }
            exit(1)
        }
    }

    private static func isSocket(_ descriptor: Int32) -> Bool {
        var status = stat()
        return fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
    }

    /// One monitor a directory: waits for an earlier one that still cleans up.
    ///
    /// A POSIX lock, because a forked child does not inherit it.
    private static func lockDirectory(_ directory: String) throws(MonitorError) -> Int32 {
        let path = directory + "/monitor.lock"
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .system("cannot open \(path)") }
        let deadline = Clock.monotonic() + 10_000_000_000
        while true {
            var lock = flock()
            lock.l_type = Int16(F_WRLCK)
            lock.l_whence = Int16(SEEK_SET)
            let failure = fcntl(descriptor, F_SETLK, &lock) == 0 ? 0 : errno
            if failure == 0 { return descriptor }
            guard failure == EAGAIN || failure == EACCES else { throw .system("cannot lock \(path)", failure) }
            guard Clock.monotonic() < deadline else {
                throw MonitorError(.conflict, "another monitor still runs on \(directory)")
            }
            usleep(2_000)
        }
    }
}

/// The score by which the kernel chooses whom to kill for want of memory.
enum OutOfMemoryScore {
    private static let path = "/proc/self/oom_score_adj"

    static func current() -> Int? {
        guard let bytes = try? readFile(path) else { return nil }
        return Int(String(decoding: bytes, as: UTF8.self).filter { !$0.isWhitespace })
    }

    /// As containerd's shim: nearly never. Lowering it takes CAP_SYS_RESOURCE; without it the score stays.
    static func protectSelf() {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        _ = write(descriptor, "-999", 4)
        close(descriptor)
    }
}
