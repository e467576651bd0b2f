import CKernel
import Glibc

/// Signals as bytes in a pipe, which the main thread reads.
///
/// Handlers rather than a blocked mask, because a mask would be inherited by every process that the daemon starts.
struct SignalPipe {
    /// Written once, by the daemon's one `init`, before the handlers and threads that read it exist.
    private nonisolated(unsafe) static var writeEnd: CInt = -1
    private let readEnd: CInt

    init(_ signals: [CInt]) throws(ConfigurationError) {
        var ends: [CInt] = [-1, -1]
        guard ckernel_pipe2(&ends, O_CLOEXEC) == 0 else {
            throw ConfigurationError("cannot make a pipe: \(String(cString: strerror(errno)))")
        }
        readEnd = ends[0]
        Self.writeEnd = ends[1]
        _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
        for signal in signals {
            var action = sigaction()
            action.__sigaction_handler.sa_handler = { number in
                let saved = errno
                var byte = UInt8(truncatingIfNeeded: number)
                _ = Glibc.write(SignalPipe.writeEnd, &byte, 1)
                errno = saved
            }
            action.sa_flags = SA_RESTART
            sigaction(signal, &action, nil)
        }
    }

    /// Waits for the next signal.
    func next() -> CInt {
        var byte: UInt8 = 0
        while read(readEnd, &byte, 1) != 1 {}
        return CInt(byte)
    }

    /// Makes `next` return `number`, from any thread, as if the signal had come.
    static func post(_ number: CInt) {
        var byte = UInt8(truncatingIfNeeded: number)
        _ = Glibc.write(writeEnd, &byte, 1)
    }
}
