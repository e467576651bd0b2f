"""Rows about registries: pulling and pushing, against Debian's registry on loopback."""
import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
import time

from support import QUIET, ROOT, ROUNDS, children, command, compare, missing, wanted, work


def start_registry():
    """Debian's registry on loopback; returns its host and the directory that holds everything it has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = "127.0.0.1:%d" % probe.getsockname()[1]
    data = os.path.join(work, "registry")
    with open(os.path.join(work, "registry.yml"), "w") as file:
        file.write(f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
                   f"storage: {{filesystem: {{rootdirectory: {data}}}}}\nhttp: {{addr: '{host}'}}\n")
    log = open(os.path.join(work, "registry.log"), "w")
    children.append(subprocess.Popen(["docker-registry", "serve", file.name], stdin=subprocess.DEVNULL, stdout=log, stderr=log))
    for _ in range(600):
        if subprocess.run(["curl", "-sf", f"http://{host}/v2/"], **QUIET).returncode == 0:
            return host, data
        time.sleep(0.1)
    raise SystemExit("docker-registry did not start")


def five_layers(root_tar):
    """A docker-archive of a Debian image: its root, and four layers with parts of it once more under other names."""
    path = os.path.join(work, "five.tar")
    layers = [open(root_tar, "rb").read()]
    with tarfile.open(root_tar) as source:
        members = [member for member in source.getmembers() if member.isfile() and member.size]
        for number in range(4):
            data = io.BytesIO()
            with tarfile.open(fileobj=data, mode="w") as layer:
                for member in members[number::8]:
                    content = source.extractfile(member)
                    member.name = f"layer{number}/{member.name}"
                    layer.addfile(member, content)
            layers.append(data.getvalue())
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/bin/sh"]}, "rootfs": {
        "type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]}}).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": None, "Layers": [f"{n}.tar" for n in range(5)]}]).encode()
    with tarfile.open(path, "w") as archive:
        for name, content in [("config.json", config), ("manifest.json", manifest)] + [
                (f"{number}.tar", layer) for number, layer in enumerate(layers)]:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def compare_registries(dhow, docker, podman):
    """Pulling and pushing a Debian-based image of five layers."""
    if not (wanted("pull") or wanted("push")):
        return
    if not shutil.which("docker-registry") or not shutil.which("skopeo"):
        missing.append("docker-registry, skopeo")
        return
    host, data = start_registry()
    root_tar = subprocess.run([os.path.join(ROOT, "scripts/debian-image"), "debian"], check=True,
                              stdout=subprocess.PIPE, text=True).stdout.strip()
    skopeo = ["skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false", "--src-tls-verify=false"]
    name = f"{host}/bench/debian:5"
    command(skopeo + [f"docker-archive:{five_layers(root_tar)}", f"docker://{name}"])
    rounds = max(3, ROUNDS // 3)

    def without(engine):
        return (lambda: subprocess.run(engine + ["rmi", "-f", name], **QUIET)) if engine else None

    compare("pull a Debian image of 5 layers", "≥ 2×", dhow + ["pull", "-q", name],
            docker + ["pull", "-q", name] if docker else None, "docker", rounds, (without(dhow), without(docker)))
    if podman:
        compare("pull, beside podman", "≥ 2×", dhow + ["pull", "-q", name],
                podman + ["pull", "-q", "--tls-verify=false", name], "podman", rounds, (without(dhow), without(podman)))
    # The registry forgets everything before each push; skopeo sends what it has taken from there, compressed as it is.
    layout = f"oci:{work}/layout:5"
    command(skopeo + [f"docker://{name}", layout])
    command(dhow + ["pull", "-q", name])

    def forget():
        shutil.rmtree(os.path.join(data, "docker"), ignore_errors=True)

    compare("push, beside skopeo", "≥ 1×", dhow + ["push", "-q", name],
            skopeo + [layout, f"docker://{host}/bench/skopeo:5"], "skopeo", rounds, (forget, forget))
