import Foundation
import JSON
import Testing

/// `dhow copy` and its like under the name `skopeo`, beside Debian's skopeo.
@Suite(
    .serialized,
    .enabled(if: Registry.isInstalled && Shell.exists("skopeo"), "make setup installs docker-registry and skopeo"))
struct CopyTests {
    static let registry = Result { try CopyPlace.stocked() }
    let place: CopyPlace

    init() throws { place = try CopyPlace(Self.registry.get()) }

    private static let transports = ["docker", "dir", "oci", "oci-archive", "docker-archive"]

    // MARK: docker-archive

    @Test(arguments: ["one", "many", "repeated", "oci", "mixed", "list"], ["", ":x/y:1.0", ":name"])
    func archiveIsSkopeosByteForByte(_ image: String, _ name: String) throws {
        try place.mustCopy("theirs", [], place.image(image), "docker-archive:theirs.tar\(name)")
        try place.mustCopy("ours", [], place.image(image), "docker-archive:ours.tar\(name)")
        #expect(try place.areEqual("ours.tar", "theirs.tar"))
    }

    @Test func archiveOfLayersInZstdIsThatOfTheSameLayersInGzip() throws {
        // Debian's skopeo cannot read the former; the configuration and what is in the layers are the same.
        try place.mustCopy("theirs", [], place.image("oci"), "docker-archive:theirs.tar:x:1")
        try place.mustCopy("ours", [], place.image("zstd"), "docker-archive:ours.tar:x:1")
        #expect(try place.areEqual("ours.tar", "theirs.tar"))
    }

    @Test func severalNamesAndAnotherPlatform() throws {
        let options = ["--additional-tag", "a/b:1,c:2", "--additional-tag", "docker.io/library/name:latest"]
        for program in ["ours", "theirs"] {
            try place.mustCopy(program, options, place.image("one"), "docker-archive:\(program).tar:name")
            let output = try place.run(
                program,
                [
                    "--override-arch", "s390x", "copy", "-q", "--src-tls-verify=false", place.image("list"),
                    "docker-archive:\(program)-s390x.tar",
                ])
            #expect(output.status == 0, "\(output)")
        }
        #expect(try place.areEqual("ours.tar", "theirs.tar"))
        #expect(try place.areEqual("ours-s390x.tar", "theirs-s390x.tar"))
        let tags = try place.ours(["list-tags", "docker-archive:ours.tar"])
        #expect(tags.stdout == (try place.theirs(["list-tags", "docker-archive:ours.tar"]).stdout))
    }

    @Test func commandOfThePage() throws {
        let raw = try place.ours(["inspect", "--raw", place.image("many")])
        let digest = try Shell.check(["sha256sum"], input: raw.stdout).text.prefix(64)
        let name = "\(place.registry.host)/t/many"
        let path = place.scratch.file("image.tgz")
        let output = try place.ours(
            [
                "copy", "docker://\(name)@sha256:\(digest)",
                "docker-archive://\(path):\(name.split(separator: "/", maxSplits: 1)[1]):2.0",
            ])
        #expect(output.status == 0, "\(output)")
        try place.mustCopy("theirs", [], place.image("many"), "docker-archive:theirs.tar:t/many:2.0")
        #expect(try place.areEqual("image.tgz", "theirs.tar"))
        // An archive is never changed.
        let again = try place.copy("ours", [], place.image("one"), "docker-archive:\(path)")
        #expect(again.status == 1)
        #expect(again.stderr.contains("docker-archive doesn't support modifying existing images"))
        #expect(try place.areEqual("image.tgz", "theirs.tar"))
    }

    // MARK: From everywhere to everywhere

    @Test(arguments: transports, transports)
    func everyPairOfTransports(_ from: String, _ to: String) throws {
        let wanted = try place.theirs(["inspect", "--tls-verify=false", "--config", place.image("many")]).stdout
        for writer in ["ours", "theirs"] {
            let source = place.place(from, "\(from)-\(to)-\(writer)")
            try place.mustCopy(writer, [], place.image("many"), source)
            for copier in ["ours", "theirs"] {
                let target = place.place(to, "\(from)-\(to)-\(writer)-\(copier)")
                try place.mustCopy(copier, [], source, target)
                for reader in ["ours", "theirs"] {
                    let read = try place.run(reader, ["inspect", "--tls-verify=false", "--config", target])
                    #expect(read.status == 0 && read.stdout == wanted, "\(writer) \(copier) \(reader): \(read)")
                }
                // What is compressed on the way may differ, what is in it may not.
                try place.mustCopy("theirs", [], target, "docker-archive:check-\(writer)-\(copier).tar:x")
            }
            #expect(try place.areEqual("check-\(writer)-ours.tar", "check-\(writer)-theirs.tar"))
        }
    }

    @Test(arguments: [
        ("many", ["--format", "oci"]), ("oci", ["--format", "v2s2"]), ("mixed", ["--format", "v2s2"]), ("mixed", []),
        ("many", ["--dest-decompress"]), ("list", ["--all"]), ("list", ["--multi-arch", "all"]),
        ("list", ["--preserve-digests", "--all"]), ("none", []),
    ])
    func directoryIsSkopeos(_ image: String, _ options: [String]) throws {
        for program in ["ours", "theirs"] {
            try place.mustCopy(program, options, place.image(image), "dir:\(program)")
        }
        try Shell.check(["diff", "-r", place.scratch.file("ours"), place.scratch.file("theirs")])
    }

    @Test func listsKeepTheirDigests() throws {
        let raw = try place.ours(["inspect", "--raw", place.image("list")]).stdout
        try place.mustCopy("ours", ["--all"], place.image("list"), "docker://\(place.registry.host)/copy/list:v1")
        #expect(
            try place.theirs(["inspect", "--raw", "--tls-verify=false", "docker://\(place.registry.host)/copy/list:v1"])
                .stdout == raw)
        // Every image of the list is there.
        try place.mustCopy("theirs", ["--all"], "docker://\(place.registry.host)/copy/list:v1", "dir:all")
        // Only the list: its images are there already.
        try place.mustCopy(
            "ours", ["--multi-arch", "index-only"], place.image("list"), "docker://\(place.registry.host)/copy/list:v2")
        // A layout's documents are OCI's, so the list changes; it must not when that is forbidden.
        try place.mustCopy("ours", ["--all"], place.image("list"), "oci:layout:list")
        try place.mustCopy("theirs", ["--all"], place.image("list"), "oci:theirs:list")
        // Newer skopeos write the index's own type into it, and so do we.
        let indexes = try ["layout", "theirs"].map {
            try JSONValue(parsing: String(contentsOfFile: place.scratch.file("\($0)/index.json"), encoding: .utf8))
        }
        #expect(indexes[0]["manifests"] == indexes[1]["manifests"])
        try place.mustCopy("theirs", ["--all"], "oci:layout:list", "dir:read")
        let refused = try place.copy(
            "ours", ["--all", "--preserve-digests"], place.image("list"), "oci:preserved:list")
        #expect(refused.status == 1)
        #expect(refused.stderr.contains("Instructed to preserve digests"))
    }

    @Test(arguments: ["gzip", "zstd"])
    func layersAreRecompressed(_ format: String) throws {
        let options = ["--dest-compress-format", format, "--dest-compress-level", "7"]
        try place.mustCopy("ours", options, place.image("mixed"), "oci:layout:x")
        let raw = try place.theirs(["inspect", "--raw", "oci:layout:x"]).stdout
        let types = try JSONValue(parsing: raw)["layers"]?.array?.compactMap { $0["mediaType"]?.string } ?? []
        #expect(types == Array(repeating: "application/vnd.oci.image.layer.v1.tar+\(format)", count: 4))
        try place.mustCopy("ours", [], "oci:layout:x", "docker-archive:a.tar")
        try place.mustCopy("theirs", [], place.image("mixed"), "docker-archive:b.tar")
        #expect(try place.areEqual("a.tar", "b.tar"))
        // Docker's documents know no zstd.
        let output = try place.copy(
            "ours", options + ["--dest-compress", "--format", "v2s2"], place.image("many"), "dir:docker")
        #expect((output.status == 0) == (format == "gzip"))
        if format == "zstd" { #expect(output.stderr.contains("zstd compression is not supported for docker images")) }
    }

    @Test func blobsThatAreThereAreMountedOrLeft() throws {
        try place.mustCopy("ours", [], place.image("many"), "docker://\(place.registry.host)/mounted/many:1")
        try place.mustCopy("ours", [], place.image("many"), "docker://\(place.registry.host)/mounted/many:2")
        try place.mustCopy("theirs", [], "docker://\(place.registry.host)/mounted/many:2", "dir:read")
        let digest = try place.scratch.file("digest")
        try place.mustCopy("ours", ["--digestfile", digest], "dir:read", "oci:layout:x")
        let index = try String(contentsOfFile: place.scratch.file("layout/index.json"), encoding: .utf8)
        #expect(index.contains(try String(contentsOfFile: digest, encoding: .utf8)))
    }

    // MARK: The other verbs

    @Test(arguments: ["many", "oci", "list"])
    func inspectIsSkopeos(_ image: String) throws {
        for options in [
            ["--config"], ["--raw"], ["--raw", "--config"], ["--format", "{{.Name}} {{.Digest}} {{.Os}}"],
        ] {
            let arguments = ["inspect", "--tls-verify=false"] + options + [place.image(image)]
            #expect(try place.ours(arguments).stdout == place.theirs(arguments).stdout, "\(options)")
        }
        // Newer skopeos have one member more.
        let arguments = ["inspect", "--tls-verify=false", place.image(image)]
        let added = try place.ours(arguments).stdout.components(separatedBy: "    \"LayersData\": [\n")
        let rest = try #require(added.last?.components(separatedBy: "    ],\n"))
        #expect(added[0] + rest.dropFirst().joined(separator: "    ],\n") == (try place.theirs(arguments).stdout))
        // dhow's own inspect does the same for whatever has a transport.
        let own = try Shell.check([Programs.dhow, "inspect", place.image(image)])
        #expect(own.stdout == (try place.ours(arguments).stdout))
    }

    @Test func tagsDigestsAndDeletion() throws {
        let repository = "\(place.registry.host)/gone/box"
        for tag in ["b", "a"] { try place.mustCopy("ours", [], place.image("one"), "docker://\(repository):\(tag)") }
        let arguments = ["list-tags", "--tls-verify=false", "docker://\(repository)"]
        #expect(try place.ours(arguments).stdout == place.theirs(arguments).stdout)
        try place.mustCopy("ours", [], place.image("one"), "dir:one")
        let digest = try place.ours(["manifest-digest", "one/manifest.json"])
        #expect(digest.stdout == (try place.theirs(["manifest-digest", "one/manifest.json"]).stdout))
        #expect(try place.ours(["delete", "docker://\(repository):a"]).status == 0)
        #expect(try place.theirs(["inspect", "--tls-verify=false", "docker://\(repository):a"]).status != 0)
        let missing = try place.ours(["delete", "docker://\(repository):a"])
        #expect(missing.status == 1 && missing.stderr.contains("Unable to delete"))
    }

    @Test func syncIsSkopeos() throws {
        for tag in ["1", "2"] {
            try place.mustCopy("ours", [], place.image("one"), "docker://\(place.registry.host)/sync/box:\(tag)")
        }
        for scoped in [[], ["--scoped"]] {
            for program in ["ours", "theirs"] {
                let output = try place.run(
                    program,
                    ["sync", "--src-tls-verify=false", "--src", "docker", "--dest", "dir"] + scoped + [
                        "\(place.registry.host)/sync/box", "\(program)-\(scoped.count)",
                    ])
                #expect(output.status == 0, "\(output)")
            }
            try Shell.check([
                "diff", "-r", place.scratch.file("ours-\(scoped.count)"), place.scratch.file("theirs-\(scoped.count)"),
            ])
        }
        let back = try place.ours([
            "sync", "--dest-tls-verify=false", "--src", "dir", "--dest", "docker", "ours-0",
            "\(place.registry.host)/back",
        ])
        #expect(back.status == 0, "\(back)")
        try place.mustCopy("theirs", [], "docker://\(place.registry.host)/back/box:2", "dir:check")
        try Shell.check(["diff", "-r", place.scratch.file("check"), place.scratch.file("ours-0/box:2")])
    }

    @Test func syncByAListIsSkopeos() throws {
        for tag in ["1.0", "1.1", "2.0"] {
            for name in ["listed/a", "listed/b"] {
                try place.mustCopy("ours", [], place.image("one"), "docker://\(place.registry.host)/\(name):\(tag)")
            }
        }
        let digest = try place.theirs([
            "inspect", "--tls-verify=false", "--format", "{{.Digest}}", place.image("many"),
        ]).text
        try place.scratch.write(
            """
            # what to fetch
            \(place.registry.host):
                tls-verify: false
                images:
                    listed/a: []
                    'listed/b':   # two of three
                    - "1.0"
                    - 2.0
                    t/many: [ v1, "\(digest)" ]
                images-by-tag-regex:
                    listed/b: >-
                        ^1\\.1$
                credentials: &nobody {username: nobody, password: "no # secret"}
            localhost:\(place.registry.port): {tls-verify: false, credentials: *nobody, images: {listed/a: ["2.0"]}}
            """, to: "list.yml")
        for program in ["ours", "theirs"] {
            let output = try place.run(
                program, ["sync", "--src", "yaml", "--dest", "dir", "--scoped", "list.yml", "list-\(program)"])
            #expect(output.status == 0, "\(output)")
        }
        try Shell.check(["diff", "-r", place.scratch.file("list-ours"), place.scratch.file("list-theirs")])
        #expect(try Shell.sh("find \(place.scratch.file("list-ours")) -name manifest.json | wc -l").text == "9")
    }

    /// Debian's skopeo does not know `images-by-semver`, so it gets the tags by name.
    @Test func syncByVersionsTakesTheTagsThatFit() throws {
        for tag in ["1.0", "v1.1.0", "1.2.0-rc.1", "2.0", "latest"] {
            try place.mustCopy("ours", [], place.image("one"), "docker://\(place.registry.host)/versions/a:\(tag)")
        }
        for (program, selection) in [
            ("ours", "images-by-semver: {versions/a: '>=1.1 <2.0 || ^2'}"),
            ("theirs", "images: {versions/a: [v1.1.0, '2.0']}"),
        ] {
            try place.scratch.write(
                "\(place.registry.host):\n  tls-verify: false\n  \(selection)\n", to: "\(program).yml")
            let output = try place.run(
                program, ["sync", "--src", "yaml", "--dest", "dir", "\(program).yml", "versions-\(program)"])
            #expect(output.status == 0, "\(output)")
        }
        try Shell.check(["diff", "-r", place.scratch.file("versions-ours"), place.scratch.file("versions-theirs")])
    }

    @Test(arguments: [
        ("a:\n\timages: []", "list.yml:2: found character that cannot start any token"),
        ("a: *x\n", "list.yml:1: the alias *x stands for nothing"),
        ("a:\n  imagess: {}", "list.yml:2: \"imagess\" is not known"), ("- a\n", "list.yml:1: the list has to be"),
        ("a:\n  images:\n    b: 1", "list.yml:3: the tags of b"),
        ("a:\n    b: 1\n  c: 1", "list.yml:3: did not find expected key"),
        ("a:\n  images:\n    b: [\"1]", "list.yml:3: "), ("a: |\n  x", "list.yml:1: the registry a has to be"),
        ("a:\n  tls-verify: maybe", "list.yml:2: tls-verify is"), ("", "No images to sync"),
        ("a: {}\na: {}", "list.yml:2: the key"),
        ("a:\n  images-by-semver:\n    b: '> =1'", "list.yml:3: \"> =1\" does not say which versions"),
        ("a:\n  images-by-tag-regex:\n    b: '('", "list.yml:3: \"(\" is no regular expression"),
    ])
    func mistakesInAListHaveALine(_ text: String, _ reason: String) throws {
        try place.scratch.write(text, to: "list.yml")
        let output = try place.ours(["sync", "--src", "yaml", "--dest", "dir", "list.yml", "nowhere"])
        #expect(output.status == 1 && output.stderr.contains(reason), "\(output)")
        #expect(try !place.contents.contains("nowhere"))
    }

    @Test func daemonsStore() throws {
        let daemon = try Daemon.shared()
        let host = "unix://\(daemon.socket)"
        for kind in ["docker-daemon", "dhow"] {
            let name = "copied/\(kind):1"
            try place.mustCopy("ours", ["--dest-daemon-host", host], place.image("many"), "\(kind):\(name)")
            try place.mustCopy("ours", ["--src-daemon-host", host], "\(kind):\(name)", "dir:\(kind)")
            let wanted = try place.theirs(["inspect", "--tls-verify=false", "--config", "--raw", place.image("many")])
            #expect(try place.theirs(["inspect", "--config", "--raw", "dir:\(kind)"]).stdout == wanted.stdout)
            try daemon.check("rmi", name)
        }
        let missing = try place.copy("ours", ["--src-daemon-host", host], "dhow:none/such:1", "dir:missing")
        #expect(missing.status == 1 && missing.stderr.contains("loading image from the daemon"))
    }

    @Test func ownStoreNeedsNoDaemonThatRuns() throws {
        try place.mustCopy("ours", [], place.image("one"), "dir:one")
        // With a /run, a /var/lib and a network of its own, so that it is this test's daemon at the usual place.
        let script = """
            ip link set lo up
            mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /var/lib
            '\(place.scratch.file("skopeo"))' copy -q dir:one docker-daemon:started:1 2>&1 && exit 1
            test ! -e /run/dhow
            '\(place.scratch.file("skopeo"))' copy -q dir:one dhow:started:1
            '\(place.scratch.file("skopeo"))' inspect --config --raw dhow:started:1 >config
            cat /run/dhow/*.pid
            """
        let output = try Shell.run(
            ["unshare", "--mount", "--net", "/bin/sh", "-ec", script],
            environment: ["DOCKER_HOST": "", "DHOW_IDLE_EXIT": "5s"], directory: place.scratch.path)
        #expect(output.status == 0, "\(output)")
        #expect(
            try Shell.check(["cat", place.scratch.file("config")]).stdout
                == place.theirs(["inspect", "--config", "--raw", "dir:one"]).stdout)
        let pid = try #require(output.lines.last.flatMap { pid_t($0) }, "\(output)")
        #expect(eventually(60) { kill(pid, 0) != 0 })
    }

    @Test(arguments: ["!!!", "bm9jb2xvbg=="])
    func credentialThatIsNoneIsNotPassedOver(_ auth: String) throws {
        let file = try place.scratch.write(
            #"{"auths":{"\#(place.registry.host)":{"auth":"\#(auth)"}}}"#, to: "auth.json")
        let output = try place.copy("ours", ["--authfile", file], place.image("one"), "dir:nowhere")
        #expect(output.status == 1)
        #expect(
            output.stderr.contains("\(file): auths: \(place.registry.host): auth has to be a user name"), "\(output)")
        #expect(try !place.contents.contains("nowhere"))
    }
}
