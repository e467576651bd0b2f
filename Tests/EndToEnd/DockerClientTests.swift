import Foundation
import JSON
import Testing

/// Docker's own clients against dhowd.
@Suite(.serialized, .enabled(if: Shell.exists("docker"), "the docker command is installed by make setup"))
struct DockerClientTests {
    static let daemon = Result { try Daemon.shared() }
    let daemon: Daemon

    init() throws {
        daemon = try Self.daemon.get()
        try Images.load(into: daemon)
    }

    private func check(_ arguments: String..., input: String? = nil) throws -> Output {
        try Shell.check(["docker", "-H", "unix://\(daemon.socket)"] + arguments, input: input)
    }

    private func terminal(_ arguments: String) throws -> Output {
        try Shell.run(["script", "-qec", "docker -H unix://\(daemon.socket) \(arguments)", "/dev/null"])
    }

    @Test func loadRunAndSave() throws {
        let scratch = try ScratchDirectory()
        _ = try check("save", "-o", scratch.file("b.tar"), Images.busybox)
        #expect(try check("load", "-i", scratch.file("b.tar")).text.contains("Loaded image: \(Images.busybox)"))
        #expect(try check("run", "--rm", "--network", "none", Images.busybox, "echo", "hello").text == "hello")
        #expect(
            try check("run", "--rm", "-i", "--network", "none", Images.busybox, "cat", input: "typed").stdout == "typed"
        )
        let failed = try daemon.docker("run", "--rm", "--network", "none", Images.busybox, "sh", "-c", "exit 42")
        #expect(failed.status == 42)
        #expect(try daemon.docker("run", "--rm", "--network", "none", Images.busybox, "/no/such").status == 127)
    }

    @Test func aTerminalThroughTheRealClient() throws {
        let output = try terminal(
            "run --rm -it --network none \(Images.busybox) sh -c 'test -t 0 && echo a terminal; exit 5'")
        #expect(output.stdout.contains("a terminal"), "\(output)")
        #expect(output.status == 5, "\(output)")
    }

    @Test func inputThatEndsAtOnceArrives() throws {
        _ = try check("run", "-d", "--name", "ears", "--network", "none", Images.busybox, "sleep", "1000")
        defer { _ = try? daemon.docker("rm", "-f", "ears") }
        for _ in 0..<10 {
            #expect(try check("exec", "-i", "ears", "sh", "-c", "cat; echo end", input: "hi\n").stdout == "hi\nend\n")
            #expect(
                try check("run", "-i", "--rm", "--network", "none", Images.busybox, "cat", input: "hi\n").stdout
                    == "hi\n")
        }
    }

    @Test func psLogsExecStopRmStats() throws {
        _ = try check(
            "run", "-d", "--name", "real", "--network", "none", Images.busybox, "sh", "-c",
            "trap 'exit 0' TERM; for i in 1 2 3; do echo $i; sleep 0.2; done; while :; do sleep 0.1; done")
        defer { _ = try? daemon.docker("rm", "-f", "real") }
        #expect(
            try check("ps", "--format", "{{.Names}} {{.Image}} {{.State}}").text == "real \(Images.busybox) running")
        let follow = try Child(["docker", "-H", "unix://\(daemon.socket)", "logs", "-f", "real"])
        #expect(eventually { follow.stdout == "1\n2\n3\n" }, "\(follow.stdout)")
        #expect(try terminal("exec -it real sh -c 'tty; exit 3'").status == 3)
        #expect(try check("exec", "real", "cat", "/proc/1/comm").text == "sh")
        #expect(try check("stats", "--no-stream", "--format", "{{.Name}}").text == "real")
        #expect(try check("top", "real").lines.count >= 2)
        #expect(try check("inspect", "-f", "{{.State.Status}}", "real").text == "running")
        _ = try check("stop", "real")
        #expect(try follow.wait(timeout: 20).status == 0)
        #expect(try check("wait", "real").text == "0")
        _ = try check("rm", "real")
        #expect(try check("ps", "-aq").text.isEmpty)
    }

    @Test func versionInfoSystemAndVolumes() throws {
        #expect(try check("version", "--format", "{{.Server.APIVersion}}").text == "1.50")
        #expect(try check("info", "--format", "{{.Driver}}").text == "overlay2")
        _ = try check("volume", "create", "fromdocker")
        #expect(try check("volume", "ls", "-q").lines.contains("fromdocker"))
        _ = try check("volume", "rm", "fromdocker")
        _ = try check("system", "df")
        #expect(try check("network", "ls", "--format", "{{.Name}}").lines.sorted() == ["bridge", "host", "none"])
    }

    /// The same containers, described by Docker's own engine where it is installed, look the same.
    @Test func dockerPy() throws {
        let script = #"""
            import docker, sys, io, tarfile
            client = docker.DockerClient(base_url="unix://" + sys.argv[1])
            image = sys.argv[2]
            assert client.ping()
            assert client.containers.run(image, "echo hi", network_mode="none", remove=True) == b"hi\n"
            try:
                client.containers.run(image, "sh -c 'echo bad >&2; exit 3'", network_mode="none", remove=True)
                raise SystemExit("no error")
            except docker.errors.ContainerError as error:
                assert error.exit_status == 3 and b"bad" in error.stderr, error
            c = client.containers.run(image, "sh -c 'echo one; echo two >&2; sleep 1000'", network_mode="none", detach=True,
                name="py", labels={"a": "b"}, environment={"X": "1"}, mem_limit="64m", init=True,
                ulimits=[docker.types.Ulimit(name="nofile", soft=100, hard=100)], mounts=[docker.types.Mount("/vol", "pyvol")])
            try:
                c.reload()
                assert c.status == "running" and c.labels == {"a": "b"}, c.attrs
                code, out = c.exec_run("sh -c 'echo $X; ulimit -n'")
                assert code == 0 and out == b"1\n100\n", out
                exec_id = client.api.exec_create(c.id, "sh -c 'test -t 1 && echo a terminal'", tty=True)
                assert client.api.exec_start(exec_id) == b"a terminal\r\n"
                code, (out, err) = c.exec_run("sh -c 'echo o; echo e >&2; exit 4'", demux=True)
                assert (code, out, err) == (4, b"o\n", b"e\n")
                import time; time.sleep(0.3)
                assert c.logs(stderr=False) == b"one\n" and c.logs(stdout=False) == b"two\n"
                data = io.BytesIO()
                with tarfile.open(fileobj=data, mode="w") as t:
                    i = tarfile.TarInfo("put"); i.size = 3; t.addfile(i, io.BytesIO(b"abc"))
                assert c.put_archive("/tmp", data.getvalue())
                stream, stat = c.get_archive("/tmp/put")
                assert stat["size"] == 3 and b"abc" in b"".join(stream)
                assert any(p[-1].startswith("sleep") or "sleep" in p[-1] for p in c.top()["Processes"])
                stats = c.stats(stream=False)
                assert stats["memory_stats"]["limit"] == 64 << 20, stats["memory_stats"]
                c.pause(); c.reload(); assert c.status == "paused"; c.unpause()
                c.rename("py2"); c.reload(); assert c.name == "py2"
                c.kill(); assert c.wait()["StatusCode"] == 137
                c.start(); c.stop(timeout=0); c.restart(timeout=0)
                assert client.containers.list(filters={"label": "a=b"})[0].id == c.id
                assert [d["Path"] for d in c.diff() or [] if d["Path"] == "/tmp/put"] == ["/tmp/put"]
                img = c.commit("pycommit", "1"); assert "pycommit:1" in img.tags
                client.images.remove("pycommit:1")
                sock = c.exec_run("cat", stdin=True, socket=True).output
                sock._sock.sendall(b"ping\n")
                got = b""
                while b"ping" not in got: got += sock._sock.recv(100)
                sock.close()
                exec_id = client.api.exec_create(c.id, "cat", tty=True, stdin=True, detach_keys="ctrl-e")
                sock = client.api.exec_start(exec_id, tty=True, socket=True)
                sock._sock.settimeout(30)
                sock._sock.sendall(b"\x05")
                while sock._sock.recv(100): pass
                assert client.api.exec_inspect(exec_id)["Running"]
                sock.close()
            finally:
                c.remove(force=True, v=True)
                client.volumes.get("pyvol").remove(force=True)
            try:
                client.containers.get("py2"); raise SystemExit("still there")
            except docker.errors.NotFound: pass
            saved = b"".join(client.images.get(image).save(named=True))
            assert image in client.images.load(saved)[0].tags
            print("docker-py is content")
            """#
        let output = try Shell.run(["python3", "-c", script, daemon.socket, Images.busybox])
        #expect(output.text == "docker-py is content", "\(output)")
    }
}
