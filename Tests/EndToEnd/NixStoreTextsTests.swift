import Foundation
import Testing

/// What `nix-store` and `nix-build` say and end with where something is missing or wrong, beside Debian's Nix.
@Suite struct NixStoreTextsTests {
    private static let absent = "/nix/store/00000000000000000000000000000000-x"

    /// Two stores in which the same has been done.
    private static func place() throws -> NixBuildPlace {
        let place = try NixBuildPlace()
        try place.write(
            """
            let lib = import ./lib.nix; in {
              two = lib.make { name = "two"; outputs = [ "out" "dev" ]; script = "echo 1 >$out; echo 2 >$dev"; };
              fails = lib.make { name = "fails"; script = "exit 3"; };
            }
            """, to: "default.nix")
        return place
    }

    /// Status, output and messages, without the store's own place and the program's.
    private static func essence(_ output: Output, _ store: String) -> String {
        "[\(output.status)]\n\(output.stdout)--\n\(output.stderr)".replacingOccurrences(of: store, with: "STORE")
            .replacingOccurrences(of: "/usr/bin/nix-", with: "nix-")
    }

    private static func compare(_ place: NixBuildPlace, _ command: String, _ line: Int = #line) throws {
        let ours = try place.ours(command)
        let theirs = try place.theirs(command)
        #expect(
            essence(ours, place.ourStore) == essence(theirs, place.theirStore), "\(command)",
            sourceLocation: SourceLocation(fileID: #fileID, filePath: #filePath, line: line, column: 1))
    }

    @Test func nothingToBuildOrCheck() throws {
        let place = try Self.place()
        let derivation = try place.ours("nix-instantiate -A two").stdout.trimmingCharacters(in: .newlines)
        try Self.compare(place, "nix-instantiate -A two -A fails")
        try Self.compare(place, "nix-instantiate -A two --no-gc-warning")
        for command in [
            "nix-store -r \(derivation) --check", "nix-build -A two --no-out-link --check",
            "nix-store -r \(derivation)",
            "nix-store -r \(derivation) --no-gc-warning", "nix-store -r \(derivation) --check",
            "nix-store -r \(derivation)!dev \(derivation) --add-root $PWD/rooted",
            "nix-build -A fails --no-out-link", "nix-build -A fails --no-out-link --check",
            "nix-store -r \(Self.absent).drv", "nix-store -r \(Self.absent) \(Self.absent)y",
        ] {
            try Self.compare(place, command)
        }
        // Newer versions say why a single object does not come.
        let single = try place.ours("nix-store -r \(Self.absent)")
        #expect(single.status == 1)
        #expect(
            single.stderr.hasSuffix(
                "error: path '\(Self.absent)' is required, but there is no substituter that can build it\n"),
            "\(single.stderr)")
    }

    @Test func wrongQuestions() throws {
        let place = try Self.place()
        _ = try place.ours("nix-store --add lib.nix")
        _ = try place.theirs("nix-store --add lib.nix")
        for command in [
            "--print-env", "-q --hash \(Self.absent)", "-q --references /tmp", "-q --deriver lib.nix",
            "--verify-path \(Self.absent)", "--add /nonexistent", "--delete \(Self.absent)", "--gc --max-freed 0",
            "--gc --print-dead", "--gc --max-freed 1", "--gc", "-q -r \(Self.absent)", "",
        ] {
            try Self.compare(place, "nix-store \(command)")
        }
        // Debian's version ends with an assertion.
        let environment = try place.ours("nix-store --print-env $(nix-store --store ./our-store --add tools)")
        #expect(environment.status == 1)
        #expect(environment.stderr.hasSuffix("-tools' is not a derivation\n"), "\(environment.stderr)")
    }

    @Test func filesFromElsewhere() throws {
        let place = try Self.place()
        try place.write("some text\n", to: "file")
        _ = try place.place.run("tar czf one.tgz lib.nix; tar czf two.tgz lib.nix file; chmod 600 file")
        place.place.environment["NIX_CONFIG"] = "experimental-features = nix-command"
        let address = "file://\(place.root)/file"
        for options in [
            address, "--json \(address)", "--executable \(address)", "--name other \(address)",
            "--hash-type sha1 \(address)",
        ] {
            try Self.compare(place, "nix store prefetch-file \(options)")
        }
        // Debian's version cannot, but newer ones do.
        for (archive, name) in [("one", "/lib.nix"), ("two", "")] {
            let unpacked = try place.ours("nix store prefetch-file --json --unpack file://\(place.root)/\(archive).tgz")
            #expect(unpacked.status == 0, "\(unpacked.stderr)")
            let hash = try place.place.run(
                "mkdir \(archive); tar xf \(archive).tgz -C \(archive); nix hash path \(archive)\(name)"
            ).text
            #expect(unpacked.stdout.contains("\"hash\":\"\(hash)\""), "\(unpacked.stdout)")
        }
        let none = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
        let wrong = try place.ours("nix store prefetch-file --name wrong --expected-hash \(none) \(address)")
        #expect(wrong.status == 1 && wrong.stderr.contains("hash mismatch"), "\(wrong.stderr)")
        #expect(try place.objects.allSatisfy { !$0.hasSuffix("-wrong") })
        let nameless = try place.ours("nix store prefetch-file http://localhost:1/")
        #expect(nameless.status == 1 && nameless.stderr.contains("cannot figure out file name"), "\(nameless.stderr)")
    }

    @Test func whereTheNamesAre() throws {
        let place = try NixBuildPlace()
        try place.write(
            """
            let
              lib = import ./lib.nix;
              make = name: script: lib.make { inherit name; script = "mkdir -p $out/bin\n" + script; };
              c = make "c" "echo c > $out/c";
              d = make "d" "echo before ${c} after > $out/x; ln -s ${c}/c $out/l; echo ${c}/c > $out/bin/y";
              e = make "e" "echo ${d} > $out/x; echo ${c} >> $out/x";
            in make "f" "echo ${d} > $out/a; echo ${e} > $out/b"
            """, to: "default.nix")
        let top = try place.ours("nix-build --no-out-link").text
        _ = try place.theirs("nix-build --no-out-link")
        let bottom = try place.place.ours("nix-store --store \(place.ourStore) -qR \(top) | grep -- '-c$'").text
        #expect(bottom.hasSuffix("-c"), "\(bottom)")
        for options in ["", "--all", "--precise", "--precise --all"] {
            let ours = try place.ours("nix why-depends \(options) \(top) \(bottom)")
            let theirs = try place.theirs(
                "nix --extra-experimental-features nix-command why-depends \(options) \(top) \(bottom)")
            let plain = theirs.stdout.replacingOccurrences(
                of: "\u{1B}\\[[0-9;]*m", with: "", options: .regularExpression)
            #expect(ours.stdout == plain, "\(options): \(ours.stderr)")
            #expect(ours.stdout.split(separator: "\n").count > 2)
        }
    }

    @Test func attributesNamePaths() throws {
        let place = try Self.place()
        place.place.environment["NIX_CONFIG"] = "experimental-features = nix-command"
        try Self.compare(place, "nix path-info -f default.nix two --derivation")
        // What is not built has a path all the same, which is not valid.
        let absent = try place.ours("nix path-info -f default.nix two")
        #expect(absent.status == 1 && absent.stderr.hasSuffix("-two' is not valid\n"), "\(absent)")
        try Self.compare(place, "nix-build -A two --no-out-link")
        for command in [
            "nix path-info -f default.nix two", "nix path-info -rs -f default.nix two",
            "nix path-info --derivation --expr 'import (builtins.toPath \(place.root)/default.nix)' --impure two",
            "nix show-derivation -f default.nix two", "nix show-derivation -r -f default.nix two",
            "nix log -f default.nix two --offline", "nix why-depends -f default.nix two fails",
            "nix path-info -f default.nix nope",
        ] {
            let (ours, theirs) = (try place.ours(command), try place.theirs(command))
            #expect(ours.stdout == theirs.stdout && ours.status == theirs.status, "\(command): \(ours) \(theirs)")
        }
        let copied = try place.ours("nix copy -f default.nix two --to file://\(place.root)/cache")
        #expect(copied.status == 0, "\(copied.stderr)")
        let output = try place.ours("nix path-info -f default.nix two").text
        let there = try place.place.run("nix path-info --store file://\(place.root)/cache \(output)")
        #expect(there.text == output, "\(there)")
    }

    @Test func whatIsBuiltBecomesAGeneration() throws {
        let place = try Self.place()
        try place.write(
            #"n: (import ./lib.nix).make { name = "n"; script = "echo ${toString n} > $out"; }"#, to: "numbered.nix")
        for number in [1, 2, 2] {
            let built = try place.ours(
                "nix build --impure --expr 'import \(place.root)/numbered.nix \(number)' --no-link --profile $PWD/mine")
            #expect(built.status == 0, "\(built.stderr)")
        }
        let links = try place.place.run("ls -d mine*; readlink mine; cat our-store$(readlink mine-2-link)")
        #expect(links.text == "mine\nmine-1-link\nmine-2-link\nmine-2-link\n2")
        let theirs = try place.place.run(
            "nix-env -p mine --list-generations --store \(place.ourStore) && nix-store --gc --print-roots --store "
                + place.ourStore)
        #expect(theirs.stdout.contains("(current)"), "\(theirs)")
        #expect(theirs.stdout.contains("/mine-1-link -> ") && theirs.stdout.contains("/mine-2-link -> "), "\(theirs)")
        let several = try place.ours("nix build -f default.nix two^* --no-link --profile $PWD/mine")
        #expect(several.status == 1 && several.stderr.contains("a single store path, but there are 2"), "\(several)")
    }
}
