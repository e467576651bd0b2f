import CKernel
import Glibc
import Monitor

/// A syslog daemon: the local one's socket, or a host by UDP or TCP.
package final class SyslogLog: LogDriver {
    package enum Format: String {
        /// What a daemon expects on its local socket: no host name.
        case local = ""
        case rfc3164
        case rfc5424
        case rfc5424micro
    }

    private let address: Address
    private let format: Format
    private let facility: Int
    private let tag: String
    private let host: String
    private var descriptor: Int32 = -1
    private var hasComplained = false

    package enum Address: Equatable {
        case unix(String)
        case udp(String, UInt16)
        case tcp(String, UInt16)

        /// `unix:///path`, `unixgram:///path`, `udp://host:514`, `tcp://host:514`; hosts by number.
        package init(_ text: String) throws(MonitorError) {
            func parts(_ rest: Substring) throws(MonitorError) -> (String, UInt16) {
                let colon = rest.hasSuffix("]") ? nil : rest.lastIndex(of: ":")
                let port = colon.map { UInt16(rest[rest.index(after: $0)...]) } ?? 514
                guard let port else { throw MonitorError(.invalidArgument, "no port number in \(text)") }
                let host = rest[..<(colon ?? rest.endIndex)].filter { $0 != "[" && $0 != "]" }
                return (host == "localhost" ? "127.0.0.1" : String(host), port)
            }
            if text.isEmpty {
                self = .unix("/dev/log")
            } else if text.hasPrefix("unix://") {
                self = .unix(String(text.dropFirst(7)))
            } else if text.hasPrefix("unixgram://") {
                self = .unix(String(text.dropFirst(11)))
            } else if text.hasPrefix("udp://") {
                let (host, port) = try parts(text.dropFirst(6))
                self = .udp(host, port)
            } else if text.hasPrefix("tcp://") {
                let (host, port) = try parts(text.dropFirst(6))
                self = .tcp(host, port)
            } else {
                throw MonitorError(
                    .invalidArgument, "syslog-address \"\(text)\" is none of unix://, unixgram://, udp://, tcp://")
            }
        }
    }

    package init(_ configuration: MonitorConfiguration) throws(MonitorError) {
        let options = configuration.log.options
        address = try Address(options["syslog-address"] ?? "")
        guard let format = Format(rawValue: options["syslog-format"] ?? "") else {
            throw MonitorError(
                .invalidArgument,
                "syslog-format \"\(options["syslog-format"] ?? "")\" is none of rfc3164, rfc5424, rfc5424micro")
        }
        self.format = format
        facility = try Self.facility(options["syslog-facility"] ?? "daemon")
        tag = configuration.log.tag ?? String(configuration.id.prefix(12))
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, 255)
        host = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        descriptor = try connect()
    }

    /// By name or number, as syslog(3) numbers them.
    package static func facility(_ name: String) throws(MonitorError) -> Int {
        let names = [
            "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
        ]
        if let position = names.firstIndex(of: name) { return position }
        if name.hasPrefix("local"), let number = Int(name.dropFirst(5)), (0...7).contains(number) { return 16 + number }
        if let number = Int(name), (0...23).contains(number) { return number }
        throw MonitorError(.invalidArgument, "syslog-facility \"\(name)\" is unknown")
    }

    package func write(_ line: UnsafeRawBufferPointer, _ stream: OutputStream, time: Int64, _ partial: PartialLine?) {
        let priority = facility * 8 + (stream == .stdout ? 6 : 3)
        var message = Array(Self.header(format, priority, time, host: host, tag: tag, pid: getpid()).utf8)
        message.append(contentsOf: line)
        message.append(0x0a)
        if descriptor < 0 { descriptor = (try? connect()) ?? -1 }
        var isSent = false
        if descriptor >= 0 {
            isSent = message.withUnsafeBytes { ckernel_send(descriptor, $0.baseAddress, $0.count, nil, 0) } >= 0
        }
        if isSent {
            hasComplained = false
        } else {
            let failure = errno
            if descriptor >= 0 { Glibc.close(descriptor) }
            descriptor = -1
            if !hasComplained { Diagnostics.warn(MonitorError.system("cannot write to syslog", failure).message) }
            hasComplained = true
        }
    }

    package func flush() {}
    package func releaseBuffers() {}
    package func close() { if descriptor >= 0 { Glibc.close(descriptor) } }

    package static func header(
        _ format: Format, _ priority: Int, _ time: Int64, host: String, tag: String, pid: Int32
    ) -> String {
        let calendar = CalendarTime(seconds: time / 1_000_000_000)
        switch format {
        case .local: return "<\(priority)>\(stamp(calendar)) \(tag)[\(pid)]: "
        case .rfc3164: return "<\(priority)>\(stamp(calendar)) \(host) \(tag)[\(pid)]: "
        case .rfc5424, .rfc5424micro:
            let precision: Int64 = format == .rfc5424 ? 1_000_000_000 : 1000
            let stamp = TimestampFormatter.text(time / precision * precision)
            return "<\(priority)>1 \(stamp) \(host) \(tag) \(pid) \(tag) - "
        }
    }

    /// RFC 3164, section 4.1.2: `Mmm dd hh:mm:ss`, the day padded with a space.
    private static func stamp(_ time: CalendarTime) -> String {
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func two(_ number: Int, _ pad: String) -> String { number < 10 ? pad + String(number) : String(number) }
        return "\(months[time.month - 1]) \(two(time.day, " ")) "
            + "\(two(time.hour, "0")):\(two(time.minute, "0")):\(two(time.second, "0"))"
    }

    private func connect() throws(MonitorError) -> Int32 {
        switch address {
        case .unix(let path):
            do throws(MonitorError) {
                return try UnixSocket.connect(path, type: Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue))
            } catch {
                return try UnixSocket.connect(path, type: Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue))
            }
        case .udp(let host, let port): return try InternetSocket.connect(host, port, Int32(SOCK_DGRAM.rawValue))
        case .tcp(let host, let port): return try InternetSocket.connect(host, port, Int32(SOCK_STREAM.rawValue))
        }
    }
}

enum InternetSocket {
    /// Connects to a numeric address; sends wait at most a second.
    static func connect(_ host: String, _ port: UInt16, _ type: Int32) throws(MonitorError) -> Int32 {
        var four = sockaddr_in()
        var six = sockaddr_in6()
        four.sin_family = sa_family_t(AF_INET)
        four.sin_port = port.bigEndian
        six.sin6_family = sa_family_t(AF_INET6)
        six.sin6_port = port.bigEndian
        let isFour = inet_pton(AF_INET, host, &four.sin_addr) == 1
        guard isFour || inet_pton(AF_INET6, host, &six.sin6_addr) == 1 else {
            throw MonitorError(
                .invalidArgument, "\(host) is no numeric internet address; give the log's host by number")
        }
        let descriptor = socket(isFour ? AF_INET : AF_INET6, type | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw .system("cannot make a socket") }
        var timeout = timeval(tv_sec: 1, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        let result = isFour ? call(descriptor, &four) : call(descriptor, &six)
        if result != 0 {
            let failure = errno
            close(descriptor)
            throw .system("cannot connect to \(host) port \(port)", failure)
        }
        return descriptor
    }

    private static func call<Address>(_ descriptor: Int32, _ address: inout Address) -> Int32 {
        let size = socklen_t(MemoryLayout<Address>.size)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(descriptor, $0, size) }
        }
    }
}
