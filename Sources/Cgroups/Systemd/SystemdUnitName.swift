import Kernel

/// What systemd calls a container's cgroup, and where it puts it.
struct SystemdUnitName: Equatable, Sendable {
    /// Such as `machine-pods.slice`; `-.slice` is the root.
    let slice: String
    /// Such as `docker-0123.scope`.
    let unit: String

    /// From the spec's `cgroupsPath`: `slice:prefix:name`, or nothing.
    init(path: String?, containerID: String, isUser: Bool) throws(CgroupError) {
        var slice = ""
        var prefix = "dhow"
        var name = containerID
        if let path, !path.isEmpty {
            let parts = path.splitBytes(":", omittingEmpty: false).map { String($0) }
            guard parts.count == 3 else {
                throw CgroupError(
                    .invalidPath,
                    "the cgroup path \"\(path)\" is not of the form slice:prefix:name, which the systemd driver needs")
            }
            (slice, prefix, name) = (parts[0], parts[1], parts[2])
        }
        if slice.isEmpty { slice = isUser ? "user.slice" : "system.slice" }
        if name.isEmpty || (prefix + name).contains(where: { !Self.isAllowed($0) }) {
            throw CgroupError(
                .invalidPath,
                "\"\(prefix)-\(name)\" is no name for a systemd unit: it may hold letters, digits and :-_.\\")
        }
        self.slice = slice
        if name.hasSuffix(".slice") {
            unit = name
        } else {
            unit = prefix.isEmpty ? "\(name).scope" : "\(prefix)-\(name).scope"
        }
        if unit.utf8.count > 255 { throw CgroupError(.invalidPath, "the unit name \(unit) is too long: 255 bytes fit") }
        _ = try Self.expand(slice)
    }

    init(slice: String, unit: String) {
        self.slice = slice
        self.unit = unit
    }

    private static func isAllowed(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber || ":-_.\\@".contains(character))
    }

    var isSlice: Bool { unit.hasSuffix(".slice") }

    /// The directory below a hierarchy: `a-b.slice` lies in `a.slice`.
    func path(below manager: String) throws(CgroupError) -> String {
        "\(manager == "/" ? "" : manager)\(try Self.expand(slice))/\(unit)"
    }

    static func expand(_ slice: String) throws(CgroupError) -> String {
        if slice == "-.slice" { return "" }
        let name = slice.hasSuffix(".slice") ? slice.dropLast(6) : ""
        if name.isEmpty || name.contains(where: { !isAllowed($0) }) || name.hasPrefix("-") || name.hasSuffix("-")
            || name.contains("--")
        {
            throw CgroupError(.invalidPath, "\"\(slice)\" is no name for a systemd slice, such as machine-pods.slice")
        }
        var path = ""
        var prefix = ""
        for part in name.split(separator: "-") {
            prefix += prefix.isEmpty ? "\(part)" : "-\(part)"
            path += "/\(prefix).slice"
        }
        return path
    }
}
