/// Absolute paths without `.`, `..`, doubled or trailing slashes. `..` is taken away with what stands before it, without
/// looking at the disk.
enum CanonicalPath {
    static func make(_ path: String, keepsTrailingSlash: Bool = false) -> String {
        var kept: [Substring] = []
        for part in path.split(separator: "/", omittingEmptySubsequences: true) {
            switch part {
            case ".": continue
            case "..": _ = kept.popLast()
            default: kept.append(part)
            }
        }
        var result = "/" + kept.joined(separator: "/")
        if keepsTrailingSlash, path.utf8.last == UInt8(ascii: "/"), result.utf8.count > 1 { result += "/" }
        return result
    }

    /// Whether `make` would change nothing.
    static func isCanonical(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard bytes.count > 1 else { return bytes.first == UInt8(ascii: "/") }
        guard bytes[0] == UInt8(ascii: "/"), bytes[bytes.count - 1] != UInt8(ascii: "/") else { return false }
        var start = 1
        for at in 1...bytes.count where at == bytes.count || bytes[at] == UInt8(ascii: "/") {
            let length = at - start
            if length == 0 || length == 1 && bytes[start] == UInt8(ascii: ".")
                || length == 2 && bytes[start] == UInt8(ascii: ".") && bytes[start + 1] == UInt8(ascii: ".")
            {
                return false
            }
            start = at + 1
        }
        return true
    }

    /// The directory that holds `path`; the root holds itself.
    static func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
        return String(path[..<slash])
    }

    static func baseName(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return path }
        return String(path[path.index(after: slash)...])
    }
}
