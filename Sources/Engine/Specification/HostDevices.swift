import Kernel
import OCI

/// The device nodes of the host.
enum HostDevices {
    /// What a container has of its own instead, or never.
    private static let left: Set<String> = [
        "pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev", "console", "ptmx", "core", "stdin", "stdout",
        "stderr",
    ]

    /// All of `/dev`, for a privileged container.
    static func all() -> [LinuxDevice] {
        var devices: [LinuxDevice] = []
        collect("/dev", "/dev", skips: left, into: &devices)
        return devices
    }

    /// The devices at a path, which may be a link to one or a directory of them.
    /// - Throws: `EngineError.invalidParameter`, with Docker's sentences.
    static func devices(at path: String, as target: String) throws(EngineError) -> [LinuxDevice] {
        guard let status = try? FileDescriptor.currentDirectory.status(of: path, followLinks: true) else {
            throw .invalid(
                "error gathering device information while adding custom device \"\(path)\": no such file or "
                    + "directory")
        }
        if let device = device(status, target) { return [device] }
        var devices: [LinuxDevice] = []
        if status.isDirectory { collect(path, target, skips: [], into: &devices) }
        if devices.isEmpty {
            throw .invalid(
                "error gathering device information while adding custom device \"\(path)\": not a device node")
        }
        return devices
    }

    /// - Throws: `EngineError.invalidParameter` when `path` is no device.
    static func number(of path: String) throws(EngineError) -> DeviceNumber {
        guard let status = try? FileDescriptor.currentDirectory.status(of: path, followLinks: true) else {
            throw .invalid("cannot find the device \(path)")
        }
        guard status.type == .blockDevice || status.type == .characterDevice else {
            throw .invalid("\(path) is not a device")
        }
        return status.specialDevice
    }

    private static func collect(
        _ path: String, _ target: String, skips: Set<String>, into devices: inout [LinuxDevice]
    ) {
        guard let directory = try? FileDescriptor.open(path, [.readOnly, .directory]),
            let entries = try? directory.entries()
        else { return }
        for entry in entries.sorted(by: { $0.name < $1.name }) where !skips.contains(entry.name) {
            guard let status = try? directory.status(of: entry.bytes) else { continue }
            let name = "\(target)/\(entry.name)"
            if status.isDirectory {
                collect("\(path)/\(entry.name)", name, skips: [], into: &devices)
            } else if let device = device(status, name) {
                devices.append(device)
            }
        }
    }

    private static func device(_ status: FileStatus, _ path: String) -> LinuxDevice? {
        let type: String
        switch status.type {
        case .characterDevice: type = "c"
        case .blockDevice: type = "b"
        case .fifo: type = "p"
        default: return nil
        }
        return LinuxDevice(
            path: path, type: type, major: Int64(status.specialDevice.major), minor: Int64(status.specialDevice.minor),
            fileMode: status.permissions, uid: status.userID, gid: status.groupID)
    }
}
