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

    @Test func slowReadersOfAStreamGetAll() throws {
        try daemon.check(
            "create", "--name", "much", "--network", "none", Images.busybox, "head", "-c", "600000", "/dev/zero")
        defer { _ = try? daemon.dhow("rm", "-f", "much") }
        let script = """
            import socket, sys, time
            def call(path, more=""):
                connection = socket.socket(socket.AF_UNIX)
                connection.connect(sys.argv[1])
                connection.sendall(f"POST {path} HTTP/1.1\\r\\nHost: d\\r\\nContent-Length: 0\\r\\n{more}\\r\\n".encode())
                return connection
            stream = call("/containers/much/attach?stream=1&stdout=1", "Upgrade: tcp\\r\\nConnection: Upgrade\\r\\n")
            while not stream.recv(1 << 16, socket.MSG_PEEK): pass
            call("/containers/much/start").recv(1 << 16)
            call("/containers/much/wait").recv(1 << 16)
            # Longer than anybody waits for what a client may still send.
            time.sleep(4)
            count = 0
            while data := stream.recv(1 << 16): count += len(data)
            print(count > 600000)
            """
        let output = try Shell.run(["/usr/bin/python3", "-c", script, daemon.socket])
        #expect(output.text == "True", "\(output)")
    }

    /// Our command line prints what Docker's does, also of what the daemon's answer leaves out.
    /// Before version 28 it says some of that in other words.
    @Test(
        .enabled(if: Programs.dockerMajor >= 28),
        arguments: [
            "inspect -f '{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} {{.State.Health}}' both",
            "inspect -f '{{.Config.Healthcheck}}|{{.Config.StopSignal}}|{{.Config.StopTimeout}}|{{.Config.Shell}}' both",
            "inspect -f '{{.Config.ExposedPorts}}|{{.Config.OnBuild}}|{{.Config.NetworkDisabled}}|{{.SizeRw}}' both",
            "inspect -f '{{.HostConfig.Init}}|{{.HostConfig.Sysctls}}|{{.HostConfig.Tmpfs}}|{{.HostConfig.Mounts}}' both",
            "inspect -f '{{range .Mounts}}{{.Name}}|{{.Driver}}{{end}}|{{.HostConfig.Annotations}}' both",
            #"inspect -f '{{index .Config.Labels "a"}}|{{index .Config.Labels "none"}}|{{.Config.Nope}}' both"#,
            #"inspect -f '{{index .Config.Labels "a"}}|{{index .Config.Labels "none"}}' both"#,
            "inspect -f '{{.State.Nope}}' both",
            "image inspect -f '{{.Author}}|{{.Variant}}|{{.Config.User}}|{{.Config.Labels}}|{{.Config.ExposedPorts}}' IMAGE",
            "volume inspect -f '{{.Status}}|{{.UsageData}}|{{.Labels}}|{{.CreatedAt}}' both",
            "rm -f not-there", "rm not-there", "images --filter 'reference=busybo[a-z]*' --format '{{.Repository}}'",
            "images --filter 'reference=[' -q", "logs --since 0 both", "system df -v | tail -3", "top both -Q",
            "exec both /no/such", "exec -w /no/such both pwd", "exec -d both /no/such",
            "run --rm --env-file DIRECTORY/blank IMAGE true", "run --rm --env-file DIRECTORY/unnamed IMAGE true",
            "run --rm --label-file DIRECTORY/blank IMAGE true", "run --rm --env-file DIRECTORY/binary IMAGE true",
            "run --rm --env-file DIRECTORY IMAGE true", "run --rm -v 'bad!name:/x' IMAGE true",
            "volume create 'bad!name'", "volume create x", "volume create --opt bogus=1 good",
        ])
    func ourCommandLineIsDockers(_ command: String) throws {
        let scratch = try ScratchDirectory()
        try scratch.write("BAD NAME=1\n", to: "blank")
        try scratch.write("=1\n", to: "unnamed")
        try Data([0xC3, 0x28, 0x3D, 0x31, 0x0A]).write(to: URL(fileURLWithPath: scratch.file("binary")))
        _ = try daemon.dhow("rm", "-f", "both")
        _ = try check(
            "run", "-d", "--name", "both", "--network", "none", "--label", "a=b", "-v", "/tmp:/host", "-v", "both:/v",
            Images.busybox, "sh", "-c", "echo started; exec sleep 1000")
        defer {
            _ = try? daemon.dhow("rm", "-f", "both")
            _ = try? daemon.dhow("volume", "rm", "both")
        }
        #expect(try eventually { try check("logs", "both").text == "started" })
        let line = command.replacingOccurrences(of: "IMAGE", with: Images.busybox)
            .replacingOccurrences(of: "DIRECTORY", with: scratch.path)
        func output(_ program: String) throws -> [String] {
            let output = try Shell.run(["sh", "-c", "\(program) -H unix://\(daemon.socket) \(line)"])
            let name = program.split(separator: "/").last.map(String.init) ?? program
            return [
                "\(output.status)", output.stdout,
                output.stderr.replacingOccurrences(of: scratch.path, with: "DIRECTORY")
                    .replacingOccurrences(of: name, with: "PROGRAM"),
            ]
        }
        #expect(try output(Programs.dhow) == output("docker"))
    }

    /// What the engine says, in the words that Docker's has.
    @Test(arguments: [
        ("run --rm -v 'bad!name:/x' IMAGE true", #"daemon: create bad!name: "bad!name" includes invalid characters"#),
        ("volume create 'bad!name'", #"daemon: create bad!name: "bad!name" includes invalid characters"#),
        ("volume create x", "daemon: create x: volume name is too short"),
        ("volume create --opt bogus=1 good", #"daemon: create good: invalid option: "bogus""#),
        ("images --filter 'reference=a[' -q", "syntax error in pattern"),
    ])
    func whatTheEngineRefuses(_ command: String, _ words: String) throws {
        let line = command.replacingOccurrences(of: "IMAGE", with: Images.busybox)
        let output = try Shell.run(["sh", "-c", "docker -H unix://\(daemon.socket) \(line)"])
        #expect(output.status != 0 && output.stderr.contains(words), "\(output)")
    }

    /// Clients of API versions before 1.44 read an image's size from this member.
    @Test(arguments: [("v1.43", true), ("v1.44", false)]) func virtualSizes(_ version: String, _ has: Bool) throws {
        func get(_ path: String) throws -> JSONValue {
            let address = "http://d/\(version)\(path)"
            return try JSONValue(
                parsing: Shell.check(["curl", "-sf", "--unix-socket", daemon.socket, address]).stdout)
        }
        let images = [
            try get("/images/json")[0], try get("/images/\(Images.busybox)/json"), try get("/system/df")["Images"]?[0],
        ]
        for image in images { #expect(image != nil && image?["VirtualSize"] == (has ? image?["Size"] : nil)) }
    }

    /// docker-py, and a client that looks at the frames.
    @Test func webSocketAttach() throws {
        let port = try FreePort.find()
        let other = try Daemon(["-H", "tcp://127.0.0.1:\(port)", "--allow-insecure-tcp"])
        try Images.load(into: other)
        let script = #"""
            import docker, socket, sys, websocket
            path, port, image = sys.argv[1:]
            client = docker.DockerClient(base_url="tcp://127.0.0.1:" + port)
            def container(command, **options):
                return client.containers.create(image, command, network_mode="none", **options)
            def attach(c, query, version="v1.50", **options):
                s = socket.socket(socket.AF_UNIX); s.connect(path); s.settimeout(30)
                return websocket.create_connection(
                    f"ws://localhost/{version}/containers/{c.id}/attach/ws?{query}", socket=s, **options)
            def frames(ws):
                found = []
                while not found or found[-1][0] != 8:
                    frame = ws.recv_frame(); found.append((frame.opcode, frame.data))
                return found
            def text(found): return b"".join(data for _, data in found[:-1])
            BYE = (8, b"\x03\xe8")

            # docker-py itself.
            c = container(["cat"], stdin_open=True)
            ws = client.api.attach_socket(c.id, ws=True, params={"stdin": 1, "stdout": 1, "stream": 1})
            c.start(); ws.send("hello"); assert ws.recv() == b"hello", "docker-py"
            ws.close(); assert c.wait()["StatusCode"] == 0; c.remove()

            # Both streams, raw, in binary frames; and a Close frame at the exit.
            c = container(["sh", "-c", "echo out; echo err >&2; exit 3"])
            ws = attach(c, "stream=1&stdout=1&stderr=1", subprotocols=["own"]); c.start()
            assert ws.getstatus() == 101 and ws.getheaders()["sec-websocket-protocol"] == "own", ws.getheaders()
            found = frames(ws); assert found[-1] == BYE and all(kind == 2 for kind, _ in found[:-1]), found
            assert sorted(text(found).split()) == [b"err", b"out"], found
            c.remove()

            # The client's Close frame ends the input, and what the program says to that still comes; pings are answered.
            c = container(["sh", "-c", "wc -c; echo end"], stdin_open=True)
            ws = attach(c, "stream=1&stdin=1&stdout=1"); c.start()
            ws.ping("still there?"); assert ws.recv_data(control_frame=True) == (10, b"still there?")
            ws.send_binary(b"x" * 300000); ws.send("text"); ws.send_close()
            found = frames(ws); assert found[-1] == BYE and text(found).split() == [b"300004", b"end"], found
            c.remove()

            # Large output is whole.
            c = container(["head", "-c", "3000000", "/dev/zero"])
            ws = attach(c, "stream=1&stdout=1"); c.start()
            found = frames(ws); assert found[-1] == BYE and text(found) == bytes(3000000)
            c.remove()

            # A terminal, and the keys that leave it.
            c = container(["cat"], stdin_open=True, tty=True)
            ws = attach(c, "stream=1&stdin=1&stdout=1&detachKeys=ctrl-a,z"); c.start()
            ws.send("echo\n"); seen = b""
            while seen.count(b"echo") < 2: seen += ws.recv()
            ws.send(b"\x01z"); assert frames(ws)[-1] == BYE
            c.reload(); assert c.status == "running"; c.remove(force=True)

            # What was logged; and what older versions of the API do: all streams count, frames of text.
            c = container(["sh", "-c", "echo one; echo two >&2"]); c.start(); c.wait()
            assert frames(attach(c, "logs=1&stdout=1")) == [(2, b"one\n"), BYE]
            assert sorted(text(frames(attach(c, "logs=1", "v1.41"))).split()) == [b"one", b"two"]
            assert frames(attach(c, "logs=1", "v1.27"))[0][0] == 1
            c.remove()

            # Refused before the handshake; and a client that breaks the protocol is told so.
            def status(request):
                s = socket.socket(socket.AF_UNIX); s.connect(path); s.settimeout(30); s.sendall(request.encode())
                return int(s.recv(4096).split(b" ")[1])
            c = container(["cat"], stdin_open=True); c.start()
            get = "GET /containers/%s/attach/ws?stream=1&stdin=1%s HTTP/1.1\r\nHost: x\r\n%s\r\n"
            shake = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: %s\r\nSec-WebSocket-Key: %s\r\n"
            good = shake % (13, "dGhlIHNhbXBsZSBub25jZQ==")
            for name, query, headers, code in [
                ("none", "", good, 404), (c.id, "", "", 400), (c.id, "", good.replace("13", "8"), 400),
                (c.id, "", shake % (13, "short"), 400), (c.id, "&detachKeys=no-key", good, 400),
            ]: assert status(get % (name, query, headers)) == code, (name, query, headers)
            c.pause(); assert status(get % (c.id, "", good)) == 409; c.unpause()
            ws = attach(c, "stream=1&stdin=1"); ws.sock.sendall(b"\x82\x03abc")
            assert frames(ws) == [(8, b"\x03\xea")], "an unmasked frame"
            ws = attach(c, "stream=1&stdin=1"); ws.sock.sendall(b"\x82\xff\x00\x00\x00\x01\x00\x00\x00\x00mask")
            assert frames(ws) == [(8, b"\x03\xf1")], "a frame of four gigabytes"
            c.reload(); assert c.status == "running"; c.remove(force=True)
            """#
        // Debian's, which has the packages that `make setup` installs.
        let output = try withExtendedLifetime(other) {
            try Shell.run(["/usr/bin/python3", "-c", script, other.socket, "\(port)", Images.busybox])
        }
        #expect(output.status == 0, "\(output)")
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
