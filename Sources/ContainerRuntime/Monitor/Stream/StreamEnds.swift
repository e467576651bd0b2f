import CKernel
import Glibc
import Kernel
import Monitor

/// The monitor's ends of a process's standard streams: non-blocking, close-on-exec.
struct StreamEnds {
    var input: Int32?
    var output: Int32?
    var error: Int32?
    /// The terminal's master, for its size; `input` and `output` are duplicates of it.
    var terminal: Int32?
    /// The terminal's other side, held open so that a program which closes and reopens it is no end of output.
    var heldSlave: Int32?

    /// Ends of a terminal; takes `master`.
    static func terminal(_ master: Int32) throws(MonitorError) -> StreamEnds {
        var ends = StreamEnds(terminal: master)
        do throws(MonitorError) {
            try UnixSocket.setNonBlocking(master)
            ends.input = try duplicate(master)
            ends.output = try duplicate(master)
            ends.heldSlave = Terminal.openSlave(master)
        } catch {
            ends.close()
            throw error
        }
        return ends
    }

    func close() {
        for descriptor in [input, output, error, terminal, heldSlave] {
            if let descriptor { Glibc.close(descriptor) }
        }
    }

    private static func duplicate(_ descriptor: Int32) throws(MonitorError) -> Int32 {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
        guard copy >= 0 else { throw .system("cannot duplicate a descriptor") }
        return copy
    }
}

/// Both sides of three pipes.
struct StreamPipes {
    var ours = StreamEnds()
    /// What the process gets as 0, 1 and 2; closed by `closeTheirs()` once it has them.
    var input: Int32 = -1
    var output: Int32 = -1
    var error: Int32 = -1

    /// - Parameters:
    ///   - stdin: whether there is an input; else it is `/dev/null`.
    ///   - outputs: whether anyone reads the outputs; else they are `/dev/null`.
    init(stdin: Bool, outputs: Bool) throws(MonitorError) {
        do throws(MonitorError) {
            if stdin {
                let (reading, writing) = try Self.pipe()
                input = reading
                ours.input = writing
                try UnixSocket.setNonBlocking(writing)
            } else {
                input = try Self.null()
            }
            if outputs {
                (ours.output, output) = try Self.pipe()
                if let descriptor = ours.output { try UnixSocket.setNonBlocking(descriptor) }
                (ours.error, error) = try Self.pipe()
                if let descriptor = ours.error { try UnixSocket.setNonBlocking(descriptor) }
            } else {
                output = try Self.null()
                error = try Self.null()
            }
        } catch {
            close()
            throw error
        }
    }

    /// As the launchers take them: borrowed.
    var theirs: StandardStreams {
        StandardStreams(
            input: FileDescriptor(borrowing: input), output: FileDescriptor(borrowing: output),
            error: FileDescriptor(borrowing: error))
    }

    mutating func closeTheirs() {
        for descriptor in [input, output, error] where descriptor >= 0 { Glibc.close(descriptor) }
        (input, output, error) = (-1, -1, -1)
    }

    mutating func close() {
        closeTheirs()
        ours.close()
        ours = StreamEnds()
    }

    private static func pipe() throws(MonitorError) -> (Int32, Int32) {
        var ends: [Int32] = [-1, -1]
        guard ckernel_pipe2(&ends, O_CLOEXEC) == 0 else { throw .system("cannot make a pipe") }
        return (ends[0], ends[1])
    }

    private static func null() throws(MonitorError) -> Int32 {
        let descriptor = open("/dev/null", O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system("cannot open /dev/null") }
        return descriptor
    }
}

enum Terminal {
    /// - Returns: 0 or an errno; sizes of 0 leave the terminal alone.
    static func resize(_ master: Int32, width: UInt16, height: UInt16) -> Int32 {
        guard master >= 0 else { return ENOTTY }
        return ckernel_set_window_size(master, width, height) == 0 ? 0 : errno
    }

    /// The other side of the terminal, found through the master and not through any path.
    static func openSlave(_ master: Int32) -> Int32? {
        // TIOCGPTPEER (Linux 4.13), _IO('T', 0x41).
        let descriptor = ioctl(master, 0x5441, O_RDWR | O_NOCTTY | O_CLOEXEC)
        return descriptor >= 0 ? descriptor : nil
    }
}
