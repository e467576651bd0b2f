import EngineClient
import Glibc
import Synchronization

/// The terminal on standard input: raw mode, and its size.
enum Terminal {
    /// The settings to go back to, while the terminal is raw.
    private static let saved = Mutex<Saved?>(nil)

    private struct Saved: Sendable {
        var descriptor: Int32
        var settings: termios
    }

    static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

    /// Hands each key to the reader as it is pressed, without echo. The settings are restored by `restore()`, and in
    /// any case when the program exits.
    static func makeRaw(_ descriptor: Int32) {
        var settings = termios()
        guard tcgetattr(descriptor, &settings) == 0 else { return }
        let before = Saved(descriptor: descriptor, settings: settings)
        let isFirst = saved.withLock { state in
            defer { if state == nil { state = before } }
            return state == nil
        }
        if isFirst { atexit { Terminal.restore() } }
        cfmakeraw(&settings)
        // As Docker's: output processing stays off too, because the container's terminal does its own.
        tcsetattr(descriptor, TCSANOW, &settings)
    }

    /// Puts the terminal back as it was. Does nothing when it was not changed.
    static func restore() {
        saved.withLock { state in
            guard var before = state else { return }
            tcsetattr(before.descriptor, TCSANOW, &before.settings)
            state = nil
        }
    }

    /// Height and width in characters; `nil` when it is no terminal.
    static func size(_ descriptor: Int32) -> (height: Int, width: Int)? {
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_row > 0 || size.ws_col > 0 else { return nil }
        return (Int(size.ws_row), Int(size.ws_col))
    }
}

/// Signals as an asynchronous sequence.
///
/// A handler may do next to nothing, so it writes the signal's number to a pipe, which a thread reads.
enum Signals {
    /// The writing end of the pipe. Set once, before the first handler is installed, and only read afterwards.
    nonisolated(unsafe) private static var pipeEnd: Int32 = -1
    private static let isStarted = Mutex(false)

    /// Delivers each of `signals` to `receive`, on a thread of its own, from now on.
    static func listen(_ signals: [Int32], _ receive: @escaping @Sendable (Int32) -> Void) {
        let isFirst = isStarted.withLock { started in
            defer { started = true }
            return !started
        }
        guard isFirst else { return }
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { return }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        // The handler must never wait: drop a signal rather than block when thousands are pending.
        _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
        pipeEnd = ends[1]
        let reader = ends[0]
        BlockingThread.start {
            var number: UInt8 = 0
            while true {
                let count = read(reader, &number, 1)
                if count == 1 { receive(Int32(number)) } else if count == 0 || errno != EINTR { return }
            }
        }
        for number in signals {
            var action = sigaction()
            action.__sigaction_handler.sa_handler = { number in
                let before = errno
                var byte = UInt8(truncatingIfNeeded: number)
                _ = write(Signals.pipeEnd, &byte, 1)
                errno = before
            }
            action.sa_flags = SA_RESTART
            sigaction(number, &action, nil)
        }
    }

    /// The name of a signal without `SIG`, for the API.
    static func name(_ number: Int32) -> String {
        let names: [Int32: String] = [
            SIGHUP: "HUP", SIGINT: "INT", SIGQUIT: "QUIT", SIGTERM: "TERM", SIGUSR1: "USR1", SIGUSR2: "USR2",
            SIGCONT: "CONT", SIGTSTP: "TSTP", SIGTTIN: "TTIN", SIGTTOU: "TTOU", SIGALRM: "ALRM", SIGWINCH: "WINCH",
            SIGABRT: "ABRT", SIGVTALRM: "VTALRM", SIGPROF: "PROF", SIGXCPU: "XCPU", SIGXFSZ: "XFSZ", SIGIO: "IO",
            SIGPWR: "PWR", SIGTRAP: "TRAP", SIGSYS: "SYS", SIGSTKFLT: "STKFLT",
        ]
        return names[number] ?? String(number)
    }
}
