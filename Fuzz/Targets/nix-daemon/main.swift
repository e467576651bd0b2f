import Fuzzing

@testable import NixStore

// A daemon may send anything: it is read or refused.
fuzz { bytes in
    var input = Input(bytes)
    let minor = 23 + Int(input.byte() % 15)
    // As a socket gives it: in pieces.
    let piece = 1 + Int(input.byte())
    var rest = input.rest
    var reader = WireReader(StoreDirectory()) { limit in
        defer { rest = rest.dropFirst(min(limit, piece)) }
        return Array(rest.prefix(min(limit, piece)))
    }
    do {
        while true {
            switch try DaemonMessage(from: &reader, minor: minor) {
            case .last:
                let path = try reader.path()
                let info = try reader.info(of: path)
                var writer = WireWriter(StoreDirectory())
                writer.write(unkeyed: info)
                let written = writer.bytes
                var sent = false
                var second = WireReader(StoreDirectory()) { _ in
                    defer { sent = true }
                    return sent ? [] : written
                }
                let again = try? second.info(of: path)
                if again?.narHash != info.narHash || again?.references != info.references {
                    finding("what is known of an object changes on its way")
                }
            case .failure, .event, .read, .write: break
            }
        }
    } catch {}
}
