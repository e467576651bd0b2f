import Cgroups
import Kernel

/// A process that sleeps until it is killed.
final class TestProcess: Sendable {
    let child: Subprocess
    var processID: Int32 { child.processID }

    init(_ script: String = "sleep 1000") throws {
        var configuration = Subprocess.Configuration("/bin/sh", arguments: ["sh", "-c", script])
        configuration.startsSession = true
        child = try Subprocess.spawn(configuration)
    }

    deinit {
        try? Processes.send(signal: .kill, to: -child.processID)
        try? child.send(signal: .kill)
        _ = try? child.wait()
    }
}

/// A container's name that no other run uses.
func uniqueName() -> String { "dhow-test-\(randomHexadecimal(bytes: 6))" }

/// Makes a directory that is removed with its owner.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = try FileDescriptor.currentDirectory.makeTemporaryDirectory(in: "/tmp", prefix: "cgroups-tests-")
    }

    deinit { try? FileDescriptor.currentDirectory.removeTree(path) }

    func write(_ name: String, _ text: String = "") throws {
        try FileDescriptor.currentDirectory.writeFile("\(path)/\(name)", text, creating: true)
    }

    func read(_ name: String) throws -> String {
        try FileDescriptor.currentDirectory.readText("\(path)/\(name)")
    }
}

/// The error that `body` throws.
func failure(_ body: () throws -> Void) -> CgroupError? {
    do { try body() } catch { return error as? CgroupError }
    return nil
}
