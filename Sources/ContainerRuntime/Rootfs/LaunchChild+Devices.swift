import CKernel
import Kernel

extension LaunchChild {
    func makeDevice(_ device: DevicePlan) throws {
        if device.isBound { return try bindDevice(device) }
        let (directory, name) = try RootTree(root).parent(of: device.path)
        do throws(KernelError) {
            try directory.makeNode(
                name, type: device.type, mode: device.mode, device: device.number)
        } catch {
            switch error.code {
            case .exists: return
            // As in a user namespace that the runtime itself lives in.
            case .notPermitted: return try bindDevice(device)
            default: throw error
            }
        }
        if device.uid != 0 || device.gid != 0 {
            try directory.changeOwner(of: name, userID: device.uid, groupID: device.gid)
        }
    }

    private func bindDevice(_ device: DevicePlan) throws {
        let source = try FileDescriptor.open(device.path, .path)
        let target = try RootTree(root).target(device.path, isDirectory: false)
        try source.cloneMount().moveMount(to: target)
    }

    func link(_ target: String, at path: String) throws {
        // Not every kernel has /proc/kcore.
        if target == "/proc/kcore", !FileDescriptor.currentDirectory.exists(target) { return }
        let (directory, name) = try RootTree(root).parent(of: path)
        if path == "/dev/ptmx" {
            // A device here would be the host's: the link leads to the container's own terminals.
            try directory.unlinkIfPresent(name)
        }
        do throws(KernelError) {
            try directory.makeSymbolicLink(name, to: target)
        } catch {
            if error.code != .exists { throw error }
        }
    }

    /// Opens a terminal of the container's devpts and hands its master end to the parent or to the console socket.
    func openConsole(width: UInt32, height: UInt32, mounts: Bool) throws {
        let master = try root.open(
            "/dev/ptmx", [.readWrite, .noControllingTerminal], resolve: [.inRoot, .noMagicLinks])
        let slave = try ContainerTerminal.open(master, width: width, height: height)
        if mounts {
            let target = try RootTree(root).target("/dev/console", isDirectory: false)
            try slave.cloneMount().moveMount(to: target)
        }
        try hand(over: master)
        terminal = slave
    }

    func hand(over master: FileDescriptor) throws {
        if let socket = inherited.consoleSocket {
            _ = try socket.send(Array("/dev/ptmx".utf8), descriptors: [master])
            inherited.consoleSocket = nil
        } else {
            try channel.report(.console(master))
        }
    }
}

/// Pseudo terminals.
enum ContainerTerminal {
    /// Unlocks a fresh master and opens its slave end, by descriptor, so that no path of the container is trusted.
    static func open(_ master: FileDescriptor, width: UInt32, height: UInt32) throws(KernelError) -> FileDescriptor {
        var unlocked: Int32 = 0
        // TIOCSPTLCK, TIOCGPTPEER (asm-generic/ioctls.h)
        try check(ck_ioctl_pointer(master.rawValue, 0x4004_5431, &unlocked), "unlock the terminal of")
        // O_RDWR | O_NOCTTY | O_CLOEXEC
        let slave = try check(ck_ioctl(master.rawValue, 0x5441, 0o2 | 0o400 | 0o2000000), "open the terminal of")
        if width != 0 || height != 0 {
            try master.setTerminalSize(TerminalSize(rows: UInt16(clamping: height), columns: UInt16(clamping: width)))
        }
        return FileDescriptor(owning: Int32(slave))
    }

    @discardableResult
    private static func check(_ result: Int, _ operation: String) throws(KernelError) -> Int {
        if result < 0 { throw KernelError(ErrorNumber(rawValue: Int32(-result)), operation, "/dev/ptmx") }
        return result
    }
}
