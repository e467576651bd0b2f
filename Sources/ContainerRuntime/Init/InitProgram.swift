import CKernel
import Glibc

/// The first process of a container that was created with `--init`: starts the program, hands it every signal, reaps
/// every orphan, and ends as the program does. As tini(1) does, whose options it takes.
///
///     dhow-runtime init [-s] [-g] [-v] [-w] [-p SIGNAL] [-e CODE] [--] PROGRAM [ARGUMENT…]
public enum InitProgram {
    /// - Parameter arguments: what follows `init` on the command line.
    public static func run(arguments: [String]) -> Never {
        var options = Options()
        do throws(UsageError) {
            let program = try options.parse(arguments)
            exit(supervise(program, options))
        } catch {
            complain(error.message)
            exit(1)
        }
    }

    struct UsageError: Error {
        var message: String
    }

    struct Options: Equatable {
        /// Become the reaper of orphans even when this is not process 1.
        var isSubreaper = false
        /// Signal the program's whole process group.
        var signalsGroup = false
        var warns = false
        /// What this process receives when its parent dies.
        var parentDeathSignal: Int32 = 0
        /// Exit codes of the program that become 0.
        var forgiven: Set<Int32> = []

        /// - Returns: the program and its arguments.
        mutating func parse(_ arguments: [String]) throws(UsageError) -> [String] {
            var rest = arguments[...]
            while let argument = rest.first, argument.hasPrefix("-"), argument != "-" {
                rest = rest.dropFirst()
                if argument == "--" { break }
                for flag in argument.dropFirst() {
                    switch flag {
                    case "s": isSubreaper = true
                    case "g": signalsGroup = true
                    case "w": warns = true
                    case "v": break
                    case "p":
                        guard let name = rest.popFirst(), let signal = InitProgram.signal(name) else {
                            throw UsageError(message: "-p needs the name of a signal")
                        }
                        parentDeathSignal = signal
                    case "e":
                        guard let code = rest.popFirst().flatMap({ Int32($0) }), (0...255).contains(code) else {
                            throw UsageError(message: "-e needs an exit code from 0 to 255")
                        }
                        forgiven.insert(code)
                    default: throw UsageError(message: "unknown option -\(flag)")
                    }
                }
            }
            guard !rest.isEmpty else { throw UsageError(message: "no program given") }
            return Array(rest)
        }
    }

    static func signal(_ name: String) -> Int32? {
        let names: [String: Int32] = [
            "HUP": SIGHUP, "INT": SIGINT, "QUIT": SIGQUIT, "KILL": SIGKILL, "USR1": SIGUSR1, "USR2": SIGUSR2,
            "TERM": SIGTERM, "CONT": SIGCONT, "STOP": SIGSTOP, "ABRT": SIGABRT, "ALRM": SIGALRM, "WINCH": SIGWINCH,
        ]
        let short = name.hasPrefix("SIG") ? String(name.dropFirst(3)) : name
        return names[short] ?? Int32(short).flatMap { (1...64).contains($0) ? $0 : nil }
    }

    // MARK: Running

    private static func supervise(_ program: [String], _ options: Options) -> Int32 {
        // PR_SET_PDEATHSIG (1), PR_SET_CHILD_SUBREAPER (36)
        if options.parentDeathSignal != 0 { _ = ckernel_prctl(1, UInt(options.parentDeathSignal)) }
        if options.isSubreaper { _ = ckernel_prctl(36, 1) }
        var watched = sigset_t()
        var former = sigset_t()
        sigfillset(&watched)
        // The program's own crashes are not signals to hand on, and a terminal must not stop this process.
        for signal in [SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGSYS, SIGTTIN, SIGTTOU] {
            sigdelset(&watched, signal)
        }
        sigprocmask(SIG_SETMASK, &watched, &former)
        signalIgnore(SIGTTIN)
        signalIgnore(SIGTTOU)
        let child = ckernel_fork()
        if child < 0 {
            complain("cannot fork: \(String(cString: strerror(errno)))")
            return 1
        }
        if child == 0 { execute(program, &former) }
        return forwardAndReap(child, &watched, options)
    }

    private static func signalIgnore(_ number: Int32) { _ = Glibc.signal(number, SIG_IGN) }

    /// In the child.
    private static func execute(_ program: [String], _ mask: inout sigset_t) -> Never {
        // A group of its own, in front of the terminal if there is one.
        setpgid(0, 0)
        _ = tcsetpgrp(0, getpgrp())
        _ = Glibc.signal(SIGTTIN, SIG_DFL)
        _ = Glibc.signal(SIGTTOU, SIG_DFL)
        sigprocmask(SIG_SETMASK, &mask, nil)
        var pointers: [UnsafeMutablePointer<CChar>?] = program.map { strdup($0) }
        pointers.append(nil)
        execvp(program[0], pointers)
        let failure = errno
        complain("cannot execute \(program[0]): \(String(cString: strerror(failure)))")
        _exit(failure == ENOENT ? 127 : 126)
    }

    private static func forwardAndReap(_ child: pid_t, _ watched: inout sigset_t, _ options: Options) -> Int32 {
        var exitCode: Int32?
        while true {
            var info = siginfo_t()
            let number = sigwaitinfo(&watched, &info)
            if number > 0, number != SIGCHLD {
                kill(options.signalsGroup ? -child : child, number)
            }
            // Several ends may hide behind one SIGCHLD.
            while true {
                var status: Int32 = 0
                let pid = waitpid(-1, &status, WNOHANG)
                if pid == child {
                    let end = ProcessEnd(status: status)
                    exitCode = options.forgiven.contains(end.exitCode) ? 0 : end.exitCode
                } else if pid > 0 {
                    if options.warns { complain("reaped the orphan \(pid)") }
                } else {
                    break
                }
            }
            if let exitCode { return exitCode }
        }
    }

    private static func complain(_ message: String) {
        let line = Array("dhow-init: \(message)\n".utf8)
        _ = line.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
    }
}
