import Testing

/// No text crashes the parser or the evaluator, however deep it nests or wherever it ends.
@Suite struct BadInputTests {
    @Test(arguments: [
        "[", "(", "{a=", "!", "-", "\"${", "''${", "./${", "{${", "x: ", "with {};", "let a=1;in ", "if true then ",
        "assert true;",
        "{inherit (", "a.", "a?", "f ", "1+", "[]++", "{}//", "true->",
    ]) func survivesDepth(_ piece: String) {
        let value = evaluate(String(repeating: piece, count: 100_000))
        #expect(value.hasPrefix("error"))
    }

    @Test func survivesClosedDepth() {
        let count = 100_000
        for (open, close) in [("[", "]"), ("(", ")"), ("{a=", ";}"), ("\"${", "}\"")] {
            let text = String(repeating: open, count: count) + "1" + String(repeating: close, count: count)
            #expect(!evaluate(text).isEmpty)
        }
        #expect(!evaluate("1" + String(repeating: "+1", count: count)).isEmpty)
    }

    @Test func survivesDeepValues() {
        let deep = "builtins.foldl' (a: b: { x = a.x + 1; }) { x = 0; } (builtins.genList (x: x) 300000)"
        #expect(evaluate("(\(deep)).x") == "300000" || evaluate("(\(deep)).x").contains("stack overflow"))
        for text in [
            "let x = { a = x; }; in builtins.toJSON x", "let x = { a = x; }; y = { a = y; }; in x == y",
            "let f = n: { inner = f (n + 1); }; in f 0", "let f = n: [ (f (n + 1)) ]; in builtins.deepSeq (f 0) 1",
        ] {
            #expect(message(text) == "stack overflow; max-call-depth exceeded")
        }
    }

    @Test func callsCanBeLimited() {
        let text = "builtins.foldl' (a: b: a + b) 0 (builtins.genList (x: x * 2) 1000)"
        #expect(evaluate(text) { $0.settings.callLimit = 10_000 } == "999000")
        #expect(
            message(text) { $0.settings.callLimit = 500 } == "more function calls than the limit of 500 allows")
        // Nobody catches it on the way.
        #expect(evaluate("builtins.tryEval (\(text))") { $0.settings.callLimit = 500 }.hasPrefix("error"))
    }

    /// Every beginning of a text that has everything in it.
    @Test func survivesEveryEnd() {
        let text = #"""
            { a, b ? 1, ... }@c: let x = "s${a}\n$$"; y = ''i${b}''\t'''$''; in with c; rec { inherit x; inherit (c) d;
            e."f".${"g"} = ./p/${x}/q; h = <nixpkgs/lib> or ~/r; i = if a -> b then [ 1.5e3 (!c ? d.e) ] else -1; # c
            j = a.b or c // d ++ [ ] == e && f || g != h; k = http://x.y/z; /* c */ l = assert a < b; __curPos; }
            """#
        for length in text.indices { _ = evaluate(String(text[..<length])) }
        let bytes = Array(text.utf8)
        for position in stride(from: 0, to: bytes.count, by: 3) {
            for byte in [0, 0x22, 0x24, 0x27, 0x5C, 0x7B, 0xFF] as [UInt8] {
                var changed = bytes
                changed[position] = byte
                _ = evaluate(String(decoding: changed, as: UTF8.self))
            }
        }
    }
}
