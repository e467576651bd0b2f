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
        let daemon = try spawn(program)
        var waited = 0.0
        var pause: UInt64 = 500_000
        while waited < Self.patience {
            try await Task.sleep(nanoseconds: pause)
            waited += Double(pause) / 1e9
            if (try? await client.connect()) != nil { return }
            var status: Int32 = 0
            if waitpid(daemon.processID, &status, WNOHANG) == daemon.processID {
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

    private func spawn(_ program: String) throws -> Subprocess {
        let idle = getenv("DHOW_IDLE_EXIT").map { String(cString: $0) } ?? "5m"
        var configuration = Subprocess.Configuration(
            program, arguments: [program, "-H", host.description, "--idle-exit", idle])
        // The terminal's signals are not for the daemon.
        configuration.startsSession = true
        do throws(KernelError) {
            let output = try FileDescriptor.open(log, [.writeOnly, .create, .truncate], mode: 0o600)
            configuration.descriptors = [0: try .open("/dev/null"), 1: output, 2: output]
            return try Subprocess.spawn(configuration)
        } catch {
            throw DaemonStartFailure("Cannot start the daemon \(program): \(error)")
        }
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
