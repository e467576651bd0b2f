import Glibc
import Kernel

/// Why a daemon that does not run was not started, in sentences.
public struct DaemonStartFailure: Error, Sendable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}

/// Connects to our own daemon, and starts it when nothing answers and no service is set up to do so.
public struct DaemonStarter {
    private let host: EngineHost

    public init(host: EngineHost) { self.host = host }

    /// Where the daemon listens that the calling user's programs start.
    /// - Parameter runtimeDirectory: as the variable XDG_RUNTIME_DIR; counts for others than root.
    public static func socket(runtimeDirectory: String?) -> String {
        if geteuid() == 0 { return "/run/dhow/docker.sock" }
        let directory = runtimeDirectory.flatMap { $0.isEmpty ? nil : $0 } ?? "/run/user/\(geteuid())"
        return directory + "/dhow/docker.sock"
    }

    /// How long a started daemon may take until it answers.
    private static let patience = 20.0

    private var socket: String {
        if case .unix(let path) = host { return path }
        return ""
    }

    private var directory: String {
        let slash = socket.lastIndex(of: "/") ?? socket.startIndex
        return String(socket[..<slash])
    }

    /// What the daemon prints goes here.
    private var log: String { directory + "/dhowd.log" }

    /// - Throws: `EngineClientError` when the socket may not be used, otherwise `DaemonStartFailure`.
    public func connect(_ client: EngineClient) async throws {
        do {
            return try await client.connect()
        } catch {
            // Only a socket that is missing or dead tells that no daemon runs; one that we may not use is not ours.
            guard !error.message.hasPrefix("permission denied") else { throw error }
            if let unit = Self.configuredService() {
                throw DaemonStartFailure(
                    "\(error.message)\nThe service \(unit) is set up to run it: try `systemctl start \(unit)`.")
            }
        }
        guard let program = Self.daemonProgram() else {
            throw DaemonStartFailure(
                "Cannot connect to the Docker daemon at \(host), and dhowd, which would be started, "
                    + "is neither next to this program nor in PATH.")
        }
        try makeDirectory()
        // Of several that start at once, one starts the daemon and the others wait here until it answers.
        let lock = open(directory + "/dhowd.start.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else {
            throw DaemonStartFailure("Cannot start the daemon: \(directory)/dhowd.start.lock: \(Self.lastError())")
        }
        defer { close(lock) }
        while flock(lock, LOCK_EX) != 0 && errno == EINTR {}
        if (try? await client.connect()) != nil { return }
        let pid = try spawn(program)
        var waited = 0.0
        var pause: UInt64 = 500_000
        while waited < Self.patience {
            try await Task.sleep(nanoseconds: pause)
            waited += Double(pause) / 1e9
            if (try? await client.connect()) != nil { return }
            var status: Int32 = 0
            if waitpid(pid, &status, WNOHANG) == pid {
                // Another daemon may have been faster, and this one left because of it.
                if (try? await client.connect()) != nil { return }
                throw DaemonStartFailure(
                    "The daemon \(program) was started but ended at once.\n\(lastLines())Its log is \(log)")
            }
            pause = min(pause * 5 / 4, 20_000_000)
        }
        throw DaemonStartFailure(
            "The daemon \(program) was started but did not answer at \(host) within \(Int(Self.patience)) seconds.\n"
                + "\(lastLines())Its log is \(log)")
    }

    private func makeDirectory() throws {
        var path = ""
        for part in directory.split(separator: "/") {
            path += "/" + part
            // The user's own directory must be closed to others; those above it exist already, or are the system's.
            if mkdir(path, path == directory ? (geteuid() == 0 ? 0o711 : 0o700) : 0o755) != 0, errno != EEXIST {
                throw DaemonStartFailure("Cannot start the daemon: mkdir \(path): \(Self.lastError())")
            }
        }
    }

    private static func lastError() -> String { String(cString: strerror(errno)) }

    private func spawn(_ program: String) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A session of its own: the terminal's signals are not for the daemon. Nor are the signals that we ignore.
        var defaults = sigset_t()
        sigfillset(&defaults)
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        // This runs on a thread of the concurrency pool, which blocks all signals; the daemon must hear them.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        let newSession: Int32 = 0x80  // POSIX_SPAWN_SETSID
        posix_spawnattr_setflags(
            &attributes, Int16(newSession | Int32(POSIX_SPAWN_SETSIGDEF) | Int32(POSIX_SPAWN_SETSIGMASK)))
        let idle = getenv("DHOW_IDLE_EXIT").map { String(cString: $0) } ?? "5m"
        let arguments = [program, "-H", host.description, "--idle-exit", idle]
        var pointers = arguments.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var pid: pid_t = 0
        let result = posix_spawn(&pid, program, &actions, &attributes, &pointers, environ)
        guard result == 0 else {
            throw DaemonStartFailure("Cannot start the daemon \(program): \(String(cString: strerror(result)))")
        }
        return pid
    }

    private func lastLines() -> String {
        let lines = String(
            decoding: (try? FileDescriptor.currentDirectory.readFile(log, limit: 1 << 20)) ?? [], as: UTF8.self
        ).split(separator: "\n").suffix(5)
        return lines.map { $0 + "\n" }.joined()
    }

    /// The name of a systemd unit that is enabled to run the daemon.
    private static func configuredService() -> String? {
        guard geteuid() == 0, FileDescriptor.currentDirectory.exists("/run/systemd/system") else { return nil }
        for unit in ["dhow.socket", "dhow.service"] {
            for target in ["sockets.target.wants", "multi-user.target.wants"]
            where FileDescriptor.currentDirectory.exists("/etc/systemd/system/\(target)/\(unit)") { return unit }
        }
        return nil
    }

    /// `dhowd` next to this program, or in `PATH`.
    private static func daemonProgram() -> String? {
        var candidates: [String] = []
        if let own = realpath("/proc/self/exe", nil) {
            let path = String(cString: own)
            free(own)
            if let slash = path.lastIndex(of: "/") { candidates.append(path[..<slash] + "/dhowd") }
        }
        if let path = getenv("PATH") {
            candidates += String(cString: path).split(separator: ":").map { $0 + "/dhowd" }
        }
        return candidates.first { access($0, X_OK) == 0 }
    }
}
