import Foundation
import Testing

/// Bad input: a clear sentence, the documented exit code, and nothing left behind.
@Suite(.serialized) struct BadInputTests {
    static let daemon = Result {
        try Daemon.shared(["--storage-opt", "layer.max-bytes=64m", "--storage-opt", "layer.max-inodes=2000"])
    }
    let daemon: Daemon
    let scratch: ScratchDirectory

    init() throws {
        daemon = try Self.daemon.get()
        scratch = try ScratchDirectory()
    }

    /// Everything that the data root holds, with sizes left out: what must not change when something is refused.
    private func inventory() throws -> [String] {
        try Shell.check(["find", daemon.dataRoot, "-not", "-name", "dhow.db*", "-not", "-path", "*/volumes/metadata*"])
            .lines.sorted()
    }

    /// Loads an archive that must be refused with a message that contains `expected`.
    private func refuseLoad(_ path: String, saying expected: [String]) throws {
        let before = try inventory()
        let images = try daemon.check("images", "-aq").lines
        let output = try daemon.dhow("load", "-i", path)
        #expect(output.status == 1, "\(output)")
        for word in expected { #expect(output.stderr.localizedCaseInsensitiveContains(word), "\(output)") }
        #expect(try inventory() == before)
        #expect(try daemon.check("images", "-aq").lines == images)
        #expect(!FileManager.default.fileExists(atPath: "/tmp/dhow-escaped"))
    }

    @Test func aLayerWhoseDigestDoesNotMatch() throws {
        try Images.archive(
            at: scratch.file("a.tar"), layers: #"[[("file", "file", "one")]]"#,
            tail: #"document["rootfs"]["diff_ids"] = ["sha256:" + "0" * 64]"#)
        try refuseLoad(scratch.file("a.tar"), saying: ["sha256:0000"])
    }

    @Test(arguments: [
        #"[("../../../../../../tmp/dhow-escaped", "file", "x")]"#,
        #"[("a/../../../../../../../tmp/dhow-escaped", "file", "x")]"#,
        #"[("link", "symlink", "../../../../../../../../tmp"), ("link/../../../../../../../../../tmp/dhow-escaped", "file", "x")]"#,
        #"[("hard", "hardlink", "../../../../../../../../etc/passwd")]"#,
    ])
    func anEntryThatPointsOutside(_ entries: String) throws {
        try Images.archive(at: scratch.file("a.tar"), layers: "[\(entries)]")
        try refuseLoad(scratch.file("a.tar"), saying: [])
    }

    @Test func anEntryThroughALinkStaysInside() throws {
        try Images.archive(
            at: scratch.file("a.tar"), layers: #"[[("link", "symlink", "/tmp"), ("link/dhow-escaped", "file", "x")]]"#,
            name: "inside:test")
        let output = try daemon.dhow("load", "-i", scratch.file("a.tar"))
        #expect(!FileManager.default.fileExists(atPath: "/tmp/dhow-escaped"), "\(output)")
        _ = try daemon.dhow("rmi", "-f", "inside:test")
    }

    @Test func truncatedAndCorruptArchives() throws {
        try Images.archive(at: scratch.file("whole.tar"), layers: #"[[("big", "file", "x" * 300000)]]"#)
        try Shell.sh(
            "cd \(scratch.path); head -c 100000 whole.tar > cut.tar; head -c 300000 /dev/urandom > noise.tar; : > empty.tar; gzip -k whole.tar; head -c 200 whole.tar.gz > cut.gz; (head -c 150 whole.tar.gz; head -c 5000 /dev/urandom) > corrupt.gz"
        )
        for name in ["cut.tar", "noise.tar", "empty.tar", "cut.gz", "corrupt.gz"] {
            try refuseLoad(scratch.file(name), saying: [])
        }
    }

    @Test func aBombIsStopped() throws {
        // 10 GB of zeros in a layer of 10 MB.
        try Shell.sh(
            """
            cd \(scratch.path)
            python3 - <<'P'
            import tarfile, io, gzip, hashlib, json
            class Zeros(io.RawIOBase):
                def __init__(self, n): self.left = n
                def readable(self): return True
                def readinto(self, b):
                    n = min(len(b), self.left); b[:n] = bytes(n); self.left -= n; return n
            size = 1 << 30
            raw = gzip.open("layer.tar", "wb", 1)
            with tarfile.open(fileobj=raw, mode="w|", bufsize=1<<20) as t:
                i = tarfile.TarInfo("zeros"); i.size = size
                t.addfile(i, Zeros(size))
            raw.close()
            config = json.dumps({"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:"+"1"*64]}}).encode()
            name = hashlib.sha256(config).hexdigest()+".json"
            open(name,"wb").write(config)
            open("manifest.json","w").write(json.dumps([{"Config":name,"RepoTags":["bomb:1"],"Layers":["layer.tar"]}]))
            with tarfile.open("bomb.tar","w") as t:
                for f in (name,"layer.tar","manifest.json"): t.add(f)
            P
            """, timeout: 300)
        try refuseLoad(scratch.file("bomb.tar"), saying: ["limit"])
        try Images.archive(at: scratch.file("many.tar"), layers: #"[[("f%d" % n, "file", "") for n in range(5000)]]"#)
        try refuseLoad(scratch.file("many.tar"), saying: ["limit"])
    }

    @Test func anImageForAnotherArchitecture() throws {
        try Images.archive(
            at: scratch.file("arm.tar"), layers: #"[[("bin/sh", "file", "x")]]"#, name: "arm:test",
            config: #"{"architecture":"s390x"}"#)
        try daemon.check("load", "-i", scratch.file("arm.tar"))
        defer { _ = try? daemon.dhow("rmi", "-f", "arm:test") }
        let output = try daemon.dhow("run", "--rm", "--network", "none", "arm:test", "/bin/sh")
        #expect(output.status != 0)
        #expect(output.stderr.contains("s390x"), "\(output)")
        #expect(Leftovers.of(daemon).isEmpty, "\(Leftovers.of(daemon))")
    }

    @Test func failedStartsLeaveNothing() throws {
        try Images.load(into: daemon)
        for command in [["/no/such"], ["/bin/plain"], ["/data/file"]] {
            let output = try daemon.dhow(["run", "--rm", "--network", "none", Images.busybox] + command)
            #expect([126, 127].contains(output.status), "\(output)")
        }
        let mount = try daemon.dhow(
            "run", "--rm", "--network", "none", "-v", "/etc/passwd:/etc", Images.busybox, "true")
        #expect([125, 126, 127].contains(mount.status), "\(mount)")
        #expect(
            try eventually { try daemon.check("ps", "-aq").text.isEmpty && Leftovers.of(daemon).isEmpty },
            "\(Leftovers.of(daemon))")
    }

    @Test func aBundleWithoutAProcess() throws {
        try Shell.sh("mkdir -p \(scratch.path)/bundle/rootfs")
        try scratch.write(#"{"ociVersion":"1.0.2","root":{"path":"rootfs"}}"#, to: "bundle/config.json")
        let before = try Shell.sh("find /sys/fs/cgroup -type d | sort | md5sum").text
        let output = try Shell.run([
            Programs.runtime, "--root", scratch.file("state"), "run", "--bundle", scratch.file("bundle"), "none",
        ])
        #expect(output.status != 0)
        #expect(output.stderr.contains("process"), "\(output)")
        #expect(try Shell.run([Programs.runtime, "--root", scratch.file("state"), "list", "-q"]).text.isEmpty)
        _ = before
        try scratch.write("{\"ociVersion\": ", to: "bundle/config.json")
        let broken = try Shell.run([
            Programs.runtime, "--root", scratch.file("state"), "run", "--bundle", scratch.file("bundle"), "none",
        ])
        #expect(broken.status != 0 && broken.stderr.contains("JSON"), "\(broken)")
    }

    @Test func aFullDisk() throws {
        let disk = scratch.file("disk")
        let mountPoint = scratch.file("full")
        try Shell.sh(
            "truncate -s 24M \(disk); mkfs.ext4 -q \(disk); mkdir \(mountPoint); mount -o loop \(disk) \(mountPoint)")
        defer { _ = try? Shell.sh("umount -l \(mountPoint)") }
        let small = try Daemon(dataRoot: mountPoint + "/data")
        defer { small.tearDown() }
        try Images.archive(
            at: scratch.file("big.tar"), layers: #"[[("big", "file", __import__("os").urandom(40_000_000))]]"#)
        let output = try small.dhow("load", "-i", scratch.file("big.tar"))
        #expect(output.status == 1)
        #expect(output.stderr.localizedCaseInsensitiveContains("no space left"), "\(output)")
        #expect(try small.check("images", "-q").text.isEmpty)
        let used = try Shell.sh("du -sm \(mountPoint)/data | cut -f1").text
        #expect((Int(used) ?? 99) < 4, "left \(used) MB")
        try Images.archive(at: scratch.file("small.tar"), layers: #"[[("small", "file", "x")]]"#, name: "small:1")
        try small.check("load", "-i", scratch.file("small.tar"))
    }

    @Test func wrongRequestsGetClearAnswers() throws {
        #expect(try daemon.request("POST", "/v1.50/containers/create", body: "{").status == 400)
        #expect(try daemon.request("POST", "/v1.50/containers/create", body: #"{"Image": 5}"#).status == 400)
        let missing = try daemon.request("GET", "/v1.50/containers/nosuch/json")
        #expect(missing.status == 404 && missing.body.contains("No such container: nosuch"), "\(missing)")
        #expect(try daemon.request("GET", "/v9.99/info").status == 400)
        #expect(try daemon.request("GET", "/nowhere").status == 404)
        #expect(try daemon.request("GET", "/v1.50/containers/json?filters=%7Bx").status == 400)
        #expect(try daemon.request("GET", "/v1.50/containers//json").status == 404)
        let garbage = try daemon.request("POST", "/v1.50/images/load", body: "no archive")
        #expect(garbage.status == 200 && garbage.body.contains("errorDetail"), "\(garbage)")
        for (arguments, words) in [
            (["inspect", ""], "value is empty"), (["logs", ""], "value is empty"),
            (["tag", Images.busybox, "a:b:c"], "Error parsing reference"),
            (["run", "--network", "none", "--label", "=a", Images.busybox], "empty name"),
            (["run", "--rm", "--network", "none", Images.busybox, ""], "executable file not found"),
        ] {
            let output = try daemon.dhow(arguments)
            #expect(output.status != 0 && output.stderr.contains(words), "\(arguments): \(output)")
        }
        #expect(try daemon.check("version", "-f", "{{.Server.APIVersion}}").text == "1.50")
        for memory in ["1", "-5"] {
            let output = try daemon.dhow("run", "--rm", "--network", "none", "--memory", memory, Images.busybox, "true")
            #expect(output.status == 125, "\(output)")
        }
    }
}
