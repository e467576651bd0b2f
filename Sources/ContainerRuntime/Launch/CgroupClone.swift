import Kernel

/// Clones into a cgroup.
enum CgroupClone {
    /// Clones; where the kernel refuses the cgroup because controllers are offered below it, the child moves there.
    static func clone(_ options: CloneOptions) throws(KernelError) -> CloneResult {
        guard let directory = options.cgroup else { return try Kernel.clone(options) }
        do throws(KernelError) {
            return try Kernel.clone(options)
        } catch {
            guard error.code == .busy || error.code == .notSupported || error.code == .invalidArgument else {
                throw error
            }
            var options = options
            options.cgroup = nil
            let result = try Kernel.clone(options)
            if case .child = result {
                // An error must not escape into the parent's code, of which this is a copy.
                do throws(KernelError) {
                    // 0 is the writer.
                    try directory.open("cgroup.procs", .writeOnly).writeAll("0")
                } catch { exitImmediately(1) }
            }
            return result
        }
    }
}
