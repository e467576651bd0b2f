import Testing

/// What builtins give: an expression with `builtins` around it, and its value.
@Suite struct BuiltinTests {
    @Test(arguments: [
        // Lists.
        ("sort (a: b: a < b) [ 3 1 2 ]", "[ 1 2 3 ]"),
        (
            "sort (a: b: a.x < b.x) [ { x = 1; y = 1; } { x = 0; } { x = 1; y = 2; } ]",
            "[ { x = 0; } { x = 1; y = 1; } { x = 1; y = 2; } ]"
        ),
        ("foldl' (a: b: a + b) 0 [ 1 2 3 ]", "6"), ("filter (x: x > 1) [ 1 2 3 ]", "[ 2 3 ]"),
        ("elem 2 [ 1 2 ]", "true"),
        ("concatMap (x: [ x x ]) [ 1 2 ]", "[ 1 1 2 2 ]"), ("genList (x: x * x) 3", "[ 0 1 4 ]"),
        ("partition (x: x > 1) [ 1 2 3 ]", "{ right = [ 2 3 ]; wrong = [ 1 ]; }"),
        ("groupBy (x: if x > 1 then \"b\" else \"a\") [ 1 2 3 ]", "{ a = [ 1 ]; b = [ 2 3 ]; }"),
        (
            "genericClosure { startSet = [ { key = 1; } ]; operator = x: if x.key < 3 then [ { key = x.key + 1; } ] else [ ]; }",
            "[ { key = 1; } { key = 2; } { key = 3; } ]"
        ),
        ("all (x: x > 0) [ 1 2 ] && any (x: x > 1) [ 1 2 ]", "true"), ("tail [ 1 2 ]", "[ 2 ]"),
        // Sets.
        ("attrNames { b = 1; a = 2; }", "[ \"a\" \"b\" ]"), ("attrValues { b = 1; a = 2; }", "[ 2 1 ]"),
        ("listToAttrs [ { name = \"a\"; value = 1; } { name = \"a\"; value = 2; } ]", "{ a = 1; }"),
        ("removeAttrs { a = 1; b = 2; } [ \"a\" \"c\" ]", "{ b = 2; }"),
        ("intersectAttrs { a = 1; } { a = 2; b = 3; }", "{ a = 2; }"),
        ("mapAttrs (n: v: n + toString v) { a = 1; }", "{ a = \"a1\"; }"),
        ("catAttrs \"a\" [ { a = 1; } { } { a = 2; } ]", "[ 1 2 ]"),
        ("zipAttrsWith (n: vs: vs) [ { a = 1; } { a = 2; b = 3; } ]", "{ a = [ 1 2 ]; b = [ 3 ]; }"),
        ("functionArgs ({ a, b ? 1 }: a)", "{ a = false; b = true; }"),
        // Strings.
        ("substring 1 2 \"abcd\"", "\"bc\""), ("substring 2 (-1) \"abcd\"", "\"cd\""), ("stringLength \"é\"", "2"),
        ("replaceStrings [ \"a\" \"\" ] [ \"b\" \"-\" ] \"aca\"", "\"b-cb-\""),
        ("concatStringsSep \", \" [ \"a\" \"b\" ]", "\"a, b\""),
        ("split \"(a)|(b)\" \"xaybz\"", "[ \"x\" [ \"a\" null ] \"y\" [ null \"b\" ] \"z\" ]"),
        ("split \"x*\" \"ab\"", "[ \"\" [ ] \"a\" [ ] \"b\" [ ] \"\" ]"),
        ("match \"(.*)\\\\.nix\" \"default.nix\"", "[ \"default\" ]"),
        ("match \"(a|ab)(c|bcd)(d*)\" \"abcd\"", "[ \"a\" \"bcd\" \"\" ]"),
        ("match \"[[:upper:]]+\" \"ABC\"", "[ ]"), ("match \"a{2,3}\" \"aaaa\"", "null"),
        ("baseNameOf \"/a/b/\" + dirOf \"/a/b\"", "\"b/a\""),
        ("splitVersion \"1.2.3pre4\"", "[ \"1\" \"2\" \"3\" \"pre\" \"4\" ]"),
        ("compareVersions \"2.3pre1\" \"2.3\"", "-1"),
        ("parseDrvName \"nix-js-0.12pre\"", "{ name = \"nix-js\"; version = \"0.12pre\"; }"),
        // Numbers.
        ("bitAnd 12 10 + bitOr 12 10 + bitXor 12 10", "28"), ("ceil 1.2 + floor (-1.2)", "0"),
        // Texts of other languages.
        ("toJSON { a = [ 1 2.5 null true \"x\\n\" ]; }", #""{\"a\":[1,2.5,null,true,\"x\\n\"]}""#),
        ("fromJSON ''{\"a\":[1,-2.5e1,null,\"\\u00e9\\ud83d\\ude00\"]}''", "{ a = [ 1 -25 null \"é😀\" ]; }"),
        (
            "fromTOML ''a.b = 1\n[[t]]\nx = [ 0x10, 1_000, 1.5 ]\ny = \"\\u0041\"\n''",
            "{ a = { b = 1; }; t = [ { x = [ 16 1000 1.5 ]; y = \"A\"; } ]; }"
        ),
        // Hashes.
        ("hashString \"md5\" \"\"", "\"d41d8cd98f00b204e9800998ecf8427e\""),
        (
            "convertHash { hash = \"sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"; toHashFormat = \"nix32\"; }",
            "\"0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73\""
        ),
        // Control.
        ("tryEval (throw \"x\")", "{ success = false; value = false; }"),
        ("tryEval 1", "{ success = true; value = 1; }"),
        ("seq 1 2 + deepSeq [ 1 ] 3", "5"), ("typeOf (x: x) + typeOf 1 + typeOf null", "\"lambdaintnull\""),
        ("getEnv \"NOT_SET\"", "\"\""), ("currentTime", "1700000000"), ("currentSystem", "\"x86_64-linux\""),
        ("storeDir", "\"/nix/store\""),
    ]) func gives(_ text: String, _ value: String) { #expect(evaluate("with builtins; " + text) == value) }

    @Test(arguments: [
        "*", "(", ")", "a{2,1}", "[", "[b-a]", "[[:none:]]", "\\d", "a{",
        "(((((((a{100}){100}){100}){100}){100}){100}){100})",
    ]) func refusesPatterns(_ pattern: String) {
        let text = pattern.split(separator: "\\", omittingEmptySubsequences: false).joined(separator: "\\\\")
        #expect(message("builtins.match \"\(text)\" \"a\"").contains("regular expression"))
    }

    @Test(arguments: [
        "a = 1\na = 2", "[a]\n[a]", "a = { b = 1 }\na.c = 2", "a = 01", "a = 1__0", "a = \"x", "= 1", "a", "a = [1",
        "a = 1 b = 2",
        "a = 9223372036854775808", "a = 1979-05-27", "a = +-1", "a = 0x", "a = .5", "a = 5.", "a = truex", "[[a]]\n[a]",
    ]) func refusesTOML(_ text: String) {
        #expect(message("builtins.fromTOML ''\(text)''").hasPrefix("while parsing TOML: "))
    }

    @Test(arguments: [
        "", "{", "[1,]", "{\"a\"}", "01", "1.", "-", "\"\\x\"", "nul", "1 2", "'a'", "\"\\ud800\"",
        "18446744073709551615",
    ])
    func refusesJSON(_ text: String) {
        #expect(!message("builtins.fromJSON ''\(text)''").hasPrefix("no error"))
    }

    @Test func integersThatAreTooLargeForTOMLAreShown() {
        let text = evaluate("builtins.fromTOML \"a = 1\\nbc = 9223372036854775808 # much\"")
        #expect(text.contains("toml::parse_dec_integer: too large integer"), "\(text)")
        #expect(text.contains(" 2 | bc = 9223372036854775808 # much\n"), "\(text)")
        #expect(text.contains("   |                         ^-- must be < 2^63"), "\(text)")
        let hexadecimal = evaluate("builtins.fromTOML \"a = 0x10000000000000000\"")
        #expect(hexadecimal.contains("integer '0x10000000000000000' is out of range (line 1)"), "\(hexadecimal)")
    }
}
