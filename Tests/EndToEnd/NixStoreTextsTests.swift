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
            "--hash-type sha1 \(address)", "--unpack file://\(place.root)/one.tgz",
            "--unpack file://\(place.root)/two.tgz",
        ] {
            try Self.compare(place, "nix store prefetch-file \(options)")
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
        let bottom = try place.ours("nix-store -qR \(top) | grep -- -c$ #").text
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
}
