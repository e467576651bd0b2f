import Foundation
import Testing

/// Copies that cannot be made leave nothing behind, and say why.
@Suite(
    .serialized,
    .enabled(if: Registry.isInstalled && Shell.exists("skopeo"), "make setup installs docker-registry and skopeo"))
struct CopyBadInputTests {
    static let registry = Result { try CopyPlace.stocked() }
    let place: CopyPlace

    init() throws { place = try CopyPlace(Self.registry.get()) }

    @Test(arguments: ["docker-archive:out.tar:x:1", "oci-archive:out.tar:x", "oci:out:x", "dir:out"])
    func killedCopyLeavesNoHalfImage(_ target: String) throws {
        let registry = try HesitantRegistry()
        let child = try Child(
            [
                place.scratch.file("skopeo"), "copy", "--src-tls-verify=false",
                "docker://127.0.0.1:\(registry.port)/slow/image:1",
                target,
            ], directory: place.scratch.path)
        // The second layer is on its way.
        #expect(try eventually { !registry.log.isEmpty && child.isRunning })
        kill(child.pid, SIGKILL)
        _ = try child.wait()
        #expect(try place.ours(["inspect", target]).status == 1)
        #expect(try place.contents.allSatisfy { $0 == "out" && target.hasPrefix("oci:") || $0.hasPrefix(".out.") })
        // What is left is not in the way.
        try place.mustCopy("ours", [], place.image("one"), target)
        #expect(try place.theirs(["inspect", target]).status == 0)
        if target.hasPrefix("dir:") { #expect(try place.contents == ["out"]) }
        withExtendedLifetime(registry) {}
    }

    @Test(arguments: [
        "docker-archive:disk/out.tar:x:1", "oci-archive:disk/out.tar:x", "oci:disk/out:x", "dir:disk/out",
    ])
    func fullDiskIsTold(_ target: String) throws {
        try FileManager.default.createDirectory(atPath: place.scratch.file("disk"), withIntermediateDirectories: true)
        try Shell.check(["mount", "-t", "tmpfs", "-o", "size=300k", "none", place.scratch.file("disk")])
        defer { _ = try? Shell.run(["umount", place.scratch.file("disk")]) }
        let output = try place.copy("ours", [], place.image("many"), target)
        #expect(output.status == 1)
        #expect(output.stderr.lowercased().contains("no space left"), "\(output)")
        #expect(try place.ours(["inspect", target]).status == 1)
        let left = try FileManager.default.contentsOfDirectory(atPath: place.scratch.file("disk"))
        #expect(left == (target.hasPrefix("oci:") ? ["out"] : []))
    }

    @Test func credentialsAreSent() throws {
        let guarded = try Registry(password: true)
        let target = "docker://\(guarded.host)/a/b:1"
        for (options, reason) in [
            (["--dest-no-creds"], "unauthorized"), (["--dest-creds", "me:wrong"], "unauthorized"),
            (["--dest-creds", "nonsense"], "USERNAME:PASSWORD"), (["--dest-creds", ""], "credentials can't be empty"),
            (["--dest-creds", "me:secret", "--dest-no-creds"], "cannot be specified at the same time"),
        ] {
            let output = try place.copy("ours", options, place.image("one"), target)
            #expect(output.status == 1 && output.stderr.contains(reason), "\(options): \(output)")
        }
        try place.mustCopy("ours", ["--dest-creds", "me:secret"], place.image("one"), target)
        try place.mustCopy("theirs", ["--src-creds", "me:secret"], target, "dir:read")
        // By a file, as login writes it.
        let file = place.scratch.file("auth.json")
        let login = try place.ours(
            ["login", "--authfile", file, "--tls-verify=false", "-u", "me", "-p", "secret", guarded.host])
        #expect(login.status == 0 && login.stdout == "Login Succeeded!\n", "\(login)")
        try place.mustCopy("ours", ["--src-authfile", file], target, "dir:own")
        try place.mustCopy("theirs", ["--src-authfile", file], target, "dir:other")
        #expect(try place.ours(["logout", "--authfile", file, guarded.host]).status == 0)
        #expect(try place.copy("ours", ["--src-authfile", file], target, "dir:none").status == 1)
        withExtendedLifetime(guarded) {}
    }

    @Test func certificatesAreMinded() throws {
        let encrypted = try Registry(isEncrypted: true)
        let target = "docker://\(encrypted.host)/a/b:1"
        let strange = try place.ours([
            "copy", "--dest-tls-verify=true", "--src-tls-verify=false", place.image("one"), target,
        ])
        #expect(strange.status == 1, "\(strange)")
        try place.mustCopy("ours", [], place.image("one"), target)
        withExtendedLifetime(encrypted) {}
    }

    @Test func policyIsObeyed() throws {
        try place.scratch.write(
            #"{"default":[{"type":"reject"}],"transports":{"docker":{"\#(place.registry.host)/t/one":[{"type":"insecureAcceptAnything"}],"\#(place.registry.host)/t/many":[{"type":"signedBy"}]}}}"#,
            to: "policy.json")
        for (image, reason) in [
            ("one", nil), ("oci", "rejected by policy"), ("many", "asks for signatures (signedBy)"),
        ] {
            let output = try place.ours(
                ["--policy", "policy.json", "copy", "--src-tls-verify=false", place.image(image), "dir:\(image)"])
            #expect((output.status == 0) == (reason == nil), "\(output)")
            if let reason { #expect(output.stderr.contains(reason), "\(output)") }
        }
        #expect(
            try place.ours(["--policy", "policy.json", "--insecure-policy", "copy", place.image("oci"), "dir:oci"])
                .status == 0)
    }

    @Test(arguments: [
        (["copy", "what:x", "dir:a"], "Invalid source name what:x"),
        (["copy", "docker://x", "nothing"], "Invalid destination name nothing"),
        (["copy", "dir:none", "dir:a"], "holds no image"),
        (["copy", "--all", "--multi-arch", "all", "dir:a", "dir:b"], "together"),
        (["copy", "--format", "v2s1", "dir:a", "dir:b"], "schema 1"),
        (["copy", "--format", "x", "dir:a", "dir:b"], "unknown format"),
        (["copy", "--multi-arch", "x", "dir:a", "dir:b"], "unknown multi-arch option"),
        (["copy", "--dest-compress-format", "lzma", "dir:a", "dir:b"], "cannot find compressor"),
        (["copy", "--sign-by", "key", "dir:a", "dir:b"], "signing images is not supported"),
        (["delete", "dir:a"], "not implemented"), (["list-tags", "dir:a"], "Unsupported transport"),
        (["sync", "--src", "dir", "--dest", "dir", "a", "b"], "rsync"),
        (["manifest-digest", "none"], "Error reading manifest"), (["copy", "one"], "requires 2 arguments"),
    ])
    func otherCommandLinesAreRefused(_ arguments: [String], _ reason: String) throws {
        let output = try place.ours(arguments)
        #expect(output.status == 1 && output.stderr.contains(reason), "\(output)")
        #expect(try place.contents.isEmpty)
    }
}
