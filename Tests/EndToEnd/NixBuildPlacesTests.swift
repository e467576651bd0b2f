import Foundation
import Glibc
import Kernel
import Testing

/// Builds for others than root, and by others than this process.
@Suite struct NixBuildPlacesTests {
    private static let expression = """
        let tools = ./tools; busybox = "${tools}/bin/busybox"; in
        derivation { name = "small"; system = "x86_64-linux"; builder = busybox; inherit busybox;
          args = [ "sh" "-c" "$busybox id -u > $out; $busybox ls -A / | $busybox tr '\\\\n' ' ' >> $out" ]; }
        """

    private static func place(_ name: String) throws -> NixPlace {
        let place = try NixPlace(name)
        try FileManager.default.createDirectory(atPath: place.root + "/tools/bin", withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: "/bin/busybox", toPath: place.root + "/tools/bin/busybox")
        try FileManager.default.createSymbolicLink(
            atPath: place.root + "/ours/nix-build", withDestinationPath: Programs.directory + "/dhow-nix")
        try place.write(expression, to: "small.nix")
        return place
    }

    /// Copies of the programs in `place`, which another user may not reach otherwise, and a command that is that user.
    private static func asUser(_ place: NixPlace) throws -> String {
        try FileManager.default.createDirectory(atPath: place.root + "/programs", withIntermediateDirectories: true)
        for program in ["dhow-nix", "dhow-runtime"] {
            try FileManager.default.copyItem(
                atPath: Programs.directory + "/" + program, toPath: place.root + "/programs/" + program)
        }
        try FileManager.default.createSymbolicLink(
            atPath: place.root + "/programs/nix-build", withDestinationPath: "dhow-nix")
        _ = try place.run("chown -R 12345:12345 \(place.root) && chmod 755 \(place.root)")
        return
            "setpriv --reuid=12345 --regid=12345 --clear-groups env USER=user HOME=\(place.root) TMPDIR=\(place.root)"
    }

    @Test func usersWithoutRootBuildInASandbox() throws {
        let place = try Self.place("nix-build-user")
        defer { _ = try? place.run("chmod -R u+w .") }
        let user = try Self.asUser(place)
        let built = try place.run("\(user) programs/nix-build small.nix --no-out-link --store \(place.root)/store")
        #expect(built.status == 0, "\(built.stderr)")
        let path = built.stdout.trimmingCharacters(in: .whitespacesAndNewlines)
        let text = try String(contentsOfFile: place.root + "/store" + path, encoding: .utf8)
        #expect(text == "1000\nbuild dev etc nix proc tmp ")
        let verified = try place.run("\(user) nix-store --store \(place.root)/store --verify --check-contents")
        #expect(verified.status == 0, "\(verified.stderr)")
    }

    @Test func withoutNamespacesNothingIsBuiltUnlessTheStoreIsInItsPlace() throws {
        let place = try Self.place("nix-build-denied")
        defer { _ = try? place.run("chmod -R u+w .") }
        let user = try Self.asUser(place)
        let deny = "unshare -Ur sh -c 'echo 0 > /proc/sys/user/max_user_namespaces && exec"
        let refused = try place.run(
            "\(user) \(deny) programs/nix-build small.nix --no-out-link --store \(place.root)/store'")
        #expect(refused.status != 0 && refused.stderr.contains("cannot make a sandbox"), "\(refused.stderr)")
        let strict = try place.run(
            "\(user) \(deny) programs/nix-build small.nix --no-out-link --store \(place.root)/store "
                + "--option sandbox-fallback false'")
        #expect(strict.stderr.contains("'sandbox-fallback = true' builds without"), "\(strict.stderr)")
        let (store, state) = (place.root + "/own/store", place.root + "/own/state")
        let named = "NIX_STORE_DIR=\(store) NIX_STATE_DIR=\(state) NIX_LOG_DIR=\(place.root)/own/log"
        let built = try place.run("\(user) \(named) \(deny) programs/nix-build small.nix --no-out-link --store local'")
        #expect(built.status == 0 && built.stderr.contains("warning: building '"), "\(built.stderr)")
        #expect(built.stderr.contains("without a sandbox, so that the builder sees the whole machine"))
        #expect(built.stdout.hasPrefix(store), "\(built.stdout)")
    }

    @Test func aDaemonThatOwnsTheStoreBuilds() throws {
        let place = try Self.place("nix-build-daemon")
        defer { _ = try? place.run("chmod -R u+w .") }
        let socket = place.root + "/socket"
        let variables =
            "NIX_STATE_DIR=\(place.root)/state NIX_LOG_DIR=\(place.root)/log NIX_DAEMON_SOCKET_PATH=\(socket)"
        let store = "NIX_STORE_DIR=\(place.root)/store"
        let run = try place.ours(
            """
            export \(store); mkdir store state log
            \(variables) nix-daemon --option build-users-group '' --option sandbox true >daemon.log 2>&1 & daemon=$!
            for i in $(seq 200); do [ -S socket ] && break; sleep 0.05; done
            nix-build small.nix --store unix://\(socket) -o link; status=$?
            kill $daemon; wait $daemon 2>/dev/null; readlink link; exit $status
            """)
        #expect(run.status == 0, "\(run.stderr)")
        let lines = run.stdout.split(separator: "\n")
        #expect(lines.count == 2 && lines.first == lines.last && lines.first?.hasPrefix(place.root + "/store/") == true)
    }

    @Test func damagedOutputsAreBuiltAgain() throws {
        let place = try Self.place("nix-build-repair")
        defer { _ = try? place.run("chmod -R u+w .") }
        let store = "--store \(place.root)/store"
        let built = try place.ours("nix-build small.nix --no-out-link \(store)")
        let path = built.stdout.trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(built.status == 0, "\(built.stderr)")
        _ = try place.run("chmod u+w store\(path); echo damage >> store\(path)")
        #expect(try place.run("nix-store \(store) --verify --check-contents").status != 0)
        let repaired = try place.ours("nix-build small.nix --no-out-link --repair \(store)")
        #expect(repaired.status == 0 && repaired.stdout == built.stdout, "\(repaired.stderr)")
        #expect(try place.run("nix-store \(store) --verify --check-contents").status == 0)
    }
}
