import Kernel

/// Paths as text, without looking at any file. It is bytes that are compared, as the kernel does.
package enum PathText {
    package static func isAbsolute(_ path: some StringProtocol) -> Bool { path.utf8.first == UInt8(ascii: "/") }

    /// The shortest path that means the same, as Go's `filepath.Clean`: no empty, `.` or inner `..` components.
    package static func clean<Path: StringProtocol>(_ path: Path) -> String where Path.SubSequence == Substring {
        if path.isEmpty { return "." }
        let isRooted = isAbsolute(path)
        var parts: [Substring] = []
        for part in path.splitBytes("/") where part != "." {
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
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    package static func name(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return path }
        return String(path[path.utf8.index(after: slash)...])
    }

    /// How many names a clean path has.
    package static func depth(_ path: String) -> Int { path.splitBytes("/").count }

    /// Whether `path` is `directory` or lies in it; both clean.
    package static func isInside(_ path: String, _ directory: String) -> Bool {
        directory == "/" || path.utf8.elementsEqual(directory.utf8) || path.utf8.starts(with: (directory + "/").utf8)
    }
}
