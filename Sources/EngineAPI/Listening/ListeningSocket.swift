import Glibc

/// A stream socket that listens; the descriptor is the owner's to close or to hand on.
public struct ListeningSocket: Sendable {
    public var descriptor: CInt
    /// Set for a socket in the file system, to remove it at the end.
    public var path: String?

    /// What to know of an unfinished set-up that is no error.
    public typealias Warn = (String) -> Void

    // MARK: Unix

    /// Listens at `path`, which is readable and writable for its owner and for `group`.
    ///
    /// What a dead server left at `path` is replaced; a living one is not.
    /// - Parameter isGroupRequired: whether a group that does not exist is an error or a warning.
    /// - Throws: `ListenError`.
    public static func unix(
        path: String, group: String, isGroupRequired: Bool, warn: Warn
    ) throws(ListenError) -> ListeningSocket {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let capacity = MemoryLayout.size(ofValue: address.sun_path) - 1
        guard path.utf8.count <= capacity else {
            throw ListenError("cannot listen on \(path): a socket's path has at most \(capacity) bytes")
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }

        let parent = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
        if !parent.isEmpty { try makeDirectories(parent) }
        try removeDead(path, address)

        let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw ListenError("cannot make a socket: \(reason(errno))") }
        do throws(ListenError) {
            // Nobody may connect before the group and the mode are as they should be.
            let mask = umask(0o177)
            let status = withSocketAddress(&address) { bind(descriptor, $0, $1) }
            let bindError = errno
            umask(mask)
            guard status == 0 else { throw ListenError("cannot listen on \(path): \(reason(bindError))") }
            if let identifier = groupIdentifier(group) {
                if chown(path, uid_t.max, identifier) != 0 {
                    let problem = "cannot give \(path) to the group \(group): \(reason(errno))"
                    if isGroupRequired { throw ListenError(problem) }
                    warn(problem)
                }
            } else if isGroupRequired {
                throw ListenError("cannot give \(path) to the group \(group): there is no such group")
            } else if !group.isEmpty {
                warn("there is no group \(group): only root can use \(path)")
            }
            guard chmod(path, 0o660) == 0 else {
                throw ListenError("cannot set the mode of \(path): \(reason(errno))")
            }
            guard listen(descriptor, SOMAXCONN) == 0 else {
                throw ListenError("cannot listen on \(path): \(reason(errno))")
            }
        } catch {
            close(descriptor)
            unlink(path)
            throw error
        }
        return ListeningSocket(descriptor: descriptor, path: path)
    }

    /// Removes the socket at `path` unless somebody answers there.
    private static func removeDead(_ path: String, _ address: sockaddr_un) throws(ListenError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw ListenError("cannot listen on \(path): there is something there that is no socket; remove it")
        }
        let probe = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard probe >= 0 else { throw ListenError("cannot make a socket: \(reason(errno))") }
        defer { close(probe) }
        var address = address
        if withSocketAddress(&address, { connect(probe, $0, $1) }) == 0 {
            throw ListenError(
                "cannot listen on \(path): another server answers there; stop it, or choose another with -H")
        }
        guard unlink(path) == 0 || errno == ENOENT else {
            throw ListenError("cannot remove the old socket \(path): \(reason(errno))")
        }
    }

    private static func makeDirectories(_ path: String) throws(ListenError) {
        var prefix = ""
        for part in path.split(separator: "/") {
            prefix += "/" + part
            // Others may pass through, because the socket's own mode decides who may use it.
            if mkdir(prefix, 0o711) != 0 && errno != EEXIST {
                throw ListenError("cannot make the directory \(prefix): \(reason(errno))")
            }
        }
    }

    private static func groupIdentifier(_ name: String) -> gid_t? {
        if name.isEmpty { return nil }
        if let number = gid_t(name) { return number }
        var entry = group()
        var found: UnsafeMutablePointer<group>?
        var buffer = [CChar](repeating: 0, count: 64 * 1024)
        guard getgrnam_r(name, &entry, &buffer, buffer.count, &found) == 0, found != nil else { return nil }
        return entry.gr_gid
    }

    // MARK: TCP

    /// Listens on a TCP port, without any protection: the caller has made sure that this is wanted.
    /// - Throws: `ListenError`.
    public static func tcp(host: String, port: UInt16) throws(ListenError) -> ListeningSocket {
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &hints, &list)
        guard code == 0, let first = list else {
            throw ListenError("cannot resolve \(host): \(String(cString: gai_strerror(code)))")
        }
        defer { freeaddrinfo(list) }
        let descriptor = socket(first.pointee.ai_family, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw ListenError("cannot make a socket: \(reason(errno))") }
        var on: CInt = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<CInt>.size))
        guard bind(descriptor, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0, listen(descriptor, SOMAXCONN) == 0
        else {
            let cause = reason(errno)
            close(descriptor)
            throw ListenError("cannot listen on \(host):\(port): \(cause)")
        }
        return ListeningSocket(descriptor: descriptor)
    }
}

/// The sockets that systemd passed to this process (sd_listen_fds(3)).
public struct SocketActivation: Sendable, Equatable {
    public var sockets: [(descriptor: CInt, name: String)] = []

    public static func == (left: Self, right: Self) -> Bool { left.sockets.elementsEqual(right.sockets) { $0 == $1 } }

    /// Takes the sockets from the environment, and removes the variables so that no child believes them its own.
    public static func take() -> SocketActivation {
        func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
        defer { for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { unsetenv(name) } }
        guard let pid = variable("LISTEN_PID"), pid_t(pid) == getpid() else { return SocketActivation() }
        let activation = SocketActivation(count: variable("LISTEN_FDS"), names: variable("LISTEN_FDNAMES"))
        for socket in activation.sockets { _ = fcntl(socket.descriptor, F_SETFD, FD_CLOEXEC) }
        return activation
    }

    /// What the variables `LISTEN_FDS` and `LISTEN_FDNAMES` mean.
    public init(count: String? = nil, names: String? = nil) {
        guard let count = count.flatMap({ CInt($0) }), count > 0, count < 1024 else { return }
        let names = (names ?? "").split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        // Descriptors begin at SD_LISTEN_FDS_START.
        sockets = (0..<count).map { ($0 + 3, Int($0) < names.count ? names[Int($0)] : "unknown") }
    }

    /// The sockets that `wanted` means.
    /// - Throws: `ListenError` when there is none.
    public func select(_ wanted: ListenAddress.ActivatedSocket) throws(ListenError) -> [ListeningSocket] {
        guard !sockets.isEmpty else {
            throw ListenError(
                "no sockets found via socket activation: make sure the service was started by systemd, or use unix://")
        }
        let chosen: [(descriptor: CInt, name: String)]
        switch wanted {
        case .all: chosen = sockets
        case .descriptor(let number): chosen = sockets.filter { $0.descriptor == number }
        case .name(let name): chosen = sockets.filter { $0.name == name || $0.name == name + ".socket" }
        }
        guard !chosen.isEmpty else {
            throw ListenError("systemd passed no socket \(ListenAddress.activated(wanted))")
        }
        return chosen.map { ListeningSocket(descriptor: $0.descriptor) }
    }
}

func reason(_ code: CInt) -> String { String(cString: strerror(code)) }

private func withSocketAddress(
    _ address: inout sockaddr_un, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt
) -> CInt {
    withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
}
