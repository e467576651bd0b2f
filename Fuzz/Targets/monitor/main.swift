import Fuzzing
import JSON
import Monitor

/// All messages of a stream, up to an error.
func messages(_ bytes: [UInt8], pieces: Int) -> ([JSONValue], failed: Bool) {
    var decoder = FrameDecoder()
    var found: [JSONValue] = []
    var rest = bytes[...]
    do {
        while true {
            while let message = try decoder.next() { found.append(message) }
            if rest.isEmpty { return (found, false) }
            if decoder.missing <= 0 { finding("a decoder that gives nothing wants nothing") }
            let piece = rest.prefix(pieces)
            rest = rest.dropFirst(piece.count)
            decoder.append(piece)
        }
    } catch { return (found, true) }
}

fuzz { bytes in
    let whole = messages(bytes, pieces: .max)
    let cut = messages(bytes, pieces: 3)
    if whole.0 != cut.0 || whole.failed != cut.failed { finding("in pieces it is another stream") }
    for json in whole.0 {
        _ = try? MonitorConfiguration(json: json)
        _ = try? MonitorState(json: json)
        guard let message = try? Message(json: json) else { continue }
        if case .badRequest = message { continue }
        guard let again = try? Message(json: message.json), again == message else { finding("a message changes") }
    }
}
