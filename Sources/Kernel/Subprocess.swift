import CKernel
import Glibc

/// A program started from any thread of any process (`posix_spawn`: no fork of the memory).
public struct Subprocess: Sendable {
    public let processID: Int32
    public let process: ProcessDescriptor

    /// What to start and with what.
    public struct Configuration: Sendable {
        /// A path, or a name that is looked for in this process's `PATH`.
        public var executable: String
        /// With the program's name as the first.
        public var arguments: [String]
        /// `NAME=value`; `nil` passes on this process's own.
        public var environment: [String]?
        /// What the program finds at which number. Of 0, 1 and 2 those missing are passed on; all others are closed.
        public var descriptors: [Int32: FileDescriptor] = [:]
        public var workingDirectory: String?
        /// In a session of its own, without a terminal.
        public var startsSession = false
        /// Its own process group, to signal with what it starts.
        public var startsProcessGroup = false

        public init(_ executable: String, arguments: [String]? = nil, environment: [String]? = nil) {
            self.executable = executable
            self.arguments = arguments ?? [executable]
            self.environment = environment
        }
    }

    /// Starts a program; its signals are unblocked and have their default actions.
    ///
    /// - Throws: also when the program cannot be executed: `ENOENT`, `EACCES`, `ENOEXEC`.
    public static func spawn(_ configuration: Configuration) throws(KernelError) -> Subprocess {
        let name = configuration.executable
        func check(_ result: Int32) throws(KernelError) {
            if result != 0 { throw KernelError(ErrorNumber(rawValue: result), "start", name) }
        }
        if ([name] + configuration.arguments + (configuration.environment ?? [])).contains(where: {
            $0.utf8.contains(0)
        }) {
            throw KernelError(.invalidArgument, "start", name, advice: "an argument holds a NUL byte")
        }
        var actions = posix_spawn_file_actions_t()
        try check(posix_spawn_file_actions_init(&actions))
        defer { posix_spawn_file_actions_destroy(&actions) }
        var attributes = posix_spawnattr_t()
        try check(posix_spawnattr_init(&attributes))
        defer { posix_spawnattr_destroy(&attributes) }

        // Sources move above every target first, so that no dup2 overwrites the source of another.
        let highest = max(2, configuration.descriptors.keys.max() ?? 2)
        var sources: [FileDescriptor] = []
        for (target, source) in configuration.descriptors {
            let copy = try source.duplicate(minimum: highest + 1)
            sources.append(copy)
            try check(posix_spawn_file_actions_adddup2(&actions, copy.rawValue, target))
        }
        // Numbers in between that nobody asked for.
        for number in stride(from: 3, to: highest, by: 1) where configuration.descriptors[number] == nil {
            if ck_fcntl(number, F_GETFD, 0) >= 0 { try check(posix_spawn_file_actions_addclose(&actions, number)) }
        }
        try check(posix_spawn_file_actions_addclosefrom_np(&actions, highest + 1))
        if let directory = configuration.workingDirectory {
            try check(posix_spawn_file_actions_addchdir_np(&actions, directory))
        }

        var flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        // POSIX_SPAWN_SETSID
        if configuration.startsSession { flags |= 0x80 }
        if configuration.startsProcessGroup { flags |= POSIX_SPAWN_SETPGROUP }
        var signals = sigset_t()
        sigemptyset(&signals)
        try check(posix_spawnattr_setsigmask(&attributes, &signals))
        sigfillset(&signals)
        try check(posix_spawnattr_setsigdefault(&attributes, &signals))
        try check(posix_spawnattr_setflags(&attributes, Int16(flags)))

        var processID: pid_t = 0
        let result = withCStrings(configuration.arguments) { arguments in
            guard let environment = configuration.environment else {
                return posix_spawnp(&processID, name, &actions, &attributes, arguments, environ)
            }
            return withCStrings(environment) {
                posix_spawnp(&processID, name, &actions, &attributes, arguments, $0)
            }
        }
        try check(result)
        withExtendedLifetime(sources) {}
        // Only this process can reap it, so the number still means it.
        return Subprocess(processID: processID, process: try ProcessDescriptor(processID: processID))
    }

    public func send(signal: Signal) throws(KernelError) { try process.send(signal: signal) }

    /// Waits for the end and reaps.
    public func wait() throws(KernelError) -> ExitStatus {
        guard let status = try process.wait() else { throw KernelError(.noChild, "wait for", "\(processID)") }
        return status
    }
}

extension Subprocess {
    /// What a program that was run to its end left.
    public struct Output: Sendable {
        public let status: ExitStatus
        public let standardOutput: [UInt8]
        public let standardError: [UInt8]
        public let timedOut: Bool

        public var standardErrorText: String { String(decoding: standardError, as: UTF8.self) }
    }

    /// Runs a program to its end, feeds it `input`, and collects what it writes.
    ///
    /// - Parameters:
    ///   - timeoutMilliseconds: after that long it and its process group are killed; `nil` for never.
    ///   - outputLimit: of each stream, the first bytes are kept and the rest dropped.
    public static func run(
        _ configuration: Configuration, input: [UInt8] = [], timeoutMilliseconds: Int? = nil,
        outputLimit: Int = 1 << 20
    ) throws(KernelError) -> Output {
        let (stdin, stdout, stderr) = (try Pipe(), try Pipe(), try Pipe())
        var configuration = configuration
        configuration.descriptors[0] = stdin.readEnd
        configuration.descriptors[1] = stdout.writeEnd
        configuration.descriptors[2] = stderr.writeEnd
        configuration.startsProcessGroup = !configuration.startsSession
        let child = try spawn(configuration)
        try stdin.readEnd.close()
        try stdout.writeEnd.close()
        try stderr.writeEnd.close()
        let pipe = SignalSet([.pipe])
        // A program that does not read its input must not kill this thread.
        let mask = pipe.addToBlocked()
        defer { if !mask.contains(.pipe) { restorePipeSignal() } }

        var outputs: [[UInt8]] = [[], []]
        let ends = [stdout.readEnd, stderr.readEnd]
        var open = [true, true]
        var unsent = input[...]
        try stdin.writeEnd.setNonBlocking(true)
        if unsent.isEmpty { try stdin.writeEnd.close() }
        let deadline = timeoutMilliseconds.map { Timestamp.monotonic.totalNanoseconds + Int64($0) * 1_000_000 }
        var status: ExitStatus?
        var timedOut = false
        // Until the streams are closed; a descendant that keeps them open after the end gets 100 ms more.
        var grace: Int64?
        while true {
            var requests: [PollRequest] = [PollRequest(child.process.descriptor, status == nil ? .readable : [])]
            for index in 0...1 where open[index] { requests.append(PollRequest(ends[index], .readable)) }
            if !unsent.isEmpty { requests.append(PollRequest(stdin.writeEnd, .writable)) }
            if status != nil { requests.removeFirst() }
            if status != nil && !open[0] && !open[1] { break }
            let now = Timestamp.monotonic.totalNanoseconds
            if let grace, now >= grace { break }
            var limit = [deadline, grace].compactMap { $0 }.min()
            if timedOut { limit = grace }
            let wait = limit.map { max(0, Int(($0 - now + 999_999) / 1_000_000)) } ?? -1
            _ = try poll(requests, timeoutMilliseconds: wait)
            for index in 0...1 where open[index] {
                guard try poll([PollRequest(ends[index], .readable)], timeoutMilliseconds: 0)[0] != [] else { continue }
                let chunk = try ends[index].read(count: 64 << 10)
                if chunk.isEmpty { open[index] = false }
                outputs[index] += chunk.prefix(max(0, outputLimit - outputs[index].count))
            }
            if !unsent.isEmpty { unsent = try feed(unsent, to: stdin.writeEnd) }
            if status == nil, let ended = try child.process.wait(noHang: true) {
                status = ended
                grace = Timestamp.monotonic.totalNanoseconds + 100_000_000
            }
            if status == nil, !timedOut, let deadline, Timestamp.monotonic.totalNanoseconds >= deadline {
                timedOut = true
                try? Processes.send(signal: .kill, to: -child.processID)
                try? child.send(signal: .kill)
            }
        }
        guard let status else { throw KernelError(.noChild, "wait for", configuration.executable) }
        return Output(status: status, standardOutput: outputs[0], standardError: outputs[1], timedOut: timedOut)
    }

    /// Writes what fits; closes the pipe when all is written or nobody reads. Returns what is left.
    private static func feed(_ bytes: ArraySlice<UInt8>, to pipe: FileDescriptor) throws(KernelError)
        -> ArraySlice<UInt8>
    {
        let chunk = Array(bytes.prefix(64 << 10))
        do throws(KernelError) {
            let count = try chunk.withBytes { bytes throws(KernelError) in try pipe.write(bytes) }
            let rest = bytes.dropFirst(count)
            if rest.isEmpty { try pipe.close() }
            return rest
        } catch {
            if error.code == .wouldBlock { return bytes }
            if error.code != .brokenPipe { throw error }
            try pipe.close()
            return []
        }
    }

    /// Takes a `SIGPIPE` that came while it was blocked, then unblocks it.
    private static func restorePipeSignal() {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGPIPE)
        var none = timespec(tv_sec: 0, tv_nsec: 0)
        while sigtimedwait(&set, nil, &none) == SIGPIPE {}
        SignalSet([.pipe]).removeFromBlocked()
    }
}
