/// One line of `/proc/<pid>/mountinfo`: one mount.
public struct MountInfo: Hashable, Sendable {
    public let id: Int
    public let parentID: Int
    public let device: DeviceNumber
    /// The directory of the file system that is mounted.
    public let root: String
    /// Where, seen from the process's root.
    public let mountPoint: String
    /// Per-mount options.
    public let options: [String]
    /// Propagation: `shared:N`, `master:N`, `propagate_from:N`, `unbindable`.
    public let tags: [String]
    public let type: String
    public let source: String
    /// The file system's own options.
    public let superOptions: [String]

    public var isShared: Bool { tags.contains { $0.hasPrefix("shared:") } }

    /// - Returns: `nil` for a line that is not of that form.
    public init?(line: Substring) {
        let fields = line.splitBytes(" ", omittingEmpty: false)
        guard fields.count >= 10, let id = Int(fields[0]), let parent = Int(fields[1]),
            let separator = fields[6...].firstIndex(of: "-"), fields.count >= separator + 4
        else { return nil }
        let numbers = fields[2].splitBytes(":")
        guard numbers.count == 2, let major = UInt32(numbers[0]), let minor = UInt32(numbers[1]) else { return nil }
        self.id = id
        parentID = parent
        device = DeviceNumber(major: major, minor: minor)
        root = unescape(fields[3])
        mountPoint = unescape(fields[4])
        options = fields[5].splitBytes(",").map(String.init)
        tags = fields[6..<separator].map(String.init)
        type = unescape(fields[separator + 1])
        source = unescape(fields[separator + 2])
        superOptions = fields[separator + 3].splitBytes(",").map { unescape($0) }
    }

    /// All mounts in a mountinfo file, in its order: a mount comes after the one it is mounted over.
    public static func parse(_ text: String) -> [MountInfo] {
        text.splitBytes("\n").compactMap { MountInfo(line: $0) }
    }

    /// The mounts that a process sees; this one's by default.
    public static func all(of process: String = "self") throws(KernelError) -> [MountInfo] {
        parse(try FileDescriptor.currentDirectory.readText("/proc/\(process)/mountinfo"))
    }
}

/// Undoes the kernel's `\040` for space, tab, newline and backslash.
private func unescape(_ field: Substring) -> String {
    guard field.utf8.contains(UInt8(ascii: "\\")) else { return String(field) }
    let bytes = Array(field.utf8)
    var result: [UInt8] = []
    var index = 0
    while index < bytes.count {
        if bytes[index] == UInt8(ascii: "\\"), index + 3 < bytes.count,
            let code = UInt8(String(decoding: bytes[(index + 1)...(index + 3)], as: UTF8.self), radix: 8)
        {
            result.append(code)
            index += 4
        } else {
            result.append(bytes[index])
            index += 1
        }
    }
    return String(decoding: result, as: UTF8.self)
}
