import EngineClient
import Glibc

/// Signals while a session lasts: passed on to the process, or taken for a change of the terminal's size.
enum SessionSignals {
    /// - Parameters:
    ///   - kill: the path of the request that sends a signal; `nil` to pass none on.
    ///   - resize: the path of the request that sets the terminal's size; `nil` when there is no terminal.
    static func listen(_ client: EngineClient, kill: String?, resize: String?) {
        var wanted: [Int32] = []
        if kill != nil {
            // All but those that a program gets for its own faults and doings, and those that cannot be caught.
            let own: Set<Int32> = [
                SIGKILL, SIGSTOP, SIGCHLD, SIGPIPE, SIGURG, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGWINCH, SIGTRAP, SIGABRT,
                SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT,
            ]
            wanted = (1...31).filter { !own.contains($0) }
        }
        if resize != nil { wanted.append(SIGWINCH) }
        Signals.listen(wanted) { number in
            Task {
                if number == SIGWINCH {
                    if let resize { await resizeNow(client, resize) }
                } else if let kill {
                    _ = try? await client.call(
                        EngineClient.Request("POST", kill, [("signal", Signals.name(number))]))
                }
            }
        }
    }

    /// Gives the process's terminal the size of ours.
    static func resizeNow(_ client: EngineClient, _ path: String, by extra: Int = 0) async {
        guard let size = Terminal.size(1) else { return }
        _ = try? await client.call(
            EngineClient.Request("POST", path, [("h", String(size.height + extra)), ("w", String(size.width + extra))]))
    }
}
