import Foundation
import JSON
import Testing

/// Images in and out, by reference and by ID.
@Suite(.serialized) struct ImageTests {
    static let daemon = Result { try Daemon.shared() }
    let daemon: Daemon

    init() throws {
        daemon = try Self.daemon.get()
        try Images.load(into: daemon)
    }

    @Test func importFromAnAddress() throws {
        let scratch = try ScratchDirectory()
        try Shell.sh("cd '\(scratch.path)' && mkdir t && echo there > t/file && tar -C t -cf t.tar .")
        let port = try FreePort.find()
        let server = try Child(["python3", "-c", Self.webServer, "\(port)", scratch.file("t.tar")])
        #expect(eventually { server.stdout.contains("ready") }, "\(server.stderr)")
        let url = "http://127.0.0.1:\(port)"
        let imported = try daemon.check("import", "-c", "CMD [\"x\"]", "\(url)/moved", "fetched:1").lines
        #expect(imported.first == "Downloading from \(url)/moved")
        #expect(imported.last?.hasPrefix("sha256:") == true, "\(imported)")
        #expect(
            try daemon.check("image", "inspect", "-f", "{{.Id}} {{.Config.Cmd}}", "fetched:1").text
                == "\(imported.last ?? "") [x]")
        #expect(try daemon.docker("import", "\(url)/file", "fetched:2").status == 0)
        let images = try daemon.check("images", "-aq").lines.count
        for (path, reason) in [
            ("/nothing", "404"), ("/cut", "/cut\": malformed HTTP response"), ("/circle", "10 redirects"),
        ] {
            let failed = try daemon.dhow("import", url + path, "broken:1")
            #expect(failed.status == 1 && failed.stderr.contains(reason), "\(failed)")
        }
        let nobody = try daemon.dhow("import", "http://127.0.0.1:1/file")
        #expect(nobody.status == 1 && nobody.stderr.contains("connection refused"), "\(nobody)")
        #expect(try daemon.check("images", "-aq").lines.count == images)
        try daemon.check("rmi", "fetched:1", "fetched:2")
        withExtendedLifetime(server) {}
    }

    private static let webServer = """
        import http.server, sys
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = open(sys.argv[2], "rb").read()
                if self.path in ("/moved", "/circle"):
                    self.send_response(302)
                    self.send_header("Location", "/file" if self.path == "/moved" else "/circle")
                    self.send_header("Content-Length", "0")
                    return self.end_headers()
                if self.path == "/nothing": return self.send_error(404)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[:1000] if self.path == "/cut" else body)
            def log_message(self, *arguments): pass
        server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
        print("ready", flush=True)
        server.serve_forever()
        """

    @Test func listInspectHistoryTagRemove() throws {
        let id = try daemon.check("images", "-q", "--no-trunc", Images.busybox).text
        #expect(id.hasPrefix("sha256:") && id.count == 71)
        try daemon.check("tag", Images.busybox, "example.org:5000/team/box:v1")
        #expect(
            try daemon.check("images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}", "example.org:5000/team/box").text
                == "example.org:5000/team/box:v1 \(id.dropFirst(7).prefix(12))")
        let inspected = try daemon.inspect("example.org:5000/team/box:v1")
        #expect(inspected["Id"]?.string == id)
        #expect(inspected["Config"]?["Cmd"] == ["/bin/sh"])
        #expect(inspected["RootFS"]?["Layers"]?.array?.count == 1)
        #expect(try daemon.check("history", "-q", "--no-trunc", Images.busybox).lines.first == id)
        let removed = try daemon.check("rmi", "example.org:5000/team/box:v1")
        #expect(removed.text == "Untagged: example.org:5000/team/box:v1")
        #expect(try daemon.check("image", "inspect", "-f", "{{.Id}}", String(id.dropFirst(7).prefix(6))).text == id)
    }

    @Test func savedArchivesAreReadByOthersAndBack() throws {
        let scratch = try ScratchDirectory()
        let id = try daemon.check("images", "-q", "--no-trunc", Images.busybox).text
        try daemon.check("save", "-o", scratch.file("a.tar"), Images.busybox)
        if Shell.exists("skopeo") {
            let inspected = try Shell.check([
                "skopeo", "inspect", "--config", "docker-archive:\(scratch.file("a.tar"))",
            ])
            #expect(try JSONValue(parsing: inspected.stdout)["config"]?["Cmd"] == ["/bin/sh"])
            try Shell.check([
                "skopeo", "--insecure-policy", "copy", "docker-archive:\(scratch.file("a.tar"))",
                "oci-archive:\(scratch.file("oci.tar")):fromskopeo:1",
            ])
            try daemon.check("load", "-i", scratch.file("oci.tar"))
            #expect(try daemon.check("images", "--format", "{{.Repository}}").stdout.contains("fromskopeo"))
            #expect(
                try daemon.dhow("run", "--rm", "--network", "none", "fromskopeo:1", "cat", "/data/file").text
                    == "from the image")
            try daemon.check("rmi", "-f", "fromskopeo:1")
        }
        try daemon.check("rmi", "-f", Images.busybox)
        #expect(try daemon.check("load", "-i", scratch.file("a.tar")).text.contains("Loaded image: \(Images.busybox)"))
        #expect(try daemon.check("images", "-q", "--no-trunc", Images.busybox).text == id)
        #expect(
            try daemon.dhow(
                "run", "--rm", "--network", "none", Images.busybox, "stat", "-c", "%u:%g %a", "/data/file", "/tmp"
            ).lines == ["1000:50 644", "0:0 1777"])
    }

    @Test(arguments: ["gzip -c", "xz -c", "zstd -qc", "bzip2 -c"])
    func compressedArchivesAndLayers(_ compressor: String) throws {
        guard Shell.exists(compressor.components(separatedBy: " ")[0]) else { return }
        let scratch = try ScratchDirectory()
        try Images.archive(
            at: scratch.file("plain.tar"),
            layers: #"[[("bin/sh", "file", open("/bin/busybox", "rb").read())], [("etc/added", "file", "yes")]]"#,
            name: "packed:1")
        try Shell.sh("\(compressor) \(scratch.file("plain.tar")) > \(scratch.file("packed"))")
        try daemon.check("load", "-i", scratch.file("packed"))
        #expect(
            try daemon.dhow("run", "--rm", "--network", "none", "packed:1", "sh", "-c", "read x < /etc/added; echo $x")
                .text == "yes")
        try daemon.check("rmi", "packed:1")
    }

    @Test func whiteoutsHideAndOpaqueDirectoriesReplace() throws {
        let scratch = try ScratchDirectory()
        try Images.archive(
            at: scratch.file("w.tar"),
            layers:
                #"[[("bin/sh", "file", open("/bin/busybox", "rb").read()), ("a/one", "file", "1"), ("a/two", "file", "2"), ("b/old", "file", "x"), ("c", "file", "f"), ("d/x", "file", "x")], [("a/.wh.one", "file", ""), ("b/.wh..wh..opq", "file", ""), ("b/new", "file", "y"), ("c/inside", "file", "z"), ("d", "file", "now a file")]]"#,
            name: "whiteout:1")
        try daemon.check("load", "-i", scratch.file("w.tar"))
        defer { _ = try? daemon.dhow("rmi", "-f", "whiteout:1") }
        let output = try daemon.dhow(
            "run", "--rm", "--network", "none", "whiteout:1", "/bin/sh", "-c", "echo a/* b/* c/* ; read x < /d; echo $x"
        )
        #expect(output.lines == ["a/two b/new c/inside", "now a file"], "\(output)")
    }

    @Test func layersAreSharedAndGoWithTheirLastImage() throws {
        let scratch = try ScratchDirectory()
        try Images.archive(
            at: scratch.file("one.tar"), layers: #"[[("base", "file", "b" * 1000)], [("one", "file", "1")]]"#,
            name: "share:1")
        try Images.archive(
            at: scratch.file("two.tar"), layers: #"[[("base", "file", "b" * 1000)], [("two", "file", "2")]]"#,
            name: "share:2")
        try daemon.check("load", "-i", scratch.file("one.tar"))
        try daemon.check("load", "-i", scratch.file("two.tar"))
        let removed = try daemon.check("rmi", "share:1").lines
        #expect(removed.count(where: { $0.hasPrefix("Deleted: ") }) == 2, "\(removed)")
        let rest = try daemon.check("rmi", "share:2").lines
        #expect(rest.count(where: { $0.hasPrefix("Deleted: ") }) == 3, "\(rest)")
    }

    @Test func anImageInUseIsNotRemoved() throws {
        try daemon.check("create", "--name", "holder", "--network", "none", Images.busybox)
        defer { _ = try? daemon.dhow("rm", "-f", "holder") }
        let refused = try daemon.dhow("rmi", Images.busybox)
        #expect(refused.status == 1 && refused.stderr.contains("container"), "\(refused)")
    }

    @Test func vfsRunsTheSameImages() throws {
        let plain = try Daemon(["--storage-driver", "vfs"])
        defer { plain.tearDown() }
        try Images.load(into: plain)
        let output = try plain.runBusybox([], "sh", "-c", "cat /data/file; echo x > /data/file")
        #expect(output.text == "from the image", "\(output)")
        #expect(try plain.runBusybox([], "cat", "/data/file").text == "from the image")
        #expect(try plain.check("info", "--format", "{{.Driver}}").text == "vfs")
    }
}
