import Kernel
import OCI

extension MountPlan {
    /// Compiles a mount of the specification.
    init(_ mount: OCI.Mount, bundle: String, label: String?) throws(RuntimeError) {
        // Relative destinations are deprecated; they start at the root.
        destination = cleanedPath(mount.destination)
        guard destination != "/" || MountOptions(mount.options ?? []).isRemount else {
            throw RuntimeError(.invalidSpecification, "mounting into / is prohibited; use root.path for the root")
        }
        var options = MountOptions(mount.options ?? [])
        let type = mount.type ?? ""
        if options.isRemount {
            kind = .remount
        } else if options.isBind || type == "bind" {
            guard let source = mount.source, !source.isEmpty else {
                throw RuntimeError(.invalidSpecification, "the bind mount at \(destination) has no source")
            }
            kind = .bind(joinedPath(source, in: bundle), recursive: options.isRecursive)
        } else if type == "cgroup" || type == "cgroup2" {
            kind = .cgroup
        } else {
            guard !type.isEmpty, type != "none" else {
                throw RuntimeError(.invalidSpecification, "the mount at \(destination) has no type")
            }
            kind = .fileSystem(type: type, source: mount.source ?? type)
        }
        if options.isIDMapped || mount.uidMappings?.isEmpty == false || mount.gidMappings?.isEmpty == false {
            guard case .bind = kind else {
                throw RuntimeError(
                    .invalidSpecification, "the mount at \(destination) is idmapped, which only bind mounts can be")
            }
            guard (mount.uidMappings?.isEmpty ?? true) == (mount.gidMappings?.isEmpty ?? true) else {
                throw RuntimeError(
                    .invalidSpecification, "the idmapped mount at \(destination) needs both uid and gid mappings")
            }
            idMapping = IDMapPlan(
                uidMappings: mount.uidMappings ?? [], gidMappings: mount.gidMappings ?? [],
                isRecursive: options.isIDMappedRecursively)
        }
        if Self.isMadeReadOnlyLate(mount) { options.attributes.set.remove(.readOnly) }
        self.options = options
        if let label, !label.isEmpty, case .fileSystem(let type, _) = kind, !["proc", "sysfs", "mqueue"].contains(type)
        {
            self.label = label
        }
    }

    /// A read-only tmpfs, and /dev, still get files of ours: they are closed once those exist.
    static func isMadeReadOnlyLate(_ mount: OCI.Mount) -> Bool {
        let options = MountOptions(mount.options ?? [])
        guard options.attributes.set.contains(.readOnly), !options.isRemount, !options.isBind else {
            return false
        }
        return mount.type == "tmpfs" || cleanedPath(mount.destination) == "/dev"
    }
}
