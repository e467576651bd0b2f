import CKernel
import Glibc
import JSON
import Kernel

/// Starts monitors and finds running ones again. All connections are served by the one thread of a `MonitorReactor`.
///
/// A container's life as its owner sees it: `spawn`, event `created`, `attach`, networks …, `start`, event `exited`,
/// event `lost`. The directory may be used for the next `spawn` at once after `exited`: the new monitor waits for the
/// old one to have cleaned up.
public struct MonitorClient: Sendable {
    public typealias EventCallback = @Sendable (MonitorEvent) -> Void

    public let reactor: MonitorReactor
    /// The program that holds the monitor: `dhow-runtime`.
    public let runtimePath: String
    /// A read-only mount of it that is attached nowhere: executed from there, no container can overwrite the program by
    /// way of its own `/proc`, and each monitor is spared making such a mount and executing itself again. `nil` where it
    /// cannot be made; monitors see to it themselves then.
    private let sealed: FileDescriptor?

    /// - Throws: `MonitorError` when the reactor's epoll or thread cannot be made.
    public init(runtimePath: String) throws(MonitorError) {
        self.runtimePath = runtimePath
        sealed = try? Self.readOnlyMount(of: runtimePath)
        reactor = try MonitorReactor()
    }

    private static func readOnlyMount(of path: String) throws(KernelError) -> FileDescriptor {
        let mount = try FileDescriptor.open(path, .path).cloneMount()
        try mount.setMountAttributes(set: .readOnly)
        return mount
    }

    /// Writes `config.json` and `monitor.json` into `directory`, which must exist, starts a monitor on it and returns
    /// the connection to it; `created` or `failed` follows as an event.
    ///
    /// An exit record of an earlier run is removed. The connection is subscribed from the start.
    /// `events` is called on the reactor's thread, in order, and must not block.
    public func spawn(
        directory: String, configuration: MonitorConfiguration, specification: some JSONConvertible,
        events: @escaping EventCallback
    ) throws(MonitorError) -> MonitorConnection {
        try writeFileAtomically(directory + "/config.json", specification.json.bytes())
        try writeFileAtomically(directory + "/monitor.json", configuration.json.bytes())
        let record = directory + "/exit.json"
        if unlink(record) != 0, errno != ENOENT { throw .system("cannot remove the old exit record \(record)") }
        let (pid, descriptor) = try launch(directory: directory)
        do throws(MonitorError) {
            let channel = try Channel(descriptor, reactor: reactor, child: pid, events: events)
            return MonitorConnection(directory: directory, reactor: reactor, channel: channel)
        } catch {
            // It sees its connection end before anything was asked, and leaves.
            reactor.reap(pid)
            throw error
        }
    }

    /// Connects to the monitor that runs on `directory` and subscribes to its events.
    /// - Throws: `.lost` when none does (see `ExitRecord.read(directory:)`), `.timedOut`.
    public func connect(
        directory: String, timeout: Duration = .seconds(10), events: @escaping EventCallback
    ) async throws(MonitorError) -> (MonitorConnection, MonitorState) {
        let descriptor = try UnixSocket.connect(directory + "/monitor.sock")
        let channel = try Channel(descriptor, reactor: reactor, events: events)
        let connection = MonitorConnection(directory: directory, reactor: reactor, channel: channel)
        return (connection, try MonitorState(reply: try await channel.ask(.subscribe, timeout)))
    }

    /// Starts the process; its descriptor 3 is the other end of the returned socket.
    private func launch(directory: String) throws(MonitorError) -> (pid_t, Int32) {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw .system("cannot make a socket pair") }
        var mine = ends[0]
        var theirs = ends[1]
        // A crash's last words.
        var output = open(directory + "/monitor.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
        defer {
            close(theirs)
            if output >= 0 { close(output) }
        }
        do throws(MonitorError) {
            try UnixSocket.setNonBlocking(mine)
            // The child's 0 to 3 are made by dup2, in order: no source may be among them.
            theirs = try aboveStandard(theirs)
            mine = try aboveStandard(mine)
            if output >= 0 { output = try aboveStandard(output) }
            var pid: pid_t = 0
            let arguments = CStrings([runtimePath, "monitor", "--directory", directory])
            let environment = CStrings(["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"])
            // By this process's number: the child closes all but its own descriptors before it executes.
            let program = sealed.map { "/proc/\(getpid())/fd/\($0.rawValue)" } ?? runtimePath
            let failure = ckernel_spawn_monitor(
                &pid, program, arguments.pointers, environment.pointers, output, theirs)
            guard failure == 0 else { throw .system("cannot start the monitor \(runtimePath)", failure) }
            return (pid, mine)
        } catch {
            close(mine)
            throw error
        }
    }

    private func aboveStandard(_ descriptor: Int32) throws(MonitorError) -> Int32 {
        guard descriptor <= 3 else { return descriptor }
        let moved = fcntl(descriptor, F_DUPFD_CLOEXEC, 4)
        guard moved >= 0 else { throw .system("cannot duplicate a descriptor") }
        close(descriptor)
        return moved
    }
}

/// A null-terminated array of C strings, freed with the object.
final class CStrings {
    let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let count: Int

    init(_ strings: [String]) {
        count = strings.count
        pointers = .allocate(capacity: strings.count + 1)
        for (position, string) in strings.enumerated() { pointers[position] = strdup(string) }
        pointers[strings.count] = nil
    }

    deinit {
        for position in 0..<count { free(pointers[position]) }
        pointers.deallocate()
    }
}
