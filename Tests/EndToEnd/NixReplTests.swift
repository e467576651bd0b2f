import Foundation
import Testing

/// The interactive prompt, on a pipe beside Debian's Nix and on a terminal by itself.
@Suite struct NixReplTests {
    /// What is printed, without prompts, echoes, colours and the layout of sets, which newer versions of Nix have changed.
    private static func essence(_ text: String) -> [String] {
        var plain = ""
        var rest = text[...]
        while let escape = rest.firstIndex(of: "\u{1B}") {
            plain += rest[..<escape]
            rest = rest[escape...]
            rest = rest.firstIndex(where: \.isLetter).map { rest[rest.index(after: $0)...] } ?? ""
        }
        plain += rest
        return plain.split(separator: "\n").filter { !$0.hasPrefix("nix-repl>") && !$0.hasPrefix("Welcome") }
            .joined(separator: " ").split(separator: " ").map(String.init)
    }

    @Test func aPipesAnswersAreNixs() throws {
        let place = try NixPlace("nix-repl")
        try place.write("{ one = 1; two = { three = 3; }; }", to: "set.nix")
        try place.write("{ n ? 4 }: { four = n; }", to: "function.nix")
        let lines = """
            1 + 1
            x = 3
            x * 2
            x == 3
            { a = 1; b = { c = 2; }; l = [ 1 [ 2 ] ]; s = "hi\\n${toString x}"; n = null; t = true; p = /tmp; f = 1.5; }
            [ 1 { a = 2; } "x" ]
            { }
            :t x
            :t [ ]
            :t { }
            :t "x"
            :p { b = { c = 2; d = { e = [ 1 [ 2 ] ]; }; }; }
            :l \(place.root)/set.nix
            one + two.three
            :a { bar = 5; baz = 6; }
            bar * baz
            y = let z = x; in z + 1
            y
            :l \(place.root)/function.nix
            four
            x = 10
            x
            y
            :r
            one
            derivation { name = "a"; builder = "b"; system = "x"; }
            :q
            99
            """
        try place.write(lines + "\n", to: "lines")
        let ours = try place.ours("nix repl --store \(place.root)/store < lines")
        let theirs = try place.run(
            "nix --extra-experimental-features nix-command repl --store \(place.root)/their-store < lines")
        #expect(ours.status == 0)
        #expect(Self.essence(ours.stdout) == Self.essence(theirs.stdout), "\(ours)")
    }

    @Test func mistakesAreSaidAndForgotten() throws {
        let place = try NixPlace("nix-repl")
        let lines = """
            nothing
            throw "no"
            1 + )
            :bogus
            :l /nonexistent
            :a 1
            :b 1
            :e 1
            :doc 1
            :doc map
            let
              a = 1;
            in
              a
            let f = n: f (n + 1); in f 0
            7
            ( 1 +
            """
        try place.write(lines, to: "lines")
        let ours = try place.ours("nix repl < lines")
        #expect(ours.status == 0)
        for reason in [
            "undefined variable 'nothing'", "error: no", "unexpected ')'", "unknown command ':bogus'", "/nonexistent",
            "expected a set but found an integer", "does not evaluate to a derivation", "cannot tell in which file",
            "value does not have documentation", "max-call-depth exceeded", "unexpected end of file",
        ] { #expect(ours.stderr.contains(reason), "\(reason): \(ours.stderr)") }
        #expect(ours.stdout.contains("Synopsis: builtins.map a b"))
        #expect(ours.stdout.hasSuffix("\n1\n7\n"), "\(ours.stdout)")
    }

    /// Plays a keyboard: sends keys, waits for what the screen shows then.
    private static let player = #"""
        import json, os, pty, select, sys, time
        steps = json.load(open("steps"))
        pid, terminal = pty.fork()
        if pid == 0:
            os.environ["TERM"] = "xterm"
            os.execvp("nix", ["nix", "repl", "--read-only"])
        seen = ""
        def wait(text):
            global seen
            deadline = time.time() + 60
            while text not in seen:
                if time.time() > deadline:
                    sys.exit("waited for %r, saw %r" % (text, seen))
                if select.select([terminal], [], [], 1)[0]:
                    try: seen += os.read(terminal, 65536).decode(errors="replace")
                    except OSError: sys.exit("gone: waited for %r, saw %r" % (text, seen))
            seen = seen[seen.index(text) + len(text):]
        for keys, text in steps:
            os.write(terminal, keys.encode())
            if text: wait(text)
        while True:
            try:
                if not os.read(terminal, 65536): break
            except OSError: break
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        """#

    /// The prompt of an empty line, when keys are awaited.
    private static let prompt = "\rnix-repl> \u{1B}[K\r\u{1B}[10C"
    private static let continuation = "\r          \u{1B}[K\r\u{1B}[10C"

    /// - Parameter steps: keys, and what is to be seen before the next; an empty prompt is awaited first.
    private func play(_ steps: [(String, String)], _ place: NixPlace) throws {
        try place.write(Self.player, to: "player.py")
        let pairs = [["", Self.prompt]] + steps.map { [$0.0, $0.1] }
        try JSONSerialization.data(withJSONObject: pairs).write(to: URL(fileURLWithPath: place.root + "/steps"))
        let output = try place.ours("python3 player.py")
        #expect(output.status == 0, "\(output)")
    }

    /// Keys, what they make, and the next prompt.
    private static func line(_ keys: String, _ answer: String) -> [(String, String)] {
        [(keys, answer), ("", prompt)]
    }

    @Test func keysEditALine() throws {
        let place = try NixPlace("nix-repl")
        let (up, down, left, right) = ("\u{1B}[A", "\u{1B}[B", "\u{1B}[D", "\u{1B}[C")
        let lines = [
            ("2 + 3\r", "\r\n5\r\n"), ("10 + 3\(left)2\r", "\r\n33\r\n"), ("\(up)\(up)\r", "\r\n5\r\n"),
            ("\(up)\(up)\(down)\u{7F}4\r", "\r\n6\r\n"), ("+ 4\u{01}30 \r", "\r\n34\r\n"),
            ("1 + 1 junk\u{17}\r", "\r\n2\r\n"), ("junk\u{15}40 + 1\r", "\r\n41\r\n"),
            ("40 + 9\u{01}\u{0B}\u{19}\r", "\r\n49\r\n"), ("\"é\(left)x\(right)\"\r", "\"xé\""),
            ("1\(left)\(left)\u{1B}[H7\u{1B}[F8\u{1B}[D\u{1B}[3~\r", "\r\n71\r\n"), ("half typed\u{03}", "\r\n"),
        ]
        try play(
            lines.flatMap { Self.line($0.0, $0.1) } + [("50 +\r", Self.continuation)] + Self.line("1\r", "\r\n51\r\n")
                + [("\u{04}", "")], place)
        // Remembered for the next time.
        try play([("\(up)\(up)\r", Self.continuation)] + Self.line("5\r", "\r\n55\r\n") + [(":q\r", "")], place)
    }

    @Test func tabCompletes() throws {
        let place = try NixPlace("nix-repl")
        let set = "set = { alpha = 61; alphabet = 62; \"odd name\" = 1; inner = { deep = 63; }; }\r"
        try play(
            Self.line(set, "\r\n") + [("se\t.al\t\t\t", "alpha     alphabet\r\n")] + Self.line("bet\r", "\r\n62\r\n")
                + Self.line("set.in\t.d\t\r", "\r\n63\r\n") + Self.line("builtins.strin\t \"four\"\r", "\r\n4\r\n")
                + [("set.\t\t", "\"odd name\"")] + Self.line("\u{15}nothing.\t\t\u{15}64\r", "\r\n64\r\n")
                + [("\u{04}", "")], place)
    }

    @Test func controlCEndsAnEvaluation() throws {
        let place = try NixPlace("nix-repl")
        let loop =
            "loop = builtins.genericClosure { startSet = [ { key = 0; } ]; operator = x: [ { key = x.key + 1; } ]; }\r"
        let attempt =
            [("builtins.trace \"begun\" (builtins.length loop)\r", "trace: begun")]
            + Self.line("\u{03}", "interrupted by the user")
        // It can be tried again, and other things still work.
        try play(
            Self.line(loop, "\r\n") + attempt + attempt + Self.line("60 + 6\r", "\r\n66\r\n") + [("\u{04}", "")], place)
    }

    @Test func theEditorIsOpenedWhereAValueIs() throws {
        let place = try NixPlace("nix-repl")
        try place.write("{\n  one = 1;\n  f =\n    x: x;\n}\n", to: "set.nix")
        try place.write(
            "#!/bin/sh\necho \"$@\" > \(place.root)/opened\nsed -i 's/one = 1/one = 71/' \"$2\"\n", to: "vi")
        try place.write(":l \(place.root)/set.nix\n:e f\none\n", to: "lines")
        let ours = try place.ours("chmod +x vi; EDITOR=\(place.root)/vi nix repl < lines")
        #expect(
            try String(contentsOfFile: place.root + "/opened", encoding: .utf8) == "+4 \(place.root)/set.nix\n",
            "\(ours)")
        #expect(ours.stdout.hasSuffix("\n71\n"), "\(ours)")
    }

    @Test func stringsLinksLogsAndNames() throws {
        let place = try NixBuildPlace()
        let lines = """
            :ll
            :p "two\\nlines \\"quoted\\""
            :a { second = 2; first = 1; }
            :ll
            :l lib.nix
            :bl make { name = "linked"; script = "echo words; echo 1 > $out"; }
            :log make { name = "linked"; script = "echo words; echo 1 > $out"; }
            :log 1
            """
        try place.write(lines + "\n", to: "lines")
        let run = try place.place.ours(
            "nix repl --store \(place.ourStore) < lines && cat our-store$(readlink repl-result-out) && "
                + "nix-store --store \(place.ourStore) --gc --print-roots")
        #expect(run.status == 0, "\(run.stderr)")
        #expect(run.stdout.contains("two\nlines \"quoted\"\n"), "\(run.stdout)")
        #expect(run.stdout.contains("first\nsecond\n"), "\(run.stdout)")
        #expect(run.stdout.contains("  ./repl-result-out -> /nix/store/"), "\(run.stdout)")
        #expect(run.stdout.contains("words\n1\n"), "\(run.stdout)")
        #expect(run.stdout.contains("/repl-result-out -> "), "\(run.stdout)")
        #expect(run.stderr.contains("error: nothing has been loaded yet"), "\(run.stderr)")
        #expect(run.stderr.contains("does not evaluate to a derivation"), "\(run.stderr)")
    }
}
