import CommandLineKit
import EngineClient
import Glibc
import NIOCore
import Synchronization

/// Connects this program's standard streams with those of a process in a container.
struct Session: Sendable {
    var stream: DuplexStream
    /// Whether the process has a terminal: then output is one raw stream.
    var hasTerminal: Bool
    var sendsInput: Bool
    /// Leaves the process alone when typed at a terminal; empty for none.
    var detachKeys: [UInt8]
    /// Where standard output and error go; `nil` throws them away.
    var showsOutput = true
    var showsError = true

    enum End: Sendable {
        /// The process closed its output.
        case finished
        /// The user typed the detach keys.
        case detached
    }

    /// Copies until the output ends or the user detaches. The terminal, if it is made raw, is restored.
    func run() async throws(EngineClientError) -> End {
        let detached = Mutex(false)
        let usesRawTerminal = hasTerminal && sendsInput && Terminal.isTerminal(0)
        if usesRawTerminal { Terminal.makeRaw(0) }
        defer { Terminal.restore() }
        let flag = Shared(detached: detached)
        if sendsInput { pumpInput(watchesKeys: hasTerminal, flag) } else { stream.closeWrite() }
        do throws(EngineClientError) {
            try await copyOutput()
        } catch {
            guard flag.isDetached else { throw error }
        }
        return flag.isDetached ? .detached : .finished
    }

    /// What the input thread tells the output.
    private final class Shared: Sendable {
        private let detached: Mutex<Bool>
        init(detached: consuming Mutex<Bool>) { self.detached = detached }
        var isDetached: Bool { detached.withLock { $0 } }
        func detach() { detached.withLock { $0 = true } }
    }

    /// Reads standard input on a thread of its own, because that blocks, and never ends on a terminal.
    private func pumpInput(watchesKeys: Bool, _ flag: Shared) {
        let stream = stream
        let keys = watchesKeys ? detachKeys : []
        BlockingThread.start {
            var watcher = DetachKeys(keys: keys)
            while true {
                var buffer = ByteBufferAllocator().buffer(capacity: 1 << 15)
                guard buffer.readBlocking(from: 0, upTo: 1 << 15) > 0 else { break }
                if !keys.isEmpty {
                    let (passed, isDetached) = watcher.filter(Array(buffer.readableBytesView))
                    buffer = ByteBuffer(bytes: passed)
                    if buffer.readableBytes > 0 { _ = stream.writeBlocking(buffer) }
                    if isDetached {
                        flag.detach()
                        stream.close()
                        return
                    }
                    continue
                }
                guard stream.writeBlocking(buffer) else { return }
            }
            stream.closeWrite()
        }
    }

    private func copyOutput() async throws(EngineClientError) {
        var frames = FrameReader()
        while let buffer = try await stream.next() {
            if hasTerminal {
                await Output.write(buffer, to: 1)
            } else {
                for part in try frames.parts(of: buffer) where part.target == 1 ? showsOutput : showsError {
                    await Output.write(part.bytes, to: part.target)
                }
            }
        }
    }
}

/// Finds the detach keys in what is typed. Keys that turn out to be none are passed on.
package struct DetachKeys {
    package let keys: [UInt8]
    private var matched = 0

    package init(keys: [UInt8]) { self.keys = keys }

    /// `ctrl-p,ctrl-q`, `ctrl-@`, `a`. Empty text means none.
    package static func parse(_ text: String) throws(CommandLineError) -> [UInt8] {
        if text.isEmpty { return [] }
        var keys: [UInt8] = []
        for key in text.split(separator: ",", omittingEmptySubsequences: false) {
            let bytes = Array(key.utf8)
            if bytes.count == 1 {
                keys.append(bytes[0])
            } else if bytes.count == 6, key.hasPrefix("ctrl-"),
                (97...122).contains(bytes[5]) || "@[\\]^_".utf8.contains(bytes[5])
            {
                keys.append(bytes[5] & 0x1F)
            } else {
                throw CommandLineError("Unknown character: '\(key)'")
            }
        }
        return keys
    }

    /// - Returns: what is to be sent, and whether the keys were completed.
    package mutating func filter(_ bytes: [UInt8]) -> (passed: [UInt8], isDetached: Bool) {
        guard !keys.isEmpty else { return (bytes, false) }
        var passed: [UInt8] = []
        for byte in bytes {
            if byte == keys[matched] {
                matched += 1
                if matched == keys.count { return (passed, true) }
                continue
            }
            // What was held back was typed after all; this byte may begin the keys anew.
            passed += keys[..<matched]
            matched = byte == keys[0] ? 1 : 0
            if matched == keys.count { return (passed, true) }
            if matched == 0 { passed.append(byte) }
        }
        return (passed, false)
    }
}

/// Takes apart Docker's frames: one byte for the stream, three zeros, a length, then the bytes.
struct FrameReader {
    private var header: [UInt8] = []
    private var rest = 0
    private var target: Int32 = 1

    /// Writes the frames' content to standard output and error.
    mutating func write(_ buffer: ByteBuffer) throws(EngineClientError) {
        for part in try parts(of: buffer) {
            part.bytes.withUnsafeReadableBytes { _ = Output.write($0, to: part.target) }
        }
    }

    /// The frames' content, and whether it goes to standard output (1) or error (2).
    mutating func parts(of buffer: ByteBuffer) throws(EngineClientError) -> [(target: Int32, bytes: ByteBuffer)] {
        var buffer = buffer
        var parts: [(Int32, ByteBuffer)] = []
        while buffer.readableBytes > 0 {
            guard rest == 0 else {
                if let bytes = buffer.readSlice(length: min(rest, buffer.readableBytes)) {
                    rest -= bytes.readableBytes
                    parts.append((target, bytes))
                }
                continue
            }
            header += buffer.readBytes(length: min(8 - header.count, buffer.readableBytes)) ?? []
            guard header.count == 8 else { break }
            rest = header[4...].reduce(0) { $0 << 8 | Int($1) }
            guard header[0] <= 3 else {
                throw EngineClientError(.badAnswer, "Unrecognized input header: \(header[0])")
            }
            target = header[0] == 1 || header[0] == 0 ? 1 : 2
            header = []
        }
        return parts
    }
}
