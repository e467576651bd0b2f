import Kernel
import Synchronization

/// Tells when the kernel kills processes of a cgroup for lack of memory.
///
/// Wait for `descriptor` to become readable, then call `takeEvent`.
public final class OutOfMemoryWatch: Sendable {
    /// An eventfd of `cgroup.event_control` on v1, an inotify descriptor of `memory.events` on v2. It does not block.
    public let descriptor: FileDescriptor
    private let directory: CgroupDirectory
    private let isV2: Bool
    private let watch: FileWatch?
    /// How often the limit was hit, when it was last read.
    private let knownHits = Mutex<UInt64>(0)
    /// How many kills the cgroup above had counted, in itself and below, when this was made; v2 only.
    private let killsAbove: UInt64

    init(v1 directory: CgroupDirectory) throws(CgroupError) {
        isV2 = false
        watch = nil
        killsAbove = 0
        self.directory = directory
        do throws(KernelError) {
            let event = try EventDescriptor()
            let control = try FileDescriptor.open("\(directory.path)/memory.oom_control")
            try FileDescriptor.currentDirectory.writeFile(
                "\(directory.path)/cgroup.event_control", "\(event.descriptor.rawValue) \(control.rawValue)")
            descriptor = event.descriptor
        } catch { throw CgroupError("watch \(directory.path) for lack of memory", error) }
    }

    init(v2 directory: CgroupDirectory) throws(CgroupError) {
        isV2 = true
        self.directory = directory
        killsAbove = Self.killsAbove(directory) ?? 0
        do throws(KernelError) {
            let watch = try FileWatch()
            _ = try watch.add("\(directory.path)/memory.events", .modified)
            self.watch = watch
            descriptor = watch.descriptor
        } catch { throw CgroupError("watch \(directory.path) for lack of memory", error) }
    }

    /// Takes what has made the descriptor readable.
    ///
    /// - Returns: whether a process has been killed so far. v2 also reports that limits were touched, v1 also that the
    ///   cgroup was removed; and v1 reports just before it kills, so ask `killCount` again when a process has ended.
    public func takeEvent() -> Bool {
        if let watch {
            _ = try? watch.events()
        } else {
            _ = try? descriptor.read(count: 8)
        }
        return killCount > 0
    }

    /// How many processes have been killed so far; 0 once the cgroup is gone.
    public var killCount: UInt64 { readKillCount() ?? 0 }

    /// The same; `nil` once the cgroup is gone.
    public func readKillCount() -> UInt64? {
        guard let values = try? directory.keyedValuesIfPresent(isV2 ? "memory.events" : "memory.oom_control")
        else { return nil }
        if let hits = values["max"] { knownHits.withLock { $0 = hits } }
        return values["oom_kill"] ?? 0
    }

    /// Whether a process of a cgroup that is gone may have been killed for lack of memory: it was at its limit when that
    /// was last read, or the cgroup above, which counts for those below it, has counted a kill since. v2 only.
    public var mayHaveKilled: Bool {
        if knownHits.withLock({ $0 > 0 }) { return true }
        return Self.killsAbove(directory).map { $0 > killsAbove } ?? false
    }

    private static func killsAbove(_ directory: CgroupDirectory) -> UInt64? {
        guard let slash = directory.path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return nil }
        let above = CgroupDirectory(path: String(directory.path[..<slash]))
        return try? above.keyedValuesIfPresent("memory.events")?["oom_kill"]
    }
}
