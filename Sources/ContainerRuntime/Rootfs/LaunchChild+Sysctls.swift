import Kernel

extension LaunchChild {
    /// Sets a kernel parameter of the container's namespaces.
    ///
    /// Written through the runtime's own /proc, which no image can replace: which namespace a parameter is of depends
    /// on who writes it, not on where /proc is mounted.
    func setSysctl(_ name: String, _ value: String) throws {
        let path = sysctlWithDots(name).map { $0 == "." ? "/" : $0 == "/" ? "." : $0 }.reduce(into: "") {
            $0.append($1)
        }
        guard !path.splitBytes("/").contains(where: { $0 == ".." || $0 == "." }) else {
            throw RuntimeError(.invalidSpecification, "sysctl \"\(name)\" is no name of a parameter")
        }
        do throws(KernelError) {
            do throws(KernelError) {
                try Self.write(value, to: "/proc/sys/" + path, at: .currentDirectory)
            } catch {
                // The runtime may itself live in a container whose /proc/sys is read-only.
                guard error.code == .readOnly || error.code == .notFound else { throw error }
                let context = try FileSystemContext(type: "proc")
                try context.create()
                let proc = try context.mount()
                try Self.write(value, to: "sys/" + path, at: proc)
            }
        } catch {
            throw RuntimeError(
                .system, "cannot set sysctl \(name) to \"\(value)\": \(error.code)", errno: error.code.rawValue)
        }
    }

    private static func write(_ value: String, to path: String, at directory: FileDescriptor) throws(KernelError) {
        try directory.open(path, .writeOnly).writeAll(value)
    }
}
