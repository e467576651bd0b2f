import Kernel
import OCI

extension DevicePlan {
    /// The devices of the specification and those that every container has (config-linux.md, Default Devices).
    static func all(_ devices: [LinuxDevice], areBound: Bool) throws(RuntimeError) -> [DevicePlan] {
        var plans: [DevicePlan] = []
        for device in devices {
            let path = cleanedPath(device.path)
            // Taken care of by links and by the terminal.
            if path == "/dev/ptmx" || path == "/dev/console" { continue }
            plans.append(try DevicePlan(device, path: path, isBound: areBound))
        }
        let defaults: [(String, UInt32, UInt32)] = [
            ("/dev/null", 1, 3), ("/dev/random", 1, 8), ("/dev/full", 1, 7), ("/dev/tty", 5, 0), ("/dev/zero", 1, 5),
            ("/dev/urandom", 1, 9),
        ]
        for (path, major, minor) in defaults where !plans.contains(where: { $0.path == path }) {
            plans.append(
                DevicePlan(
                    path: path, type: .characterDevice, mode: 0o666, number: DeviceNumber(major: major, minor: minor),
                    uid: 0,
                    gid: 0, isBound: areBound))
        }
        return plans
    }

    private init(_ device: LinuxDevice, path: String, isBound: Bool) throws(RuntimeError) {
        switch device.type {
        case "c", "u": type = .characterDevice
        case "b": type = .blockDevice
        case "p": type = .fifo
        default:
            throw RuntimeError(.invalidSpecification, "device \(path) has an unknown type \"\(device.type)\"")
        }
        guard let major = UInt32(exactly: device.major ?? 0), let minor = UInt32(exactly: device.minor ?? 0) else {
            throw RuntimeError(.invalidSpecification, "device \(path) has a number that does not fit a device")
        }
        self.path = path
        mode = (device.fileMode ?? 0o666) & 0o7777
        number = DeviceNumber(major: major, minor: minor)
        uid = device.uid ?? 0
        gid = device.gid ?? 0
        self.isBound = isBound && device.type != "p"
    }

    /// What every container may do with devices, beside its own rules: make any node, and use the default ones.
    static let defaultRules: [LinuxDeviceCgroup] = {
        var rules = ["c", "b"].map { LinuxDeviceCgroup(allow: true, type: $0, access: "m") }
        let numbers: [(Int64, Int64?)] = [
            (1, 3), (1, 8), (1, 7), (5, 0), (1, 5), (1, 9), (136, nil), (5, 2),
        ]
        for (major, minor) in numbers {
            rules.append(LinuxDeviceCgroup(allow: true, type: "c", major: major, minor: minor, access: "rwm"))
        }
        return rules
    }()
}
