import Glibc

/// The monitor's last words and complaints: one line each on its standard error, which is `monitor.log` beside its
/// socket.
enum Diagnostics {
    static func warn(_ message: String) {
        let line = Array("\(TimestampFormatter.text(Clock.now())) \(message)\n".utf8)
        _ = line.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
    }
}
