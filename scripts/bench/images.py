"""Images for the rows about loading and pulling: archives whose layers no engine has seen."""
import hashlib
import io
import json
import os
import shutil
import tarfile

from support import work


def archive(root_tar, count, salt):
    """A docker-archive of a Debian root, with `count` layers: the root with a file `salt` more, and parts of it again."""
    directory = os.path.join(work, f"image{count}-{salt}")
    os.mkdir(directory)
    root = os.path.join(directory, "0.tar")
    shutil.copy(root_tar, root)
    with tarfile.open(root, "a") as layer:
        add(layer, "salt", str(salt).encode())
    with tarfile.open(root_tar) as source:
        members = [member for member in source.getmembers() if member.isfile() and member.size]
        for number in range(1, count):
            with tarfile.open(os.path.join(directory, f"{number}.tar"), "w") as layer:
                add(layer, f"salt{number}", str(salt).encode())
                for member in members[number::8]:
                    content = source.extractfile(member)
                    member.name = f"layer{number}/{member.name}"
                    layer.addfile(member, content)
    layers = [os.path.join(directory, f"{number}.tar") for number in range(count)]
    config = {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/bin/sh"]},
              "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]}}
    manifest = [{"Config": "config.json", "RepoTags": [f"debian-{count}:{salt}"], "Layers": [f"{n}.tar" for n in range(count)]}]
    path = directory + ".tar"
    with tarfile.open(path, "w") as whole:
        add(whole, "config.json", json.dumps(config).encode())
        add(whole, "manifest.json", json.dumps(manifest).encode())
        for layer in layers:
            whole.add(layer, os.path.basename(layer))
    shutil.rmtree(directory)
    return path


def digest(path):
    hash = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            hash.update(block)
    return "sha256:" + hash.hexdigest()


def add(target, name, content):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    target.addfile(info, io.BytesIO(content))
