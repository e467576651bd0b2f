import OCI
import Testing

@testable import Registry

@Suite struct RegistriesConfTests {
    private func read(_ texts: String...) throws -> RegistriesConf {
        var conf = RegistriesConf()
        for (index, text) in texts.enumerated() { try conf.merge(Array(text.utf8), path: "\(index).conf") }
        return conf
    }

    @Test func shortNamesAreDockersUnlessThereIsWhereToSearch() throws {
        let aliases = "[aliases]\n\"centos\" = \"quay.io/centos/centos\"\n"
        #expect(try read(aliases).candidates(for: "centos:9") == nil)
        let conf = try read("unqualified-search-registries = [\"a.test\", \"docker.io\"]\n" + aliases)
        #expect(try conf.candidates(for: "centos:9")?.map(\.canonicalName) == ["quay.io/centos/centos:9"])
        #expect(
            try conf.candidates(for: "nginx")?.map(\.canonicalName) == ["a.test/nginx", "docker.io/library/nginx"])
        #expect(try conf.candidates(for: "x/y:1")?.map(\.canonicalName) == ["a.test/x/y:1", "docker.io/x/y:1"])
        for name in ["docker.io/x", "localhost/x", "a.test:5000/x", "h:1/x"] {
            #expect(try conf.candidates(for: name) == nil)
        }
    }

    @Test func laterFilesReplaceWhatEarlierOnesSay() throws {
        let conf = try read(
            """
            unqualified-search-registries = ["a.test"]
            [[registry]]
            location = "one.test"
            [[registry]]
            location = "two.test"
            [aliases]
            "x" = "a.test/x"
            "y" = "a.test/y"
            """,
            """
            [[registry]]
            location = "two.test"
            blocked = true
            [aliases]
            "x" = ""
            """)
        #expect(conf.searchRegistries == ["a.test"])
        #expect(conf.aliases == ["y": "a.test/y"])
        #expect(conf.namespaces.map(\.prefix) == ["one.test", "two.test"])
        #expect(conf.namespace(of: try ImageReference("two.test/x"))?.origin == "1.conf:1")
    }

    @Test func placesAreAskedInOrder() throws {
        var configuration = RegistryConfiguration()
        configuration.mirrors = ["https://docker.test"]
        configuration.registriesConf = try read(
            """
            [[registry]]
            prefix = "docker.io/library"
            location = "inside.test/hub"
            insecure = true
            [[registry.mirror]]
            location = "tags.test"
            pull-from-mirror = "tag-only"
            [[registry.mirror]]
            location = "digests.test/d"
            pull-from-mirror = "digest-only"
            """)
        var reference = try ImageReference("alpine:3")
        let byTag = try configuration.endpointsForReading(reference)
        #expect(byTag.map(\.name) == ["docker.test", "tags.test", "inside.test"])
        #expect(byTag.map { $0.repository?.path } == [nil, "alpine", "hub/alpine"])
        #expect(byTag.map(\.isInsecure) == [false, false, true])
        reference = reference.digested(.empty)
        #expect(
            try configuration.endpointsForReading(reference).map(\.name)
                == ["docker.test", "digests.test", "inside.test"])
        #expect(try configuration.endpointForWriting(reference).name == "docker.io")
        // Other namespaces of the same registry are not meant.
        #expect(
            try configuration.endpointsForReading(ImageReference("me/alpine")).map(\.name) == [
                "docker.test", "docker.io",
            ])
    }

    @Test(arguments: [
        ("registry.test", "registry.test/x", true), ("registry.test", "registry.test:5000/x", true),
        ("registry.test/x", "registry.test/xy", false), ("registry.test/x", "registry.test/x/y", true),
        ("*.test", "a.b.test/x", true), ("*.test", "test/x", false), ("*.test", "registry.example/a.test", false),
        ("*.test", "a.test:5000/x", true),
    ]) func prefixesEndWherePartsDo(_ prefix: String, _ name: String, _ fits: Bool) {
        #expect((RegistriesConf.Namespace(prefix: prefix, origin: "").matched(in: name) != nil) == fits)
    }

    @Test func blockedIsBlocked() throws {
        var configuration = RegistryConfiguration()
        configuration.registriesConf = try read("[[registry]]\nlocation = \"a.test\"\nblocked = true")
        let reference = try ImageReference("a.test/x")
        #expect(throws: RegistryError.self) { try configuration.endpointsForReading(reference) }
        #expect(throws: RegistryError.self) { try configuration.endpointForWriting(reference) }
    }

    @Test(arguments: [
        ("[registries.search]\nregistries = []", 1), ("\n[[registry]\n", 2), ("x = \"\\q\"", 1),
        ("unqualified-search-registries = [\"a/b\"]", 1), ("registry = 1", 1), ("\n[[registry]]\nlocation = \"\"", 3),
        ("[[registry]]\nlocation = \"a.test\"\nblocked = \"yes\"", 3),
        ("[[registry]]\nlocation = \"a.test\"\n[[registry]]\nlocation = \"a.test\"", 3),
        ("aliases = 1", 1), ("[aliases]\n\"x:1\" = \"a.test/x\"", 2),
    ]) func mistakesHaveALine(_ text: String, _ line: Int) throws {
        let error = #expect(throws: RegistryError.self) { try read(text) }
        #expect(error?.message.hasPrefix("0.conf:\(line): ") == true, "\(error?.message ?? "")")
    }
}
