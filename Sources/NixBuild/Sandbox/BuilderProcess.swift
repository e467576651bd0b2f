import Glibc
import Kernel
import NixStore

/// A builder on its way: reads what it writes and ends it when it takes too long, says too much, or is not wanted any
/// more.
struct BuilderProcess {
    enum End {
        case exited(ExitStatus)
        case timedOut(seconds: Int)
        case silent(seconds: Int)
        case logTooLong(UInt64)
        case cancelled
    }

    let settings: BuildSettings
    /// Whether nobody wants the result any more.
    let isCancelled: () -> Bool

    /// Starts a program with a terminal for its outputs, as Nix does, so that both come in the order in which they
    /// were written, and line by line.
    /// - Parameter owner: who may open the terminal again, by way of `/dev/stderr`.
    func run(_ configuration: Subprocess.Configuration, owner: BuildUser?, log: BuildLog) throws -> End {
        let terminal = try PseudoTerminal()
        let peer = try terminal.openPeer()
        _ = try peer.makeTerminalRaw()
        if let owner, owner.isOther {
            try peer.changeOwner(userID: owner.userID, groupID: 0)
            try peer.changeMode(0o600)
        }
        var configuration = configuration
        configuration.descriptors[0] = try FileDescriptor.open("/dev/null", .readOnly)
        configuration.descriptors[1] = peer
        configuration.descriptors[2] = peer
        configuration.startsSession = true
        let child = try Subprocess.spawn(configuration)
        configuration.descriptors = [:]
        try peer.close()
        var end: End?
        do {
            end = try follow(terminal.master, log)
        } catch {
            stop(child)
            throw error
        }
        if let end {
            stop(child)
            // What it wrote before its end.
            while let events = try? poll([PollRequest(terminal.master, .readable)], timeoutMilliseconds: 0),
                events.first?.isEmpty == false, let bytes = Self.read(terminal.master), !bytes.isEmpty
            { try log.write(bytes) }
            return end
        }
        return .exited(try child.wait())
    }

    private func stop(_ child: Subprocess) {
        try? child.send(signal: .terminate)
        // The runtime kills the container and cleans up; should it not, its own end does.
        _ = try? poll([PollRequest(child.process.descriptor, .readable)], timeoutMilliseconds: 10_000)
        try? Processes.send(signal: .kill, to: -child.processID)
        try? child.send(signal: .kill)
        _ = try? child.wait()
    }

    /// Reads until nobody has the terminal open any more.
    /// - Returns: why the builder must be ended; `nil` when it has ended by itself.
    private func follow(_ output: FileDescriptor, _ log: BuildLog) throws -> End? {
        let start = Timestamp.monotonic.totalNanoseconds
        var last = start
        while true {
            let events = try poll([PollRequest(output, .readable)], timeoutMilliseconds: 250)
            if isCancelled() { return .cancelled }
            let now = Timestamp.monotonic.totalNanoseconds
            if !(events.first?.isEmpty ?? true) {
                guard let bytes = Self.read(output) else { return nil }
                if bytes.isEmpty { return nil }
                last = now
                try log.write(bytes)
                if settings.maxLogSize > 0, log.size > settings.maxLogSize { return .logTooLong(settings.maxLogSize) }
            }
            if settings.timeout > 0, now - start >= Int64(settings.timeout) * 1_000_000_000 {
                return .timedOut(seconds: settings.timeout)
            }
            if settings.maxSilentTime > 0, now - last >= Int64(settings.maxSilentTime) * 1_000_000_000 {
                return .silent(seconds: settings.maxSilentTime)
            }
        }
    }

    /// - Returns: nothing at the end, which a terminal tells with EIO.
    private static func read(_ output: FileDescriptor) -> [UInt8]? { try? output.read(count: 64 << 10) }
}
