import Archive
import Fuzzing

/// What a reader says of an archive: entries and content, up to an error.
func read(_ archive: [UInt8], pieces: Int) -> (entries: [TarEntry], content: [[UInt8]], failed: Bool) {
    var entries: [TarEntry] = []
    var contents: [[UInt8]] = []
    var rest = archive[...]
    let reader = TarReader(
        ClosureSource { buffer in
            let piece = rest.prefix(min(pieces, buffer.count))
            rest = rest.dropFirst(piece.count)
            buffer.copyBytes(from: piece)
            return piece.count
        })
    do {
        while let entry = try reader.next() {
            entries.append(entry)
            contents.append(entry.size < 1 << 20 ? try reader.content.readAll(limit: 1 << 20) : [])
        }
        try reader.drain()
    } catch { return (entries, contents, true) }
    return (entries, contents, false)
}

// How an archive is cut into pieces must not matter, and what is read can be written and read again.
fuzz { bytes in
    let archive = withTarChecksums(bytes)
    let whole = read(archive, pieces: .max)
    let cut = read(archive, pieces: 311)
    if whole.entries != cut.entries || whole.failed != cut.failed || (!whole.failed && whole.content != cut.content) {
        finding("in pieces it reads as something else")
    }
    let sink = MemorySink()
    let writer = TarWriter(sink)
    do {
        for (entry, content) in zip(whole.entries, whole.content) where Int64(content.count) == entry.size {
            var entry = entry
            entry.extents = nil
            try writer.add(entry, content: content)
        }
        try writer.finish()
    } catch { return }
    if read(sink.bytes, pieces: .max).failed { finding("what was written of it does not read") }
}
