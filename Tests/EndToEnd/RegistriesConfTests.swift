import Foundation
import Testing

/// registries.conf(5): what skopeo makes of it is what we make of it, and the daemon obeys it.
@Suite struct RegistriesConfTests {
    /// Two registries: both have `t/one:v1`, and it is another image in the second.
    private final class Place {
        let scratch: ScratchDirectory
        let first: Registry
        let second: Registry
        let digests: [String]

        init() throws {
            scratch = try ScratchDirectory("registries-conf")
            (first, second) = (try CopyPlace.stocked(), try Registry())
            let copy = [
                "skopeo", "--insecure-policy", "copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false",
            ]
            try Shell.check(copy + ["docker://\(first.host)/t/many:v1", "docker://\(second.host)/t/one:v1"])
            try Shell.check(copy + ["docker://\(first.host)/t/one:v1", "docker://\(second.host)/only/here:v1"])
            digests = try [first, second].map { registry in
                try Shell.check([
                    "skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}",
                    "docker://\(registry.host)/t/one:v1",
                ]).text
            }
            try FileManager.default.createSymbolicLink(
                atPath: scratch.file("skopeo"), withDestinationPath: Programs.dhow)
        }

        /// A text with the registries' addresses instead of A and B, and nobody's instead of DEAD.
        func fill(_ text: String) -> String {
            text.replacingOccurrences(of: "A/", with: first.host + "/")
                .replacingOccurrences(of: "B/", with: second.host + "/")
                .replacingOccurrences(of: "\"A\"", with: "\"\(first.host)\"")
                .replacingOccurrences(of: "\"B\"", with: "\"\(second.host)\"")
                .replacingOccurrences(of: "DEAD", with: "127.0.0.1:1")
                .replacingOccurrences(of: "@1", with: "@\(digests[0])").replacingOccurrences(
                    of: "@2", with: "@\(digests[1])")
        }

        func inspect(_ program: String, _ configuration: String, _ image: String) throws -> Output {
            let file = try scratch.write(configuration, to: "registries.conf")
            return try Shell.run([program, "--registries-conf", file, "inspect", "--raw", "docker://" + fill(image)])
        }
    }

    private static let same = """
        [[registry]]
        prefix = "registry.test"
        location = "A"
        insecure = true

        """

    /// Configurations and images, and which of the two images skopeo reads; 0 stands for none.
    private static let cases: [(String, String, Int)] = [
        (same, "registry.test/t/one:v1", 1),
        (same, "registry.test/t/absent:v1", 0),
        (same.replacingOccurrences(of: "\"A\"", with: "\"B/t\""), "registry.test/one:v1", 2),
        ("[[registry]]\nlocation = \"A\"\nblocked = true", "A/t/one:v1", 0),
        ("[[registry]]\nlocation = \"A\"\ninsecure = true", "A/t/one:v1", 1),
        ("[[registry]]\nlocation = \"A/t/one\"\nblocked = true\n" + same, "registry.test/t/one:v1", 0),
        ("[[registry]]\nlocation = \"A/t/one\"\nblocked = true\n" + same, "registry.test/t/oci:v1", 1),
        ("\(same)[[registry.mirror]]\nlocation = \"B\"\ninsecure = true", "registry.test/t/one:v1", 2),
        ("\(same)[[registry.mirror]]\nlocation = \"B\"\ninsecure = true", "registry.test/t/many:v1", -1),
        (
            "\(same)[[registry.mirror]]\nlocation = \"DEAD\"\n[[registry.mirror]]\nlocation = \"B\"\ninsecure = true",
            "registry.test/t/one:v1", 2
        ),
        (
            "\(same)mirror-by-digest-only = true\n[[registry.mirror]]\nlocation = \"B\"\ninsecure = true",
            "registry.test/t/one:v1", 1
        ),
        (
            "\(same)mirror-by-digest-only = true\n[[registry.mirror]]\nlocation = \"B\"\ninsecure = true",
            "registry.test/t/one@2", 2
        ),
        (
            "\(same)[[registry.mirror]]\nlocation = \"B\"\ninsecure = true\npull-from-mirror = \"tag-only\"",
            "registry.test/t/one@2", 0
        ),
        (
            "\(same)[[registry.mirror]]\nlocation = \"B\"\ninsecure = true\npull-from-mirror = \"digest-only\"",
            "registry.test/t/one@2", 2
        ),
        (
            "\(same)[[registry]]\nprefix = \"registry.test/t\"\nlocation = \"B/t\"\ninsecure = true",
            "registry.test/t/one:v1", 2
        ),
        (
            "\(same)[[registry]]\nprefix = \"registry.test/t/on\"\nlocation = \"B/t\"\ninsecure = true",
            "registry.test/t/one:v1", 1
        ),
        ("[[registry]]\nprefix = \"*.test\"\nlocation = \"B\"\ninsecure = true", "a.registry.test/t/one:v1", 2),
        (
            "[[registry]]\nprefix = \"*.test\"\n[[registry.mirror]]\nlocation = \"B\"\ninsecure = true",
            "a.registry.test/t/one:v1", 2
        ),
        (
            "[[registry]]\nprefix = \"docker.io/library\"\nlocation = \"A/t\"\ninsecure = true",
            "one:v1", 1
        ),
        // What is wrong in the file is wrong for both.
        ("[[registry]\n", "A/t/one:v1", 0),
        ("unqualified-search-registries = 3", "A/t/one:v1", 0),
        ("[[registry]]\ninsecure = true", "A/t/one:v1", 0),
        ("[[registry]]\nprefix = \"a.test\"", "A/t/one:v1", 0),
        ("[[registry]]\nprefix = \"a.*.test\"\nlocation = \"A\"", "A/t/one:v1", 0),
        ("[[registry]]\nprefix = \"*.test/x\"\nlocation = \"A\"", "A/t/one:v1", 0),
        ("[[registry]]\nlocation = \"http://registry.test\"", "A/t/one:v1", 0),
        ("\(same)[[registry.mirror]]\ninsecure = true", "A/t/one:v1", 0),
        ("\(same)[[registry.mirror]]\nlocation = \"B\"\npull-from-mirror = \"never\"", "registry.test/t/one:v1", 0),
        ("[aliases]\n\"a.test/x\" = \"b.test/x\"", "A/t/one:v1", 0),
        ("[aliases]\n\"x\" = \"y\"", "A/t/one:v1", 0),
        ("short-name-mode = \"sometimes\"", "A/t/one:v1", 0),
    ]

    @Test func whatSkopeoReadsIsRead() throws {
        let place = try Place()
        defer { withExtendedLifetime(place) {} }
        for (configuration, image, which) in Self.cases {
            let text = place.fill(configuration)
            let theirs = try place.inspect("/usr/bin/skopeo", text, image)
            let ours = try place.inspect(place.scratch.file("skopeo"), text, image)
            #expect(ours.status == theirs.status, "\(text)\n\(image): \(ours) \(theirs)")
            #expect(ours.stdout == theirs.stdout, "\(text)\n\(image)")
            #expect((theirs.status == 0) == (which != 0), "\(text)\n\(image): \(theirs)")
            if theirs.stderr.contains("is blocked") { #expect(ours.stderr.contains("is blocked"), "\(ours)") }
            // Whatever is wrong in the file is told with its name and line.
            if theirs.stderr.contains("loading registries configuration") {
                #expect(ours.stderr.contains("registries.conf:"), "\(text): \(ours)")
            }
        }
    }

    /// What the manual says and skopeo does not do: it asks only whether the location is blocked.
    @Test func whatIsBlockedStaysSoWhereverItLies() throws {
        let place = try Place()
        defer { withExtendedLifetime(place) {} }
        let output = try place.inspect(
            place.scratch.file("skopeo"), place.fill("\(Self.same)blocked = true"), "registry.test/t/one:v1")
        #expect(output.status == 1 && output.stderr.contains("is blocked at"), "\(output)")
    }

    @Test func theVariableNamesTheFileToo() throws {
        let place = try Place()
        defer { withExtendedLifetime(place) {} }
        let file = try place.scratch.write(place.fill(Self.same), to: "mine.conf")
        let output = try Shell.run(
            [Programs.dhow, "copy", "docker://registry.test/t/one:v1", "dir:\(place.scratch.file("to"))"],
            environment: ["CONTAINERS_REGISTRIES_CONF": file])
        #expect(output.status == 0, "\(output)")
        let missing = try Shell.run(
            [Programs.dhow, "inspect", "docker://registry.test/t/one:v1"],
            environment: ["CONTAINERS_REGISTRIES_CONF": file + ".not"])
        #expect(missing.status != 0 && missing.stderr.contains("mine.conf.not"), "\(missing)")
    }

    @Test func theDaemonObeysAndReloads() throws {
        let place = try Place()
        defer { withExtendedLifetime(place) {} }
        func write(_ text: String) throws { try place.scratch.write(place.fill(text), to: "registries.conf") }
        try write(Self.same)
        let file = try place.scratch.write(
            #"{"registries-conf": "\#(place.scratch.file("registries.conf"))"}"#, to: "daemon.json")
        let daemon = try Daemon(["--config-file", file])
        defer { daemon.tearDown() }
        // The name stays the one that was asked for.
        try daemon.check("pull", "-q", "registry.test/t/one:v1")
        let digests = try daemon.check("inspect", "--format", "{{.RepoDigests}}", "registry.test/t/one:v1").text
        #expect(digests == "[registry.test/t/one@\(place.digests[0])]")
        func fails(_ words: String..., by reason: String) throws {
            let output = try daemon.dhow(words, input: nil)
            #expect(output.status != 0 && output.stderr.contains(reason), "\(output)")
        }

        func reload(_ text: String, _ condition: () throws -> Bool) throws {
            try write(text)
            kill(daemon.pid, SIGHUP)
            let isSo = try eventually(20, condition)
            #expect(isSo, "\(text): \(daemon.log)")
        }
        try reload("\(Self.same)blocked = true") {
            try daemon.dhow("pull", "-q", "registry.test/t/one:v1").status != 0
        }
        try fails("pull", "-q", "registry.test/t/one:v1", by: "is blocked at")
        try fails("push", "registry.test/t/one:v1", by: "is blocked at")

        // Short names: an alias, then the registries in order.
        try reload("unqualified-search-registries = [\"A\", \"B\"]\n[aliases]\n\"ours\" = \"A/t/oci\"\n") {
            try daemon.dhow("pull", "-q", "ours:v1").status == 0
        }
        try daemon.check("pull", "-q", "only/here:v1")
        #expect(try daemon.check("images", "-q", "ours:v1").lines.count == 1)
        try reload("short-name-mode = \"enforcing\"\nunqualified-search-registries = [\"A\", \"B\"]") {
            try daemon.dhow("pull", "-q", "only/here:v1").status != 0
        }
        try fails("pull", "only/here:v1", by: "may mean an image of")

        // A wrong file changes nothing, and is named.
        try reload("[[registry]]\nprefix = 3\n") {
            daemon.log.contains("cannot reload the configuration: \(place.scratch.file("registries.conf")):2: ")
        }
        try fails("pull", "only/here:v1", by: "may mean an image of")
        let wrong = try Shell.run([Programs.dhowd, "--config-file", file, "--validate"])
        #expect(wrong.status == 1 && wrong.stderr.contains("registries.conf:2: prefix is no string"), "\(wrong)")
    }
}
