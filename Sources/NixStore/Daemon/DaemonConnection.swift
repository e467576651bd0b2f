import Glibc
import Kernel

/// One connection to a daemon that owns a store, and one request on it at a time.
///
/// `@unchecked Sendable`: a `DaemonPool` lends it to one thread at a time, and takes it back through a lock.
final class DaemonConnection: @unchecked Sendable {
    /// The newest protocol that is spoken here, as Nix 2.2x has it; the major version is 1.
    static let minorVersion = 37
    /// The oldest: that of Nix 2.4.
    static let oldestMinorVersion = 23

    let minor: Int
    /// The daemon's own version, where it says so.
    let daemonVersion: String?
    /// Whether the daemon believes us what we say of objects; `nil` when it does not say.
    let isTrusted: Bool?
    /// Whether an answer was read to its end, so that another request may follow.
    private(set) var isUsable = true

    private let socket: FileDescriptor
    private let place: String
    private let onEvent: @Sendable (DaemonEvent) -> Void
    private var reader: WireReader

    init(
        _ socketPath: String, _ directory: StoreDirectory, options: DaemonOptions,
        onEvent: @escaping @Sendable (DaemonEvent) -> Void
    ) throws {
        let socket: FileDescriptor
        do { socket = try Socket.connect(to: socketPath) } catch {
            throw StoreError(
                .unreachable,
                "cannot connect to the Nix daemon at '\(socketPath)': \(error.code); is 'nix-daemon' running?")
        }
        self.socket = socket
        place = socketPath
        self.onEvent = onEvent
        var reader = WireReader(directory) { limit in
            do throws(KernelError) { return try socket.read(count: limit) } catch {
                throw StoreError(.unreachable, "reading from the Nix daemon at '\(socketPath)': \(error.code)")
            }
        }
        // Magic numbers, then versions, the daemon's first.
        var hello = WireWriter(directory)
        hello.write(UInt64(0x6E69_7863))
        try Self.send(hello.bytes, to: socket, socketPath)
        guard try reader.number() == 0x6478_696F else {
            throw StoreError(.badProtocol, "what answers at '\(socketPath)' is no Nix daemon")
        }
        let version = try reader.number()
        guard version >> 8 == 1, Int(version & 0xFF) >= Self.oldestMinorVersion else {
            throw StoreError(
                .unsupported,
                "the Nix daemon at '\(socketPath)' speaks version \(version >> 8).\(version & 0xFF) of the protocol; "
                    + "needed is 1.\(Self.oldestMinorVersion) (Nix 2.4) or newer")
        }
        let theirs = Int(version & 0xFF)
        minor = min(theirs, Self.minorVersion)
        var rest = WireWriter(directory)
        rest.write(UInt64(1 << 8 | Self.minorVersion))
        // Which processor to run on, and whether to reserve space: both long obsolete.
        rest.write(UInt64(0))
        rest.write(UInt64(0))
        try Self.send(rest.bytes, to: socket, socketPath)
        daemonVersion = minor >= 33 ? try reader.string() : nil
        switch minor >= 35 ? try reader.number() : 0 {
        case 1: isTrusted = true
        case 2: isTrusted = false
        default: isTrusted = nil
        }
        self.reader = reader
        try drainMessages()
        try request(.setOptions, { options.write(to: &$0) }, { _ in })
    }

    private static func send(_ bytes: [UInt8], to socket: FileDescriptor, _ place: String) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            do {
                let count = try socket.send(Array(rest.prefix(256 << 10)))
                rest = rest.dropFirst(count)
            } catch {
                if error.code == .interrupted { continue }
                throw StoreError(.unreachable, "writing to the Nix daemon at '\(place)': \(error.code)")
            }
        }
    }
}

// MARK: Requests

extension DaemonConnection {
    /// Sends a request, waits for the messages before its answer, and reads that.
    func request<Answer>(
        _ operation: DaemonOperation, _ write: (inout WireWriter) -> Void,
        _ read: (inout WireReader) throws -> Answer
    ) throws -> Answer {
        try guarded {
            var writer = WireWriter(reader.directory)
            writer.write(operation.rawValue)
            write(&writer)
            try Self.send(writer.bytes, to: socket, place)
            try drainMessages()
            return try read(&reader)
        }
    }

    /// Sends a request whose last argument is a stream of any length, in frames.
    func request<Answer>(
        _ operation: DaemonOperation, _ write: (inout WireWriter) -> Void, frames: (Int) throws -> [UInt8],
        _ read: (inout WireReader) throws -> Answer
    ) throws -> Answer {
        try guarded {
            var writer = WireWriter(reader.directory)
            writer.write(operation.rawValue)
            write(&writer)
            try Self.send(writer.bytes, to: socket, place)
            var isDone = false
            while true {
                // What fails on our side is no use to the daemon: without the stream's end it drops the request.
                let piece = try frames(64 << 10)
                var frame = WireWriter(reader.directory)
                frame.write(UInt64(piece.count))
                isDone = try exchange(frame.bytes + piece)
                if isDone || piece.isEmpty { break }
            }
            if !isDone { try drainMessages() }
            return try read(&reader)
        }
    }

    /// Hands out the next `count` bytes of an answer as they are.
    static func copy(_ count: UInt64, from reader: inout WireReader, to sink: (UnsafeRawBufferPointer) throws -> Void)
        throws
    {
        var left = count
        while left > 0 {
            let piece = try reader.some(Int(min(left, 1 << 20)))
            try piece.withUnsafeBytes(sink)
            left -= UInt64(piece.count)
        }
    }

    /// A failure that the daemon reported leaves the connection as it was; any other ends it.
    private func guarded<Result>(_ body: () throws -> Result) throws -> Result {
        guard isUsable else { throw StoreError(.unreachable, "the connection to '\(place)' broke before") }
        isUsable = false
        do {
            let result = try body()
            isUsable = true
            return result
        } catch let failure as ReportedFailure {
            isUsable = !failure.isMidStream
            throw failure.error
        }
    }

    /// What the daemon said went wrong.
    private struct ReportedFailure: Error {
        let error: StoreError
        var isMidStream = false
    }

    private func drainMessages() throws {
        while try !handleMessage() {}
    }

    /// Takes one message; whether it was the last.
    private func handleMessage() throws -> Bool {
        switch try DaemonMessage(from: &reader, minor: minor) {
        case .last: return true
        case .event(let event): onEvent(event)
        case .failure(let error): throw ReportedFailure(error: error)
        case .read, .write:
            throw StoreError(.badProtocol, "the daemon asks for bytes that the request does not have")
        }
        return false
    }

    /// Sends bytes, and takes the messages that come meanwhile, so that neither side waits for the other.
    /// - Returns: whether the daemon has answered already.
    private func exchange(_ bytes: [UInt8]) throws -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let ready = try poll([PollRequest(socket, [.readable, .writable])])[0]
            if reader.hasBuffered || ready.contains(.readable) {
                do { if try handleMessage() { return true } } catch var failure as ReportedFailure {
                    failure.isMidStream = true
                    throw failure
                }
                continue
            }
            guard ready.contains(.writable) else {
                throw StoreError(.unreachable, "the Nix daemon at '\(place)' closed the connection")
            }
            do {
                rest = rest.dropFirst(try socket.send(Array(rest), flags: Int32(MSG_DONTWAIT)))
            } catch {
                if error.code == .interrupted || error.code == .wouldBlock { continue }
                throw StoreError(.unreachable, "writing to the Nix daemon at '\(place)': \(error.code)")
            }
        }
        return false
    }
}
