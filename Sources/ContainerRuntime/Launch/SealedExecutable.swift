import CKernel
import Glibc
import Kernel

/// Keeps a container from overwriting the host's copy of this program.
///
/// A program that is executed by the name `/proc/self/exe` inside a container is this one, and stays open to whoever
/// runs it. So it must not be writable through that link: it is executed again from a read-only mount of itself that
/// is attached nowhere. That costs one exec, a fifth of what a sealed copy in memory costs (see the module's README).
public enum SealedExecutable {
    private static let path = "/proc/self/exe"

    /// Executes this program again from a read-only mount, unless it already runs from one. Where the kernel or the
    /// caller's privileges do not allow that, from a sealed copy in memory.
    ///
    /// Call it first in `main`: nothing of this process survives.
    public static func ensure(arguments: [String]) throws(RuntimeError) {
        do throws(KernelError) {
            let program = try FileDescriptor.open(path, .path)
            if try isSealed(program) { return }
            let sealed: FileDescriptor
            do throws(KernelError) { sealed = try readOnlyMount(of: program) } catch { sealed = try copy() }
            try Processes.execute(sealed, arguments: arguments, environment: Self.environment)
        } catch {
            throw RuntimeError(error)
        }
    }

    private static var environment: [String] {
        var list: [String] = []
        var next = environ
        while let entry = next.pointee {
            list.append(String(cString: entry))
            next += 1
        }
        return list
    }

    private static func isSealed(_ program: FileDescriptor) throws(KernelError) -> Bool {
        var status = statfs()
        // ST_RDONLY
        if ck_fstatfs(program.rawValue, &status) == 0, status.f_flags & 1 != 0 { return true }
        guard let file = try? FileDescriptor.open(path), let seals = try? file.seals() else { return false }
        return seals.contains(.writing)
    }

    private static func readOnlyMount(of program: FileDescriptor) throws(KernelError) -> FileDescriptor {
        let mount = try program.cloneMount()
        try mount.setMountAttributes(set: .readOnly)
        return mount
    }

    private static func copy() throws(KernelError) -> FileDescriptor {
        let file = try FileDescriptor.makeMemoryFile("dhow-runtime", executable: true)
        try file.copyContents(of: try FileDescriptor.open(path))
        try file.addSeals(.all)
        return file
    }
}
