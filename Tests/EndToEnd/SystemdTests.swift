import Foundation
import Testing

/// systemd as a container's first process.
@Suite(.enabled(if: Shell.exists("mmdebstrap") && !Programs.inVirtualMachine, "makes a Debian root file system"))
struct SystemdTests {
    @Test func systemdReachesRunning() throws {
        let daemon = try Daemon()
        defer { daemon.tearDown() }
        let tar = try Shell.check(
            [
                Programs.repository + "/scripts/debian-image", "systemd", "systemd", "systemd-sysv", "dbus",
                "libpam-systemd", "login",
            ], timeout: 900
        ).text
        try daemon.check(
            "import", "--change", #"CMD ["/sbin/init"]"#, "--change", "STOPSIGNAL SIGRTMIN+3", "--change",
            "ENV container=docker", tar, "systemd:test")
        try daemon.check(
            "run", "-d", "--name", "system", "--privileged", "--network", "none", "--cgroupns", "private", "--tmpfs",
            "/run", "--tmpfs", "/tmp", "systemd:test")
        var last = Output(status: 0, stdout: "", stderr: "")
        let reached = try eventually(120) {
            last = try daemon.dhow("exec", "system", "systemctl", "is-system-running")
            return last.text == "running"
        }
        let failed = try daemon.dhow("exec", "system", "systemctl", "--failed", "--no-pager")
        #expect(reached, "\(last) \(failed)")
        #expect(
            try daemon.check("exec", "system", "systemctl", "is-active", "systemd-journald", "dbus.socket").lines
                .allSatisfy { $0 == "active" })
    }
}
