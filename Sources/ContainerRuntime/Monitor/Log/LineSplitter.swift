import Glibc

/// A piece of a line that is longer than the log takes at once.
package struct PartialLine: Equatable {
    /// The same for all pieces of a line.
    package var id: UInt64
    /// 1, 2, …
    package var ordinal: Int
    package var isLast: Bool

    package init(id: UInt64, ordinal: Int, isLast: Bool) {
        self.id = id
        self.ordinal = ordinal
        self.isLast = isLast
    }
}

/// Cuts output into lines as dockerd does: at newlines, and after every 16 KiB without one.
package struct LineSplitter {
    /// Docker's `defaultBufSize` (daemon/logger/copier.go).
    package static let limit = 16 << 10

    /// The start of a line whose end has not come yet; always shorter than `limit`.
    private var carry: [UInt8] = []
    private var partial: PartialLine?
    /// All pieces of a line bear the time of the first.
    private var partialTime: Int64 = 0
    private var nextID: UInt64 = 1

    package init() {}

    package typealias Emit = (_ line: UnsafeRawBufferPointer, _ time: Int64, _ partial: PartialLine?) -> Void

    /// Calls `emit` for every line, without its newline, and every full piece. `time` is when the bytes were read.
    package mutating func split(_ bytes: UnsafeRawBufferPointer, time: Int64, _ emit: Emit) {
        guard let base = bytes.baseAddress else { return }
        var position = 0
        while position < bytes.count {
            let room = min(Self.limit - carry.count, bytes.count - position)
            if let newline = memchr(base + position, 0x0a, room) {
                let length = UnsafeRawPointer(newline) - (base + position)
                let piece = UnsafeRawBufferPointer(start: base + position, count: length)
                put(piece, time, isLineEnd: true, emit)
                position += length + 1
            } else if room == Self.limit - carry.count {
                put(UnsafeRawBufferPointer(start: base + position, count: room), time, isLineEnd: false, emit)
                position += room
            } else {
                carry.append(contentsOf: UnsafeRawBufferPointer(start: base + position, count: room))
                position += room
            }
        }
    }

    /// The output is over: what has no newline is written as a piece, so that it is read back without one.
    package mutating func finish(time: Int64, _ emit: Emit) {
        guard !carry.isEmpty else { return }
        put(UnsafeRawBufferPointer(start: nil, count: 0), time, isLineEnd: false, emit)
    }

    private mutating func put(_ piece: UnsafeRawBufferPointer, _ time: Int64, isLineEnd: Bool, _ emit: Emit) {
        var stamp = time
        var description: PartialLine?
        if var current = partial {
            current.ordinal += 1
            current.isLast = isLineEnd
            stamp = partialTime
            description = current
            partial = isLineEnd ? nil : current
        } else if !isLineEnd {
            let first = PartialLine(id: nextID, ordinal: 1, isLast: false)
            nextID &+= 1
            partial = first
            partialTime = time
            description = first
        }
        if carry.isEmpty { return emit(piece, stamp, description) }
        carry.append(contentsOf: piece)
        carry.withUnsafeBytes { emit($0, stamp, description) }
        carry = []
    }
}
