import Kernel
import NixStore
import Testing

/// Debian's Nix with a home, a configuration and stores of its own, all in a directory that goes with it.
final class DebianNix: Sendable {
    let root: String
    let environment: [String]

    init(configuration: String = "") throws {
        root = try FileDescriptor.currentDirectory.makeTemporaryDirectory(in: "/tmp", prefix: "dhow-nix-cache-")
        environment = [
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=\(root)/home", "NIX_CONF_DIR=\(root)/etc", "USER=root",
            "NIX_DAEMON_SOCKET_PATH=\(root)/socket",
        ]
        for name in ["home", "etc"] { try FileDescriptor.currentDirectory.makeDirectory("\(root)/\(name)") }
        let text = "experimental-features = nix-command\nsandbox = false\nbuild-users-group =\nsubstituters =\n"
        try FileDescriptor.currentDirectory.writeFile("\(root)/etc/nix.conf", text + configuration, creating: true)
    }

    deinit { try? FileDescriptor.currentDirectory.removeTree(root) }

    /// What a command writes to standard output; nil when it fails.
    func run(_ arguments: String...) throws -> (output: String, errors: String, succeeds: Bool) {
        let configuration = Subprocess.Configuration(
            "/usr/bin/\(arguments[0])", arguments: arguments, environment: environment)
        let result = try Subprocess.run(configuration, timeoutMilliseconds: 300_000)
        return (
            String(decoding: result.standardOutput, as: UTF8.self), result.standardErrorText,
            result.status == .exited(0)
        )
    }

    /// Makes a store at `root/NAME` with a chain of files, each referring to the ones before, and a tree; the last comes
    /// first.
    func makeStore(_ name: String, count: Int = 3) throws -> [StorePath] {
        var expression = "let f0 = builtins.toFile \"f0\" \"begin\"; "
        for index in 1..<count {
            let references = (0..<index).map { "${f\($0)}" }.joined(separator: " ")
            expression += "f\(index) = builtins.toFile \"f\(index)\" \"\(references)\"; "
        }
        expression += "in [ \((0..<count).map { "f\($0)" }.joined(separator: " ")) ]"
        let made = try run(
            "nix-instantiate", "--store", "\(root)/\(name)", "--eval", "--strict", "--read-write-mode", "-E", expression
        )
        try #require(made.succeeds, "\(made.errors)")
        return try made.output.split { " []\"\n".contains($0) }.reversed().map {
            try StoreDirectory().parse(String($0))
        }
    }

    /// Adds a tree with an executable, a link, and a file that does not compress, to the store `root/NAME`.
    func addTree(_ name: String) throws -> StorePath {
        let tree = "\(root)/tree"
        try FileDescriptor.currentDirectory.makeDirectories("\(tree)/inner")
        try FileDescriptor.currentDirectory.writeFile("\(tree)/run", "#!/bin/sh\n", creating: true, mode: 0o755)
        try FileDescriptor.currentDirectory.writeFile(
            "\(tree)/inner/noise", randomBytes(count: 300_001), creating: true)
        try FileDescriptor.currentDirectory.writeFile("\(tree)/empty", "", creating: true)
        try FileDescriptor.currentDirectory.makeSymbolicLink("\(tree)/link", to: "inner/noise")
        let made = try run("nix-store", "--store", "\(root)/\(name)", "--add", tree)
        try #require(made.succeeds, "\(made.errors)")
        return try StoreDirectory().parse(String(made.output.dropLast()))
    }
}
