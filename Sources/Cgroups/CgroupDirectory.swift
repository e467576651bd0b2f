import Kernel

/// One directory of a cgroup file system, and its little files.
struct CgroupDirectory: Sendable {
    let path: String

    init(path: String) { self.path = path }

    private var root: FileDescriptor { .currentDirectory }

    func has(_ file: String) -> Bool { root.exists("\(path)/\(file)") }
    var exists: Bool { root.exists(path) }

    func make() throws(CgroupError) {
        do throws(KernelError) { try root.makeDirectories(path) } catch {
            throw CgroupError("make the cgroup", error)
        }
    }

    /// Writes a value; the error names file and value.
    func write(_ file: String, _ value: String) throws(CgroupError) {
        do throws(KernelError) { try root.writeFile("\(path)/\(file)", value) } catch {
            throw CgroupError("set \(file) to \"\(value)\" in the cgroup \(path)", error)
        }
    }

    func write(_ file: String, _ value: some BinaryInteger) throws(CgroupError) { try write(file, String(value)) }

    /// Without the final newline.
    func read(_ file: String) throws(CgroupError) -> String {
        do throws(KernelError) {
            var text = try root.readText("\(path)/\(file)")
            if text.hasSuffix("\n") { text.removeLast() }
            return text
        } catch { throw CgroupError("read \(file) of the cgroup", error) }
    }

    /// `nil` when there is no such file.
    func readIfPresent(_ file: String) throws(CgroupError) -> String? {
        do throws(CgroupError) { return try read(file) } catch {
            // ENODEV: the cgroup is being removed. EOPNOTSUPP: the counter is switched off (pressure).
            if error.code == .notFound || error.causeCode == .notSupported { return nil }
            throw error
        }
    }

    /// A file with one number; `max` is `UInt64.max`, and so is a negative number.
    func number(_ file: String) throws(CgroupError) -> UInt64? {
        try readIfPresent(file).flatMap { Self.number($0) }
    }

    static func number(_ text: some StringProtocol) -> UInt64? {
        if text == "max" || text.hasPrefix("-") { return .max }
        return UInt64(text)
    }

    /// A file of lines `name value`. Empty when there is none.
    func keyedValues(_ file: String) throws(CgroupError) -> [String: UInt64] { try keyedValuesIfPresent(file) ?? [:] }

    /// The same; `nil` when there is none.
    func keyedValuesIfPresent(_ file: String) throws(CgroupError) -> [String: UInt64]? {
        guard let text = try readIfPresent(file) else { return nil }
        var values: [String: UInt64] = [:]
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            if fields.count == 2, let value = Self.number(fields[1]) { values[String(fields[0])] = value }
        }
        return values
    }

    /// The processes here, and below if `recursive`. Empty if the directory is gone.
    func processes(recursive: Bool) throws(CgroupError) -> [Int32] {
        var result: [Int32] = []
        // A threaded v2 cgroup refuses (EOPNOTSUPP); its processes are listed in its domain.
        let own = try readIfPresent("cgroup.procs") ?? ""
        result += own.split(separator: "\n").compactMap { Int32($0) }
        if recursive {
            for child in try children() { result += try child.processes(recursive: true) }
        }
        return result
    }

    /// The cgroups just below.
    func children() throws(CgroupError) -> [CgroupDirectory] {
        do throws(KernelError) {
            return try root.entries(of: path).filter { $0.type == .directory }.map {
                CgroupDirectory(path: "\(path)/\($0.name)")
            }
        } catch {
            if error.code == .notFound || error.code == .noDevice { return [] }
            throw CgroupError("list the cgroups below \(path)", error)
        }
    }

    func add(_ processID: Int32) throws(CgroupError) { try write("cgroup.procs", processID) }

    /// Removes this cgroup and those below, deepest first. One that processes are just leaving is tried again for
    /// ten seconds, ever more slowly.
    func destroy() throws(CgroupError) {
        var delay = 1
        var waited = 0
        while true {
            do throws(KernelError) {
                try root.removeDirectory(path)
                return
            } catch {
                switch error.code {
                case .notFound: return
                case .busy, .notEmpty:
                    // rmdir of one with cgroups below says EBUSY too.
                    for child in try children() { try child.destroy() }
                    if delay == 1, waited == 0 {
                        // Maybe that was all.
                        waited = -1
                        continue
                    }
                    if waited > 10_000 {
                        let left = try processes(recursive: true)
                        let who = left.isEmpty ? "" : ": processes \(left.prefix(8)) are in it"
                        throw CgroupError(.timedOut, "cannot remove the cgroup \(path)\(who)", cause: error)
                    }
                    sleepThread(milliseconds: delay)
                    waited += delay
                    delay = min(delay * 2, 200)
                default: throw CgroupError("remove the cgroup", error)
                }
            }
        }
    }
}
