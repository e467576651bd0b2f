import Kernel
import OCI

/// Intel's Resource Director Technology, through the resctrl file system.
enum ResourceDirector {
    private static let mountPoint = "/sys/fs/resctrl"

    static func place(_ pid: Int32, _ plan: LinuxIntelRdt, id: String) throws(RuntimeError) {
        let directory = FileDescriptor.currentDirectory
        guard directory.exists(mountPoint + "/schemata") else {
            throw RuntimeError(
                .invalidSpecification, "intelRdt is set in config, but Intel RDT is not supported or enabled")
        }
        let name = plan.closID ?? id
        guard !name.isEmpty, !name.contains("/"), name != ".", name != ".." else {
            throw RuntimeError(.invalidSpecification, "intelRdt.closID \"\(name)\" is no name of a class")
        }
        let group = name == "/" ? mountPoint : "\(mountPoint)/\(name)"
        do throws(KernelError) {
            try directory.makeDirectories(group)
            let schemata = (plan.schemata ?? []) + [plan.l3CacheSchema, plan.memBwSchema].compactMap { $0 }
            for schema in schemata where !schema.isEmpty {
                try directory.open(group + "/schemata", .writeOnly).writeAll(schema + "\n")
            }
            try directory.open(group + "/tasks", .writeOnly).writeAll("\(pid)")
        } catch {
            throw RuntimeError(error)
        }
    }
}
