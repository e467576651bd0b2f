import Foundation
import Glibc
import Kernel
import Testing

/// The store's commands of `dhow-nix`, beside Debian's Nix on the same stores.
@Suite struct NixStoreTests {
    private static let program = Programs.directory + "/dhow-nix"

    /// A directory with a store, sources, and the tools under their own names.
    private final class Place {
        let scratch: ScratchDirectory
        var root: String { scratch.file("store") }
        var tree: String { scratch.file("tree") }

        init() throws {
            scratch = try ScratchDirectory("nix-store")
            for tool in ["nix-store", "nix-instantiate"] {
                try FileManager.default.createSymbolicLink(
                    atPath: scratch.file(tool), withDestinationPath: NixStoreTests.program)
            }
            for folder in 0..<20 {
                try FileManager.default.createDirectory(
                    atPath: tree + "/folder-\(folder)", withIntermediateDirectories: true)
                for file in 0..<20 {
                    let text = String(repeating: "\(folder % 7) \(file)\n", count: 2000)
                    try text.write(toFile: tree + "/folder-\(folder)/\(file)", atomically: false, encoding: .utf8)
                }
            }
        }

        deinit {
            // Directories of a store may not be written to.
            _ = try? Subprocess.run(Subprocess.Configuration("/bin/chmod", arguments: ["chmod", "-R", "u+w", root]))
        }

        private func run(_ program: String, _ arguments: [String]) throws -> Output {
            var environment = ProcessInfo.processInfo.environment
            environment["NIX_CONF_DIR"] = "/nonexistent"
            environment["NIX_PATH"] = ""
            let output = try Subprocess.run(
                Subprocess.Configuration(
                    program, arguments: [program.components(separatedBy: "/").last ?? program] + arguments,
                    environment: environment.map { "\($0.key)=\($0.value)" }),
                outputLimit: 1 << 26)
            return Output(
                status: output.status.code, stdout: String(decoding: output.standardOutput, as: UTF8.self),
                stderr: output.standardErrorText)
        }

        func ours(_ tool: String, _ arguments: [String]) throws -> Output {
            try run(tool == "nix" ? NixStoreTests.program : scratch.file(tool), arguments + ["--store", root])
        }

        func theirs(_ tool: String, _ arguments: [String]) throws -> Output {
            let features = tool == "nix" ? ["--extra-experimental-features", "nix-command"] : []
            return try run(
                "/usr/bin/\(tool)",
                features + arguments
                    + ["--store", root, "--option", "substitute", "false", "--option", "build-users-group", ""])
        }
    }

    private static let expression = """
        let
          make = name: inputs: derivation {
            inherit name inputs;
            system = "x86_64-linux";
            builder = "/bin/sh";
            args = [ "-c" "echo > $out" ];
            outputs = [ "out" "dev" ];
            text = builtins.toFile "text" "see ${builtins.toFile "inner" "inner"}";
            source = ./tree/folder-1;
            some = builtins.path { path = ./tree; name = "some"; filter = path: type: type == "directory"; };
          };
          fixed = derivation {
            name = "fixed"; system = "x86_64-linux"; builder = "/bin/sh";
            outputHashMode = "recursive"; outputHashAlgo = "sha256";
            outputHash = "0sjjj9z1dhilhpc8pq4154czrb79z9cm044jvn75kxcjv6v5l2m5";
          };
          one = make "one" [ fixed ];
        in [ one (make "two" [ one one.dev fixed ]) ]
        """

    @Test func derivationsAreWrittenAsByNix() throws {
        let (ours, theirs) = (try Place(), try Place())
        defer { withExtendedLifetime((ours, theirs)) {} }
        for place in [ours, theirs] { try place.scratch.write(Self.expression, to: "x.nix") }
        let made = try ours.ours("nix-instantiate", [ours.scratch.file("x.nix")])
        let expected = try theirs.theirs("nix-instantiate", [theirs.scratch.file("x.nix")])
        #expect(made.status == 0, "\(made)")
        #expect(made.stdout == expected.stdout)
        #expect(made.lines.count == 2)
        let registered = try ours.theirs("nix-store", ["--dump-db"]).lines
        #expect(registered == (try theirs.theirs("nix-store", ["--dump-db"]).lines))
        #expect(registered.count > 20)
        #expect(try ours.theirs("nix-store", ["--verify", "--check-contents"]).status == 0)
        // Without being asked for, evaluating alone writes nothing.
        let before = try FileManager.default.contentsOfDirectory(atPath: ours.root + "/nix/store").count
        let path = try ours.ours("nix-instantiate", ["--eval", "-E", "builtins.toFile \"unwritten\" \"x\""])
        #expect(path.text.hasSuffix("-unwritten\""))
        let dry = try ours.ours("nix", ["eval", "--read-only", "--expr", "builtins.toFile \"unwritten\" \"x\""])
        #expect(dry.text == path.text)
        #expect(try FileManager.default.contentsOfDirectory(atPath: ours.root + "/nix/store").count == before)
        let read = "builtins.readFile \"${builtins.toFile \"unwritten\" \"x\"}\""
        #expect(try ours.ours("nix", ["eval", "--read-only", "--expr", read]).text == "\"x\"")
        let wet = try ours.ours("nix", ["eval", "--expr", "builtins.toFile \"unwritten\" \"x\""])
        #expect(wet.text == path.text)
        #expect(try FileManager.default.contentsOfDirectory(atPath: ours.root + "/nix/store").count == before + 1)
        #expect(try ours.ours("nix", ["eval", "--read-only", "--expr", read]).text == "\"x\"")
        #expect(try ours.ours("nix", ["eval", "--expr", read]).text == "\"x\"")
    }

    @Test func commandsPrintWhatNixPrints() throws {
        let place = try Place()
        defer { withExtendedLifetime(place) {} }
        try place.scratch.write(Self.expression, to: "x.nix")
        let derivations = try place.theirs("nix-instantiate", [place.scratch.file("x.nix")]).lines
        let all = try place.theirs("nix-store", ["--dump-db"]).lines.filter { $0.hasPrefix("/nix/store/") }
        let paths = Array(Set(all)).sorted()
        let text = try #require(paths.first { $0.hasSuffix("-text") })
        let inner = try #require(paths.first { $0.hasSuffix("-inner") })
        let source = try #require(paths.first { $0.hasSuffix("-folder-1") })
        let plain = paths.filter {
            !$0.hasSuffix(".drv") && all.contains($0) && !$0.contains("-one") && !$0.contains("-two")
                && !$0.hasSuffix("-fixed")
        }
        let missing = "/nix/store/00000000000000000000000000000000-x"
        let root = place.scratch.file("root")
        for arguments in [
            ["-qR"] + derivations, ["-q", "--requisites", "--include-outputs"] + derivations,
            ["-q", "--references"] + derivations, ["-q", "--referrers", text],
            ["-q", "--referrers-closure", inner], ["-q", "--deriver", text], ["-q", "--graph"] + derivations,
            ["-q", "--graphml"] + derivations,
            ["-q", "--tree"] + derivations, ["-q", "--resolve", text], ["-q", "-b", "name", derivations[0]],
            ["-q", "-b", "nope", derivations[0]],
            ["-q", "--hash"] + plain, ["-q", "--size"] + plain, ["-q"] + derivations, ["-q", "--outputs", text],
            ["-q", "--roots", text], ["-qR", missing], ["-q", "--hash", "--use-output", derivations[0]],
            ["-q", "--hash", "--size"], ["-r", text], ["--add", place.tree], ["--add-fixed", "sha256", text],
            ["--add-fixed", "--recursive", "sha1", place.tree],
            [
                "--print-fixed-path", "--recursive", "sha256", "0sjjj9z1dhilhpc8pq4154czrb79z9cm044jvn75kxcjv6v5l2m5",
                "x",
            ],
            ["--verify", "--check-contents"], ["--verify-path"] + plain, ["--dump-db"], ["--dump-db", text],
            ["--print-env", derivations[0]], ["--gc", "--print-live"], ["--gc", "--print-dead"], ["--delete", inner],
            ["--add-root", root, "-r", text], ["--gc", "--print-roots"], ["-q", "--roots", text],
            ["--gc", "--print-live"], ["--gc", "--print-dead"],
        ] {
            let theirs = try place.theirs("nix-store", arguments)
            let ours = try place.ours("nix-store", arguments)
            #expect(ours.stdout == theirs.stdout, "nix-store \(arguments)")
            #expect(ours.status == theirs.status, "nix-store \(arguments)")
        }
        for arguments in [
            ["path-info", "-rsSh"] + plain, ["path-info", "-rsS", "--sigs"] + plain,
            ["path-info", "-rS", "--json"] + plain, ["path-info"] + plain, ["show-derivation"] + derivations,
            ["show-derivation", "-r", derivations[1]], ["store", "ls", source], ["store", "ls", "-lR", source],
            ["store", "ls", "-R", "--json", source], ["store", "ls", "-l", source + "/3"],
            ["store", "ls", source + "/none"], ["store", "cat", source + "/3"], ["store", "cat", source],
            ["store", "dump-path", source], ["store", "add-path", "--name", "named", place.tree],
            ["store", "add-file", place.tree + "/folder-0/0"], ["store", "verify", text],
            ["store", "diff-closures", text, inner], ["why-depends", text, inner],
            ["why-depends", "--all", text, inner], ["why-depends", text, source], ["store", "delete", inner],
        ] {
            let theirs = try place.theirs("nix", arguments)
            let ours = try place.ours("nix", arguments)
            // Nix 2.8 ends colours also where it begins none.
            #expect(ours.text == theirs.text.replacingOccurrences(of: "\u{1B}[0m", with: ""), "nix \(arguments)")
            #expect(ours.status == theirs.status, "nix \(arguments)")
        }
        #expect(try place.ours("nix", ["gc"]).status == 0)
        #expect(try place.ours("nix-store", ["-q", "--roots", text]).lines == ["\(root) -> \(text)"])
        #expect(try place.theirs("nix-store", ["--verify", "--check-contents"]).status == 0)
        #expect(try place.theirs("nix-store", ["--gc", "--print-dead"]).stdout == "")
    }

    @Test func killingLeavesNothingHalf() throws {
        let place = try Place()
        defer { withExtendedLifetime(place) {} }
        #expect(try place.ours("nix-store", ["--init"]).status == 0)
        var landed = 0
        for round in 0..<40 {
            var configuration = Subprocess.Configuration(
                Self.program,
                arguments: [
                    "dhow-nix", "store", "add-path", "--name", "round-\(round)", place.tree, "--store", place.root,
                ])
            configuration.descriptors = [
                1: try FileDescriptor.open("/dev/null", .writeOnly),
                2: try FileDescriptor.open("/dev/null", .writeOnly),
            ]
            let child = try Subprocess.spawn(configuration)
            // Spread over the whole of an addition, however long it takes here.
            usleep(UInt32(round) * 2500)
            try? child.send(signal: .kill)
            _ = try child.wait()
            if round % 8 == 7 {
                let check = try place.theirs("nix-store", ["--verify", "--check-contents"])
                #expect(check.status == 0, "\(check)")
                #expect(!check.stderr.contains("modified"), "\(check)")
                #expect(!check.stderr.contains("disappeared"), "\(check)")
            }
            landed = try place.theirs("nix-store", ["--dump-db"]).lines.filter { $0.contains("-round-") }.count
        }
        // A killed addition can be done again.
        let again = try place.ours("nix", ["store", "add-path", "--name", "round-1", place.tree])
        #expect(again.status == 0, "\(again)")
        #expect(landed < 40)
        #expect(try place.ours("nix-store", ["--gc"]).status == 0)
        let left = try FileManager.default.contentsOfDirectory(atPath: place.root + "/nix/store")
        #expect(left == [".links"])
        let roots = try FileManager.default.contentsOfDirectory(atPath: place.root + "/nix/var/nix/temproots")
        #expect(roots == [])
    }

    @Test func aFullDiskIsSaidAndLeavesNothing() throws {
        let place = try Place()
        defer { withExtendedLifetime(place) {} }
        let disk = place.scratch.file("disk")
        try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true)
        try #require(mount("tmpfs", disk, "tmpfs", 0, "size=2m") == 0, "errno \(errno)")
        defer { umount2(disk, 2) }
        let output = try Subprocess.run(
            Subprocess.Configuration(
                Self.program,
                arguments: ["dhow-nix", "store", "add-path", place.tree, "--store", disk]))
        #expect(output.status.code == 1)
        #expect(output.standardErrorText.contains("no space"), "\(output.standardErrorText)")
        let left = try FileManager.default.contentsOfDirectory(atPath: disk + "/nix/store")
        #expect(left == [".links"])
        let verify = try Subprocess.run(
            Subprocess.Configuration("/usr/bin/nix-store", arguments: ["nix-store", "--verify", "--store", disk]))
        #expect(verify.status.isSuccess, "\(verify.standardErrorText)")
    }

    @Test func aUserWithoutRootHasAStoreAtHome() throws {
        let place = try Place()
        defer { withExtendedLifetime(place) {} }
        let home = place.scratch.file("home")
        try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
        chown(home, 65534, 65534)
        chmod(place.scratch.path, 0o755)
        // The program may lie where only its owner comes.
        let program = place.scratch.file("dhow-nix")
        try FileManager.default.copyItem(atPath: Self.program, toPath: program)
        func run(_ program: String, _ arguments: [String]) throws -> Output {
            let output = try Subprocess.run(
                Subprocess.Configuration(
                    "/usr/bin/setpriv",
                    arguments: ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program] + arguments,
                    environment: [
                        "HOME=\(home)", "PATH=/usr/bin:/bin", "NIX_STATE_DIR=/nonexistent/nix",
                        "NIX_CONF_DIR=/nonexistent",
                    ]))
            return Output(
                status: output.status.code, stdout: String(decoding: output.standardOutput, as: UTF8.self),
                stderr: output.standardErrorText)
        }
        let added = try run(program, ["store", "add-path", place.tree])
        #expect(added.status == 0, "\(added)")
        let again = try run(program, ["store", "add-file", place.tree + "/folder-0/0"])
        #expect(again.status == 0, "\(again)")
        let optimised = try run(program, ["store", "optimise"])
        #expect(optimised.status == 0, "\(optimised)")
        let root = home + "/.local/share/nix/root"
        let check = try run("/usr/bin/nix-store", ["--verify", "--check-contents", "--store", root])
        #expect(check.status == 0, "\(check)")
        let collected = try run(program, ["gc"])
        #expect(collected.status == 0, "\(collected)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: root + "/nix/store") == [".links"])
    }

    @Test func streamsGoBothWays() throws {
        let (from, to) = (try Place(), try Place())
        defer { withExtendedLifetime((from, to)) {} }
        let path = try from.ours("nix-store", ["--add", from.tree]).text
        func shell(_ script: String) throws -> Output {
            let output = try Subprocess.run(
                Subprocess.Configuration(
                    "/bin/sh",
                    // Not in the environment, where it would be a root.
                    arguments: ["sh", "-ec", "P=\(path); " + script],
                    environment: [
                        "OURS=\(from.scratch.file("nix-store"))", "THEIRS=/usr/bin/nix-store --option substitute false",
                        "FROM=\(from.root)", "TO=\(to.root)", "W=\(to.scratch.path)",
                        "PATH=/usr/bin:/bin", "NIX_CONF_DIR=/nonexistent",
                    ]))
            return Output(
                status: output.status.code, stdout: String(decoding: output.standardOutput, as: UTF8.self),
                stderr: output.standardErrorText)
        }
        for script in [
            "$OURS --store $FROM --export $P | $THEIRS --store $TO --import",
            "$OURS --store $TO --delete $P >/dev/null; $THEIRS --store $FROM --export $P | $OURS --store $TO --import",
        ] {
            let output = try shell(script)
            #expect(output.status == 0, "\(script): \(output)")
            #expect(output.text == path, "\(script)")
        }
        for script in [
            "$OURS --dump $FROM$P > $W/a.nar; $THEIRS --dump $FROM$P | cmp - $W/a.nar",
            "$OURS --restore $W/restored < $W/a.nar; $THEIRS --dump $W/restored | cmp - $W/a.nar",
            "! head -c 100000 $W/a.nar | $OURS --restore $W/cut",
            // A database made anew of what the old one says.
            "$OURS --store $TO --dump-db > $W/db; rm -r $TO/nix/var; $OURS --store $TO --load-db < $W/db; "
                + "$THEIRS --store $TO --verify --check-contents; $THEIRS --store $TO --dump-db | cmp - $W/db",
            "rm -r $TO/nix/var; printf '%s\\n\\n0\\n' $P | $OURS --store $TO --register-validity; "
                + "$THEIRS --store $TO --dump-db | cmp - $W/db",
            "! echo $P | $OURS --store $TO --register-validity",
        ] {
            let output = try shell(script)
            #expect(output.status == 0, "\(script): \(output)")
        }
    }
}
