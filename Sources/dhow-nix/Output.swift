#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// One of the process's outputs, unbuffered.
struct Output {
    let descriptor: Int32

    static let standard = Output(descriptor: STDOUT_FILENO)
    static let error = Output(descriptor: STDERR_FILENO)

    var isTerminal: Bool { isatty(descriptor) == 1 }

    func write(_ text: String) { write(Array(text.utf8)) }

    /// Writes all bytes; a reader that has gone ends the program, as it does others.
    func write(_ bytes: [UInt8]) {
        if descriptor == STDERR_FILENO { ProgressLine.shared.write(bytes) } else { writeAtOnce(bytes) }
    }

    /// The same, whatever else is on the terminal.
    func writeAtOnce(_ bytes: [UInt8]) {
        var at = 0
        while at < bytes.count {
            let count = bytes[at...].withUnsafeBytes { buffer in
                #if canImport(Glibc)
                Glibc.write(descriptor, buffer.baseAddress, buffer.count)
                #else
                Musl.write(descriptor, buffer.baseAddress, buffer.count)
                #endif
            }
            if count < 0, errno == EINTR { continue }
            if count <= 0 { exit(1) }
            at += count
        }
    }

    /// Everything on standard input.
    static func readInput() -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            let piece = [UInt8](unsafeUninitializedCapacity: 65536) { buffer, count in
                count = max(0, read(STDIN_FILENO, buffer.baseAddress, buffer.count))
            }
            if piece.isEmpty { return bytes }
            bytes += piece
        }
    }
}
