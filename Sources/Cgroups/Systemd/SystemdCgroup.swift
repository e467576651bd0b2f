import Kernel
import OCI

/// A cgroup that systemd makes and removes: a transient scope.
///
/// Its limits are told to systemd, so that a `daemon-reload` does not undo them, and then written by us too
/// (`Delegate=yes` lets us), because systemd knows only some.
struct SystemdCgroup: Cgroup {
    let reference: CgroupReference
    private let containerID: String
    private let properties: [SystemdManager.Property]

    init(_ reference: CgroupReference) {
        self.init(reference, containerID: "", properties: [])
    }

    init(_ reference: CgroupReference, containerID: String, properties: [SystemdManager.Property]) {
        self.reference = reference
        self.containerID = containerID
        self.properties = properties
    }

    private var unit: String { reference.unit ?? "" }
    private func manager() throws(CgroupError) -> SystemdManager {
        try SystemdManager(isUser: reference.isUserUnit ?? false)
    }

    /// The same place, through its files.
    private var files: any Cgroup { version == .v2 ? CgroupV2(reference) : CgroupV1(reference) }

    func create(placing processID: Int32?, resources: LinuxResources?) throws(CgroupError) {
        let isSlice = unit.hasSuffix(".slice")
        if processID == nil && !isSlice {
            throw CgroupError(.systemd, "cannot make the scope \(unit) without a process: systemd has no empty scopes")
        }
        let manager = try manager()
        var all: [SystemdManager.Property] = [("Description", .string("container \(containerID)"))]
        if isSlice {
            all.append(("Wants", .strings([reference.slice ?? "-.slice"])))
        } else {
            all.append(("Slice", .string(reference.slice ?? "system.slice")))
            all.append(("Delegate", .boolean(true)))
            if let processID { all.append(("PIDs", .array(of: "u", [.uint32(UInt32(processID))]))) }
        }
        for name in ["MemoryAccounting", "CPUAccounting", "TasksAccounting"] { all.append((name, .boolean(true))) }
        all.append((version == .v2 ? "IOAccounting" : "BlockIOAccounting", .boolean(true)))
        // Else the scope would be ordered before shutdown.target, and stopped with everything at shutdown.
        all.append(("DefaultDependencies", .boolean(false)))
        if let resources {
            all += try SystemdProperties(version: version, systemdVersion: try manager.version())
                .properties(for: resources)
        }
        all += properties
        try manager.startTransientUnit(unit, all)
        do throws(CgroupError) {
            try files.create(placing: isSlice ? nil : processID, resources: resources)
        } catch {
            // Not by way of a stop, which would wait for the process: the scope goes when that ends.
            try? manager.resetFailedUnit(unit)
            throw error
        }
    }

    func apply(_ resources: LinuxResources) throws(CgroupError) {
        let manager = try manager()
        let properties = try SystemdProperties(version: version, systemdVersion: try manager.version())
            .properties(for: resources)
        try manager.setProperties(unit, properties)
        try files.apply(resources)
    }

    func add(_ processID: Int32, subpath: String) throws(CgroupError) {
        try files.add(processID, subpath: subpath)
    }

    func freeze() throws(CgroupError) { try files.freeze() }
    func thaw() throws(CgroupError) { try files.thaw() }
    func isFrozen() throws(CgroupError) -> Bool { try files.isFrozen() }
    func killAll() throws(CgroupError) { try files.killAll() }
    func statistics() throws(CgroupError) -> CgroupStatistics { try files.statistics() }
    func watchOutOfMemory() throws(CgroupError) -> OutOfMemoryWatch { try files.watchOutOfMemory() }

    func destroy() throws(CgroupError) {
        // A scope whose last process has ended is gone by itself, mostly; then there is nothing to stop.
        let manager = try manager()
        try manager.stopUnit(unit)
        // One that the kernel has killed for lack of memory stays as failed.
        try manager.resetFailedUnit(unit)
        try files.destroy()
    }
}

extension CgroupHost {
    func systemdCgroup(
        path: String?, containerID: String, properties: [String: String], rootless: Bool
    ) throws(CgroupError) -> any Cgroup {
        let name = try SystemdUnitName(path: path, containerID: containerID, isUser: rootless)
        var below = ""
        if rootless {
            // A user's manager has a cgroup of its own, which all of its units are in.
            below = try SystemdManager(isUser: true).property("ControlGroup")?.text ?? ""
        }
        var reference = try self.reference(path: try name.path(below: below), containerID: containerID)
        reference.unit = name.unit
        reference.slice = name.slice
        if rootless { reference.isUserUnit = true }
        var parsed: [SystemdManager.Property] = []
        for (name, text) in properties.sorted(by: { $0.key < $1.key }) {
            parsed.append(try Self.systemdProperty(name, text))
        }
        return SystemdCgroup(reference, containerID: containerID, properties: parsed)
    }

    /// A property from an annotation. Seconds become what D-Bus has: `TimeoutStopSec` is `TimeoutStopUSec` there.
    static func systemdProperty(_ name: String, _ text: String) throws(CgroupError) -> SystemdManager.Property {
        guard name.count > 2, name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber) }) else {
            throw CgroupError(.systemd, "\"\(name)\" is no name of a systemd property")
        }
        let value = try GVariantText.parse(text, of: name)
        guard name.hasSuffix("Sec"), !name.hasSuffix("USec") else { return (name, value) }
        let seconds: Double? =
            switch value {
            case .int32(let number): Double(number)
            case .uint32(let number): Double(number)
            case .int64(let number): Double(number)
            case .uint64(let number): Double(number)
            case .double(let number): number
            default: nil
            }
        guard let seconds, seconds >= 0, seconds < 1e12 else {
            throw CgroupError(
                .systemd, "the systemd property \(name) has the value \(text), which is no time in seconds")
        }
        return ("\(name.dropLast(3))USec", .uint64(UInt64(seconds * 1_000_000)))
    }
}
