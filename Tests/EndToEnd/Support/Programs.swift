import Foundation

/// The programs under test: those that `make build` made.
enum Programs {
    static let directory: String = {
        if let named = ProcessInfo.processInfo.environment["DHOW_BIN"] { return named }
        let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        return repository.appendingPathComponent("bin").path
    }()

    static let dhow = directory + "/dhow"
    static let dhowd = directory + "/dhowd"
    static let runtime = directory + "/dhow-runtime"

    /// The repository, where there is one: the virtual machine has only the programs.
    static let repository = URL(fileURLWithPath: directory).deletingLastPathComponent().path

    /// The number before the first dot of the version of Docker's command line; 0 without one.
    static let dockerMajor: Int = {
        let version = (try? Shell.run(["docker", "--version"]).text) ?? ""
        let digits = version.split(separator: " ").dropFirst(2).first?.prefix { $0.isNumber } ?? ""
        return Int(digits) ?? 0
    }()

    /// Whether these tests run in the virtual machine of `make test-vm`.
    static let inVirtualMachine = ProcessInfo.processInfo.environment["DHOW_TEST_MACHINE"] != nil

    /// The cgroup driver that the daemon of a test uses.
    static let cgroupDriver = ProcessInfo.processInfo.environment["DHOW_TEST_CGROUP_DRIVER"] ?? "cgroupfs"
}
