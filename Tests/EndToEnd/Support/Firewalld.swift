import Foundation

/// The real firewalld for a host of the tests, on a message bus of its own.
final class Firewalld {
    private let directory: ScratchDirectory
    private let host: NetworkPlace
    private let children: [Child]

    private var environment: [String: String] {
        ["DBUS_SYSTEM_BUS_ADDRESS": "unix:path=\(directory.file("bus"))"]
    }

    init(on host: NetworkPlace) throws {
        self.host = host
        directory = try ScratchDirectory("firewalld")
        try directory.write(
            """
            <!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
             "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
            <busconfig>
              <type>system</type>
              <listen>unix:path=\(directory.file("bus"))</listen>
              <auth>EXTERNAL</auth>
              <policy context="default">
                <allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>
              </policy>
            </busconfig>
            """, to: "bus.conf")
        let bus = try Child(["dbus-daemon", "--nofork", "--nopidfile", "--config-file", directory.file("bus.conf")])
        let socket = directory.file("bus")
        guard eventually(20, { FileManager.default.fileExists(atPath: socket) }) else {
            throw CommandFailure(command: ["dbus-daemon"], output: Output(status: -1, stdout: "", stderr: bus.stderr))
        }
        let daemon = try Child(
            host.enter + ["firewalld", "--nofork", "--nopid", "--log-file", directory.file("log")],
            environment: ["DBUS_SYSTEM_BUS_ADDRESS": "unix:path=\(socket)"])
        children = [daemon, bus]
        guard try eventually(60, { try command("--state").text == "running" }) else {
            throw CommandFailure(command: ["firewalld"], output: Output(status: -1, stdout: "", stderr: daemon.stderr))
        }
    }

    /// `firewall-cmd`
    @discardableResult
    func command(_ arguments: String...) throws -> Output {
        try Shell.run(host.enter + ["firewall-cmd"] + arguments, environment: environment)
    }
}
