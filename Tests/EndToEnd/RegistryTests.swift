import Foundation
import JSON
import Testing

/// Images to and from Debian's registry, by `dhow`, `docker` and docker-py, beside what skopeo puts there.
@Suite(.serialized, .enabled(if: Registry.isInstalled, "docker-registry is installed by make setup"))
struct RegistryTests {
    static let daemon = Result { try Daemon.shared() }
    static let registry = Result { try Registry.shared() }
    let daemon: Daemon
    let registry: Registry
    let scratch: ScratchDirectory

    init() throws {
        daemon = try Self.daemon.get()
        registry = try Self.registry.get()
        scratch = try ScratchDirectory()
        try Images.load(into: daemon)
    }

    /// Removes an image with all its names, so that it must be fetched again.
    private func forget(_ name: String) throws {
        let id = try daemon.check("images", "-q", "--no-trunc", name).lines.first ?? name
        try daemon.check("rmi", "-f", id)
    }

    private func digest(of name: String) throws -> String {
        let digests = try daemon.inspect(name)["RepoDigests"]?.array?.compactMap(\.string) ?? []
        let repository = name.prefix { $0 != "@" }.split(separator: "/").dropLast().joined(separator: "/")
        let found = digests.first { $0.hasPrefix(repository) }
        return String(try #require(found).split(separator: "@")[1])
    }

    // MARK: dhow

    @Test func pushPullDeleteAndPullByDigest() throws {
        let name = "\(registry.host)/team/box:1"
        try daemon.check("tag", Images.busybox, name)
        let id = try daemon.check("images", "-q", "--no-trunc", name).text
        let pushed = try daemon.check("push", name)
        #expect(pushed.text.contains("The push refers to repository [\(registry.host)/team/box]"))
        #expect(pushed.text.contains(": Pushed"))
        let digest = try digest(of: name)
        #expect(pushed.text.contains("1: digest: \(digest) size: "))
        // What is there is not sent again; another repository takes it from this one.
        #expect(try daemon.check("push", name).text.contains(": Layer already exists"))
        try daemon.check("tag", Images.busybox, "\(registry.host)/other/box:1")
        #expect(try daemon.check("push", "\(registry.host)/other/box:1").text.contains(": Mounted from team/box"))

        try forget(name)
        let pulled = try daemon.check("pull", name)
        #expect(pulled.lines.first == "1: Pulling from team/box")
        for status in ["Pulling fs layer", "Verifying Checksum", "Download complete", "Pull complete"] {
            #expect(pulled.text.contains(": \(status)"), "\(status)")
        }
        #expect(
            pulled.lines.suffix(3) == [
                "Digest: \(digest)", "Status: Downloaded newer image for \(name)", name,
            ])
        #expect(try daemon.check("images", "-q", "--no-trunc", name).text == id)
        #expect(try daemon.check("pull", name).text.contains("Status: Image is up to date for \(name)"))
        #expect(
            try daemon.check("run", "--rm", "--network", "none", name, "cat", "/data/file").text == "from the image")

        try forget(name)
        try daemon.check("pull", "-q", "\(registry.host)/team/box@\(digest)")
        #expect(try daemon.inspect("\(registry.host)/team/box@\(digest)")["Id"]?.string == id)
        #expect(try daemon.check("images", "-q", name).text == "")

        _ = try registry.curl("-X", "DELETE", "\(registry.url)/v2/team/box/manifests/\(digest)")
        let gone = try daemon.dhow("pull", name)
        #expect(gone.status == 1)
        #expect(
            gone.stderr.contains(
                "Error response from daemon: manifest for \(name) not found: manifest unknown: manifest unknown"))
        try Images.load(into: daemon)
    }

    @Test func runFetchesWhatIsMissing() throws {
        let name = "\(registry.host)/run/box:1"
        try daemon.check("tag", Images.busybox, name)
        try daemon.check("push", "-q", name)
        try forget(name)
        let never = try daemon.dhow("run", "--rm", "--network", "none", "--pull", "never", name, "true")
        #expect(never.status == 125)
        #expect(never.stderr.contains("No such image: \(name)"))
        let missing = try daemon.check("run", "--rm", "--network", "none", name, "echo", "hello")
        // What is told about the pull is not the container's output.
        #expect(missing.stdout == "hello\n")
        #expect(missing.stderr.hasPrefix("Unable to find image '\(name)' locally\n1: Pulling from run/box\n"))
        let present = try daemon.check("run", "--rm", "--network", "none", name, "echo", "hello")
        #expect(present.stderr == "")
        let always = try daemon.check("run", "--rm", "--network", "none", "--pull", "always", name, "echo", "hello")
        #expect(always.stderr.contains("Status: Image is up to date for \(name)"))
        let nowhere = try daemon.dhow("run", "--rm", "--network", "none", "\(registry.host)/run/nothing", "true")
        #expect(nowhere.status == 125)
        #expect(nowhere.stderr.contains("manifest for \(registry.host)/run/nothing:latest not found"))
        try Images.load(into: daemon)
    }

    @Test(.enabled(if: Shell.exists("skopeo"))) func whatOthersPush() throws {
        try daemon.check("save", "-o", scratch.file("image.tar"), Images.busybox)
        let source = "docker-archive:\(scratch.file("image.tar"))"
        let id = try daemon.check("images", "-q", "--no-trunc", Images.busybox).text
        for (tag, options) in [
            ("schema2", ["--format", "v2s2"]), ("oci", ["--format", "oci"]),
            ("zstd", ["--format", "oci", "--dest-compress-format", "zstd"]),
        ] {
            try Shell.check(
                ["skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false"] + options + [
                    source, "docker://\(registry.host)/others:\(tag)",
                ])
            try forget(Images.busybox)
            let name = "\(registry.host)/others:\(tag)"
            try daemon.check("pull", name)
            #expect(
                try daemon.check("run", "--rm", "--network", "none", name, "cat", "/data/file").text
                    == "from the image",
                "\(tag)")
            // The digest is the registry's.
            let theirs = try Shell.check([
                "skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", "docker://\(name)",
            ]).text
            #expect(try digest(of: name) == theirs)
            // And stays what it is on the way to another repository.
            try daemon.check("tag", name, "\(registry.host)/copied:\(tag)")
            #expect(try daemon.check("push", "\(registry.host)/copied:\(tag)").text.contains("digest: \(theirs) "))
            if tag == "schema2" { #expect(try daemon.inspect(name)["Id"]?.string == id) }
            try forget(name)
            try Images.load(into: daemon)
        }
    }

    @Test func manyPlatformsUnderOneName() throws {
        // Two images, and an index of them.
        for (architecture, tag) in [("amd64", "a"), ("arm64", "b")] {
            try Images.archive(
                at: scratch.file("image.tar"), layers: "[[('\(architecture)', 'file', '\(architecture)')]]",
                name: "\(registry.host)/many:\(tag)", config: #"{"architecture":"\#(architecture)"}"#)
            try daemon.check("load", "-i", scratch.file("image.tar"))
            try daemon.check("push", "-q", "\(registry.host)/many:\(tag)")
        }
        let entries = try ["amd64": "a", "arm64": "b"].map { architecture, tag in
            let name = "\(registry.host)/many:\(tag)"
            let raw = try daemon.check("manifest", "inspect", "-v", name).stdout
            var descriptor = try #require(try JSONValue(parsing: raw)["Descriptor"]?.object)
            descriptor["platform"] = ["os": "linux", "architecture": .string(architecture)]
            return JSONValue.object(descriptor)
        }
        let index = JSONValue.object([
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": .array(entries),
        ])
        try scratch.write(index.serialized(), to: "index")
        _ = try registry.curl(
            "-f", "-X", "PUT", "-H", "Content-Type: application/vnd.oci.image.index.v1+json", "--data-binary",
            "@\(scratch.file("index"))", "\(registry.url)/v2/many/manifests/all")
        for tag in ["a", "b"] { try forget("\(registry.host)/many:\(tag)") }

        let name = "\(registry.host)/many:all"
        try daemon.check("pull", name)
        #expect(try daemon.inspect(name)["Architecture"] == "amd64")
        let digest = try digest(of: name)
        // The name's digest is that of the index.
        #expect(try daemon.check("pull", name).text.contains("Digest: \(digest)"))
        try daemon.check("pull", "--platform", "linux/arm64", name)
        #expect(try daemon.inspect(name)["Architecture"] == "arm64")
        let none = try daemon.dhow("pull", "--platform", "linux/s390x", name)
        #expect(none.status == 1)
        #expect(none.stderr.contains("no matching manifest for linux/s390x in the manifest list entries"))
        #expect(try daemon.check("manifest", "inspect", name).text.contains("arm64"))
        let answer = try daemon.request("GET", "/distribution/\(name)/json")
        #expect(answer.status == 200)
        #expect(try JSONValue(parsing: answer.body)["Platforms"]?.array?.count == 2)
        try forget(name)
    }

    @Test func searchLooksThroughTheCatalog() throws {
        let name = "\(registry.host)/sought/box"
        try daemon.check("tag", Images.busybox, name)
        try daemon.check("push", "-q", name)
        #expect(try daemon.check("search", "--format", "{{.Name}}", "\(registry.host)/sought").text == name)
        #expect(try daemon.check("search", "--format", "{{.Name}}", "\(registry.host)/nothing-such").text == "")
    }

    // MARK: Who may

    @Test func loginAndLogout() throws {
        let closed = try Registry(password: true)
        let name = "\(closed.host)/closed/box:1"
        try daemon.check("tag", Images.busybox, name)
        func dhow(_ arguments: String..., input: String? = nil) throws -> Output {
            try Shell.run(
                [Programs.dhow, "--config", scratch.path, "-H", "unix://\(daemon.socket)"] + arguments, input: input)
        }
        let refused = try dhow("push", name)
        #expect(refused.status == 1)
        #expect(refused.stderr.contains("docker login \(closed.host)"))
        let wrong = try dhow("login", "-u", "me", "--password-stdin", closed.host, input: "wrong\n")
        #expect(wrong.status == 1)
        #expect(wrong.stderr.contains("failed with status: 401 Unauthorized"))
        #expect(!FileManager.default.fileExists(atPath: scratch.file("config.json")))
        let right = try dhow("login", "-u", "me", "--password-stdin", closed.host, input: "secret\n")
        #expect(right.status == 0 && right.text == "Login Succeeded", "\(right)")
        #expect(try Shell.check(["stat", "-c", "%a", scratch.file("config.json")]).text == "600")
        #expect(try dhow("push", name).status == 0)
        try forget(name)
        #expect(try dhow("pull", name).status == 0)
        // Docker's own command understands the file.
        if Shell.exists("docker") {
            let theirs = try Shell.run([
                "docker", "--config", scratch.path, "-H", "unix://\(daemon.socket)", "pull", name,
            ])
            #expect(theirs.status == 0, "\(theirs)")
        }
        #expect(try dhow("logout", closed.host).text == "Removing login credentials for \(closed.host)")
        #expect(try dhow("logout", closed.host).text == "Not logged in to \(closed.host)")
        #expect(try dhow("pull", name).status == 1)
        try forget(name)
        try Images.load(into: daemon)
    }

    @Test func encryptedOnLoopbackNeedsNoAuthority() throws {
        let encrypted = try Registry(isEncrypted: true)
        let name = "\(encrypted.host)/secret/box:1"
        try daemon.check("tag", Images.busybox, name)
        try daemon.check("push", "-q", name)
        try forget(name)
        try daemon.check("pull", "-q", name)
        try forget(name)
        try Images.load(into: daemon)
    }

    // MARK: Docker's clients

    @Test(.enabled(if: Shell.exists("docker"))) func dockersCommand() throws {
        func docker(_ arguments: String...) throws -> Output {
            let output = try Shell.run(
                ["docker", "--config", scratch.path, "-H", "unix://\(daemon.socket)"] + arguments)
            guard output.status == 0 else { throw CommandFailure(command: ["docker"] + arguments, output: output) }
            return output
        }
        let name = "\(registry.host)/docker/box:1"
        _ = try docker("tag", Images.busybox, name)
        #expect(try docker("push", name).text.contains("1: digest: sha256:"))
        try forget(name)
        #expect(try docker("run", "--rm", "--network", "none", name, "echo", "hello").text == "hello")
        #expect(try docker("pull", name).text.contains("Status: Image is up to date for \(name)"))
        let missing = try daemon.docker("pull", "\(registry.host)/docker/nothing")
        #expect(missing.status == 1)
        #expect(missing.stderr.contains("manifest for \(registry.host)/docker/nothing:latest not found"))
        let unsent = try daemon.docker("push", "\(registry.host)/docker/nothing")
        #expect(unsent.status == 1)
        #expect(unsent.stderr.contains("An image does not exist locally with the tag: \(registry.host)/docker/nothing"))
        let untagged = try daemon.docker("push", "\(registry.host)/docker/box:2")
        #expect(untagged.status == 1)
        #expect(untagged.stderr.contains("tag does not exist: \(registry.host)/docker/box:2"), "\(untagged)")
        try Images.load(into: daemon)
    }

    @Test func dockerPy() throws {
        let script = """
            import docker, sys
            client = docker.DockerClient(base_url="unix://\(daemon.socket)")
            name = "\(registry.host)/py/box"
            client.images.get("\(Images.busybox)").tag(name, "1")
            lines = list(client.api.push(name, "1", stream=True, decode=True))
            aux = [line["aux"] for line in lines if "aux" in line][0]
            assert aux["Tag"] == "1" and aux["Digest"].startswith("sha256:"), lines
            image = client.images.get(name + ":1")
            assert name + "@" + aux["Digest"] in image.attrs["RepoDigests"], image.attrs
            client.images.remove(image.id, force=True)
            image = client.images.pull(name, tag="1")
            assert client.images.get_registry_data(name + ":1").id == aux["Digest"]
            assert client.containers.run(image, "echo hi", network_mode="none", remove=True) == b"hi\\n"
            try:
                client.images.pull(name, tag="nothing")
                sys.exit("found what is not there")
            except docker.errors.NotFound as error:
                assert "manifest unknown" in str(error), error
            print("fine")
            """
        #expect(try Shell.check(["python3", "-c", script]).text == "fine")
        try Images.load(into: daemon)
    }

    // MARK: What happens on the way

    @Test func killedDaemonLosesNothingThatIsVerified() throws {
        let hesitant = try HesitantRegistry()
        let daemon = try Daemon()
        let name = "\(hesitant.host)/app:1"
        let client = try Child([Programs.dhow, "-H", "unix://\(daemon.socket)", "pull", name])
        #expect(try eventually { try isHalfway(client, daemon) })
        daemon.crash()
        #expect(try client.wait().status != 0)
        try daemon.start()
        #expect(try daemon.check("images", "-q").text == "")
        try hesitant.goOn()
        let again = try daemon.check("pull", name)
        #expect(again.text.contains(": Already exists"))
        #expect(hesitant.log.filter { $0.hasPrefix("first") } == ["first 0"])
        let second = hesitant.log.filter { $0.hasPrefix("second") }
        #expect(second.count == 2)
        let start = try #require(second.last?.split(separator: " ").last.flatMap { Int($0) })
        #expect(start > 4_000_000)
        #expect(try FileManager.default.contentsOfDirectory(atPath: Self.partial(daemon)) == [])
        daemon.tearDown()
    }

    private static func partial(_ daemon: Daemon) -> String { daemon.dataRoot + "/content/partial" }

    /// Whether the first layer is whole, and of the second one there is something.
    private func isHalfway(_ client: Child, _ daemon: Daemon) throws -> Bool {
        let files = try FileManager.default.contentsOfDirectory(atPath: Self.partial(daemon))
        let sizes = try files.map {
            // One that is complete by now has moved on.
            (try? FileManager.default.attributesOfItem(atPath: Self.partial(daemon) + "/" + $0))?[.size] as? Int ?? 0
        }
        return sizes.count == 1 && sizes[0] > 4_000_000 && client.stdout.contains("Download complete")
    }

    @Test func cancelledPullIsTakenUp() throws {
        let hesitant = try HesitantRegistry()
        let daemon = try Daemon()
        let name = "\(hesitant.host)/app:1"
        let client = try Child([Programs.dhow, "-H", "unix://\(daemon.socket)", "pull", name])
        #expect(try eventually { try isHalfway(client, daemon) })
        kill(client.pid, SIGINT)
        _ = try client.wait()
        // The connection that hesitates goes; one that is idle is kept for a while.
        #expect(
            try eventually {
                try Shell.check(["ss", "-tnH", "state", "established", "dport", "=", ":\(hesitant.port)"]).lines.count
                    < 2
            })
        try hesitant.goOn()
        try daemon.check("pull", name)
        let second = hesitant.log.filter { $0.hasPrefix("second") }
        #expect(second.count == 2 && second.last != "second 0", "\(second)")
        #expect(hesitant.log.filter { $0.hasPrefix("first") } == ["first 0"])
        #expect(try daemon.check("images", "-q", name).lines.count == 1)
        daemon.tearDown()
    }

    @Test func twoPullsFetchEachBlobOnce() throws {
        let hesitant = try HesitantRegistry()
        let daemon = try Daemon()
        let name = "\(hesitant.host)/app:1"
        let command = [Programs.dhow, "-H", "unix://\(daemon.socket)", "pull", name]
        let first = try Child(command)
        #expect(try eventually { hesitant.log.count == 2 })
        let second = try Child(command)
        #expect(try eventually { second.stdout.contains("Pulling from") })
        try hesitant.goOn()
        #expect(try first.wait().status == 0)
        #expect(try second.wait().status == 0)
        #expect(hesitant.log.count == 2)
        daemon.tearDown()
    }

    @Test(arguments: [
        (#"{"registry-mirrors":["mirror.example.com"]}"#, "invalid mirror"),
        (#"{"max-concurrent-downloads":0}"#, "max concurrent downloads"),
        (#"{"proxies":{"http-proxy":"https://p"}}"#, "proxy"),
        (#"{"proxies":{"ftp-proxy":"x"}}"#, "ftp-proxy"),
    ])
    func wrongConfigurationIsNamed(_ text: String, _ reason: String) throws {
        let file = try scratch.write(text, to: "daemon.json")
        let output = try Shell.run([Programs.dhowd, "--validate", "--config-file", file])
        #expect(output.status != 0)
        #expect(output.stderr.contains(reason), "\(output)")
    }
}
