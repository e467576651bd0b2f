import NixLanguage
import Testing

/// Files, search paths, and what the modes of evaluation forbid.
@Suite struct ModeTests {
    private let host = MemoryHost(files: [
        "/base/default.nix": "{ x ? 1 }: { inherit x; y = import ./sub; }",
        "/base/sub/default.nix": "builtins.readFile ./text",
        "/base/sub/text": "hello", "/lib/a.nix": "42", "/secret/b.nix": "1", "/base/scoped.nix": "map 1",
    ])

    @Test func importsFilesAndDirectories() {
        #expect(evaluate("(import ./. { }).y", on: host) == #""hello""#)
        #expect(evaluate("import ./missing.nix", on: host).contains("path '/base/missing.nix' does not exist"))
        #expect(evaluate("builtins.scopedImport { map = x: x + 1; } ./scoped.nix", on: host) == "2")
        #expect(evaluate("builtins.pathExists ./sub && !builtins.pathExists ./none", on: host) == "true")
    }

    @Test func looksInTheSearchPath() {
        let value = evaluate("import <lib/a.nix> + import <a.nix>", on: host) {
            $0.settings.searchPath = [.init(parsing: "lib=/lib"), .init(parsing: "/lib")]
        }
        #expect(value == "84")
        #expect(evaluate("<none>", on: host).contains("file 'none' was not found in the Nix search path"))
    }

    @Test func pureEvaluationSeesNothingOutside() {
        func pure(_ text: String) -> String { evaluate(text, on: host) { $0.settings.isPure = true } }
        #expect(pure("import /secret/b.nix").contains("access to absolute path '/secret/b.nix' is forbidden"))
        #expect(pure("builtins.getEnv \"HOME\"") == #""""#)
        #expect(pure("builtins ? currentTime || builtins ? currentSystem") == "false")
        #expect(pure("<nixpkgs>").contains("in pure evaluation mode"))
        #expect(pure("~/a").contains("can not be resolved in pure mode"))
    }

    @Test func restrictedEvaluationSeesItsSearchPath() {
        func restricted(_ text: String) -> String {
            evaluate(text, on: host) {
                $0.settings.isRestricted = true
                $0.settings.searchPath = [.init(parsing: "lib=/lib")]
            }
        }
        #expect(restricted("import <lib/a.nix>") == "42")
        #expect(restricted("import /secret/b.nix").contains("is forbidden in restricted mode"))
        #expect(
            restricted("builtins.fetchTarball \"https://example.org/a\"").contains("is forbidden in restricted mode"))
    }

    @Test func choosesAndCalls() {
        let value = evaluate("{ a = { n ? 1, m }: { b = [ n m ]; }; }", on: host) {
            $0.attributePath = "a.b.1"
            $0.arguments = [("m", .string("text"))]
        }
        #expect(value == #""text""#)
        #expect(
            evaluate("{ a = 1; }", on: host) { $0.attributePath = "b" }.contains(
                "attribute 'b' in selection path 'b' not found"))
    }

    @Test func printsInEveryForm() {
        let text = "{ a = [ 1 2.5 \"x\" ]; f = x: x; n = null; }"
        func form(_ format: Evaluation.Format) -> String { evaluate(text, on: host) { $0.format = format } }
        #expect(form(.classic) == "{ a = [ 1 2.5 \"x\" ]; f = <LAMBDA>; n = null; }")
        #expect(form(.modern) == "{ a = [ 1 2.5 \"x\" ]; f = «lambda f @ «string»:1:26»; n = null; }")
        #expect(
            evaluate("{ a = 1; b = \"<&\\\"\"; }", on: host) { $0.format = .xml(showsLocations: false) }.contains(
                "<string value=\"&lt;&amp;&quot;\" />"))
        #expect(form(.json).contains("cannot convert a function to JSON"))
        #expect(evaluate("\"a\\nb\"", on: host) { $0.format = .raw } == "a\nb")
        #expect(evaluate("a: 1 - 2", on: host) { $0.format = .parsed } == "(a: (__sub 1 2))")
    }

    @Test func tracesGoToTheHost() {
        let host = MemoryHost()
        _ = evaluate("builtins.trace { a = 1; b = 1 + 1; } (builtins.warn \"careful\" 1)", on: host)
        #expect(host.lines == ["trace: { a = 1; b = «thunk»; }", "evaluation warning: careful"])
    }
}

extension ModeTests {
    @Test func findsDerivations() {
        let text = """
            let d = name: derivation { inherit name; system = "s"; builder = "b"; outputs = [ "out" "dev" ]; };
            in { a = d "a"; b = { recurseForDerivations = true; c = (d "c").dev; }; hidden = { e = d "e"; }; n = 1; }
            """
        func paths(_ text: String) -> [Substring] {
            evaluate(text) { $0.format = .derivationPath }.split(separator: "\n")
        }
        let found = paths(text)
        #expect(found.count == 2)
        #expect(found[0].hasSuffix("-a.drv") && found[1].hasSuffix("-c.drv!dev"))
        #expect(paths("{ x ? 1 }: [ (derivation { name = \"l\"; system = \"s\"; builder = \"b\"; }) ]").count == 1)
        #expect(paths("1").last?.contains("does not evaluate to a derivation") == true)
    }
}
