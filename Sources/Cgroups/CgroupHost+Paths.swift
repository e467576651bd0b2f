import Kernel

extension CgroupHost {
    /// Where cgroupfs's driver puts a container's cgroup, by runc's rules.
    func reference(path: String?, containerID: String) throws(CgroupError) -> CgroupReference {
        var path = path ?? ""
        if path.isEmpty {
            if containerID.isEmpty || containerID == "." || containerID == ".." || containerID.containsByte("/") {
                throw CgroupError(.invalidPath, "cannot name a cgroup after \"\(containerID)\": it is no file name")
            }
            path = containerID
        }
        if path.utf8.contains(0) || path.utf8.contains(UInt8(ascii: "\n")) {
            throw CgroupError(.invalidPath, "the cgroup path \"\(path)\" holds a character that no cgroup can have")
        }
        let isAbsolute = path.utf8.first == UInt8(ascii: "/")
        // "..", also more of them than there are directories, stays below the hierarchy's top.
        let inner = components(path)
        if inner.isEmpty {
            throw CgroupError(.invalidPath, "the cgroup path \"\(path)\" names the root cgroup, not one of its own")
        }
        if version == .v2 {
            guard let unified else { throw CgroupError(.noHierarchy, "no cgroup file system is mounted") }
            var outer: [String] = []
            if !isAbsolute {
                // The caller's own cgroup has processes, the caller at least: no controllers can be enabled for those
                // below it. Beside it they can.
                outer = own("", in: unified).dropLast()
            }
            return CgroupReference(version: .v2, paths: ["": join(unified.mountPoint, outer + inner)])
        }
        var paths: [String: String] = [:]
        for hierarchy in hierarchies {
            for controller in hierarchy.controllers {
                if controller.hasPrefix("name=") && controller != "name=systemd" { continue }
                let outer = isAbsolute ? [] : own(controller, in: hierarchy)
                paths[controller] = join(hierarchy.mountPoint, outer + inner)
            }
        }
        if paths.isEmpty {
            throw CgroupError(
                .noHierarchy, "no cgroup file system is mounted: mount cgroup2 at /sys/fs/cgroup, or start systemd")
        }
        if let unified { paths[""] = join(unified.mountPoint, (isAbsolute ? [] : own("", in: unified)) + inner) }
        return CgroupReference(version: .v1, paths: paths)
    }

    /// The caller's own cgroup below the mount point of a hierarchy.
    private func own(_ controller: String, in hierarchy: Hierarchy) -> [String] {
        let own = components(ownPaths[controller] ?? "/")
        let root = components(hierarchy.root)
        // Only a part of the hierarchy is mounted: the rest of the path is what counts from there.
        if !root.isEmpty && own.starts(with: root) { return Array(own.dropFirst(root.count)) }
        return own
    }
}

/// The directories of a path from the root on, `.` and `..` resolved by name.
func components(_ path: String) -> [String] {
    var result: [String] = []
    for part in path.splitBytes("/") where part != "." {
        if part == ".." { _ = result.popLast() } else { result.append(String(part)) }
    }
    return result
}

func join(_ directory: String, _ parts: [String]) -> String {
    (directory == "/" ? "" : directory) + "/" + parts.joined(separator: "/")
}
