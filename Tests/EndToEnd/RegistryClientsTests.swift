import Foundation
import Testing

/// Real clients of the engine and three kinds of Debian's registry: push, delete, pull by digest. And a disk that is full.
@Suite(.serialized, .enabled(if: Registry.isInstalled, "docker-registry is installed by make setup"))
struct RegistryClientsTests {
    static let daemon = Result { try Daemon.shared() }
    let daemon: Daemon
    let scratch: ScratchDirectory

    init() throws {
        daemon = try Self.daemon.get()
        scratch = try ScratchDirectory("registry-clients")
        try Images.load(into: daemon)
    }

    enum Kind: CaseIterable { case plain, encrypted, password }

    private func registry(_ kind: Kind) throws -> Registry {
        try Registry(password: kind == .password, isEncrypted: kind == .encrypted)
    }

    private func forget(_ name: String) throws {
        let id = try daemon.check("images", "-q", "--no-trunc", name).lines.first ?? name
        try daemon.check("rmi", "-f", id)
    }

    @Test(arguments: Kind.allCases) func dockersCommand(_ kind: Kind) throws {
        let registry = try registry(kind)
        func docker(_ arguments: String..., input: String? = nil) throws -> Output {
            try Shell.run(
                ["docker", "--config", scratch.path, "-H", "unix://\(daemon.socket)"] + arguments, input: input)
        }
        func check(_ arguments: String...) throws -> Output {
            let output = try Shell.run(
                ["docker", "--config", scratch.path, "-H", "unix://\(daemon.socket)"] + arguments)
            guard output.status == 0 else { throw CommandFailure(command: ["docker"] + arguments, output: output) }
            return output
        }
        let name = "\(registry.host)/docker/box"
        _ = try check("tag", Images.busybox, "\(name):1")
        if kind == .password {
            #expect(try docker("push", "\(name):1").status == 1)
            #expect(
                try docker("login", "-u", "me", "--password-stdin", registry.host, input: "wrong").stderr.contains(
                    "401"))
            let login = try docker("login", "-u", "me", "--password-stdin", registry.host, input: "secret")
            #expect(login.status == 0, "\(login)")
        }
        let pushed = try check("push", "\(name):1")
        let digest = try #require(pushed.text.components(separatedBy: "digest: ").last?.split(separator: " ").first)
        try forget("\(name):1")
        _ = try check("pull", "-q", "\(name)@\(digest)")
        #expect(
            try check("run", "--rm", "--network", "none", "\(name)@\(digest)", "cat", "/data/file").text
                == "from the image")
        let delete = try Shell.run(
            ["skopeo", "delete", "--tls-verify=false", "docker://\(name):1"]
                + (kind == .password ? ["--authfile", scratch.file("config.json")] : []))
        #expect(delete.status == 0, "\(delete)")
        try forget("\(name)@\(digest)")
        let gone = try docker("pull", "\(name)@\(digest)")
        #expect(gone.status == 1 && gone.stderr.contains("manifest unknown"), "\(gone)")
        // What is deleted comes back.
        try Images.load(into: daemon)
        _ = try check("tag", Images.busybox, "\(name):1")
        _ = try check("push", "-q", "\(name):1")
        try forget("\(name):1")
        _ = try check("pull", "-q", "\(name):1")
        if kind == .password {
            #expect(try docker("logout", registry.host).status == 0)
            #expect(try docker("pull", "\(name):1").status == 1)
        }
        try forget("\(name):1")
    }

    @Test(arguments: Kind.allCases) func dockerPy(_ kind: Kind) throws {
        let registry = try registry(kind)
        let script = """
            import docker, sys
            client = docker.DockerClient(base_url="unix://\(daemon.socket)")
            host, name = "\(registry.host)", "\(registry.host)/py/box"
            auth = {"username": "me", "password": "secret"} if \(kind == .password ? "True" : "False") else None
            client.images.get("\(Images.busybox)").tag(name, "1")
            def push():
                lines = list(client.api.push(name, "1", stream=True, decode=True, auth_config=auth))
                return lines, [line["aux"] for line in lines if "aux" in line]
            if auth:
                wrong = list(client.api.push(name, "1", stream=True, decode=True, auth_config=dict(auth, password="x")))
                assert any("error" in line for line in wrong), wrong
                assert client.login(registry=host, **auth)["Status"] == "Login Succeeded"
                try:
                    client.login(registry=host, username="me", password="x", reauth=True)
                    sys.exit("logged in with a wrong password")
                except docker.errors.APIError as error:
                    assert "401" in str(error), error
            lines, aux = push()
            assert aux, lines
            digest = aux[0]["Digest"]
            client.images.remove(client.images.get(name + ":1").id, force=True)
            image = client.images.pull(name + "@" + digest, auth_config=auth)
            assert name + "@" + digest in image.attrs["RepoDigests"], image.attrs
            assert client.containers.run(image, "echo hi", network_mode="none", remove=True) == b"hi\\n"
            data = client.images.get_registry_data(name + ":1", auth_config=auth)
            assert data.id == digest, data.attrs
            client.images.remove(image.id, force=True)
            print("fine")
            """
        #expect(try Shell.check(["python3", "-c", script]).text == "fine")
        try Images.load(into: daemon)
    }

    /// Debian's skopeo takes dhowd for Docker's daemon, in both directions.
    @Test(arguments: Kind.allCases) func skopeosDockerDaemon(_ kind: Kind) throws {
        let registry = try registry(kind)
        let credentials = kind == .password ? ["--dest-creds", "me:secret"] : []
        let host = "unix://\(daemon.socket)"
        func skopeo(_ arguments: [String]) throws -> Output {
            try Shell.run(["skopeo", "--insecure-policy", "copy", "-q"] + arguments)
        }
        let remote = "docker://\(registry.host)/skopeo/box:1"
        let sent = try skopeo(
            ["--src-daemon-host", host, "--dest-tls-verify=false", "docker-daemon:\(Images.busybox)", remote]
                + credentials)
        #expect(sent.status == 0, "\(sent)")
        let fetched = try skopeo(
            ["--dest-daemon-host", host, "--src-tls-verify=false", remote, "docker-daemon:from-skopeo:1"]
                + credentials.map { $0.replacingOccurrences(of: "dest", with: "src") })
        #expect(fetched.status == 0, "\(fetched)")
        #expect(
            try daemon.check("run", "--rm", "--network", "none", "from-skopeo:1", "cat", "/data/file").text
                == "from the image")
        // It is the same image: its configuration has not changed on the way.
        #expect(
            try daemon.check("images", "-q", "--no-trunc", "from-skopeo:1").text
                == (try daemon.check("images", "-q", "--no-trunc", Images.busybox).text))
        try daemon.check("rmi", "from-skopeo:1")
        let missing = try skopeo(["--src-daemon-host", host, "docker-daemon:no/such:1", "dir:\(scratch.file("x"))"])
        #expect(missing.status != 0)
    }

    @Test func aFullDiskDuringAPull() throws {
        let registry = try Registry()
        let archive = scratch.file("big.tar")
        try Images.archive(
            at: archive,
            layers: #"[[("small", "file", "x")], [("big", "file", __import__("os").urandom(40_000_000))]]"#)
        let name = "\(registry.host)/big/image:1"
        try Shell.check([
            "skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false", "docker-archive:\(archive)",
            "docker://\(name)",
        ])
        let disk = scratch.file("disk")
        try Shell.sh("mkdir \(disk); mount -t tmpfs -o size=24m tmpfs \(disk)")
        defer { _ = try? Shell.sh("umount -l \(disk)") }
        let small = try Daemon(dataRoot: disk + "/data")
        defer { small.tearDown() }
        for _ in 0..<2 {
            let output = try small.dhow("pull", name)
            #expect(output.status == 1, "\(output)")
            // What, where from, why, and what to do.
            #expect(output.stderr.contains("no space left on device"), "\(output)")
            #expect(output.stderr.contains("\(registry.host)/big/image"), "\(output)")
            #expect(output.stderr.contains("free"), "\(output)")
            #expect(try small.check("images", "-aq").text.isEmpty)
        }
        // Nothing half-made is taken for whole, and what came goes away.
        try small.check("system", "prune", "-af")
        let used = try Shell.sh("du -sm \(disk)/data | cut -f1").text
        #expect((Int(used) ?? 99) < 4, "left \(used) MB")
        try Shell.sh("mount -o remount,size=200m \(disk)")
        try small.check("pull", "-q", name)
        #expect(try small.check("images", "-q", name).lines.count == 1)
    }

    @Test(arguments: ["[]", "{", #"{"auths": []}"#, #"{"auths": {"HOST": 3}}"#])
    func configurationOfAnotherShape(_ text: String) throws {
        let registry = try Registry()
        let name = "\(registry.host)/shape/box:1"
        try daemon.check("tag", Images.busybox, name)
        try scratch.write(text.replacingOccurrences(of: "HOST", with: registry.host), to: "config.json")
        let output = try Shell.run([
            Programs.dhow, "--config", scratch.path, "-H", "unix://\(daemon.socket)", "push", name,
        ])
        #expect(output.status == 1, "\(output)")
        #expect(output.stderr.contains(scratch.file("config.json")), "\(output)")
        // It is not touched.
        #expect(
            try String(contentsOfFile: scratch.file("config.json"), encoding: .utf8)
                == text.replacingOccurrences(of: "HOST", with: registry.host))
        try daemon.check("rmi", name)
    }
}
