import Foundation
import Testing

/// `nix-instantiate` beside Debian's, where it is started from and what it reads.
@Suite struct NixInstantiateTests {
    private static func place() throws -> NixPlace {
        let place = try NixPlace("nix-instantiate")
        try place.write("{ a = 1; f = ./default.nix; }", to: "default.nix")
        try FileManager.default.createDirectory(atPath: place.root + "/real", withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(
            atPath: place.root + "/link", withDestinationPath: place.root + "/real")
        try place.write("2", to: "real/default.nix")
        return place
    }

    @Test func theWorkingDirectoryIsTheKernels() throws {
        let place = try Self.place()
        for command in [
            "nix-instantiate --eval -E ./.", "PWD=/nonexistent nix-instantiate --eval -E ./.",
            "env -u PWD nix-instantiate --eval", "env PWD=/usr nix-instantiate --eval default.nix -A f",
            "cd link; nix-instantiate --eval -E ./x", "env PWD=/ nix-instantiate --eval -I x=real -E '<x>'",
            "env PWD=/ nix-instantiate --find-file x -I x=./real",
        ] {
            let (ours, theirs) = (try place.ours(command), try place.run(command))
            #expect(ours.stdout == theirs.stdout && ours.status == theirs.status, "\(command): \(ours)")
        }
    }

    @Test func filesAndStandardInput() throws {
        let place = try Self.place()
        for command in [
            "nix-instantiate --eval --xml", "nix-instantiate --eval --xml ./real/../default.nix",
            "echo 1 + 1 | nix-instantiate --eval -", "echo 1 + 1 | nix-instantiate --eval -E -",
            "nix-instantiate --find-file real -I .", "nix-instantiate --find-file nope -I real",
        ] {
            let (ours, theirs) = (try place.ours(command), try place.run(command))
            #expect(ours.stdout == theirs.stdout && ours.status == theirs.status, "\(command): \(ours)")
            #expect(ours.stderr == theirs.stderr, "\(command)")
        }
        let incomplete = try place.ours("nix-instantiate --eval -A a --arg x")
        #expect(incomplete.status == 1)
        #expect(incomplete.stderr.hasPrefix("error: flag '--arg' requires 2 argument(s)\n"), "\(incomplete.stderr)")
    }
}
