/// The settings below `/proc/sys/net`, of the calling thread's network namespace.
public enum NetworkSysctl {
    /// The path of a setting whose name may hold the interface's: `/` separates, since interface names may have dots.
    private static func path(_ components: [String], _ name: String) throws(KernelError) -> String {
        for component in components where component.isEmpty || component.hasPrefix(".") || component.contains("/") {
            throw KernelError(.invalidArgument, "use the setting", name)
        }
        return "/proc/sys/net/" + components.joined(separator: "/")
    }

    /// Reads a setting such as `["ipv4", "ip_forward"]`.
    public static func read(_ components: [String]) throws(KernelError) -> String {
        let name = components.joined(separator: ".")
        let text = try FileDescriptor.currentDirectory.readText(try path(components, name), limit: 4096)
        return String(text.prefix { $0 != "\n" })
    }

    public static func write(_ components: [String], _ value: String) throws(KernelError) {
        let name = "net." + components.joined(separator: ".")
        do throws(KernelError) {
            try FileDescriptor.currentDirectory.writeFile(try path(components, name), value)
        } catch {
            throw KernelError(error.code, "set \(name) to", value, advice: error.advice)
        }
    }

    /// Writes only when it is not so already: a read-only `/proc/sys` with the right value is fine.
    /// - Returns: what it was before.
    @discardableResult
    public static func ensure(_ components: [String], _ value: String) throws(KernelError) -> String {
        let old = try read(components)
        if old != value { try write(components, value) }
        return old
    }
}
