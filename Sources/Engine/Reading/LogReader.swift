import EngineModel
import JSON
import Kernel
import Synchronization

/// One line of a log, or a piece of a long one.
package struct LogEntry: Sendable, Equatable {
    /// With its newline, if it had one.
    package var text: [UInt8]
    package var isError: Bool
    package var time: Timestamp
    package var attributes: [String: String]

    /// A line of the json-file format; `nil` when it is none, as after a crash in the middle of one.
    package init?(parsing line: ArraySlice<UInt8>) {
        guard let json = try? JSONValue(parsing: Array(line)), let text = json["log"]?.string,
            let time = json["time"]?.string.flatMap({ try? Timestamp($0) })
        else { return nil }
        self.text = Array(text.utf8)
        self.time = time
        isError = json["stream"]?.string == "stderr"
        attributes = [:]
        for (name, value) in json["attrs"]?.object ?? [:] { attributes[name] = value.string ?? "" }
    }
}

/// Reads a container's log, also while it is written and rotated: no line is missed, none comes twice.
///
/// All methods block; for one reader at a time.
package final class LogReader: Sendable {
    package struct Options: Sendable {
        package init() {}
        package var stdout = true
        package var stderr = true
        package var since: Timestamp?
        package var until: Timestamp?
        package var timestamps = false
        package var details = false
        package var tail: Int?
        /// Whether output is framed by stream, or raw as a terminal's.
        package var isFramed = true
    }

    private struct State: Sendable {
        /// What is still to be read, the oldest first.
        package var files: [FileDescriptor] = []
        package var offset: Int64 = 0
        /// The beginning of a line whose end is not read yet.
        package var partial: [UInt8] = []
        /// Where the reader is, by time; for the rare case that a file is lost under it.
        package var last = Timestamp.zero
        package var skipsThroughLast = false
        package var isOpen = false
        package var isOver = false
    }

    private let files: LogFiles
    private let options: Options
    private let state = Mutex(State())
    package static let chunk = 128 << 10

    package init(path: String, options: Options) {
        files = LogFiles(path: path)
        self.options = options
    }

    /// What came since the last call, in the form for clients; empty when there is nothing now.
    /// - Parameter mayGrow: whether more may be written. When false and this is empty, it is the end.
    package func read(mayGrow: Bool) throws -> [UInt8] {
        try state.withLock { state in
            var output: [UInt8] = []
            if !state.isOpen { try open(&state) }
            while !state.isOver, output.isEmpty || output.count < Self.chunk {
                guard let file = state.files.first else {
                    // The first file may be yet to come.
                    guard let first = try files.open().last, mayGrow || state.offset == 0 else { return output }
                    state.files = [first]
                    continue
                }
                let bytes = try file.pread(count: Self.chunk, at: state.offset)
                state.offset += Int64(bytes.count)
                if !bytes.isEmpty {
                    take(bytes, &state, &output)
                    continue
                }
                if try !advance(file, &state, mayGrow: mayGrow) { return output }
            }
            return output
        }
    }

    /// Whether `until` is passed.
    package var isOver: Bool { state.withLock { $0.isOver } }

    private func open(_ state: inout State) throws {
        state.isOpen = true
        state.files = try files.open()
        guard let tail = options.tail else { return }
        var wanted = tail
        var kept: [FileDescriptor] = []
        for file in state.files.reversed() {
            kept.insert(file, at: 0)
            let (offset, found) = try Self.place(ofLast: wanted, in: file)
            state.offset = offset
            if found >= wanted { break }
            wanted -= found
        }
        state.files = kept
    }

    /// Where the last `count` lines of a file begin, and how many there are, at most `count`.
    package static func place(ofLast count: Int, in file: FileDescriptor) throws -> (offset: Int64, found: Int) {
        let size = try file.status().size
        if count == 0 { return (size, 0) }
        var end = size
        var found = 0
        while end > 0 {
            let length = min(Int64(64 << 10), end)
            let bytes = try file.pread(count: Int(length), at: end - length)
            for index in bytes.indices.reversed() where bytes[index] == 0x0A {
                let position = end - length + Int64(index)
                // The newline at the very end closes the last line.
                if position == size - 1 { continue }
                found += 1
                if found == count { return (position + 1, found) }
            }
            end -= length
        }
        return (0, size > 0 ? found + 1 : 0)
    }

    /// Goes on to what follows the end of `file`.
    /// - Returns: whether there is anything.
    private func advance(_ file: FileDescriptor, _ state: inout State, mayGrow: Bool) throws -> Bool {
        if state.files.count > 1 {
            step(to: Array(state.files.dropFirst()), &state)
            return true
        }
        if try file.status().size < state.offset {
            // Cut off by hand.
            state.offset = 0
            state.partial = []
            return true
        }
        guard let successors = try files.successors(of: file) else { return false }
        // What was written between the last read and the rotation.
        if try !file.pread(count: 1, at: state.offset).isEmpty { return true }
        let inode = try file.status().inode
        state.skipsThroughLast = try successors.contains { try $0.status().inode == inode } || successors.count > 1
        step(to: successors, &state)
        return !successors.isEmpty
    }

    private func step(to files: [FileDescriptor], _ state: inout State) {
        state.files = files
        state.offset = 0
        state.partial = []
    }

    private func take(_ bytes: [UInt8], _ state: inout State, _ output: inout [UInt8]) {
        var start = bytes.startIndex
        while let end = bytes[start...].firstIndex(of: 0x0A) {
            if state.partial.isEmpty {
                take(line: bytes[start..<end], &state, &output)
            } else {
                state.partial += bytes[start..<end]
                let line = state.partial
                state.partial = []
                take(line: line[...], &state, &output)
            }
            start = end + 1
            if state.isOver { return }
        }
        state.partial += bytes[start...]
    }

    private func take(line: ArraySlice<UInt8>, _ state: inout State, _ output: inout [UInt8]) {
        guard let entry = LogEntry(parsing: line) else { return }
        if state.skipsThroughLast {
            if entry.time <= state.last { return }
            state.skipsThroughLast = false
        }
        state.last = entry.time
        if let until = options.until, entry.time > until {
            state.isOver = true
            return
        }
        if let since = options.since, entry.time < since { return }
        guard entry.isError ? options.stderr : options.stdout else { return }
        format(entry, &output)
    }

    private func format(_ entry: LogEntry, _ output: inout [UInt8]) {
        var prefix = ""
        if options.timestamps { prefix += entry.time.fixedWidthDescription + " " }
        if options.details {
            prefix +=
                entry.attributes.sorted { $0.key < $1.key }
                .map { "\(Self.escape($0.key))=\(Self.escape($0.value))" }.joined(separator: ",") + " "
        }
        let length = prefix.utf8.count + entry.text.count
        if options.isFramed {
            output += [entry.isError ? 2 : 1, 0, 0, 0]
            output += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: length >> $0) }
        }
        output += prefix.utf8
        output += entry.text
    }

    /// Form encoding, which keeps names and values apart from the commas and equals signs between them.
    private static func escape(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E:
                result.unicodeScalars.append(.init(byte))
            case 0x20: result += "+"
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                result += "%" + (digits.count == 1 ? "0" : "") + digits
            }
        }
        return result
    }
}
