/// What a daemon says while it works.
public enum DaemonEvent: Sendable, Equatable {
    /// A value that belongs to an activity or its result.
    public enum Field: Sendable, Equatable {
        case number(UInt64)
        case text(String)
    }

    /// A line for the user.
    case message(String)
    /// Something begins: a build, a download. `level` is 0 for errors and 7 for the smallest detail.
    case start(id: UInt64, level: UInt64, kind: UInt64, text: String, fields: [Field], parent: UInt64)
    case stop(id: UInt64)
    /// News of an activity: a line of a build's log (101), progress (105), a phase (104).
    case result(id: UInt64, kind: UInt64, fields: [Field])
}

/// A message that comes before an answer.
enum DaemonMessage {
    /// The answer follows.
    case last
    case failure(StoreError)
    case event(DaemonEvent)
    /// The daemon wants bytes, at most so many.
    case read(UInt64)
    /// Bytes that the daemon wants written where the request's output goes.
    case write([UInt8])

    init(from reader: inout WireReader, minor: Int) throws {
        switch try reader.number() {
        case 0x616C_7473: self = .last
        case 0x6378_7470: self = .failure(try Self.failure(&reader, minor: minor))
        case 0x6F6C_6D67:
            var text = try reader.string()
            while text.hasSuffix("\n") { text.removeLast() }
            self = .event(.message(text))
        case 0x6461_7461: self = .read(try reader.number())
        case 0x6461_7416: self = .write(try reader.bytes())
        case 0x5354_5254:
            let (id, level, kind) = (try reader.number(), try reader.number(), try reader.number())
            let text = try reader.string()
            let fields = try Self.fields(&reader)
            self = .event(
                .start(id: id, level: level, kind: kind, text: text, fields: fields, parent: try reader.number()))
        case 0x5354_4F50: self = .event(.stop(id: try reader.number()))
        case 0x5253_4C54:
            let (id, kind) = (try reader.number(), try reader.number())
            self = .event(.result(id: id, kind: kind, fields: try Self.fields(&reader)))
        case let other:
            throw StoreError(
                .badProtocol, "the daemon's answer is damaged: no message has the number 0x\(String(other, radix: 16))")
        }
    }

    private static func fields(_ reader: inout WireReader) throws -> [DaemonEvent.Field] {
        var fields: [DaemonEvent.Field] = []
        for _ in 0..<(try reader.count()) {
            switch try reader.number() {
            case 0: fields.append(.number(try reader.number()))
            case 1: fields.append(.text(try reader.string()))
            case let kind:
                throw StoreError(.badProtocol, "the daemon's answer is damaged: no field is of kind \(kind)")
            }
        }
        return fields
    }

    private static func failure(_ reader: inout WireReader, minor: Int) throws -> StoreError {
        var message: String
        if minor >= 26 {
            guard try reader.string() == "Error" else {
                throw StoreError(.badProtocol, "the daemon's answer is damaged: a failure that is none")
            }
            _ = try reader.number()
            _ = try reader.string()
            message = try reader.string()
            _ = try reader.number()
            for _ in 0..<(try reader.count()) {
                _ = try reader.number()
                message += "\n… " + (try reader.string())
            }
        } else {
            message = try reader.string()
            _ = try reader.number()
        }
        return StoreError(.daemon, TerminalEscapes.removed(from: message))
    }
}

/// Colours and other sequences for terminals, which daemons put into messages.
enum TerminalEscapes {
    static func removed(from text: String) -> String {
        var output: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == 0x1B else {
                output.append(byte)
                continue
            }
            guard rest.first == UInt8(ascii: "[") else { continue }
            rest = rest.dropFirst()
            while let next = rest.popFirst(), !(0x40...0x7E).contains(next) {}
        }
        return String(decoding: output, as: UTF8.self)
    }
}
