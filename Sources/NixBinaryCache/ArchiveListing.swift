import JSON
import NixStore

/// Says what is in an archive and where, as `.ls` files of caches do. Offsets are left out: they are optional.
struct ArchiveListing: NARVisitor {
    private(set) var root = JSONValue.null
    private var open: [[(String, JSONValue)]] = []

    private mutating func put(_ path: [ByteString], _ value: JSONValue) {
        guard let name = path.last else {
            root = value
            return
        }
        open[open.count - 1].append((name.description, value))
    }

    mutating func enterDirectory(_ path: [ByteString]) { open.append([]) }

    mutating func leaveDirectory(_ path: [ByteString]) {
        let entries = JSONValue.object(JSONObject(open.removeLast()))
        put(path, .object(JSONObject([("entries", entries), ("type", .string("directory"))])))
    }

    mutating func symlink(_ path: [ByteString], target: [UInt8]) {
        let text = String(decoding: target, as: UTF8.self)
        put(path, .object(JSONObject([("target", .string(text)), ("type", .string("symlink"))])))
    }

    mutating func beginFile(_ path: [ByteString], isExecutable: Bool, size: UInt64) {
        var members: [(String, JSONValue)] = isExecutable ? [("executable", .bool(true))] : []
        members += [("size", size.json), ("type", .string("regular"))]
        put(path, .object(JSONObject(members)))
    }

    func fileBytes(_ bytes: ArraySlice<UInt8>) {}
    func endFile() {}
}
