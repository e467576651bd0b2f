import Foundation
import Glibc
import JSON
import Kernel
import Testing

/// `dhow-nix` as a builder, beside Debian's Nix: the same derivations, each in a store of its own.
@Suite struct NixBuildTests {
    private typealias Place = NixBuildPlace

    // MARK: The same as Nix

    private static let derivations = """
        with import ./lib.nix; {
          plain = make { name = "plain"; script = "echo hello > $out"; };
          tree = make { name = "tree"; script = ''
            mkdir -p $out/bin $out/empty; cp $busybox $out/bin/tool; ln -s tool $out/bin/link; ln -s /etc/passwd $out/away
            echo $out > $out/self; echo $tools > $out/input; chmod 600 $out/self; touch -d @77 $out/input
            cat /dev/zero | head -c 70000 > $out/large; echo $tools >> $out/large; ln $out/large $out/again''; inherit tools; };
          outputs = make { name = "outputs"; outputs = [ "out" "dev" "lib" ]; script = ''
            mkdir $out $dev; echo $lib > $out/to; echo $out > $dev/to; echo $lib > $lib''; };
          dependent = make { name = "dependent"; input = (import ./derivations.nix).outputs.dev;
            script = "cat $input/to > $out"; };
          file = make { name = "file"; outputHash = "98ea6e4f216f2fb4b69fff9b3a44842c38686ca685f3f55dc48c5d3fb1107be4";
            outputHashAlgo = "sha256"; script = "echo hi > $out"; };
          recursive = make { name = "recursive"; outputHashMode = "recursive"; outputHashAlgo = "sha1";
            outputHash = "\(recursiveHash)"; script = "mkdir $out; echo hi > $out/there"; };
          passed = make { name = "passed"; passAsFile = [ "text" ]; text = "a\\nlong 'text'\\n"; script = ''
            { cat $textPath; echo ''${text-unset}; } > $out''; };
          graph = make { name = "graph"; exportReferencesGraph = [ "graph" tools "more" (import ./derivations.nix).dependent ];
            script = "cat graph more > $out"; };
          structured = derivation { name = "structured"; system = "x86_64-linux"; builder = busybox;
            __structuredAttrs = true; outputs = [ "out" "dev" ]; number = 3; fraction = 1.5; nothing = null; yes = true;
            no = false; list = [ 1 "a b" true ]; set = { x = 1; "y z" = "it's"; }; nested = { a = { b = 1; }; };
            exportReferencesGraph.graph = [ tools ]; inherit tools;
            args = [ "sh" "-c" ''
              b=${busybox}; place() { $b sed -n "s/.*\\"$1\\":\\"\\([^\\"]*\\)\\".*/\\1/p" .attrs.json; }
              $b cat .attrs.json .attrs.sh > $(place out); echo > $(place dev)'' ]; };
          thirtyTwo = make { name = "thirty-two"; system = "i686-linux"; script = "uname -m > $out"; };
          environment = make { name = "environment"; script = ''
            { env | sort; id; cat /etc/passwd /etc/group /etc/hosts; ls -A / /dev /etc /build /nix/store; hostname
              cat /proc/sys/kernel/domainname; pwd; echo $0; umask; ip -o addr | sed 's/ *valid.*//'
              cat /proc/self/personality; grep -E 'NoNewPrivs|Seccomp:|CapEff|CapPrm|CapInh' /proc/self/status
              ulimit -c; tty; stat -c %a / /tmp /build /dev/shm /nix/store; ls -l /dev/fd /dev/stdout /dev/ptmx | cut -c57-
              echo $$; grep '^1000\\|^ *1000' /proc/self/uid_map | wc -l
            } > $out''; };
        }
        """
    /// SHA-1 of the archive of a directory with the file `there`, which holds "hi".
    private static let recursiveHash = "0000000000000000000000000000000000000000"

    @Test func buildsAreTheSameAsNix() throws {
        let place = try Place()
        try place.write(Self.derivations, to: "derivations.nix")
        try FileManager.default.createDirectory(atPath: place.root + "/given", withIntermediateDirectories: true)
        try place.write("hi\n", to: "given/there")
        let hash = try place.place.run("nix-hash --type sha1 given")
        try place.write(
            Self.derivations.replacingOccurrences(
                of: Self.recursiveHash, with: hash.stdout.trimmingCharacters(in: .whitespacesAndNewlines)),
            to: "derivations.nix")
        for name in [
            "plain", "tree", "outputs", "dependent", "file", "recursive", "passed", "graph", "structured", "thirtyTwo",
            "environment",
        ] {
            let ours = try place.ours("nix-build derivations.nix -A \(name) --no-out-link")
            let theirs = try place.theirs("nix-build derivations.nix -A \(name) --no-out-link")
            #expect(ours.status == 0 && theirs.status == 0, "\(name): \(ours.stderr)\n\(theirs.stderr)")
            #expect(ours.stdout == theirs.stdout, "\(name)")
            let paths = ours.stdout.split(separator: "\n").joined(separator: " ")
            for query in ["--hash", "--references", "--size", "--deriver"] {
                let command = "nix-store -q \(query) \(paths)"
                let (ours, theirs) = (try place.ours(command), try place.theirs(command))
                #expect(ours.stdout == theirs.stdout, "\(name) \(query)")
            }
            if name == "environment" {
                let files = [place.ourStore, place.theirStore].map { $0 + paths }
                let texts = try files.map { try String(contentsOfFile: $0, encoding: .utf8) }
                #expect(texts[0] == texts[1])
            }
        }
        try place.checkStore()
    }

    @Test func linksRootsAndLogsAreTheSameAsNix() throws {
        let place = try Place()
        try place.write(Self.derivations, to: "derivations.nix")
        let build = "nix-build derivations.nix -A outputs.dev -A plain -A outputs.lib"
        let ours = try place.ours(build + " -o ours-result")
        let theirs = try place.theirs(build + " -o theirs-result")
        #expect(ours.stdout == theirs.stdout && ours.status == 0, "\(ours.stderr)")
        // Two builders run side by side; which is started first is not said.
        func lines(_ text: String) -> [Substring] { text.split(separator: "\n").sorted() }
        #expect(lines(ours.stderr) == lines(theirs.stderr))
        let links = try FileManager.default.contentsOfDirectory(atPath: place.root).filter { $0.contains("-result") }
        #expect(
            Set(links.filter { $0.hasPrefix("ours") }.map { $0.dropFirst(5) })
                == Set(links.filter { $0.hasPrefix("theirs") }.map { $0.dropFirst(7) }))
        for link in links where link.hasPrefix("ours") {
            let other = "theirs-" + link.dropFirst(5)
            #expect(
                try FileManager.default.destinationOfSymbolicLink(atPath: place.root + "/" + link)
                    == FileManager.default.destinationOfSymbolicLink(atPath: place.root + "/" + other))
        }
        // They are roots for Nix, too: its collector keeps them.
        let collected = try place.place.run("nix-store --store \(place.ourStore) --gc")
        #expect(collected.status == 0)
        for path in ours.stdout.split(separator: "\n") {
            #expect(FileManager.default.fileExists(atPath: place.ourStore + path))
        }
        try place.write(
            #"(import ./lib.nix).make { name = "talks"; script = "echo one; echo two >&2; echo three > $out"; }"#,
            to: "talks.nix")
        let talk = try place.ours("nix-build talks.nix --no-out-link")
        #expect(talk.status == 0 && talk.stderr.contains("one\ntwo\n"), "\(talk.stderr)")
        let path = talk.stdout.trimmingCharacters(in: .whitespacesAndNewlines)
        for command in ["nix-store -l \(path)", "nix log \(path)"] {
            #expect(try place.ours(command).stdout == "one\ntwo\n", "\(command)")
        }
        let read = try place.place.run(
            "nix --extra-experimental-features nix-command log --store \(place.ourStore) \(path)")
        #expect(read.stdout == "one\ntwo\n", "\(read.stderr)")
        let plain = try place.ours("nix-build talks.nix --no-out-link --check --option compress-build-log false")
        #expect(plain.status == 0, "\(plain.stderr)")
    }

    @Test func dryRunsSayWhatNixSays() throws {
        let place = try Place()
        try place.write(Self.derivations, to: "derivations.nix")
        for name in ["plain", "graph"] {
            let command = "nix-build derivations.nix -A \(name) --dry-run"
            let (ours, theirs) = (try place.ours(command), try place.theirs(command))
            #expect(ours.stderr == theirs.stderr, "\(name)")
            #expect(ours.stdout == theirs.stdout && ours.status == theirs.status)
        }
    }

    // MARK: Many at once

    @Test func aChainOfFiftyBuildsAndChecks() throws {
        let place = try Place()
        try place.write(
            """
            with import ./lib.nix;
            let
              link = name: inputs: make { inherit name inputs; script = "sleep 0.05; echo $name $inputs > $out"; };
              prefix = builtins.foldl' (before: n: link "prefix-${toString n}" [ before ]) tools [ 1 2 3 4 ];
              leaf = n: link "leaf-${toString n}" [ prefix ];
            in link "all" (builtins.genList leaf 45)
            """, to: "chain.nix")
        let built = try place.ours("nix-build chain.nix --no-out-link -j 8")
        #expect(built.status == 0, "\(built.stderr)")
        #expect(built.stderr.contains("these 50 derivations will be built:"))
        let theirs = try place.theirs("nix-build chain.nix --no-out-link -j 8")
        #expect(built.stdout == theirs.stdout)
        let path = built.stdout.trimmingCharacters(in: .whitespacesAndNewlines)
        let derivations = try place.ours(
            "nix-store -q --requisites $(nix-store --store \(place.ourStore) -q --deriver \(path))"
        ).stdout
            .split(separator: "\n").filter { $0.hasSuffix(".drv") }
        #expect(derivations.count == 50)
        let checked = try place.ours("nix-store --realise --check -j 8 \(derivations.joined(separator: " "))")
        #expect(checked.status == 0, "\(checked.stderr)")
        #expect(checked.stderr.components(separatedBy: "checking outputs of").count == 51)
        try place.checkStore()
    }

    @Test func twoBuildsOfOnePathWaitForEachOther() throws {
        let place = try Place()
        try place.write(
            #"(import ./lib.nix).make { name = "slow"; script = "echo begun; sleep 1; echo x > $out"; }"#,
            to: "slow.nix")
        let both = try place.place.ours(
            "for i in 1 2 3; do nix-build slow.nix --no-out-link --store \(place.ourStore) 2>log-$i & done; wait; cat log-*"
        )
        #expect(both.stdout.components(separatedBy: "begun").count == 2, "\(both.stdout)")
        try place.checkStore()
    }

    @Test func importsReadWhatTheyBuild() throws {
        let place = try Place()
        try place.write(
            """
            let inherit (import ./lib.nix) make;
              made = make { name = "made"; script = "echo '{ answer = 42; }' > $out"; };
            in { inherit (import made) answer; text = builtins.readFile (make { name = "t"; script = "echo -n t > $out"; }); }
            """, to: "import.nix")
        let value = try place.ours("nix-instantiate --eval --strict --read-write-mode import.nix")
        #expect(value.stdout == "{ answer = 42; text = \"t\"; }\n", "\(value.stderr)")
        let refused = try place.ours(
            "nix-instantiate --eval --strict --read-write-mode import.nix --option allow-import-from-derivation false")
        #expect(refused.status != 0)
    }

    // MARK: Failures

    @Test func failuresAreNamedAndLeaveNothing() throws {
        let place = try Place()
        try place.write(
            """
            with import ./lib.nix; {
              fails = make { name = "fails"; script = "echo one; echo two; exit 3"; };
              needs = make { name = "needs"; script = "echo > $out"; input = (import ./failing.nix).fails; };
              nothing = make { name = "nothing"; script = "true"; };
              missing = derivation { name = "missing"; system = "x86_64-linux"; builder = "${tools}/bin/none"; };
              platform = make { name = "platform"; system = "pdp11-linux"; script = "echo > $out"; };
              wrongHash = make { name = "wrong-hash"; outputHashAlgo = "sha256"; script = "echo hi > $out";
                outputHash = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="; };
              directory = make { name = "directory"; outputHashAlgo = "sha256"; script = "mkdir $out";
                outputHash = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="; };
              refers = make { name = "refers"; disallowedReferences = [ tools ]; script = "echo $busybox > $out"; };
              refersFar = make { name = "refers-far"; disallowedRequisites = [ tools ];
                script = "echo $input > $out"; input = make { name = "middle"; script = "echo $busybox > $out"; }; };
              onlyAllowed = make { name = "only-allowed"; allowedReferences = [ ]; script = "echo $busybox > $out"; };
              cycle = make { name = "cycle"; outputs = [ "out" "dev" ]; script = "echo $dev > $out; echo $out > $dev"; };
              fifo = make { name = "fifo"; script = "mkdir $out; mkfifo $out/pipe"; };
              large = derivation { name = "large"; system = "x86_64-linux"; builder = busybox; __structuredAttrs = true;
                outputChecks.out.maxSize = 100;
                args = [ "sh" "-c" "${busybox} head -c 1000 /dev/zero > $(${busybox} sed -n 's/.*\\"out\\":\\"\\\\([^\\"]*\\\\)\\".*/\\\\1/p' .attrs.json)" ]; };
              killed = make { name = "killed"; script = "echo > $out; sh -c 'kill -9 $$'; exit 137"; };
            }
            """, to: "failing.nix")
        let cases: [(name: String, status: Int32, words: [String])] = [
            ("fails", 100, ["\none\ntwo\n", "failed with exit code 3\n"]),
            ("needs", 100, ["failed with exit code 3", "1 dependencies of derivation"]),
            ("nothing", 100, ["failed to produce output path for output 'out' at '/nix/store/"]),
            ("missing", 100, ["executing '/nix/store/", "no such file or directory"]),
            ("platform", 1, ["a 'pdp11-linux' with features {} is required to build"]),
            (
                "wrongHash", 102,
                ["specified: sha256-AAAA", "got:    sha256-mOpuTyFvL7S2n/+bOkSELDhobKaF8/VdxIxdP7EQe+Q="]
            ),
            ("directory", 100, ["should be a non-executable regular file"]),
            ("refers", 100, ["is not allowed to refer to the following paths"]),
            ("refersFar", 100, ["is not allowed to refer to the following paths"]),
            ("onlyAllowed", 100, ["is not allowed to refer to the following paths"]),
            ("cycle", 100, ["cycle detected in build of"]), ("fifo", 100, ["has an unsupported type"]),
            ("large", 100, ["is too large at", "limit is 100 bytes"]), ("killed", 100, ["signal 9 (Killed)"]),
        ]
        for (name, status, words) in cases {
            let output = try place.ours("nix-build failing.nix -A \(name) --no-out-link")
            #expect(output.status == status, "\(name): \(output.stderr)")
            for word in words { #expect(output.stderr.contains(word), "\(name): \(output.stderr)") }
        }
        // Who does not see the lines is shown the last of them.
        let unseen = try place.ours("nix-build failing.nix -A fails --no-out-link -Q").stderr
        #expect(unseen.contains("       last 2 log lines:\n       > one\n       > two\n"), "\(unseen)")
        let named = try place.ours("nix build -f failing.nix fails -L").stderr
        #expect(named.contains("\nfails> one\nfails> two\n") && !named.contains("log lines"), "\(named)")
        let all = try place.ours("nix-build failing.nix -A fails -A refersFar -A nothing -k --no-out-link")
        #expect(all.status == 100 && all.stderr.contains("error: build of '"), "\(all.stderr)")
        try place.checkStore()
        let paths = try place.objects.filter { !$0.hasSuffix(".drv") }
        #expect(Set(paths.map { $0.dropFirst(33) }) == ["tools", "middle"])
    }

    @Test func builtTwiceAndDifferentIsTold() throws {
        let place = try Place()
        try place.write(
            #"(import ./lib.nix).make { name = "random"; script = "cat /proc/sys/kernel/random/uuid > $out"; }"#,
            to: "random.nix")
        #expect(
            try place.ours("nix-build random.nix --no-out-link --check").stderr.contains("checking is not possible"))
        let built = try place.ours("nix-build random.nix --no-out-link")
        let path = built.stdout.trimmingCharacters(in: .whitespacesAndNewlines)
        let checked = try place.ours("nix-build random.nix --no-out-link --check")
        #expect(checked.status == 104 && checked.stderr.contains("may not be deterministic: output '\(path)' differs"))
        let kept = try place.ours("nix-build random.nix --no-out-link --check -K")
        #expect(kept.status == 104 && kept.stderr.contains("differs from '\(path).check'"), "\(kept.stderr)")
        #expect(FileManager.default.fileExists(atPath: place.ourStore + path + ".check"))
        // A collection takes it away.
        #expect(try place.ours("nix-store --gc").status == 0)
        #expect(!FileManager.default.fileExists(atPath: place.ourStore + path + ".check"))
    }

    @Test func hostileBuildersAreContained() throws {
        let place = try Place()
        let outside = place.root + "/outside"
        try FileManager.default.createDirectory(atPath: outside, withIntermediateDirectories: true)
        try place.write(
            """
            with import ./lib.nix; {
              writes = make { name = "writes"; script = ''
                for f in /x /etc/passwd /nix/x ${tools}/x ${tools}/bin/busybox \(outside)/x; do
                  if echo x > $f; then echo WROTE $f; fi
                done; ls \(outside) /root /home; exit 1''; };
              network = make { name = "network"; script = "wget -T 2 http://192.0.2.1/ || exit 7"; };
              setUser = make { name = "set-user"; script = "cp $busybox $out; chmod 4755 $out"; };
              setGroup = make { name = "set-group"; script = "mkdir $out; chmod g+s $out"; };
              setAtBirth = make { name = "set-at-birth"; script = "cp $busybox $out; umask 0; chmod 777 $out"; };
              bomb = make { name = "bomb"; script = "bomb() { bomb | bomb & }; bomb; sleep 1; exit 1"; };
              talks = make { name = "talks"; script = "while true; do echo $PATH$PATH$PATH; done"; };
              sleeps = make { name = "sleeps"; script = "sleep 1000 & sleep 1000"; };
              lingers = make { name = "lingers"; script = "(sleep 1000 &) ; echo done > $out"; };
              mounts = make { name = "mounts"; script = "mount -t tmpfs none /tmp || exit 8"; };
            }
            """, to: "hostile.nix")
        func build(_ name: String, _ options: String = "") throws -> Output {
            try place.ours("nix-build hostile.nix -A \(name) --no-out-link \(options)")
        }
        let writes = try build("writes")
        #expect(writes.status == 100 && !writes.stderr.contains("WROTE"), "\(writes.stderr)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: outside).isEmpty)
        for (name, words) in [
            ("network", "failed with exit code 7"), ("setUser", "Operation not permitted"),
            ("setGroup", "Operation not permitted"), ("mounts", "failed with exit code 8"),
        ] {
            let output = try build(name)
            #expect(output.status == 100 && output.stderr.contains(words), "\(name): \(output.stderr)")
        }
        let bomb = try build("bomb", "--quiet")
        #expect(bomb.status == 100 && bomb.stderr.contains("can't fork"), "\(bomb.stderr.suffix(300))")
        let talks = try build("talks", "-Q --option max-build-log-size 1000000")
        #expect(talks.stderr.contains("killed after writing more than 1000000 bytes of log output"))
        let sleeps = try build("sleeps", "--max-silent-time 1")
        #expect(sleeps.status == 101 && sleeps.stderr.contains("timed out after 1 seconds of silence"))
        #expect(try build("sleeps", "--timeout 1").stderr.contains("timed out after 1 seconds"))
        #expect(try build("lingers").status == 0)
        #expect(try build("setAtBirth").status == 0)
        try place.checkStore()
        let mode = try place.place.run("find our-store/nix/store -perm /7022 ! -type l ! -path '*/store'")
        #expect(mode.stdout == "")
        #expect(try place.place.run("pgrep -x -f 'sleep 1000'").stdout == "")
    }

    @Test func killsLeaveNoHalfRegisteredPath() throws {
        let place = try Place()
        try place.write(
            """
            with import ./lib.nix; { round }:
            let part = n: make { name = "part-${toString n}-${round}"; outputs = [ "out" "dev" ]; inherit tools;
              script = "mkdir $out; for i in 1 2 3 4 5 6 7 8; do cp $busybox $out/$i; done; echo $tools > $dev"; };
            in make { name = "kill-${round}"; parts = builtins.genList part 6; script = "echo $parts > $out"; }
            """, to: "kill.nix")
        let temporary = place.root + "/temporary"
        try FileManager.default.createDirectory(atPath: temporary, withIntermediateDirectories: true)
        place.place.environment["TMPDIR"] = temporary
        _ = try place.ours("nix-build kill.nix --argstr round warm --no-out-link -j 3")
        for round in 0..<24 {
            let command = "nix-build kill.nix --argstr round \(round) --no-out-link -j 3 --store \(place.ourStore)"
            _ = try place.place.ours(
                "\(command) >/dev/null 2>&1 & pid=$!; sleep 0.\(round < 10 ? "0" : "")\(round)5; kill -9 $pid; wait")
            // Whoever was being built for is gone: nothing of it may be left running, and all rows are whole.
            let verified = try place.place.run("nix-store --store \(place.ourStore) --verify --check-contents")
            #expect(verified.status == 0 && !verified.stderr.contains("error"), "round \(round): \(verified.stderr)")
        }
        for round in stride(from: 0, to: 24, by: 5) {
            let output = try place.ours("nix-build kill.nix --argstr round \(round) --no-out-link -j 3")
            #expect(output.status == 0, "\(output.stderr)")
        }
        #expect(try place.ours("nix-store --gc").status == 0)
        try place.checkStore("after a collection")
        #expect(try FileManager.default.contentsOfDirectory(atPath: temporary) == [])
    }

    @Test func aFullDiskIsNamed() throws {
        let place = try Place()
        let disk = place.root + "/disk"
        try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true)
        let mounted = try place.place.run("mount -t tmpfs -o size=40m none \(disk)")
        try #require(mounted.status == 0, "\(mounted.stderr)")
        defer { _ = try? place.place.run("umount -l \(disk)") }
        try place.write(
            #"(import ./lib.nix).make { name = "big"; script = "cat /dev/zero > $out"; }"#, to: "big.nix")
        let output = try place.place.ours("nix-build big.nix --no-out-link --store \(disk)")
        #expect(output.status == 100 && output.stderr.contains("No space left on device"), "\(output.stderr)")
        let rows = try place.place.run("nix-store --store \(disk) --verify --check-contents")
        #expect(rows.status == 0, "\(rows.stderr)")
        let left = try place.place.run("ls \(disk)/nix/store | grep -c 'big$\\|chroot'")
        #expect(left.stdout == "0\n")
    }
}
