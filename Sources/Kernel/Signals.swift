import CKernel
import Glibc

/// A signal.
public struct Signal: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: Int32
    public init(rawValue: Int32) { self.rawValue = rawValue }

    public static let hangup = Self(rawValue: SIGHUP)
    public static let interrupt = Self(rawValue: SIGINT)
    public static let quit = Self(rawValue: SIGQUIT)
    public static let kill = Self(rawValue: SIGKILL)
    public static let terminate = Self(rawValue: SIGTERM)
    public static let child = Self(rawValue: SIGCHLD)
    public static let stop = Self(rawValue: SIGSTOP)
    public static let `continue` = Self(rawValue: SIGCONT)
    public static let pipe = Self(rawValue: SIGPIPE)
    public static let user1 = Self(rawValue: SIGUSR1)
    public static let user2 = Self(rawValue: SIGUSR2)
    public static let windowChange = Self(rawValue: SIGWINCH)

    /// The number of the first real-time signal that programs may use, and of the last: the C library keeps 32, 33.
    public static let realTimeMinimum: Int32 = 34
    public static let realTimeMaximum: Int32 = 64

    private static let numbers: [(name: String, number: Int32)] = [
        ("HUP", SIGHUP), ("INT", SIGINT), ("QUIT", SIGQUIT), ("ILL", SIGILL), ("TRAP", SIGTRAP), ("ABRT", SIGABRT),
        ("BUS", SIGBUS), ("FPE", SIGFPE), ("KILL", SIGKILL), ("USR1", SIGUSR1), ("SEGV", SIGSEGV),
        ("USR2", SIGUSR2), ("PIPE", SIGPIPE), ("ALRM", SIGALRM), ("TERM", SIGTERM), ("STKFLT", 16),
        ("CHLD", SIGCHLD), ("CONT", SIGCONT), ("STOP", SIGSTOP), ("TSTP", SIGTSTP), ("TTIN", SIGTTIN),
        ("TTOU", SIGTTOU), ("URG", SIGURG), ("XCPU", SIGXCPU), ("XFSZ", SIGXFSZ), ("VTALRM", SIGVTALRM),
        ("PROF", SIGPROF), ("WINCH", SIGWINCH), ("IO", SIGIO), ("PWR", 30), ("SYS", SIGSYS),
        ("IOT", SIGABRT), ("CLD", SIGCHLD), ("POLL", SIGIO),
    ]

    /// From a number (`9`), a name (`SIGKILL`, `kill`) or a real-time name (`SIGRTMIN+3`, `RTMAX-1`).
    ///
    /// - Returns: `nil` for what is no signal; 0 is none either.
    public init?(name: String) {
        if let number = Int32(name) {
            guard (1...Self.realTimeMaximum).contains(number) else { return nil }
            rawValue = number
            return
        }
        var name = name.uppercased()
        if name.hasPrefix("SIG") { name.removeFirst(3) }
        if let known = Self.numbers.first(where: { $0.name == name }) {
            rawValue = known.number
            return
        }
        let base: (String, Int32)
        if name.hasPrefix("RTMIN") {
            base = ("+", Self.realTimeMinimum)
        } else if name.hasPrefix("RTMAX") {
            base = ("-", Self.realTimeMaximum)
        } else {
            return nil
        }
        name.removeFirst(5)
        var number = base.1
        if !name.isEmpty {
            guard name.hasPrefix(base.0), let offset = Int32(name.dropFirst()), (0...30).contains(offset) else {
                return nil
            }
            number += base.0 == "+" ? offset : -offset
        }
        rawValue = number
    }

    /// With `SIG`.
    public var name: String {
        if let known = Self.numbers.first(where: { $0.number == rawValue }) { return "SIG" + known.name }
        if rawValue == Self.realTimeMinimum { return "SIGRTMIN" }
        if rawValue > Self.realTimeMinimum && rawValue <= Self.realTimeMaximum {
            return "SIGRTMIN+\(rawValue - Self.realTimeMinimum)"
        }
        return "signal \(rawValue)"
    }

    public var description: String { name }
}

/// A set of signals, as the kernel has it: bit N-1 is signal N.
public struct SignalSet: Hashable, Sendable {
    public var rawValue: UInt64

    public init(rawValue: UInt64) { self.rawValue = rawValue }
    public init(_ signals: some Sequence<Signal>) {
        rawValue = signals.reduce(0) { $0 | 1 << UInt64($1.rawValue - 1) }
    }

    public static let empty = SignalSet(rawValue: 0)
    public static let all = SignalSet(rawValue: .max)

    public func contains(_ signal: Signal) -> Bool { rawValue >> UInt64(signal.rawValue - 1) & 1 == 1 }

    /// Makes this the set of signals that the calling thread blocks; returns the old one.
    @discardableResult
    public func block() -> SignalSet { change(SIG_SETMASK) }
    /// Blocks these too.
    @discardableResult
    public func addToBlocked() -> SignalSet { change(SIG_BLOCK) }
    @discardableResult
    public func removeFromBlocked() -> SignalSet { change(SIG_UNBLOCK) }

    private func change(_ how: Int32) -> SignalSet {
        var new = rawValue
        var old: UInt64 = 0
        // Cannot fail with valid pointers.
        _ = ck_sigprocmask(how, &new, &old)
        return SignalSet(rawValue: old)
    }
}

/// Restores the default action of every signal (of those that have another).
public func resetSignalHandlers() {
    for number in 1...Signal.realTimeMaximum where number != SIGKILL && number != SIGSTOP {
        _ = ck_signal_default(number)
    }
}

/// Ignores a signal, such as `SIGPIPE`, in the whole process.
public func ignore(_ signal: Signal) { _ = ck_signal_ignore(signal.rawValue) }

/// Signals as a descriptor to wait on (`signalfd`).
public struct SignalDescriptor: Sendable {
    public let descriptor: FileDescriptor

    public struct Event: Sendable {
        public let signal: Signal
        /// The sender, or the child of a `SIGCHLD`.
        public let processID: Int32
        public let userID: UInt32
        public let code: Int32
        public let status: Int32
    }

    /// The signals must be blocked. Reading does not block.
    public init(_ signals: SignalSet) throws(KernelError) {
        var mask = signals.rawValue
        descriptor = FileDescriptor(
            owning: Int32(
                try call("make a signal descriptor") { ck_signalfd(-1, &mask, 0o2000000 | O_NONBLOCK) }))
    }

    /// The next signal, or `nil`.
    public func next() throws(KernelError) -> Event? {
        // struct signalfd_siginfo: signo, errno, code, pid, uid at 0, 4, 8, 12, 16; status at 40; 128 bytes.
        let info: [UInt8]
        do throws(KernelError) { info = try descriptor.read(count: 128) } catch {
            if error.code == .wouldBlock { return nil }
            throw error
        }
        guard info.count == 128 else { return nil }
        func field(_ offset: Int) -> Int32 {
            info.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Int32.self) }
        }
        return Event(
            signal: Signal(rawValue: field(0)), processID: field(12), userID: UInt32(bitPattern: field(16)),
            code: field(8), status: field(40))
    }
}
