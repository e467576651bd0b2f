/// Paths as text, without looking at any file.
package enum PathText {
    package static func isAbsolute(_ path: some StringProtocol) -> Bool { path.utf8.first == UInt8(ascii: "/") }

    /// The shortest path that means the same, as Go's `filepath.Clean`: no empty, `.` or inner `..` components.
    package static func clean(_ path: some StringProtocol) -> String {
        if path.isEmpty { return "." }
        let isRooted = isAbsolute(path)
        var parts: [Substring] = []
        for part in Substring(path).split(separator: "/") where part != "." {
            if part == ".." {
                if let last = parts.last, last != ".." {
                    parts.removeLast()
                } else if !isRooted {
                    parts.append(part)
                }
            } else {
                parts.append(part)
            }
        }
        let text = parts.joined(separator: "/")
        return isRooted ? "/" + text : text.isEmpty ? "." : text
    }

    package static func join(_ first: String, _ second: String) -> String { clean(first + "/" + second) }

    package static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    package static func name(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return path }
        return String(path[path.index(after: slash)...])
    }

    /// How many names a clean path has.
    package static func depth(_ path: String) -> Int { path.split(separator: "/").count }

    /// Whether `path` is `directory` or lies in it; both clean.
    package static func isInside(_ path: String, _ directory: String) -> Bool {
        path == directory || directory == "/" || path.hasPrefix(directory + "/")
    }
}
