import ContainerRuntime
import Foundation
import JSON
import Kernel
import OCI

/// A bundle with a busybox userland, and the runtime's command line for it. Everything goes with the test.
final class Bundle {
    let directory: TemporaryDirectory
    var specification: RuntimeSpec
    let id = "runtime-test-\(UUID().uuidString.prefix(8).lowercased())"

    var path: String { directory.path }
    var state: String { directory.path + "/state" }

    /// - Parameter script: what /bin/sh executes.
    init(_ script: String, _ change: (inout RuntimeSpec) -> Void = { _ in }) throws {
        directory = try TemporaryDirectory()
        specification = .template
        specification.process?.terminal = false
        specification.process?.args = ["/bin/sh", "-c", script]
        specification.root?.readonly = false
        specification.linux?.cgroupsPath = "/dhow-test/\(id)"
        change(&specification)
        try makeRoot()
        try save()
    }

    private func makeRoot() throws {
        let here = FileDescriptor.currentDirectory
        for name in ["bin", "proc", "dev", "sys", "tmp", "etc", "root", "mnt"] {
            try here.makeDirectories("\(path)/rootfs/\(name)")
        }
        try FileManager.default.copyItem(atPath: "/usr/bin/busybox", toPath: path + "/rootfs/bin/busybox")
        for name in [
            "sh", "sleep", "cat", "ls", "id", "true", "stat", "touch", "mkdir", "grep", "tty", "readlink", "rm",
        ] {
            try here.makeSymbolicLink("\(path)/rootfs/bin/\(name)", to: "busybox")
        }
        try here.writeFile("\(path)/rootfs/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n", creating: true)
    }

    func save() throws {
        try FileDescriptor.currentDirectory.writeFile(
            path + "/config.json", specification.json.serialized(), creating: true)
    }

    struct Result {
        var status: Int32
        var output: String
        var errors: String
    }

    /// Runs the program with these words after the global flags.
    @discardableResult
    func runtime(_ words: String..., descriptors: [Int32: FileDescriptor] = [:]) throws -> Result {
        var configuration = Subprocess.Configuration(
            Programs.runtime ?? "", arguments: ["dhow-runtime", "--root", state] + words)
        configuration.workingDirectory = path
        configuration.descriptors = descriptors
        let output = try Subprocess.run(configuration, timeoutMilliseconds: 30_000)
        return Result(
            status: output.status.code, output: String(decoding: output.standardOutput, as: UTF8.self),
            errors: output.standardErrorText)
    }

    /// Creates, starts and waits for the end.
    func run() throws -> Result { try runtime("run", id) }

    func status() throws -> String? {
        // Nothing is printed of a container that does not exist.
        try? JSONValue(parsing: Array(try runtime("state", id).output.utf8))["status"]?.string
    }

    /// What a container leaves behind, as sentences; there should be none.
    func remains() throws -> [String] {
        var found: [String] = []
        let here = FileDescriptor.currentDirectory
        for entry in (try? here.entries(of: state)) ?? [] where entry.name != ".seccomp" {
            found.append("state of \(entry.name)")
        }
        for hierarchy in (try? here.entries(of: "/sys/fs/cgroup")) ?? [] {
            let cgroup = "/sys/fs/cgroup/\(hierarchy.name)/dhow-test/\(id)"
            if here.exists(cgroup) { found.append("cgroup \(cgroup)") }
        }
        if here.exists("/sys/fs/cgroup/dhow-test/\(id)") { found.append("cgroup \(id)") }
        for mount in try MountInfo.all() where mount.mountPoint.hasPrefix(path) {
            found.append("mount \(mount.mountPoint)")
        }
        return found
    }

    deinit { _ = try? runtime("delete", "--force", id) }
}

/// Something wrong in a document, and the words in which it is to be refused.
struct Flaw<Document>: Sendable {
    let reason: String
    let change: @Sendable (inout Document) -> Void

    init(_ reason: String, _ change: @escaping @Sendable (inout Document) -> Void) {
        self.reason = reason
        self.change = change
    }
}
