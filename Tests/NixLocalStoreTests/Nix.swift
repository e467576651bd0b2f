import Kernel
import NixLocalStore
import NixStore
import Testing

/// Debian's Nix, on a store of a test's.
struct Nix: Sendable {
    let root: String

    /// Runs one of its tools, and gives what it wrote to standard output.
    func run(
        _ tool: String, _ arguments: [String], input: [UInt8] = [], expectsSuccess: Bool = true
    ) throws -> [UInt8] {
        let output = try Subprocess.run(
            configuration(tool, arguments), input: input, outputLimit: 1 << 28)
        if expectsSuccess {
            #expect(output.status.isSuccess, "\(tool) \(arguments): \(output.standardErrorText)")
        } else {
            #expect(!output.status.isSuccess, "\(tool) \(arguments)")
        }
        return output.standardOutput
    }

    func configuration(_ tool: String, _ arguments: [String]) -> Subprocess.Configuration {
        let features = tool == "nix" ? ["--extra-experimental-features", "nix-command"] : []
        // Nothing of the machine's configuration, and no binary cache.
        return Subprocess.Configuration(
            "/usr/bin/\(tool)",
            arguments: [tool] + features + arguments
                + ["--store", root, "--option", "substitute", "false", "--option", "build-users-group", ""],
            environment: ["PATH=/usr/bin:/bin", "HOME=/nonexistent", "NIX_CONF_DIR=/nonexistent"])
    }

    func lines(_ tool: String, _ arguments: [String]) throws -> [String] {
        String(decoding: try run(tool, arguments), as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// Everything that the store's database holds, but times, in order.
    func rows() throws -> [String] {
        let queries = [
            "SELECT path, hash, deriver, narSize, ultimate, sigs, ca FROM ValidPaths ORDER BY path",
            "SELECT v.path, d.id, d.path FROM DerivationOutputs d JOIN ValidPaths v ON v.id = d.drv ORDER BY 1, 2",
            "SELECT a.path, b.path FROM Refs JOIN ValidPaths a ON a.id = referrer "
                + "JOIN ValidPaths b ON b.id = reference ORDER BY 1, 2",
        ]
        let output = try Subprocess.run(
            Subprocess.Configuration(
                "/usr/bin/sqlite3",
                arguments: ["sqlite3", root + "/nix/var/nix/db/db.sqlite", queries.joined(separator: ";")]))
        #expect(output.status.isSuccess, "\(output.standardErrorText)")
        return String(decoding: output.standardOutput, as: UTF8.self).split(separator: "\n").map(String.init)
    }
}

extension Fixture {
    var nix: Nix { Nix(root: root) }
}
