import Foundation
import Testing

/// All commands on a store that Debian's `nix-daemon` owns, beside Debian's own on the same daemon.
@Suite struct NixDaemonTests {
    /// A running daemon with a store of its own, and `NIX_REMOTE` naming it.
    private final class Place {
        let place: NixPlace
        private let daemon: Child

        init() throws {
            place = try NixPlace("nix-daemon")
            let root = place.root
            for folder in ["store", "state", "log", "tools/bin", "tree"] {
                try FileManager.default.createDirectory(
                    atPath: root + "/" + folder, withIntermediateDirectories: true)
            }
            try FileManager.default.copyItem(atPath: "/bin/busybox", toPath: root + "/tools/bin/busybox")
            try FileManager.default.createSymbolicLink(
                atPath: root + "/ours/nix-build", withDestinationPath: Programs.directory + "/dhow-nix")
            try place.write(
                "build-users-group =\nsubstitute = false\nsandbox = true\nexperimental-features = nix-command\n",
                to: "nix.conf")
            try place.write("x\n", to: "tree/x")
            try place.write("flat\n", to: "flat")
            try place.write(
                """
                rec {
                  tools = ./tools;
                  busybox = "${tools}/bin/busybox";
                  make = name: script: derivation {
                    inherit name; system = "x86_64-linux"; builder = busybox; outputs = [ "out" "dev" ];
                    args = [ "sh" "-c" script ];
                  };
                  a = make "a" "echo words of a; echo a > $out; echo dev > $dev";
                  b = make "b" "echo ${a} > $out; echo $out > $dev";
                  read = builtins.readFile a;
                  filtered = builtins.path { path = ./.; name = "some"; filter = path: _: baseNameOf path == "tree"; };
                }
                """, to: "lib.nix")
            place.environment["NIX_STORE_DIR"] = root + "/store"
            daemon = try Child(
                ["nix-daemon"],
                environment: place.environment.merging([
                    "NIX_STATE_DIR": root + "/state", "NIX_LOG_DIR": root + "/log",
                    "NIX_DAEMON_SOCKET_PATH": root + "/socket",
                ]) { _, new in new }, directory: root)
            place.environment["NIX_REMOTE"] = "unix://\(root)/socket?state=\(root)/state&log=\(root)/log"
            // The first connection makes the database, which two at once would get in each other's way about.
            let answers = try eventually { try place.run("/usr/bin/nix-store --gc --print-roots").status == 0 }
            #expect(answers)
        }

        deinit { _ = try? place.run("chmod -R u+w store") }

        /// Runs a command with both programs, and fails unless they agree on output and status.
        @discardableResult
        func same(_ command: String, line: Int = #line) throws -> String {
            let theirs = try place.run("PATH=/usr/bin:$PATH; " + command)
            let ours = try place.ours(command)
            let here = SourceLocation(fileID: #fileID, filePath: #filePath, line: line, column: 1)
            #expect(ours.stdout == theirs.stdout, "\(command): \(ours.stderr)", sourceLocation: here)
            #expect(ours.status == theirs.status, "\(command): \(ours.stderr)", sourceLocation: here)
            return ours.text
        }
    }

    @Test func evaluatesAndBuilds() throws {
        let place = try Place()
        // Ours is the first to write.
        let derivation = try place.place.ours("nix-instantiate lib.nix -A b").text
        #expect(derivation.hasSuffix("-b.drv"))
        #expect(try place.same("nix-instantiate lib.nix -A b") == derivation)
        try place.same("nix-instantiate lib.nix -A b --add-root $PWD/root")
        try place.same("nix-instantiate --eval lib.nix -A b.outPath")
        let read = try place.place.ours("nix-instantiate --eval lib.nix -A read --read-write-mode")
        #expect(read.text == #""a\n""#, "\(read.stderr)")
        try place.same("nix-instantiate --eval lib.nix -A read --read-write-mode")
        let filtered = try place.place.ours("nix-instantiate --eval lib.nix -A filtered --read-write-mode")
        #expect(filtered.status == 0, "\(filtered.stderr)")
        try place.same("nix-instantiate --eval lib.nix -A filtered --read-write-mode")
        let built = try place.place.ours("nix-build lib.nix -A b -o link && readlink link")
        #expect(built.status == 0, "\(built.stderr)")
        try place.same("nix-build lib.nix -A b -o link")
        try place.same("nix-build lib.nix -A b.dev --no-out-link")
        try place.same("nix-build lib.nix -A b --no-out-link --check")
        try place.same("nix eval --impure --expr '(import ./lib.nix).read'")
        try place.same("nix eval --raw -f lib.nix b")
        let prompt = try place.place.ours("printf ':log a\\n:b b\\n' | nix repl lib.nix")
        #expect(prompt.stdout.contains("words of a") && prompt.stdout.contains("  dev -> \(place.place.root)/store/"))
        withExtendedLifetime(place) {}
    }

    @Test func storesAndAnswers() throws {
        let place = try Place()
        let derivation = try place.same("nix-instantiate lib.nix -A b")
        try place.same("nix-store -r \(derivation)")
        try place.same("nix-store -r \(derivation) --add-root $PWD/kept")
        let output = try place.same("nix-build lib.nix -A b -o result")
        for query in [
            "outputs", "requisites", "references", "referrers", "referrers-closure", "deriver", "graph", "tree", "hash",
            "size",
        ] {
            try place.same("nix-store -q --\(query) \(output)")
        }
        try place.same("nix-store -q --outputs \(derivation)")
        try place.same("nix-store -q --requisites --include-outputs \(derivation)")
        try place.same("nix-store -q --references -u \(derivation)")
        try place.same("nix-store -q --binding name \(derivation)")
        try place.same("nix-store -q --roots \(output) | sort")
        for command in [
            "--add tree", "--add-fixed sha256 flat", "--add-fixed --recursive sha1 tree", "--dump \(output)",
            "--export \(output) | sha256sum", "--dump-db | sort", "-l \(derivation)", "--read-log \(output)",
            "--print-env \(derivation)", "--verify", "--verify --check-contents", "--verify-path \(output)",
            "--gc --print-roots", "--gc --print-live", "--gc --print-dead", "--optimise",
            "--register-validity </dev/null", "--load-db </dev/null", "--delete \(output)", "--init",
        ] {
            try place.same("nix-store \(command)")
        }
        for command in [
            "path-info -rsSh \(output)", "show-derivation \(derivation)", "store ls -lR \(output)",
            "store cat \(output)", "store dump-path \(output)", "store add-path tree", "store add-file flat",
            "store verify \(output)", "log \(derivation)", "store verify --all", "store optimise",
        ] {
            try place.same("nix \(command)")
        }
        let shared = try place.place.ours(
            "nix copy --to file://$PWD/cache \(output) && nix copy --from file://$PWD/cache --no-check-sigs \(output)")
        #expect(shared.status == 0, "\(shared.stderr)")
        withExtendedLifetime(place) {}
    }

    @Test func takesInAndCollects() throws {
        let place = try Place()
        let derivation = try place.same("nix-instantiate lib.nix -A b")
        let output = try place.place.ours("nix-store -r \(derivation) | tail -1").text
        let moved = try place.place.ours(
            "nix-store --export $(nix-store -qR \(output)) > stream && nix-store --delete \(output) $(nix-store -q "
                + "--referrers-closure \(output)) && nix-store --import < stream")
        #expect(moved.status == 0 && moved.stdout.contains("store paths deleted"), "\(moved.stderr)")
        try place.same("nix-store -q --hash \(output)")
        try place.same("nix-store --verify-path \(output)")
        let collected = try place.place.ours("nix gc")
        #expect(collected.status == 0 && !collected.stdout.hasPrefix("0 store paths"), "\(collected.stderr)")
        let gone = try place.place.ours("nix-store -q --hash \(output)")
        #expect(gone.status == 1 && gone.stderr.contains("is not valid"), "\(gone.stderr)")
        withExtendedLifetime(place) {}
    }
}
