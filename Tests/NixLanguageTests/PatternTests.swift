import Testing

/// Regular expressions whose ways are many.
@Suite struct PatternTests {
    private static func letters(_ count: Int) -> String { String(repeating: "a", count: count) }

    /// Each takes exponential time if every way is tried.
    @Test(arguments: [
        ("(a*)*b", "null"), ("(a|aa)*b", "null"), ("(a?a?)*(a|b)*c", "null"), ("((a|b)*)*c", "null"),
        ("(a*)*", #"[ "" ]"#),
    ]) func manyWaysEnd(_ pattern: String, _ groups: String) {
        #expect(evaluate("builtins.match \"\(pattern)\" \"\(Self.letters(300))\"") == groups)
    }

    @Test func searchingEnds() {
        let text = Self.letters(300)
        #expect(evaluate("builtins.split \"(a*)*b\" \"\(text)\"") == "[ \"\(text)\" ]")
        #expect(evaluate("builtins.length (builtins.split \"(a|aa)*c|(a*)*b\" \"\(text)b\")") == "3")
    }

    /// What is still too much is refused.
    @Test func deepNestingIsRefused() {
        let pattern = String(repeating: "(", count: 30) + "a*" + String(repeating: ")*", count: 30) + "b"
        #expect(
            message("builtins.match \"\(pattern)\" \"\(Self.letters(300))\"")
                == "memory limit exceeded by regular expression '\(pattern)'")
    }

    /// Long enough to need a memory, short enough for Nix, which has none.
    @Test(
        .enabled(if: Nix.isInstalled, "nix-instantiate is not installed"),
        arguments: [
            "(a*)*", "((a|b)*a)*", "(a|aa)*(b?)", "((a*)(a|aa))*b?", "((a)|(aa)|(b?))*", "((a{1,2})?(a*)b?)*",
            "(a|(aa)*)*b", "(a*)*b|(a|a?a)+",
        ])
    func groupsAreNixs(_ pattern: String) throws {
        for text in [Self.letters(16), Self.letters(8) + "b" + Self.letters(7)] {
            for function in ["match", "split"] {
                let expression = "builtins.\(function) \"\(pattern)\" \"\(text)\""
                #expect(
                    evaluate(expression) == (try Nix.run("nix-instantiate", "--eval", "--strict", "-E", expression)))
            }
        }
    }
}
