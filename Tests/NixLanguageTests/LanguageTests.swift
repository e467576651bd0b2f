import Testing

/// What expressions mean: an expression, and its value.
@Suite struct LanguageTests {
    @Test(arguments: [
        // Numbers.
        ("1 + 2 * 3 - 4 / 2", "5"), ("-2 + 1", "-1"), ("1 + 1.5", "2.5"), ("7 / 2", "3"), ("7 / 2.0", "3.5"),
        ("1.0e3", "1000"), (".5", "0.5"), ("2 < 3 && 3 <= 3 && 4 > 3 && 3 >= 3", "true"), ("1 == 1.0", "true"),
        // Strings.
        (#""a${"b"}c""#, #""abc""#), (#""\n\t\"\\\${x}""#, #""\n\t\"\\\${x}""#), (#""$${x}""#, #""$\${x}""#),
        ("''\n  a\n    b\n  ''", #""a\n  b\n""#), ("''''${x}''", #""\${x}""#), (#"'''''"#, "error"),
        (#""a" + "b""#, #""ab""#), ("http://example.com/a?b=c", #""http://example.com/a?b=c""#),
        // Paths.
        ("./a/../b", "/base/b"), ("/a//b/./c", "/a/b/c"), (#"./a + "/b""#, "/base/a/b"), (#"./${"x"}/y"#, "/base/x/y"),
        // Lists.
        ("[ 1 (2 + 3) ] ++ [ \"x\" ]", "[ 1 5 \"x\" ]"), ("[ ] == [ ]", "true"), ("[ 1 2 ] < [ 1 3 ]", "true"),
        // Sets.
        ("{ b = 2; a = 1; }", "{ a = 1; b = 2; }"), ("rec { a = b; b = 1; }.a", "1"), ("{ a.b.c = 1; }.a.b.c", "1"),
        ("{ a.b = 1; a.c = 2; }", "{ a = { b = 1; c = 2; }; }"), (#"{ "a b" = 1; }"#, #"{ "a b" = 1; }"#),
        (#"{ ${"x"} = 1; ${null} = 2; }"#, "{ x = 1; }"), ("{ a = 1; } // { a = 2; b = 3; }", "{ a = 2; b = 3; }"),
        ("{ a.b = 1; } ? a.b", "true"), ("{ a = 1; } ? a.b", "false"), ("{ }.a.b or 3", "3"),
        ("let x = 1; in { inherit x; }", "{ x = 1; }"), ("{ inherit (({ a = 1; b = 2; })) a b; }", "{ a = 1; b = 2; }"),
        ("let { body = a; a = 1; }", "1"), ("rec { a = 1; __overrides = { a = 2; }; b = a; }.b", "2"),
        // Functions.
        ("(x: y: x + y) 1 2", "3"), ("({ a, b ? a + 1 }: a + b) { a = 1; }", "3"),
        ("({ a, ... }@args: args.b + a) { a = 1; b = 2; }", "3"), ("(args@{ a ? 5 }: args) { }", "{ }"),
        ("{ __functor = self: x: self.y + x; y = 1; } 2", "3"), ("builtins.map (builtins.add 1) [ 1 2 ]", "[ 2 3 ]"),
        // Scopes.
        ("let a = 1; in let b = a + 1; a = 5; in b", "6"), ("with { a = 1; }; a", "1"),
        ("let a = 1; in with { a = 2; }; a", "1"), ("with { a = 1; }; with { a = 2; b = 3; }; a + b", "5"),
        ("with { a = 1; }; let f = x: a + x; in f 2", "3"), ("let x = { a = y; }; y = 3; in x.a", "3"),
        ("let __sub = a: b: 42; in 3 - 1", "42"),
        // Logic.
        ("true -> false", "false"), ("false -> throw \"x\"", "true"), ("!true || true && false", "false"),
        ("if 1 < 2 then \"a\" else \"b\"", #""a""#), ("assert true; 1", "1"),
        // Coercions.
        (#""${{ __toString = self: self.x; x = "y"; }}""#, #""y""#), (#""${{ outPath = "/p"; }}""#, #""/p""#),
        ("toString [ 1 true null [ 2 [ ] 3 ] 1.5 ]", #""1 1  2 3 1.500000""#),
        // `or` as a name.
        ("let or = 1; f = x: x; in f or", "1"),
        // Comparison of functions and of shared values.
        ("let f = x: x; in f == f", "false"), ("let s = { f = x: x; }; in [ s ] == [ s ]", "true"),
    ]) func evaluates(_ text: String, _ value: String) {
        if value == "error" { #expect(evaluate(text).hasPrefix("error")) } else { #expect(evaluate(text) == value) }
    }

    @Test(arguments: [
        ("1 +", "syntax error, unexpected end of file"), ("{ a = 1 }", "syntax error, unexpected '}', expecting ';'"),
        ("{ a = 1; a = 2; }", "attribute 'a' already defined at «string»:1:3"), ("x", "undefined variable 'x'"),
        ("{ a, a }: a", "duplicate formal function argument 'a'"),
        ("a@{ a }: a", "duplicate formal function argument 'a'"),
        ("99999999999999999999", "invalid integer '99999999999999999999'"), ("./a/", "path has a trailing slash"),
        ("let x = x; in x", "infinite recursion encountered"),
        ("9223372036854775807 + 1", "integer overflow in adding 9223372036854775807 + 1"),
        ("1 / 0", "division by zero"), ("{ }.a", "attribute 'a' missing"),
        ("1 2", "attempt to call something which is not a function but an integer: 1"),
        ("({ a }: a) { }", "function 'anonymous lambda' called without required argument 'a'"),
        ("({ }: 1) { b = 1; }", "function 'anonymous lambda' called with unexpected argument 'b'"),
        ("\"${1}\"", "cannot coerce an integer to a string: 1"), ("throw \"no\"", "no"),
        ("abort \"no\"", "evaluation aborted with the following error message: 'no'"),
        ("assert 1 == 2; 3", "integer with value '1' is not equal to an integer with value '2'"),
        ("if 1 then 2 else 3", "expected a Boolean but found an integer: 1"),
        ("let f = x: f (x + 1); in f 0", "stack overflow; max-call-depth exceeded"),
        ("1 < \"a\"", "cannot compare an integer with a string; values are 1 and \"a\""),
    ]) func fails(_ text: String, _ expected: String) { #expect(message(text).hasSuffix(expected)) }

    @Test func tellsWhatMayHaveBeenMeant() {
        #expect(evaluate("{ foo = 1; bar = 2; }.fo").contains("Did you mean foo?"))
    }

    @Test func showsPlaceLineAndCaret() {
        #expect(
            evaluate("let\n  a = 1;\nin a.b") == """
                error:
                       … while evaluating the attribute 'b'
                         at «string»:3:4:
                            2|   a = 1;
                            3| in a.b
                             |    ^

                       … while selecting an attribute
                         at «string»:3:4:
                            2|   a = 1;
                            3| in a.b
                             |    ^

                       error: expected a set but found an integer: 1
                       at «string»:3:4:
                            2|   a = 1;
                            3| in a.b
                             |    ^
                """)
    }
}
