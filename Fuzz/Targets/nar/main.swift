import Fuzzing
import NixStore

/// Writes down what the reader finds, the bytes of files in one piece.
struct Recorder: NARVisitor {
    var events: [String] = []
    var bytes: [UInt8] = []

    mutating func enterDirectory(_ path: [ByteString]) { events.append("enter \(path)") }
    mutating func leaveDirectory(_ path: [ByteString]) { events.append("leave \(path)") }
    mutating func symlink(_ path: [ByteString], target: [UInt8]) { events.append("link \(path) \(target)") }
    mutating func beginFile(_ path: [ByteString], isExecutable: Bool, size: UInt64) {
        events.append("file \(path) \(isExecutable) \(size)")
        for name in path where name.bytes.isEmpty || name == ByteString("..") || name.bytes.contains(0x2F) {
            finding("a name that leaves its directory")
        }
    }
    mutating func fileBytes(_ piece: ArraySlice<UInt8>) { bytes += piece }
    mutating func endFile() {
        events.append("end \(bytes)")
        bytes = []
    }
}

// The first byte is the size of the pieces that the second reading gets.
fuzz { input in
    guard let size = input.first else { return }
    let archive = Array(input.dropFirst())
    var whole = Recorder()
    var failed = false
    var reader = NARReader(archive)
    do { try reader.read(&whole) } catch { failed = true }

    var pieces = Recorder()
    var rest = archive[...]
    var failedInPieces = false
    var slow = NARReader { wanted in
        let piece = Array(rest.prefix(min(max(1, Int(size)), max(1, wanted))))
        rest = rest.dropFirst(piece.count)
        return piece
    }
    do { try slow.read(&pieces) } catch { failedInPieces = true }
    if failed != failedInPieces || (!failed && whole.events != pieces.events) { finding("pieces change the archive") }
}
