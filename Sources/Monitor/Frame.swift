import JSON

/// The monitor protocol's framing: four bytes of length, little-endian, then that many bytes of one JSON object.
package enum Frame {
    /// A longer frame is refused before anything of it is kept.
    package static let limit = 16 << 20
    package static let headerSize = 4

    /// - Throws: `.invalidArgument` when the text would pass `limit`.
    package static func encode(_ message: JSONValue, limit: Int = limit) throws(MonitorError) -> [UInt8] {
        let text = message.bytes()
        guard text.count <= limit else {
            throw MonitorError(.invalidArgument, "a message of \(text.count) bytes passes the limit of \(limit)")
        }
        var frame: [UInt8] = []
        frame.reserveCapacity(headerSize + text.count)
        for shift in [0, 8, 16, 24] { frame.append(UInt8(truncatingIfNeeded: text.count >> shift)) }
        frame.append(contentsOf: text)
        return frame
    }

    package static func length(_ header: some Collection<UInt8>) throws(MonitorError) -> Int {
        var length = 0
        for (position, byte) in header.prefix(headerSize).enumerated() { length |= Int(byte) << (8 * position) }
        guard length <= limit else {
            throw MonitorError(.invalidData, "a frame of \(length) bytes passes the limit of \(limit)")
        }
        guard length >= 2 else { throw MonitorError(.invalidData, "a frame of \(length) bytes holds no JSON object") }
        return length
    }
}

/// Cuts a byte stream into messages.
package struct FrameDecoder: Sendable {
    private var bytes: [UInt8] = []
    private var offset = 0

    package init() {}

    /// How many bytes must arrive before `next()` can give something new: lets a reader stop exactly at a frame's end.
    package var missing: Int {
        let available = bytes.count - offset
        guard available >= Frame.headerSize else { return Frame.headerSize - available }
        let length = (try? Frame.length(bytes[offset..<offset + Frame.headerSize])) ?? 0
        return max(0, Frame.headerSize + length - available)
    }

    package mutating func append(_ more: some Collection<UInt8>) {
        if offset > 0 {
            bytes.removeSubrange(..<offset)
            offset = 0
        }
        bytes.append(contentsOf: more)
    }

    /// The next whole message; `nil`: more bytes are needed.
    /// - Throws: `.invalidData`, after which the stream is of no use.
    package mutating func next() throws(MonitorError) -> JSONValue? {
        guard bytes.count - offset >= Frame.headerSize else { return nil }
        let length = try Frame.length(bytes[offset..<offset + Frame.headerSize])
        let start = offset + Frame.headerSize
        guard bytes.count - start >= length else { return nil }
        offset = start + length
        let text = Array(bytes[start..<offset])
        if offset == bytes.count {
            // An idle connection keeps no buffer.
            bytes = []
            offset = 0
        }
        do throws(JSONError) {
            // Nothing of ours nests deeper; a hostile text must not exhaust the stack.
            let message = try JSONValue(parsing: text, depthLimit: 64)
            guard case .object = message else { throw JSONError(code: .type, reason: "expected an object") }
            return message
        } catch {
            throw MonitorError(.invalidData, "a frame that is no message: \(error)")
        }
    }
}
