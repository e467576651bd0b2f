import Foundation

/// A directory in which Dhow's tools and Debian's Nix are asked the same.
final class NixPlace {
    let scratch: ScratchDirectory
    var root: String { scratch.path }
    var environment: [String: String]

    init(_ name: String) throws {
        scratch = try ScratchDirectory(name)
        environment = [
            "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "", "HOME": scratch.path,
            "NIX_CONF_DIR": scratch.path, "NIX_PATH": "", "XDG_CONFIG_DIRS": "/nonexistent", "TERM": "dumb",
        ]
        try write("build-users-group =\nsubstitute = false\n", to: "nix.conf")
        try FileManager.default.createDirectory(atPath: root + "/ours", withIntermediateDirectories: true)
        for tool in ["nix-instantiate", "nix-store", "nix-env", "nix"] {
            try FileManager.default.createSymbolicLink(
                atPath: root + "/ours/" + tool, withDestinationPath: Programs.directory + "/dhow-nix")
        }
    }

    func write(_ text: String, to name: String) throws {
        try text.write(toFile: root + "/" + name, atomically: false, encoding: .utf8)
    }

    func run(_ command: String, _ more: [String: String] = [:]) throws -> Output {
        try Shell.run(
            ["/bin/bash", "-c", command], environment: environment.merging(more) { _, new in new }, directory: root)
    }

    /// A command with our tools first in the path.
    func ours(_ command: String, _ more: [String: String] = [:]) throws -> Output {
        try run(command, more.merging(["PATH": "\(root)/ours:" + (environment["PATH"] ?? "")]) { given, _ in given })
    }
}
