import Foundation
import Testing

/// The programs that builds call, beside Debian's Nix.
@Suite struct NixBuildHooksTests {
    private static let expression = """
        with import ./lib.nix; rec {
          first = make { name = "first"; outputs = [ "out" "dev" ]; script = "echo talks; echo > $out; echo > $dev"; };
          second = make { name = "second"; input = first; script = "echo $input > $out"; };
          seen = make { name = "seen"; script = "cat /given/one /given/two > $out"; };
          random = make { name = "random"; script = "cat /proc/sys/kernel/random/uuid > $out"; };
        }
        """

    private static func place(_ programs: [String: String]) throws -> NixBuildPlace {
        let place = try NixBuildPlace()
        try place.write(expression, to: "hooked.nix")
        for (name, text) in programs {
            try place.write("#!/bin/sh\n" + text, to: name)
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o755], ofItemAtPath: place.root + "/" + name)
        }
        return place
    }

    @Test func afterABuildAProgramIsTold() throws {
        let place = try Self.place([
            "hook": """
            echo "drv $DRV_PATH"; echo "also here" >&2; echo "$NIX_CONFIG" | grep -c '^keep-going = '
            echo "$DRV_PATH $OUT_PATHS" >> told
            """
        ])
        let command = "nix-build hooked.nix -A second --no-out-link --post-build-hook ./hook"
        for command in [command, command + " --check", command + " --check -Q"] {
            let (ours, theirs) = (try place.ours(command), try place.theirs(command))
            #expect(ours.status == 0 && ours.stderr == theirs.stderr, "\(ours.stderr)\n\(theirs.stderr)")
            #expect(ours.stdout == theirs.stdout)
        }
        // Which outputs, Nix 2.8 forgets to say.
        let told = try String(contentsOfFile: place.root + "/told", encoding: .utf8).split(separator: "\n")
        let first = try #require(told.first).split(separator: " ").map { $0.split(separator: "-").dropFirst() }
        #expect(
            first == [["first.drv"], ["first", "dev"], ["first"]]
                || first == [["first.drv"], ["first"], ["first", "dev"]])
        try place.checkStore()
    }

    @Test func itsFailureEndsAllBuilds() throws {
        let place = try Self.place(["hook": "echo no; exit 3"])
        for more in ["", " -k"] {
            let command = "nix-build hooked.nix -A second --no-out-link --post-build-hook ./hook" + more
            let (ours, theirs) = (try place.ours(command), try place.theirs(command))
            #expect(ours.status == 1 && theirs.status == 1)
            #expect(ours.stderr == theirs.stderr)
        }
        // What was built is valid all the same.
        try place.checkStore()
        #expect(try place.objects.contains { $0.hasSuffix("-second") })
        let command = "nix-build hooked.nix -A random --no-out-link --post-build-hook ./none"
        let missing = try place.ours(command)
        #expect(missing.status == 1 && missing.stderr.contains("executing the program './none'"), "\(missing.stderr)")
    }

    @Test func beforeABuildAProgramAddsToTheSandbox() throws {
        let place = try Self.place([
            "hook": """
            [ -d "$2/etc" ] || echo "no root" >&2; echo "${1##*-}" >&2
            printf 'extra-sandbox-paths\\n/given/one=%s\\n/given/two=%s\\n\\n' "$PWD/one" "$PWD/one"
            """,
            "nonsense": "echo nonsense", "fails": "exit 2", "outside": "echo extra-sandbox-paths; echo /../x",
        ])
        try place.write("given\n", to: "one")
        let command = "nix-build hooked.nix -A seen --no-out-link --option sandbox true --pre-build-hook "
        let (ours, theirs) = (try place.ours(command + "./hook"), try place.theirs(command + "./hook"))
        #expect(ours.status == 0 && ours.stdout == theirs.stdout, "\(ours.stderr)\n\(theirs.stderr)")
        #expect(ours.stderr.contains("seen.drv\n") && !ours.stderr.contains("no root"), "\(ours.stderr)")
        let made = place.ourStore + ours.stdout.trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(try String(contentsOfFile: made, encoding: .utf8) == "given\ngiven\n")
        for (program, words) in [
            ("nonsense", "error: unknown pre-build hook command 'nonsense'\n"),
            ("fails", "error: program './fails' failed with exit code 2\n"),
            ("outside", "wants '/../x' in the sandbox"),
        ] {
            let output = try place.ours(command.replacingOccurrences(of: "seen", with: "random") + "./" + program)
            #expect(output.status == 1 && output.stderr.contains(words), "\(program): \(output.stderr)")
        }
        try place.checkStore()
    }

    @Test func differencesAreShownToAProgram() throws {
        let place = try Self.place([
            "compare":
                "cmp -s $1 $2 || echo \"$(basename $2) differs, of $(basename $3), in $PWD\"; test -d $4 && echo",
            "fails": "echo out; exit 2",
        ])
        let path = try place.ours("nix-build hooked.nix -A random --no-out-link").stdout
            .trimmingCharacters(in: .whitespacesAndNewlines)
        _ = try place.theirs("nix-build hooked.nix -A random --no-out-link")
        for (options, isKept) in [
            ("--run-diff-hook", true), ("--run-diff-hook --diff-hook \(place.root)/compare", true),
            ("--run-diff-hook --diff-hook \(place.root)/fails", true), ("--diff-hook \(place.root)/compare", false),
        ] {
            let command = "nix-build hooked.nix -A random --no-out-link --check \(options)"
            let (ours, theirs) = (try place.ours(command), try place.theirs(command))
            #expect(ours.status == 104 && theirs.status == 104)
            // Nix names the files where they are, and not as the store does.
            #expect(ours.stderr == theirs.stderr.replacingOccurrences(of: place.theirStore, with: ""), "\(options)")
            #expect(FileManager.default.fileExists(atPath: place.ourStore + path + ".check") == isKept, "\(options)")
            _ = try place.place.run("rm -f our-store\(path).check their-store\(path).check")
        }
        try place.checkStore()
    }
}
