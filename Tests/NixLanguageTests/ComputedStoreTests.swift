import NixLanguage
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A store that is only computed shows what would be in it.
@Suite struct ComputedStoreTests {
    private func run(_ text: String, in directory: String) throws -> String {
        var evaluation = Evaluation(.expression(text, basePath: directory))
        evaluation.isStrict = true
        return String(decoding: try evaluation.run(on: LocalHost()).get(), as: UTF8.self)
    }

    @Test func readsTreesWhereTheyComeFrom() throws {
        var template = Array("/tmp/dhow-nix-tree.XXXXXX".utf8CString)
        let directory = try #require(mkdtemp(&template).map { String(cString: $0) })
        defer {
            for name in ["tree/sub/default.nix", "tree/text"] { unlink(directory + "/" + name) }
            for name in ["tree/sub", "tree", ""] { rmdir(directory + "/" + name) }
        }
        mkdir(directory + "/tree", 0o755)
        mkdir(directory + "/tree/sub", 0o755)
        for (name, text) in [("tree/sub/default.nix", "builtins.readFile ../text"), ("tree/text", "hello")] {
            let file = try #require(fopen(directory + "/" + name, "w"))
            fputs(text, file)
            fclose(file)
        }
        #expect(try run(#"import "${./tree}/sub""#, in: directory) == #""hello""#)
        #expect(
            try run(#"builtins.readDir "${./tree}""#, in: directory) == #"{ sub = "directory"; text = "regular"; }"#)
        #expect(try run(#"builtins.pathExists "${./tree}/none""#, in: directory) == "false")
        // What was added from there is added under the same name and hash as from its source.
        let again = #"""
            let a = builtins.path { path = ./tree; name = "a"; };
                b = builtins.path { path = a; name = "a"; filter = path: type: baseNameOf path != "none"; };
            in a == b
            """#
        #expect(try run(again, in: directory) == "true")
        #expect(throws: Evaluation.Failure.self) { try run(#"import "${./tree}/none""#, in: directory) }
    }
}
