import NixLanguage
import NixStore
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The same question put to Debian's Nix and to this evaluator.
@Suite(.enabled(if: Nix.isInstalled, "nix-instantiate is not installed"))
struct DifferentialTests {
    /// Expressions of every kind, in which the versions of Nix agree.
    private static let expressions = [
        "builtins.sort (a: b: a < b) [ 3 1 2 10 (-5) ]",
        "let f = n: if n < 2 then n else f (n - 1) + f (n - 2); in f 15",
        "rec { a = 1; b = a + 1; c = { inherit a; d = b; }; }", "map (x: x * 2) (builtins.genList (x: x) 10)",
        "builtins.split \"([a-z]+)\" \"1abc2def3\"", "builtins.match \"([^/]*)/(.*)\" \"a/b/c\"",
        "toString [ 1 2.5 true null \"x\" ]",
        "builtins.toJSON { a = [ 1 true null ]; b = \"\\n\"; }", "builtins.fromJSON ''[1, {\"a\": \"b\"}]''",
        "builtins.listToAttrs (map (n: { name = toString n; value = n; }) [ 3 2 1 ])",
        "''\n  a\n\n    b ${\"c\"}\n  d''",
        "builtins.replaceStrings [ \"ab\" \"a\" ] [ \"1\" \"2\" ] \"abaab\"",
        "builtins.compareVersions \"1.10\" \"1.9\"",
        "builtins.splitVersion \"1.2a-3\"", "builtins.hashString \"sha512\" \"x\"",
        "builtins.functionArgs ({ a, b ? 2 }: 1)",
        "with { x = 1; }; [ x ]", "{ a.b.c = 1; a.b.d = 2; a.e = 3; }", "(x: { inherit x; }) 1", "builtins.typeOf ./.",
        "builtins.zipAttrsWith (n: vs: vs) [ { a = 1; } { a = 2; } ]", "builtins.placeholder \"out\"", "(-5) / 2",
        "1.0 / 3",
        "builtins.getContext \"x\"", "builtins.parseDrvName \"a-b-1.0\"",
        "[ (1 == 1.0) ({ } == { }) ([ 1 ] == [ 2 ]) ]",
        "builtins.tryEval (assert false; 1)", "let x = y: y; in x", "[ ] ++ [ 1 ]", "{ } // { a = 1; }",
        "{ a = 1; }.a or 2",
    ]

    @Test(arguments: expressions) func valuesAreEqual(_ text: String) throws {
        #expect(evaluate(text) == (try Nix.run("nix-instantiate", "--eval", "--strict", "-E", text)))
    }

    private static let derivations = """
        let
          base = { name = "a"; system = "x86_64-linux"; builder = "/bin/sh"; };
          a = derivation (base // { args = [ "-c" "echo > $out" ]; });
          b = derivation (base // { name = "b-1"; outputs = [ "out" "dev" ]; inherit a; list = [ 1 a true null 1.5 ]; });
          c = derivation (base // { outputHash = "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73"; outputHashAlgo = "sha256"; outputHashMode = "recursive"; x = b.dev; });
          d = derivation (base // { outputHash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="; x = "a\\"b\\\\c\\nd\\te"; });
          e = derivation (base // { __structuredAttrs = true; x = { y = [ 1 "z" c ]; }; });
          f = derivation (base // { __ignoreNulls = true; n = null; file = builtins.toFile "f" "text"; p = builtins.placeholder "out"; });
          chain = builtins.foldl' (x: n: derivation (base // { name = "n${toString n}"; inherit x; y = b.dev; })) a (builtins.genList (x: x) 20);
        in map (d: [ (builtins.unsafeDiscardStringContext d.drvPath) (map (o: o.outPath) d.all) ]) [ a b c d e f chain ]
        """

    @Test func derivationsAreEqual() throws {
        #expect(
            evaluate(Self.derivations) == (try Nix.run("nix-instantiate", "--eval", "--strict", "-E", Self.derivations))
        )
    }

    @Test func hashesOfTreesAreEqual() throws {
        let root = try Nix.temporaryTree()
        defer { Nix.remove(root) }
        // Nix 2.8 has no BLAKE3.
        for algorithm in HashAlgorithm.allCases where algorithm != .blake3 {
            let ours = try Hash(algorithm, archiveOf: root, in: DirectorySource())
            #expect(ours.text(.base16) == (try Nix.run("nix-hash", "--type", algorithm.rawValue, root)))
            #expect(ours.text(.nix32) == (try Nix.run("nix-hash", "--base32", "--type", algorithm.rawValue, root)))
            let digits = ours.text(.base16)
            #expect(
                ours.text(.nix32) == (try Nix.run("nix-hash", "--type", algorithm.rawValue, "--to-base32", digits)))
        }
        let file = root + "/file"
        let text = "\"${\(file)}\""
        #expect(
            Nix.evaluateHere(text) == (try Nix.run("nix-instantiate", "--eval", "-E", text)))
        let filtered = "builtins.filterSource (p: t: baseNameOf p != \"file\") \(root)"
        #expect(Nix.evaluateHere(filtered) == (try Nix.run("nix-instantiate", "--eval", "-E", filtered)))
    }
}

/// Debian's tools, run as they are.
enum Nix {
    static let isInstalled = access("/usr/bin/nix-instantiate", X_OK) == 0

    struct Failed: Error { let status: Int32 }

    /// The first line that a tool prints.
    static func run(_ tool: String, _ arguments: String...) throws -> String {
        let quoted = arguments.map {
            "'" + $0.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
        }
        let command = "/usr/bin/\(tool) \(quoted.joined(separator: " ")) 2>/dev/null"
        guard let pipe = popen(command, "r") else { throw Failed(status: errno) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = fread(&buffer, 1, buffer.count, pipe)
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        let status = pclose(pipe)
        guard status == 0 else { throw Failed(status: status) }
        while bytes.last == 0x0A { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A tree with every kind of thing that an archive holds.
    static func temporaryTree() throws -> String {
        var template = Array("/tmp/dhow-nar-XXXXXX\0".utf8CString.dropLast())
        guard let made = mkdtemp(&template) else { throw Failed(status: errno) }
        let root = String(cString: made)
        let script = """
            cd \(root) && echo hello > file && : > empty && mkdir -p dir/sub && head -c 70000 /dev/zero > dir/large \
            && printf '#!' > dir/run && chmod +x dir/run && ln -s ../file dir/link && ln -s nowhere dangling \
            && echo > 'a b' && echo > .hidden && echo > B && mkdir none
            """
        guard system(script) == 0 else { throw Failed(status: 1) }
        return root
    }

    static func remove(_ root: String) { _ = system("rm -rf \(root)") }

    /// As `evaluate`, with this machine's files.
    static func evaluateHere(_ text: String) -> String {
        let evaluation = Evaluation(.expression(text, basePath: "/"))
        switch evaluation.run(on: LocalHost()) {
        case .success(let bytes): return String(decoding: bytes, as: UTF8.self)
        case .failure(let failure): return failure.description
        }
    }
}
