import Foundation
import Testing

/// `nix.conf` as the commands heed it, beside Debian's Nix.
@Suite struct NixSettingsTests {
    /// Configurations, and what is asked under them.
    @Test(arguments: [
        ("restrict-eval = true", "builtins.readFile ./nix.conf"),
        ("pure-eval = true", "builtins.getEnv \"HOME\""),
        ("pure-eval = true", "builtins.currentSystem"),
        ("max-jobs = many", "1"), ("cores = x", "1"), ("nonsense", "1"), ("include /nonexistent/file", "1"),
        ("!include /nonexistent/file", "1"), ("restrict-eval = maybe", "1"), ("sandbox = half", "1"),
        ("system = aarch64-linux", "builtins.currentSystem"),
        ("nix-path = one=/tmp /etc", "builtins.nixPath"),
    ])
    func isHeededAsByNix(_ line: String, _ expression: String) throws {
        let place = try NixPlace("nix-settings")
        try place.write("build-users-group =\n\(line)\n", to: "nix.conf")
        place.environment["NIX_PATH"] = nil
        let command = "nix-instantiate --eval --strict -E '\(expression)'"
        let (ours, theirs) = (try place.ours(command), try place.run(command))
        #expect(ours.status == theirs.status, "\(ours.stderr) \(theirs.stderr)")
        if line.hasPrefix("nix-path") {
            // Nix 2.8 adds its own at the end.
            #expect(ours.stdout.contains("{ path = \"/tmp\"; prefix = \"one\"; } { path = \"/etc\"; prefix = \"\"; }"))
            #expect(
                theirs.stdout.contains("{ path = \"/tmp\"; prefix = \"one\"; } { path = \"/etc\"; prefix = \"\"; }"))
        } else {
            #expect(ours.stdout == theirs.stdout)
        }
        if !line.contains("eval = true") {
            // What it says first; the hint at the help is in other words.
            #expect(ours.stderr.split(separator: "\n").first == theirs.stderr.split(separator: "\n").first)
        }
    }

    /// What newer versions of Nix have another value for, what this command line sets, and processors that Nix 2.8 does
    /// not know of.
    private static let different: Set = ["log-lines", "pure-eval", "experimental-features", "extra-platforms"]

    @Test func showsWhatIsSet() throws {
        let place = try NixPlace("nix-settings")
        try place.write("cores = 3\nbogus = 1\nextra-substituters = https://b\n", to: "nix.conf")
        let show = "nix --extra-experimental-features nix-command show-config"
        let (ours, theirs) = (try place.ours("nix show-config"), try place.run(show))
        #expect(ours.stderr == "warning: unknown setting 'bogus'\n")
        func settings(_ text: String) -> [String: String] {
            var settings: [String: String] = [:]
            for line in text.split(separator: "\n") {
                let parts = line.components(separatedBy: " = ")
                settings[parts[0]] = parts.dropFirst().joined(separator: " = ")
            }
            return settings
        }
        let (mine, nixs) = (settings(ours.stdout), settings(theirs.stdout))
        for name in mine.keys where !Self.different.contains(name) {
            if let value = nixs[name] { #expect(mine[name] == value, "\(name)") }
        }
        #expect(mine["cores"] == "3")
        let one = try place.ours("nix config show substituters --option extra-substituters https://c")
        #expect(one.stdout == "https://cache.nixos.org/ https://b https://c\n")
    }
}
