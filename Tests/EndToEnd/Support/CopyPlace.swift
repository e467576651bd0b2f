import Foundation
import JSON

/// A registry with images of several kinds, and a scratch directory to copy them into.
final class CopyPlace {
    let registry: Registry
    let scratch: ScratchDirectory

    init(_ registry: Registry) throws {
        self.registry = registry
        scratch = try ScratchDirectory("copy")
        try FileManager.default.createSymbolicLink(
            atPath: scratch.file("skopeo"), withDestinationPath: Programs.dhow)
    }

    /// A registry that has the images.
    static func stocked() throws -> Registry {
        let registry = try Registry.shared()
        try Shell.check(["python3", "-c", maker, registry.host])
        return registry
    }

    /// Our program, called as `skopeo`, in the scratch directory.
    func ours(_ arguments: [String]) throws -> Output {
        try Shell.run([scratch.file("skopeo")] + arguments, directory: scratch.path)
    }

    /// Debian's skopeo.
    func theirs(_ arguments: [String]) throws -> Output {
        try Shell.run(["/usr/bin/skopeo", "--insecure-policy"] + arguments, directory: scratch.path)
    }

    func run(_ program: String, _ arguments: [String]) throws -> Output {
        program == "ours" ? try ours(arguments) : try theirs(arguments)
    }

    func copy(_ program: String = "ours", _ arguments: [String] = [], _ from: String, _ to: String) throws -> Output {
        try run(
            program,
            ["copy", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false"] + arguments + [from, to])
    }

    /// A copy that must succeed.
    func mustCopy(_ program: String = "ours", _ arguments: [String] = [], _ from: String, _ to: String) throws {
        let output = try copy(program, arguments, from, to)
        guard output.status == 0 else {
            throw CommandFailure(command: [program, "copy"] + arguments + [from, to], output: output)
        }
    }

    func image(_ name: String) -> String { "docker://\(registry.host)/t/\(name):v1" }

    /// A place of a transport, by a name of its own.
    func place(_ transport: String, _ name: String) -> String {
        switch transport {
        case "docker": "docker://\(registry.host)/p/\(name):t"
        case "dir": "dir:\(name)"
        case "oci": "oci:\(name):t"
        case "oci-archive": "oci-archive:\(name).tar:t"
        default: "\(transport):\(name).tar:x/y:t"
        }
    }

    func areEqual(_ left: String, _ right: String) throws -> Bool {
        try Shell.run(["cmp", scratch.file(left), scratch.file(right)]).status == 0
    }

    /// What is in the scratch directory, hidden names too, but for our program's link.
    var contents: [String] {
        get throws {
            try FileManager.default.contentsOfDirectory(atPath: scratch.path).filter { $0 != "skopeo" }.sorted()
        }
    }

    private static let maker = #"""
        import gzip, hashlib, io, json, random, subprocess, sys, tarfile, urllib.request
        base = "http://" + sys.argv[1] + "/v2/"
        def call(method, url, data, **headers):
            request = urllib.request.Request(url, method=method, data=data, headers=headers)
            return urllib.request.urlopen(request)
        def sha(data): return "sha256:" + hashlib.sha256(data).hexdigest()
        def blob(repo, data):
            location = call("POST", base + repo + "/blobs/uploads/", b"").headers["Location"]
            location += ("&" if "?" in location else "?") + "digest=" + sha(data)
            call("PUT", location, data, **{"Content-Type": "application/octet-stream"})
            return sha(data)
        def manifest(repo, tag, document):
            data = json.dumps(document).encode()
            call("PUT", base + repo + "/manifests/" + tag, data, **{"Content-Type": document["mediaType"]})
            return {"mediaType": document["mediaType"], "size": len(data), "digest": sha(data)}
        def layer(*files):
            data = io.BytesIO()
            with tarfile.open(fileobj=data, mode="w") as tar:
                for name, content in files:
                    info = tarfile.TarInfo(name)
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))
            return data.getvalue()
        def compressed(data, kind):
            if kind == "gzip": return gzip.compress(data, mtime=0)
            if kind == "zstd": return subprocess.run(["zstd", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout
            return data
        def image(name, layers, kinds, oci, extra={}, arch="amd64", tag="v1"):
            repo = "t/" + name
            config = {"architecture": arch, "os": "linux", "created": "2020-01-01T00:00:00.120Z",
                "config": {"Env": ["A=<b>&\u2028é/\"\\"], "Cmd": ["/bin/sh"], "Labels": {"z": "1", "a": "2"},
                    "ExposedPorts": {"80/tcp": {}, "443/tcp": {}}},
                "rootfs": {"type": "layers", "diff_ids": [sha(l) for l in layers]},
                "history": [{"created": "2020-01-01T00:00:00Z", "created_by": "RUN a && b > c <x>"} for _ in layers]}
            config.update(extra)
            data = json.dumps(config, indent=1).encode()
            kind = "application/vnd.oci.image." if oci else "application/vnd.docker."
            document = {"schemaVersion": 2, "layers": [],
                "mediaType": kind + ("manifest.v1+json" if oci else "distribution.manifest.v2+json"),
                "config": {"mediaType": kind + ("config.v1+json" if oci else "container.image.v1+json"),
                    "size": len(data), "digest": blob(repo, data)}}
            for content, form in zip(layers, kinds):
                packed = compressed(content, form)
                suffix = {"none": "", "gzip": "gzip", "zstd": "zstd"}[form]
                type = kind + ("layer.v1.tar" if oci else "image.rootfs.diff.tar")
                type += ("+" if oci else ".") + suffix if suffix else ""
                document["layers"].append({"mediaType": type, "size": len(packed), "digest": blob(repo, packed)})
            return manifest(repo, tag, document)
        chance = random.Random(1)
        layers = [layer(("f%d" % i, chance.randbytes(200000 + i * 777)), ("d/%d" % i, b"x" * 5)) for i in range(4)]
        docker = {"container": "abc", "container_config": {"Cmd": ["a"]}, "docker_version": "20.10", "odd": 1.50}
        image("one", layers[:1], ["gzip"], False)
        image("many", layers, ["gzip"] * 4, False, docker)
        image("repeated", [layers[0], layers[1], layers[0], layers[0]], ["gzip"] * 4, False)
        image("oci", layers, ["gzip"] * 4, True)
        image("zstd", layers, ["zstd"] * 4, True)
        image("mixed", layers, ["gzip", "none", "gzip", "none"], True)
        image("none", [], [], True)
        listed = []
        for arch in ["amd64", "arm64", "s390x"]:
            part = image("list", [layers[0], layer((arch, arch.encode()))], ["gzip"] * 2, False, arch=arch, tag=arch)
            listed.append({**part, "platform": {"architecture": arch, "os": "linux"}})
        manifest("t/list", "v1", {"schemaVersion": 2, "manifests": listed,
            "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json"})
        """#
}
