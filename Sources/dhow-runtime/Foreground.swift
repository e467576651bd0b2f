import ContainerRuntime
import Glibc
import Kernel

/// A process that this program waits for: it gets this program's signals, and its terminal is shown on ours.
final class Foreground {
    private let signals: SignalDescriptor
    private let killsWhenAsked: Bool
    private var savedSettings: termios?

    /// Blocks all signals, to be read and passed on.
    /// - Parameter killsWhenAsked: whether a signal that asks this program to end kills the process: the first process
    ///   of a container has no default actions.
    init(killsWhenAsked: Bool = false) throws {
        self.killsWhenAsked = killsWhenAsked
        SignalSet.all.block()
        signals = try SignalDescriptor(.all)
    }

    deinit { restoreTerminal() }

    /// Prepares our own terminal, if standard input is one, to stand for the container's.
    func attach(to master: FileDescriptor) throws -> FileDescriptor {
        let input = FileDescriptor.standardInput
        if input.isTerminal {
            if let size = try? input.terminalSize() { try master.setTerminalSize(size) }
            savedSettings = try input.makeTerminalRaw()
        }
        return master
    }

    private func restoreTerminal() {
        guard let savedSettings else { return }
        try? FileDescriptor.standardInput.setTerminalSettings(savedSettings)
        self.savedSettings = nil
    }

    /// Waits until the process ends, and until its terminal has nothing more to show.
    /// - Returns: the status to exit with.
    func wait(for process: ProcessDescriptor, _ master: FileDescriptor?) throws -> Int32 {
        defer { restoreTerminal() }
        var status: ExitStatus?
        var master = master
        var isInputOpen = master != nil
        while status == nil || master != nil {
            var requests = [PollRequest(signals.descriptor, .readable)]
            if status == nil { requests.append(PollRequest(process.descriptor, .readable)) }
            if let master { requests.append(PollRequest(master, .readable)) }
            if master != nil, isInputOpen, status == nil { requests.append(PollRequest(.standardInput, .readable)) }
            let events = try poll(requests, timeoutMilliseconds: status == nil ? -1 : 100)
            var isIdle = true
            for (request, event) in zip(requests, events) where !event.isEmpty {
                isIdle = false
                switch request.descriptor {
                case signals.descriptor: try passSignals(to: process, master)
                case process.descriptor: status = try process.wait()
                case FileDescriptor.standardInput:
                    if let master { isInputOpen = try copy(from: .standardInput, to: master) }
                default:
                    if let open = master, try !copy(from: open, to: .standardOutput) { master = nil }
                }
            }
            // Descendants may keep the terminal open.
            if status != nil, isIdle { break }
        }
        return status?.code ?? 1
    }

    private func passSignals(to process: ProcessDescriptor, _ master: FileDescriptor?) throws {
        while let event = try signals.next() {
            switch event.signal {
            case .child, .pipe: continue
            case .windowChange:
                if let master, let size = try? FileDescriptor.standardInput.terminalSize() {
                    try? master.setTerminalSize(size)
                }
            case Signal(rawValue: SIGURG): continue
            case .terminate where killsWhenAsked, .interrupt where killsWhenAsked, .hangup where killsWhenAsked:
                try? process.send(signal: .kill)
            default: try? process.send(signal: event.signal)
            }
        }
    }

    /// - Returns: `false` at the end.
    private func copy(from source: FileDescriptor, to target: FileDescriptor) throws -> Bool {
        // EIO is how a terminal without a slave end says that it is over.
        guard let bytes = try? source.read(count: 32 << 10), !bytes.isEmpty else { return false }
        try? target.writeAll(bytes)
        return true
    }
}
