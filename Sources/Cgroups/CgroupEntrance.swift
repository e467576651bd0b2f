import Kernel

/// A cheap way into a cgroup, for a process that is being made.
///
/// Moving a process by its number makes the kernel wait until no thread on the machine is forking or ending: some
/// milliseconds. A process that is cloned into a v2 cgroup, and a thread that moves itself in v1, need not wait. So:
/// open the entrance, clone with `cloneTarget`, and call `enter` first thing in the child, while it has one thread.
public struct CgroupEntrance: Sendable {
    /// For `CloneOptions.cgroup`: the v2 directory, on hybrid hosts too. The kernel may refuse it (`EBUSY`, when
    /// controllers are offered to cgroups below); use `Cgroup.add` then.
    public let cloneTarget: FileDescriptor?
    /// v1's `tasks`, opened here: the child may have lost the right to.
    private let tasks: [FileDescriptor]

    init(cloneTarget: FileDescriptor?, tasks: [FileDescriptor]) {
        self.cloneTarget = cloneTarget
        self.tasks = tasks
    }

    /// Moves the calling thread into the v1 directories.
    public func enter() throws(CgroupError) {
        do throws(KernelError) {
            // 0 is the writer.
            for file in tasks { try file.writeAll("0") }
        } catch { throw CgroupError("enter the cgroup", error) }
    }
}

extension Cgroup {
    /// Opens the entrance of a cgroup that exists. See `CgroupEntrance`.
    ///
    /// - Parameter subpath: a cgroup below it, as in `add`.
    public func openEntrance(subpath: String = "") throws(CgroupError) -> CgroupEntrance {
        let below = components(subpath)
        var target: FileDescriptor?
        var tasks: [FileDescriptor] = []
        var seen: Set<String> = []
        do throws(KernelError) {
            for (controller, path) in directories where seen.insert(path).inserted {
                let path = below.isEmpty ? path : join(path, below)
                if controller.isEmpty {
                    // Beside v1 controllers it is only a convenience, and may be missing.
                    do throws(KernelError) {
                        target = try FileDescriptor.open(path, [.path, .directory])
                    } catch { if version == .v2 { throw error } }
                } else if below.isEmpty || FileDescriptor.currentDirectory.exists(path) {
                    tasks.append(try FileDescriptor.open("\(path)/tasks", .writeOnly))
                }
            }
        } catch { throw CgroupError("open the cgroup's entrance", error) }
        if target == nil && tasks.isEmpty {
            throw CgroupError(.notFound, "there is no cgroup \(subpath) below the container's")
        }
        return CgroupEntrance(cloneTarget: target, tasks: tasks)
    }
}
