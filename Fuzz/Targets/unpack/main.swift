import Archive
import Fuzzing
import Glibc
import Kernel

// The scratch directory holds the target and, beside it, what must stay as it is.
let directory = scratchDirectory()
let outside = directory + "/outside"
let target = directory + "/target"
guard mkdir(outside, 0o700) == 0, mkdir(outside + "/inner", 0o700) == 0,
    let canary = try? FileDescriptor.open(outside + "/canary", [.writeOnly, .create], mode: 0o600),
    (try? canary.writeAll("canary")) != nil
else { finding("cannot prepare \(directory)") }

/// The status of all that is outside, and the names there.
func fingerprint() -> String {
    var text = ""
    for path in [directory, outside, outside + "/inner", outside + "/canary"] {
        var status = stat()
        guard lstat(path, &status) == 0 else { return "\(path) is gone" }
        text += "\(status.st_ino) \(status.st_mode) \(status.st_uid) \(status.st_gid) \(status.st_nlink) "
        // The target comes and goes in its parent, whose times change.
        if path != directory { text += "\(status.st_size) \(status.st_mtim) \(status.st_ctim) " }
    }
    for path in [directory, outside, outside + "/inner"] {
        let names = (try? FileDescriptor.currentDirectory.entries(of: path).map(\.name).sorted()) ?? []
        text += names.joined(separator: " ") + "\n"
    }
    return text
}

// Few names, so that entries meet: the same path as a file, a link and a directory; links to the outside; whiteouts.
let names = [
    "a", "b", "a/b", "a/a", "b/a", "a/b/a", "a/../b", "./a", "a/.", "/a", "..", "../outside/canary", "a/../../outside/x",
    ".wh.a", ".wh.b", "a/.wh.b", ".wh..wh..opq", "a/.wh..wh..opq", ".wh..wh.plnk", ".wh...", ".", "/", "c/d/e/f", "b/b",
]
let links = [
    "a", "b", "../a", "..", "../outside", "../outside/canary", outside, outside + "/canary", "/", "/a", "/b/a",
    "../../..", "/proc/self/root", "/proc/self/cwd", ".", "a/b", "/dev/shm", "b/../../outside/inner",
]
let kinds = Array("0123456".utf8)

/// An archive of the entries that the input asks for: a byte each for kind, name, link, mode and owner.
func archive(_ input: inout Input) -> [UInt8] {
    var archive: [UInt8] = []
    while !input.isEmpty {
        let kind = kinds[Int(input.byte()) % kinds.count]
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, _ offset: Int) {
            header.replaceSubrange(offset..<(offset + text.utf8.count), with: text.utf8)
        }
        func octal(_ number: Int) -> String {
            let digits = String(number, radix: 8)
            return String(repeating: "0", count: 7 - digits.count) + digits
        }
        put(names[Int(input.byte()) % names.count], 0)
        put(links[Int(input.byte()) % links.count], 157)
        let (mode, more) = (input.byte(), input.byte())
        put(octal(Int(mode) << 4 | 0o7), 100)
        put(octal(Int(more & 3)), 108)
        put(octal(Int(more >> 2 & 3)), 116)
        let content = kind == UInt8(ascii: "0") ? [UInt8](repeating: 0x78, count: Int(more >> 4)) : []
        put(octal(content.count), 124)
        put(octal(1_000_000), 136)
        header[156] = kind
        put("ustar\u{0}00", 257)
        setTarChecksum(of: &header, at: 0)
        archive += header
        if !content.isEmpty { archive += content + [UInt8](repeating: 0, count: 512 - content.count) }
    }
    return archive + [UInt8](repeating: 0, count: 1024)
}

let before = fingerprint()
let parent = FileDescriptor.currentDirectory

// The first byte holds the options; 0x80 has the input itself be the archive.
fuzz { bytes in
    var input = Input(bytes)
    let choice = input.byte()
    let data = choice & 0x80 == 0 ? archive(&input) : withTarChecksums(Array(input.rest))
    guard mkdir(target, 0o755) == 0 else { finding("cannot make \(target)") }
    var options = UnpackOptions(whiteouts: [.none, .delete, .overlay, .overlay][Int(choice & 3)])
    options.overlayUsesUserAttributes = choice & 3 == 3
    options.keepsKindOfExisting = choice & 4 != 0
    options.skipsDevices = choice & 8 == 0
    options.limits = UnpackLimits(maximumBytes: 1 << 20, maximumEntries: 1000)
    if choice & 16 != 0 { options.ownership = .fixed(uid: 1, gid: 1) }
    do {
        let root = try parent.open(target, [.readOnly, .directory])
        _ = try TarUnpacker(into: root, options: options).unpack(MemorySource(data))
        // What came out packs again, and a second pass meets everything that the first one made.
        let sink = MemorySink()
        try TreePacker().packContents(of: root, into: TarWriter(sink))
        _ = try TarUnpacker(into: root, options: options).unpack(MemorySource(data))
    } catch {}
    do { try parent.removeTree(target) } catch { finding("cannot remove what was unpacked: \(error)") }
    let after = fingerprint()
    if after != before { finding("the outside changed:\n\(before)\n\(after)") }
}
