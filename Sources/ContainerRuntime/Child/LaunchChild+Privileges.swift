import CKernel
import Glibc
import Kernel

extension LaunchChild {
    /// Makes descriptors 0 to 2 what the program shall have.
    func setStandardStreams() throws {
        if let terminal {
            for number: Int32 in 0...2 { try terminal.duplicate(onto: number) }
            try FileDescriptor.standardInput.becomeControllingTerminal()
            self.terminal = nil
        } else if let streams = inherited.options.standardStreams {
            // Out of the way first: one of them may be numbered as another one's target.
            let moved = try [streams.input, streams.output, streams.error].map { try $0.duplicate(minimum: 10) }
            for (number, file) in moved.enumerated() { try file.duplicate(onto: Int32(number)) }
        }
        guard plan.namespaces.contains(.mount) else { return }
        for number: Int32 in 0...2 {
            // The host's /dev/null would lead a program that follows it to the host's file system.
            let file = FileDescriptor(borrowing: number)
            guard let status = try? file.status(), status.type == .characterDevice,
                status.specialDevice == DeviceNumber(major: 1, minor: 3)
            else { continue }
            if let null = try? FileDescriptor.open("/dev/null", .readWrite) { try null.duplicate(onto: number) }
        }
    }

    func dropPrivileges(_ privileges: PrivilegePlan) throws {
        addHome(of: privileges.uid)
        // As root first: the user may not be allowed to search the directories above. As the user again: root may not
        // be allowed either (a network file system).
        let isEntered = try enterWorkingDirectory(privileges, mayRefuse: true)
        if let capabilities = privileges.capabilities {
            do throws(KernelError) {
                try ProcessCapabilities.limitBoundingSet(to: capabilities.bounding)
            } catch {
                if error.code != .notPermitted { throw error }
            }
            try ProcessControl.setKeepCapabilities(true)
        }
        giveStandardStreams(to: privileges.uid)
        try setGroups(privileges)
        try Credentials.setGroupIDs(privileges.gid)
        try Credentials.setUserIDs(privileges.uid)
        if !isEntered { _ = try enterWorkingDirectory(privileges, mayRefuse: false) }
        try checkWorkingDirectory()
        if let capabilities = privileges.capabilities {
            try ProcessControl.setKeepCapabilities(false)
            try applyCapabilities(capabilities)
        }
    }

    private func setGroups(_ privileges: PrivilegePlan) throws {
        do throws(KernelError) {
            try Credentials.setSupplementaryGroups(privileges.additionalGids)
        } catch {
            // In a user namespace without setgroups there are none to set; to drop none is fine.
            guard error.code == .notPermitted, privileges.additionalGids.isEmpty, plan.namespaces.contains(.user) else {
                throw error
            }
        }
    }

    private func applyCapabilities(_ wanted: CapabilitySets) throws {
        // What the runtime lacks, it cannot give.
        let available = try ProcessCapabilities.current().permitted
        let permitted = wanted.permitted.intersection(available)
        try ProcessCapabilities(
            effective: wanted.effective.intersection(permitted), permitted: permitted,
            inheritable: wanted.inheritable.intersection(available)
        ).apply()
        try ProcessCapabilities.setAmbient(wanted.ambient.intersection(permitted))
    }

    /// - Returns: `false` when the kernel refused and that may be because of who we are.
    private func enterWorkingDirectory(_ privileges: PrivilegePlan, mayRefuse: Bool) throws -> Bool {
        let path = privileges.workingDirectory
        do throws(KernelError) {
            try changeWorkingDirectory(to: path)
            return true
        } catch {
            if mayRefuse && (error.code == .accessDenied || error.code == .notPermitted) { return false }
            if error.code == .notFound, mayRefuse, privileges.makesWorkingDirectory, makeWorkingDirectory(path) {
                return true
            }
            throw RuntimeError(
                .commandNotExecutable,
                "unable to start container process: chdir to cwd (\"\(path)\") set in config.json failed: "
                    + error.code.description, errno: error.code.rawValue)
        }
    }

    /// A working directory that the image lacks is made, as the user's programs expect it.
    private func makeWorkingDirectory(_ path: String) -> Bool {
        guard plan.namespaces.contains(.mount) else { return false }
        do {
            try FileDescriptor.currentDirectory.makeDirectories(path)
            try changeWorkingDirectory(to: path)
            return true
        } catch {
            return false
        }
    }

    /// A descriptor of the host that leaked into the child could serve as a way out of the root, as
    /// `/proc/self/fd/7`: from a directory that is not below the root, getcwd finds no path.
    private func checkWorkingDirectory() throws {
        let path = try? workingDirectory()
        guard let path, path.hasPrefix("/") else {
            throw RuntimeError(
                .commandNotExecutable,
                "unable to start container process: current working directory is outside of container mount namespace "
                    + "root -- possible container breakout detected")
        }
    }

    /// A program may want to open /dev/stdout again, which takes the permission of its owner.
    private func giveStandardStreams(to uid: UInt32) {
        for number: Int32 in 0...2 {
            let file = FileDescriptor(borrowing: number)
            guard let status = try? file.status(), status.userID != uid,
                status.specialDevice != DeviceNumber(major: 1, minor: 3)
            else { continue }
            try? file.changeOwner(userID: uid, groupID: status.groupID)
        }
    }

    /// Sets HOME from the container's /etc/passwd where the specification does not.
    private func addHome(of uid: UInt32) {
        guard !environment.contains(where: { $0.hasPrefix("HOME=") && $0 != "HOME=" }) else { return }
        environment.removeAll { $0 == "HOME=" }
        environment.append("HOME=" + (Self.home(of: uid) ?? "/"))
    }

    private static func home(of uid: UInt32) -> String? {
        guard let file = try? FileDescriptor.open("/etc/passwd", [.readOnly, .nonBlocking]),
            let status = try? file.status(), status.isRegular, let bytes = try? file.readAll(limit: 4 << 20)
        else { return nil }
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            if fields.count >= 6, UInt32(fields[2]) == uid, !fields[5].isEmpty { return String(fields[5]) }
        }
        return nil
    }
}

/// Labels of security modules.
enum SecurityLabels {
    static func setAppArmorProfile(_ name: String) throws {
        guard
            FileDescriptor.currentDirectory.exists("/sys/module/apparmor/parameters/enabled")
                || FileDescriptor.currentDirectory.exists("/proc/self/attr/apparmor")
        else {
            throw RuntimeError(
                .invalidSpecification, "apparmor profile \"\(name)\" requested, but the host has no AppArmor")
        }
        let modern = "/proc/self/attr/apparmor/exec"
        let path = FileDescriptor.currentDirectory.exists(modern) ? modern : "/proc/self/attr/exec"
        let file = try FileDescriptor.open(path, .writeOnly)
        try file.writeAll("exec \(name)")
    }

    static func setSELinuxLabel(_ label: String) throws {
        guard isSELinuxEnabled else {
            throw RuntimeError(
                .invalidSpecification, "selinux label is specified in config, but selinux is disabled or not supported")
        }
        let file = try FileDescriptor.open("/proc/self/attr/exec", .writeOnly)
        try file.writeAll(label)
    }

    static var isSELinuxEnabled: Bool { FileDescriptor.currentDirectory.exists("/sys/fs/selinux/enforce") }
    static var isAppArmorEnabled: Bool {
        (try? FileDescriptor.currentDirectory.readText("/sys/module/apparmor/parameters/enabled"))?.hasPrefix("Y")
            ?? false
    }
}
