import Foundation
import Testing

/// `nix-env --query`, beside Debian's Nix.
@Suite struct NixEnvTests {
    /// Packages of every kind, and what is none.
    private static let packages = #"""
        let
          d = name: attrs: derivation ({ inherit name; system = "x86_64-linux"; builder = "/bin/sh"; } // attrs);
        in rec {
          hello = (d "hello-2.1" { }) // {
            meta = {
              description = "Says\nhello"; license = { spdx = "MIT"; ok = true; n = 1; }; list = [ "a" 1 "b" ]; n = 3;
              f = 1.5; b = true; bad = x: x; nested = [ [ "x" ] ]; s = "<&\">"; nothing = null; empty = [ ]; none = { };
            };
          };
          alias = hello;
          Zoo = d "Zoo-1" { };
          alpha = d "alpha-1.0pre" { outputs = [ "out" "dev" "bin" ]; };
          broken = throw "no";
          asserted = assert false; 1;
          late = (d "late-1" { }) // { meta = { description = throw "late"; }; };
          latePath = (d "latepath-1" { }) // { drvPath = throw "later"; };
          other = d "other-1" { system = "i686-linux"; };
          inner = {
            recurseForDerivations = true;
            a = d "inner-a" { };
            deep = { recurseForDerivations = true; "odd name" = d "odd" { }; x-y = d "xy-3" { }; };
          };
          not = { a = d "not-a" { }; };
          fun = { x ? 1 }: d "fun-${toString x}" { };
          number = 3;
          "quoted name" = d "quoted" { };
          "a+b" = d "plus-1" { };
        }
        """#

    // Of all packages in JSON with what is said of them, Nix 2.8 makes nonsense when one of them fails on the way.
    @Test(arguments: [
        "", "-P", "-P --description", "--json", "--json --meta -A hello", "--json --meta --out-path -A inner", "--xml",
        "--xml --meta --out-path --drv-path", "-P --system --out-path --drv-path", "--no-name -P", "-P -A inner",
        "-A hello -P", "hello", "hello-2.1 Zoo", "\"in.*\"", "\"*\"", "--system-filter i686-linux", "-P \".*-1\"",
        "--xml --description --system", "--arg a 1 -P",
    ])
    func packagesAreNixs(_ options: String) throws {
        let place = try NixPlace("nix-env")
        try place.write(Self.packages, to: "set.nix")
        let command = "nix-env --store \(place.root)/store -f set.nix -qa \(options)"
        let (ours, theirs) = (try place.ours(command), try place.run(command))
        #expect(theirs.status == 0, "\(theirs)")
        #expect(ours.status == 0, "\(ours)")
        #expect(ours.stdout == theirs.stdout)
        // Which of the packages say so.
        func notes(_ output: Output) -> [Substring] {
            output.stderr.split(separator: "\n").filter { $0.contains("invalid meta") }
        }
        #expect(notes(ours) == notes(theirs))
    }

    @Test func aPackageThatFailsOnTheWayIsLeftOut() throws {
        let place = try NixPlace("nix-env")
        try place.write(Self.packages, to: "set.nix")
        let ours = try place.ours("nix-env -f set.nix -qa --json --meta")
        let object = try JSONSerialization.jsonObject(with: Data(ours.stdout.utf8)) as? [String: Any]
        #expect(object?["alias"] != nil)
        #expect(object?["late"] == nil)
        #expect(object?.count == 8)
    }

    @Test func directoriesOfChannelsAreCombined() throws {
        let place = try NixPlace("nix-env")
        let script = """
            mkdir -p .nix-defexpr/channels/one .nix-defexpr/more/two &&
            echo '{ a = derivation { name = "a-1"; system = "x"; builder = "b"; }; }' > .nix-defexpr/channels/one/default.nix &&
            echo '{ }: { b = derivation { name = "b-1"; system = "x"; builder = "b"; }; }' > .nix-defexpr/more/two/default.nix &&
            echo '{ c = derivation { name = "c-1"; system = "x"; builder = "b"; }; }' > .nix-defexpr/three.nix &&
            echo '[ ]' > .nix-defexpr/manifest.nix && ln -s three.nix .nix-defexpr/four.nix
            """
        let made = try place.run(script)
        #expect(made.status == 0, "\(made)")
        for options in ["-P", "-A three -P", "--json"] {
            let command = "nix-env --store \(place.root)/store -qa \(options)"
            let (ours, theirs) = (try place.ours(command), try place.run(command))
            #expect(ours.stdout == theirs.stdout, "\(ours) \(theirs)")
            #expect(ours.status == theirs.status)
        }
    }

    @Test func profilesAreListed() throws {
        let place = try NixPlace("nix-env")
        let manifest = """
            [ { meta = { }; name = "tool-1"; out = { outPath = "/nix/store/00000000000000000000000000000000-tool-1"; };
                outPath = "/nix/store/00000000000000000000000000000000-tool-1"; outputs = [ "out" ]; system = "x";
                type = "derivation"; } ]
            """
        _ = try place.run("mkdir profile")
        try place.write(manifest, to: "profile/manifest.nix")
        for options in ["-q", "-q --out-path", "-q tool --system"] {
            let command = "nix-env -p \(place.root)/profile \(options)"
            let (ours, theirs) = (try place.ours(command), try place.run(command + " --store \(place.root)/store"))
            #expect(ours.stdout == theirs.stdout, "\(ours) \(theirs)")
        }
        let none = try place.ours("nix-env -p \(place.root)/nowhere -q")
        #expect(none.status == 0 && none.stdout.isEmpty)
    }

    @Test func mistakesAreErrors() throws {
        let place = try NixPlace("nix-env")
        try place.write(Self.packages, to: "set.nix")
        for (options, reason) in [
            ("-qa nothing", "selector 'nothing' matches no derivations"), ("-i hello", "only '--query' is done here"),
            ("-qa -A nowhere", "attribute 'nowhere' in selection path"), ("-qa -A number", "does not evaluate to"),
            ("-qa '('", "invalid regular expression"),
        ] {
            let ours = try place.ours("nix-env -f set.nix \(options)")
            #expect(ours.stderr.contains(reason), "\(options): \(ours)")
            #expect(ours.status == 1, "\(options): \(ours)")
        }
    }
}
