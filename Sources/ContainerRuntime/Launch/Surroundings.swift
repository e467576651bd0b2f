import Kernel
import OCI

/// Namespaces that a child can only be born into: the parent enters them for the moment of the clone.
struct Surroundings {
    private var entered: [(own: FileDescriptor, kind: Namespaces)] = []

    /// Enters what the plan's child must be born into.
    init(_ plan: LaunchPlan, isRootless: Bool) throws(KernelError) {
        if let path = plan.namespaces.joined[.pid] { try enterPID(try FileDescriptor.open(path)) }
        if plan.namespaces.created.contains(.time), !isRootless {
            let own = try FileDescriptor.open("/proc/self/ns/time")
            try Namespaces.unshare(.time)
            entered.append((own, .time))
            do throws(KernelError) {
                try TimeOffsets.write(plan.timeOffsets)
            } catch {
                try restore()
                throw error
            }
        }
    }

    /// Enters the pid namespace of a process.
    init(pidNamespaceOf process: ProcessDescriptor) throws(KernelError) { try enterPID(process.descriptor) }

    private mutating func enterPID(_ target: FileDescriptor) throws(KernelError) {
        let own = try FileDescriptor.open("/proc/self/ns/pid")
        try Namespaces.join(target, .pid)
        entered.append((own, .pid))
    }

    /// Goes back to the namespaces of before.
    func restore() throws(KernelError) {
        for (own, kind) in entered { try Namespaces.join(own, kind) }
    }
}
