import Kernel
import NixStore

/// Programs of the user's that builds call; the names in `nix.conf` are `pre-build-hook`, `post-build-hook` and
/// `diff-hook`.
public struct BuildHooks: Sendable {
    /// May add to a sandbox before a build; `nil` for none.
    public var beforeBuild: String?
    /// Is told of every build that succeeded.
    public var afterBuild: String?
    /// Is shown outputs that are different when built once more.
    public var onDifference: String?
    /// Whether such outputs are kept for it (`run-diff-hook`).
    public var keepsDifferent = false
    /// What the program after a build finds in its environment, `NAME=value`, beside what it is told.
    public var environment: [String] = []

    public init() {}

    // MARK: Before

    /// What of the machine a sandbox shows because the program before the build says so.
    /// - Parameter root: the sandbox's root directory, which the program may look at.
    /// - Throws: `BuildError.hookFailed`.
    func additions(for derivation: String, root: String) throws -> [BuildSettings.SandboxPath] {
        guard let beforeBuild else { return [] }
        var lines: [String] = []
        try HookProgram(beforeBuild, [derivation, root]).run { lines.append(String(decoding: $0, as: UTF8.self)) }
        return try Self.sandboxPaths(lines)
    }

    /// A program's answer: commands, each with its own lines up to an empty one. There is one command.
    static func sandboxPaths(_ lines: [String]) throws -> [BuildSettings.SandboxPath] {
        var paths: [BuildSettings.SandboxPath] = []
        var isInside = false
        for line in lines {
            if !isInside {
                guard line == "extra-sandbox-paths" || line == "extra-chroot-dirs" else {
                    throw BuildError(.hookFailed, "unknown pre-build hook command '\(line)'")
                }
                isInside = true
            } else if line.isEmpty {
                isInside = false
            } else {
                let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
                guard let inside = parts.first, let outside = parts.last, inside.hasPrefix("/"),
                    outside.hasPrefix("/"), !inside.split(separator: "/").contains("..")
                else {
                    throw BuildError(
                        .hookFailed,
                        "the pre-build hook wants '\(line)' in the sandbox; write '/PATH' or '/INSIDE=/OUTSIDE'")
                }
                paths.append(.init(inside: inside, outside: outside))
            }
        }
        return paths
    }

    // MARK: After

    /// Tells the program after a build what was built.
    /// - Throws: `BuildError.hookFailed`.
    func built(
        _ derivation: StorePath, _ outputs: [StorePath], in store: StoreDirectory, report: (BuildEvent) -> Void
    ) throws {
        guard let afterBuild else { return }
        report(.note("running post-build-hook '\(afterBuild)'..."))
        let told = [
            "DRV_PATH=\(store.print(derivation))",
            "OUT_PATHS=\(outputs.sorted().map(store.print).joined(separator: " "))",
        ]
        var program = HookProgram(afterBuild)
        program.environment = environment + told
        program.readsErrors = true
        try program.run { report(.hookLine(derivation, $0)) }
    }

    /// Shows the program for differences two files or trees; what it says, and why it fails, is only reported.
    func differ(
        _ first: String, _ second: String, derivation: String, temporary: String, report: (BuildEvent) -> Void
    ) {
        guard keepsDifferent, let onDifference else { return }
        var text: [UInt8] = []
        do {
            var program = HookProgram(onDifference, [first, second, derivation, temporary])
            program.workingDirectory = "/"
            program.kind = "diff-hook program"
            try program.run { text += $0 + [UInt8(ascii: "\n")] }
        } catch {
            report(.note("error: diff hook execution failed: \(error)"))
            return
        }
        while let last = text.last, " \t\r\n".utf8.contains(last) { text.removeLast() }
        if !text.isEmpty { report(.note(String(decoding: text, as: UTF8.self))) }
    }
}
