import Foundation
import Testing

/// Where outputs come from, and what is said of it: caches that do not keep their word, daemons that are asked first.
@Suite struct NixBuildSourcesTests {
    private static let expression = """
        with import ./lib.nix; rec {
          first = make { name = "first"; script = "head -c 5000 /dev/zero > $out"; };
          second = make { name = "second"; input = first; script = "mkdir $out; echo $input > $out/a; cp $out/a $out/b"; };
        }
        """

    /// A cache with all, and two that lack archives or have damaged ones.
    private static func place() throws -> NixBuildPlace {
        let place = try NixBuildPlace()
        try place.write(expression, to: "sources.nix")
        let made = try place.place.run(
            """
            set -e
            nix-build sources.nix -A second --no-out-link --store \(place.root)/source > path
            nix --extra-experimental-features nix-command copy --store \(place.root)/source \\
              --to "file://\(place.root)/cache?compression=none" $(cat path)
            cp -a cache gone; rm gone/nar/*; cp -a cache damaged
            for file in damaged/nar/*; do printf x | dd of=$file bs=1 seek=120 conv=notrunc status=none; done
            """)
        #expect(made.status == 0, "\(made.stderr)")
        return place
    }

    private static func options(_ place: NixBuildPlace, _ cache: String) -> String {
        "--option substitute true --option require-sigs false --option substituters file://\(place.root)/\(cache)"
    }

    @Test func whatACacheDoesNotGiveIsBuilt() throws {
        let place = try Self.place()
        for (cache, fallback, isBuilt) in [
            ("cache", "", false), ("gone", "", true), ("damaged", "--fallback", true),
            ("damaged", "--option fallback true", true),
        ] {
            let command = "nix-build sources.nix -A second --no-out-link \(Self.options(place, cache)) \(fallback)"
            let (ours, theirs) = (try place.ours(command), try place.theirs(command))
            #expect(ours.status == 0 && theirs.status == 0, "\(cache) \(fallback): \(ours.stderr)\n\(theirs.stderr)")
            #expect(ours.stdout == theirs.stdout)
            for name in ["first", "second"] {
                #expect(ours.stderr.contains("-\(name).drv'...") == isBuilt, "\(ours.stderr)")
                #expect(theirs.stderr.contains("-\(name).drv'...") == isBuilt, "\(theirs.stderr)")
            }
            try place.checkStore()
            _ = try place.place.run("chmod -R u+w our-store their-store; rm -rf our-store their-store")
        }
    }

    @Test func expressionsFetchWhatTheyAreBuiltOf() throws {
        let place = try NixBuildPlace()
        try place.write("fetched\n", to: "source")
        try place.write(
            """
            with import ./lib.nix; make {
              name = "made"; input = builtins.fetchurl "file://${toString ./.}/source"; script = "cat $input > $out";
            }
            """, to: "fetching.nix")
        let command = "nix-build fetching.nix --no-out-link"
        let (ours, theirs) = (try place.ours(command), try place.theirs(command))
        #expect(ours.status == 0 && ours.stdout == theirs.stdout, "\(ours.stderr)\n\(theirs.stderr)")
        let made = place.ourStore + ours.stdout.trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(try String(contentsOfFile: made, encoding: .utf8) == "fetched\n")
        let shown = try place.ours("nix path-info --impure -f fetching.nix ''")
        #expect(shown.status == 0 && shown.stdout == ours.stdout, "\(shown)")
        let none = try place.ours("nix path-info -f fetching.nix '^none'")
        #expect(none.status == 1 && none.stderr.contains("has no output 'none'"), "\(none)")
        try place.checkStore()
    }

    @Test func withoutFallbackAFailureIsNamedAsNixDoes() throws {
        let place = try Self.place()
        let command = "nix-build sources.nix -A second --no-out-link \(Self.options(place, "damaged"))"
        let (ours, theirs) = (try place.ours(command), try place.theirs(command))
        #expect(ours.status == theirs.status && ours.status == 1)
        func last(_ output: Output) -> Substring? { output.stderr.split(separator: "\n").last }
        #expect(last(ours) == last(theirs) && ours.stderr.contains("try '--fallback'"), "\(ours.stderr)")
        // An object that no derivation makes is told of by what went wrong.
        let path = try String(contentsOfFile: place.root + "/path", encoding: .utf8)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        let object = try place.ours("nix-store --realise \(path) \(Self.options(place, "damaged")) --fallback")
        #expect(object.status == 1 && !object.stderr.contains("try '--fallback'"), "\(object.stderr)")
        try place.checkStore()
    }

    @Test func aDaemonIsAskedWhatItWouldDo() throws {
        let place = try Self.place()
        try place.write(
            "build-users-group =\nsubstitute = true\nrequire-sigs = false\nsubstituters = file://\(place.root)/cache\n",
            to: "nix.conf")
        let run = try place.place.ours(
            """
            export NIX_STORE_DIR=\(place.root)/store; mkdir store state log
            export NIX_STATE_DIR=\(place.root)/state NIX_LOG_DIR=\(place.root)/log NIX_DAEMON_SOCKET_PATH=\(place.root)/socket
            nix-daemon >daemon.log 2>&1 & daemon=$!
            for i in $(seq 200); do [ -S socket ] && break; sleep 0.05; done
            export NIX_REMOTE=unix://\(place.root)/socket
            for ours in ours/ /usr/bin/; do
              echo >&2 "---"; PATH=$PWD/$ours:$PATH
              ${ours}nix-build sources.nix -A second --no-out-link --dry-run || echo failed
              drv=$(/usr/bin/nix-instantiate sources.nix -A second)
              ${ours}nix-store --realise --dry-run $drv || echo failed
              ${ours}nix-store --realise --dry-run /nix/store || echo refused
            done
            echo >&2 "---"; ours/nix build -f sources.nix second --dry-run
            drv=$(/usr/bin/nix-instantiate sources.nix -A second)
            ours/nix-store --realise $drv --add-root link; readlink link
            /usr/bin/nix-store --realise $drv
            ours/nix-store --realise --check $drv
            kill $daemon; wait $daemon 2>/dev/null
            """)
        let said = run.stderr.components(separatedBy: "---\n")
        #expect(said.count == 4)
        func plans(_ text: String) -> [Substring] {
            text.split(separator: "\n").filter { !$0.contains("error") && !$0.contains("warning") }
        }
        if said.count == 4 {
            #expect(plans(said[1]).count == 6, "\(said[1])")
            #expect(plans(said[1]) == plans(said[2]), "\(run.stderr)")
        }
        #expect(run.stdout.contains("refused") && !run.stdout.contains("failed"), "\(run.stdout)")
    }

    @Test func equalFilesAreOneAtOnce() throws {
        let place = try Self.place()
        let settings = "--option auto-optimise-store true"
        let built = try place.ours("nix-build sources.nix -A second --no-out-link \(settings)")
        #expect(built.status == 0, "\(built.stderr)")
        let path = built.stdout.trimmingCharacters(in: .whitespacesAndNewlines)
        try place.write("same\n", to: "one")
        try place.write("same\n", to: "two")
        #expect(try place.ours("nix-store --add one two \(settings)").status == 0)
        func links(_ name: String) throws -> Int {
            let attributes = try FileManager.default.attributesOfItem(atPath: place.ourStore + name)
            return attributes[.referenceCount] as? Int ?? 0
        }
        #expect(try links(path + "/a") == 3)
        let found = try place.place.run("nix-store --store \(place.ourStore) --optimise")
        #expect(found.stderr.hasSuffix("0.00 MiB freed by hard-linking 0 files\n"), "\(found.stderr)")
        try place.checkStore()
        // Fetched, too.
        _ = try place.place.run("chmod -R u+w our-store; rm -rf our-store")
        let fetched = try place.ours(
            "nix-build sources.nix -A second --no-out-link \(settings) \(Self.options(place, "cache"))")
        #expect(fetched.status == 0 && !fetched.stderr.contains("building"), "\(fetched.stderr)")
        #expect(try links(path + "/a") == 3)
    }

    @Test func aTerminalsLastLineSaysHowItGoes() throws {
        let place = try Self.place()
        func onTerminal(_ command: String, _ type: String = "xterm") throws -> String {
            try place.place.ours(
                "TERM=\(type) script -qec '\(command) --store \(place.ourStore)' /dev/null"
            ).stdout
        }
        let line = "\u{1B}[K"
        let built = try onTerminal("nix build -f sources.nix second --no-link")
        for text in ["[0/2 built] building first", "[1/2 built] building second", "[2/2 built]"] {
            #expect(built.contains(text), "\(built)")
        }
        // In the end nothing of it is left.
        #expect(built.hasSuffix(line) && !built.contains("building '"), "\(built)")
        for command in [
            "nix-build sources.nix -A second --no-out-link --check --log-format raw",
            "nix build -f sources.nix second --no-link --rebuild -L",
        ] { #expect(try !onTerminal(command).contains(line), "\(command)") }
        #expect(try !onTerminal("nix build -f sources.nix second --no-link --rebuild", "dumb").contains(line))
        // What is said beside it has lines of its own.
        let told = try onTerminal("nix-build sources.nix -A second --no-out-link --check")
        let plain = told.components(separatedBy: line).map { $0.split(separator: "\r").first ?? "" }
        #expect(plain.contains { $0.hasPrefix("checking outputs of '/nix/store/") }, "\(told)")
        let piped = try place.ours("nix build -f sources.nix second --no-link --rebuild")
        #expect(!piped.stderr.contains(line))
        let path = try String(contentsOfFile: place.root + "/path", encoding: .utf8)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        let copied = try place.place.ours(
            "TERM=xterm script -qec 'nix copy --no-check-sigs --from file://\(place.root)/cache --to \(place.theirStore) \(path)' /dev/null"
        )
        #expect(copied.stdout.contains("copying first") && copied.stdout.contains("/2 copied ("), "\(copied.stdout)")
    }

    @Test func whatIsDamagedIsMadeAgain() throws {
        let place = try Self.place()
        let path = try place.ours("nix-build sources.nix -A second --no-out-link").stdout
            .trimmingCharacters(in: .whitespacesAndNewlines)
        let damage = "chmod -R u+w our-store\(path); echo damage >> our-store\(path)/a"
        let from = Self.options(place, "cache")
        for (command, words) in [
            ("nix-store --repair-path \(path)", "repairing outputs of"),
            ("nix store repair \(path)", "repairing outputs"),
            ("nix-store --verify --check-contents --repair", "repairing outputs of"),
            ("nix-store --repair-path \(path) \(from)", "copying path '\(path)'"),
            ("nix-store --repair-path \(path) \(Self.options(place, "damaged"))", "repairing outputs of"),
        ] {
            _ = try place.place.run(damage)
            #expect(try place.place.run("nix-store --store \(place.ourStore) --verify-path \(path)").status != 0)
            let repaired = try place.ours(command)
            #expect(repaired.status == 0 && repaired.stderr.contains(words), "\(command): \(repaired.stderr)")
            try place.checkStore("\(command)")
        }
        // What nobody made and nobody has stays as it is.
        try place.write("text", to: "added")
        let added = try place.ours("nix-store --add added").stdout.trimmingCharacters(in: .whitespacesAndNewlines)
        _ = try place.place.run("chmod u+w our-store\(added); echo damage >> our-store\(added)")
        let failed = try place.ours("nix-store --repair-path \(added)")
        #expect(failed.status == 1 && failed.stderr.contains("how it was built is not known"), "\(failed.stderr)")
    }
}
