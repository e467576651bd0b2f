import Foundation

/// Small images that the tests make themselves.
enum Images {
    static let busybox = "busybox:test"

    /// A root file system with busybox, as a tar.
    static let rootTar: Result<String, any Error> = Result {
        let directory = FileManager.default.temporaryDirectory.path + "/dhow-images-\(getuid())-\(getpid())"
        let tree = directory + "/tree"
        try Shell.sh(
            """
            mkdir -p \(tree)/bin \(tree)/etc \(tree)/tmp \(tree)/root \(tree)/dev \(tree)/proc \(tree)/sys \(tree)/data
            cp /bin/busybox \(tree)/bin/busybox
            for applet in $(/bin/busybox --list); do
                [ $applet = busybox ] || ln -sf busybox \(tree)/bin/$applet
            done
            printf 'root:x:0:0:root:/root:/bin/sh\\ndaemon:x:1:1:daemon:/:/bin/sh\\nalice:x:1000:1000::/:/bin/sh\\n' > \(tree)/etc/passwd
            printf 'root:x:0:\\ndaemon:x:1:\\nalice:x:1000:\\nstaff:x:50:alice\\nextra:x:60:\\n' > \(tree)/etc/group
            echo 'from the image' > \(tree)/data/file
            chown 1000:50 \(tree)/data/file
            chmod 1777 \(tree)/tmp
            printf '#!/bin/sh\\necho not executable\\n' > \(tree)/bin/plain
            tar -C \(tree) -cf \(directory)/busybox.tar .
            rm -rf \(tree)
            """)
        atexit {
            try? FileManager.default.removeItem(
                atPath: FileManager.default.temporaryDirectory.path + "/dhow-images-\(getuid())-\(getpid())")
        }
        return directory + "/busybox.tar"
    }

    /// Makes sure that the daemon has the busybox image.
    static func load(into daemon: Daemon) throws {
        if try daemon.dhow("image", "inspect", busybox).status == 0 { return }
        try daemon.check(
            "import", "--change", "CMD [\"/bin/sh\"]", "--change", "ENV FROM_IMAGE=yes", try rootTar.get(), busybox)
    }

    /// An OCI image layout made by a Python script, which may bend the rules: for hostile input.
    ///
    /// `layers` is Python source for a list of lists of `(name, type, content or link target)`.
    static func archive(
        at path: String, layers: String, name: String = "made:latest", config: String = "{}", tail: String = ""
    ) throws {
        try Shell.check(["python3", "-c", builder, path, layers, name, config, tail])
    }

    private static let builder = #"""
        import hashlib, io, json, sys, tarfile
        path, layers, name, config, tail = sys.argv[1:6]
        def pack(entries):
            data = io.BytesIO()
            with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as tar:
                for entry in entries:
                    info = tarfile.TarInfo(entry[0])
                    kind, content = entry[1], entry[2] if len(entry) > 2 else ""
                    info.mode = 0o755
                    body = None
                    if kind == "file":
                        body = content.encode() if isinstance(content, str) else bytes(content)
                        info.size = len(body)
                    else:
                        info.type = {"dir": tarfile.DIRTYPE, "symlink": tarfile.SYMTYPE, "hardlink": tarfile.LNKTYPE,
                                     "fifo": tarfile.FIFOTYPE}[kind]
                        info.linkname = content
                    tar.addfile(info, io.BytesIO(body) if body is not None else None)
            return data.getvalue()
        blobs = [pack(layer) for layer in eval(layers)]
        diff_ids = ["sha256:" + hashlib.sha256(blob).hexdigest() for blob in blobs]
        document = {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/bin/sh"]},
                    "rootfs": {"type": "layers", "diff_ids": diff_ids}}
        document.update(json.loads(config))
        scope = {"blobs": blobs, "document": document, "diff_ids": diff_ids}
        exec(tail, scope)
        blobs, document = scope["blobs"], scope["document"]
        config_bytes = json.dumps(document).encode()
        config_name = hashlib.sha256(config_bytes).hexdigest() + ".json"
        manifest = [{"Config": config_name, "RepoTags": [name],
                     "Layers": [f"{at}/layer.tar" for at in range(len(blobs))]}]
        with tarfile.open(path, "w") as tar:
            def add(entry, body):
                info = tarfile.TarInfo(entry)
                info.size = len(body)
                tar.addfile(info, io.BytesIO(body))
            for at, blob in enumerate(blobs):
                add(f"{at}/layer.tar", blob)
            add(config_name, config_bytes)
            add("manifest.json", json.dumps(manifest).encode())
        """#
}
