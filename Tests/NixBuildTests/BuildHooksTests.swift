import Kernel
import NixStore
import Testing

@testable import NixBuild

@Suite struct BuildHooksTests {
    @Test func whatAddsToASandboxIsRead() throws {
        let paths = try BuildHooks.sandboxPaths([
            "extra-sandbox-paths", "/a", "/b=/c", "/d=/e=f", "", "extra-chroot-dirs", "/g",
        ])
        #expect(
            paths == [
                .init(inside: "/a", outside: "/a"), .init(inside: "/b", outside: "/c"),
                .init(inside: "/d", outside: "/e=f"), .init(inside: "/g", outside: "/g"),
            ])
        #expect(try BuildHooks.sandboxPaths([]) == [])
        for lines in [
            ["nonsense"], [""], ["extra-sandbox-paths", "relative"], ["extra-sandbox-paths", "/a=b"],
            ["extra-sandbox-paths", "/../a"], ["extra-sandbox-paths", "/a", "", "/b"],
        ] { #expect(throws: BuildError.self, "\(lines)") { try BuildHooks.sandboxPaths(lines) } }
    }

    @Test func linesOfAProgramComeWhole() throws {
        var lines: [String] = []
        var program = HookProgram("/bin/sh", ["-c", "printf 'one\\n\\ntwo' ; echo three >&2"])
        program.readsErrors = true
        try program.run { lines.append(String(decoding: $0, as: UTF8.self)) }
        #expect(lines == ["one", "", "twothree"])
        for (script, words) in [("exit 3", "failed with exit code 3"), ("kill -9 $$", "due to signal 9 (Killed)")] {
            let error = #expect(throws: BuildError.self) { try HookProgram("/bin/sh", ["-c", script]).run { _ in } }
            #expect(error?.reason.contains(words) == true && error?.exitStatus == 1, "\(error?.reason ?? "")")
        }
        #expect(throws: BuildError.self) { try HookProgram("/nonexistent").run { _ in } }
    }
}
