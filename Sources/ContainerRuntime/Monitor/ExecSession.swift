import Glibc
import Kernel
import Monitor

/// One more program that runs in the container.
final class ExecSession {
    let id: String
    let processID: Int32
    /// Readable when the program has ended.
    let process: ProcessDescriptor
    /// `nil` when nobody was attached at its start.
    let streams: ProcessStreams?

    init(id: String, processID: Int32, process: ProcessDescriptor, streams: ProcessStreams?) {
        self.id = id
        self.processID = processID
        self.process = process
        self.streams = streams
    }
}

/// How a process ended, from its wait status.
struct ProcessEnd: Equatable {
    /// Docker's: the program's own, or 128 + the signal.
    var exitCode: Int32
    var signal: Int32

    init(status: Int32) {
        signal = status & 0x7f
        exitCode = signal == 0 ? (status >> 8) & 0xff : 128 + signal
    }

    /// Reaps a child that has ended. One that somebody else reaped has an unknown end: 255, as Docker says.
    init(reaping process: ProcessDescriptor) {
        switch (try? process.wait()) ?? nil {
        case .exited(let code): (exitCode, signal) = (code, 0)
        case .signaled(let number, _): (exitCode, signal) = (128 + number, number)
        case nil: (exitCode, signal) = (255, 0)
        }
    }
}
