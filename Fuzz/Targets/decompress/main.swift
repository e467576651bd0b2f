import Archive
import Fuzzing

/// How a stream ends, and what came before.
struct Outcome: Equatable {
    var bytes: [UInt8] = []
    var failed = false
}

func read(_ bytes: [UInt8], _ compression: Compression?, pieces: Int, room: Int) -> Outcome {
    var outcome = Outcome()
    var rest = bytes[...]
    let source = ClosureSource { buffer in
        let piece = rest.prefix(min(pieces, buffer.count))
        rest = rest.dropFirst(piece.count)
        buffer.copyBytes(from: piece)
        return piece.count
    }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: room, alignment: 16)
    defer { buffer.deallocate() }
    do {
        let limits = ExpansionLimits(maximumBytes: 8 << 20)
        let plain = try DecompressingSource(source, compression: compression, limits: limits)
        while true {
            let count = try plain.read(into: buffer)
            if count == 0 { break }
            outcome.bytes.append(contentsOf: buffer[..<count])
        }
    } catch { outcome.failed = true }
    return outcome
}

// The first byte chooses a compression, or that it be found out. How a stream is cut into pieces must not matter.
fuzz { bytes in
    var input = Input(bytes)
    let choice = Int(input.byte()) % (Compression.allCases.count + 1)
    let compression = choice < Compression.allCases.count ? Compression.allCases[choice] : nil
    let data = Array(input.rest)
    let whole = read(data, compression, pieces: .max, room: 64 << 10)
    let cut = read(data, compression, pieces: 7, room: 4099)
    if whole.failed != cut.failed || (!whole.failed && whole.bytes != cut.bytes) {
        finding("in pieces it decompresses to something else")
    }
}
