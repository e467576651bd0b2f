import Glibc

/// The name of an entry, cleaned, in one reused C buffer, so that no name is copied on its way to the kernel.
///
/// Cleaning is by the text alone, as Docker does it: empty components and `.` go, `..` takes back the component before
/// it, a leading slash means the target directory. Symbolic links play no part here; `DirectoryStack` looks after them.
struct EntryPath {
    /// PATH_MAX, with the NUL.
    static let maximum = 4096

    let characters = UnsafeMutablePointer<CChar>.allocate(capacity: EntryPath.maximum)
    private(set) var count = 0
    /// Where the last component begins.
    private(set) var nameStart = 0

    /// The length of the parent's path; 0 when the parent is the target directory.
    var parentCount: Int { max(nameStart - 1, 0) }
    /// The last component as a C string.
    var name: UnsafeMutablePointer<CChar> { characters + nameStart }
    var nameCount: Int { count - nameStart }
    var isEmpty: Bool { count == 0 }
    var bytes: [UInt8] { Array(UnsafeRawBufferPointer(start: characters, count: count)) }
    var nameBytes: [UInt8] { Array(UnsafeRawBufferPointer(start: name, count: nameCount)) }

    func deallocate() { characters.deallocate() }

    enum Outcome { case valid, climbsOut, tooLong }

    /// Takes a name out of an archive.
    mutating func set(_ raw: [UInt8]) -> Outcome {
        count = 0
        nameStart = 0
        var outcome = Outcome.valid
        raw.withUnsafeBytes { raw in
            var position = 0
            while position < raw.count {
                let start = position
                while position < raw.count, raw[position] != UInt8(ascii: "/") { position += 1 }
                let length = position - start
                position += 1
                if length == 0 || (length == 1 && raw[start] == UInt8(ascii: ".")) { continue }
                if length == 2, raw[start] == UInt8(ascii: "."), raw[start + 1] == UInt8(ascii: ".") {
                    if count == 0 {
                        outcome = .climbsOut
                        return
                    }
                    removeLast()
                    continue
                }
                if count + 1 + length >= Self.maximum {
                    outcome = .tooLong
                    return
                }
                append(UnsafeRawBufferPointer(rebasing: raw[start..<start + length]))
            }
        }
        characters[count] = 0
        return outcome
    }

    private mutating func append(_ component: UnsafeRawBufferPointer) {
        if count > 0 {
            characters[count] = CChar(UInt8(ascii: "/"))
            count += 1
        }
        nameStart = count
        guard let source = component.baseAddress else { return }
        memcpy(characters + count, source, component.count)
        count += component.count
    }

    private mutating func removeLast() {
        count = parentCount
        nameStart = 0
        for index in stride(from: count - 1, through: 0, by: -1) where characters[index] == CChar(UInt8(ascii: "/")) {
            nameStart = index + 1
            break
        }
    }
}
