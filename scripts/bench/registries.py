"""Rows about registries: pulling and pushing, against Debian's registry on loopback."""
import os
import shutil
import socket
import subprocess
import time

import images

from support import DHOW, QUIET, ROOT, ROUNDS, children, command, compare, missing, row, wanted, work


def start_registry(name="registry"):
    """Debian's registry on loopback; returns its host and the directory that holds everything it has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = "127.0.0.1:%d" % probe.getsockname()[1]
    data = os.path.join(work, name)
    with open(os.path.join(work, f"{name}.yml"), "w") as file:
        file.write(f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
                   f"storage: {{filesystem: {{rootdirectory: {data}}}}}\nhttp: {{addr: '{host}'}}\n")
    log = open(os.path.join(work, f"{name}.log"), "w")
    children.append(subprocess.Popen(["docker-registry", "serve", file.name], stdin=subprocess.DEVNULL, stdout=log, stderr=log))
    for _ in range(600):
        if subprocess.run(["curl", "-sf", f"http://{host}/v2/"], **QUIET).returncode == 0:
            return host, data
        time.sleep(0.1)
    raise SystemExit("docker-registry did not start")


def compare_registries(dhow, docker, podman):
    """Pulling and pushing a Debian-based image of five layers."""
    if not (wanted("pull") or wanted("push") or wanted("copy")):
        return
    if not shutil.which("docker-registry") or not shutil.which("skopeo"):
        missing.append("docker-registry, skopeo")
        return
    host, data = start_registry()
    root_tar = subprocess.run([os.path.join(ROOT, "scripts/debian-image"), "debian"], check=True,
                              stdout=subprocess.PIPE, text=True).stdout.strip()
    skopeo = ["skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false", "--src-tls-verify=false"]
    rounds = max(3, ROUNDS // 5)

    def pushed(first):
        """Images that no engine has seen, for the reason that the row of `load` gives."""
        names = []
        for turn in range(rounds + 2):
            path = images.archive(root_tar, 5, first + turn)
            names.append(f"{host}/bench/debian:{first + turn}")
            command(skopeo + [f"docker-archive:{path}", f"docker://{names[-1]}"])
            os.unlink(path)
        return names

    names = pushed(0)
    compare("pull a Debian image of 5 layers", "≥ 2×", lambda turn: dhow + ["pull", "-q", names[turn]],
            docker and (lambda turn: docker + ["pull", "-q", names[turn]]), "docker", rounds)
    if podman:
        others = pushed(100)
        compare("pull, beside podman", "≥ 2×", lambda turn: dhow + ["pull", "-q", others[turn]],
                lambda turn: podman + ["pull", "-q", "--tls-verify=false", others[turn]], "podman", rounds)
    name = names[0]
    # The registry forgets everything before each push; skopeo sends what it has taken from there, compressed as it is.
    layout = f"oci:{work}/layout:5"
    command(skopeo + [f"docker://{name}", layout])
    command(dhow + ["pull", "-q", name])

    def forget():
        shutil.rmtree(os.path.join(data, "docker"), ignore_errors=True)

    compare("push, beside skopeo", "≥ 1×", dhow + ["push", "-q", name],
            skopeo + [layout, f"docker://{host}/bench/skopeo:5"], "skopeo", rounds, (forget, forget))

    # To another registry, which forgets: within one, blobs are mounted, and nothing moves.
    source = pushed(200)[0]
    target, copies = start_registry("copies")

    def forget_copy():
        shutil.rmtree(os.path.join(copies, "docker"), ignore_errors=True)

    ours = [DHOW, "copy", "--dest-tls-verify=false", "--src-tls-verify=false", f"docker://{source}", f"docker://{target}/copy:1"]
    theirs = skopeo + [f"docker://{source}", f"docker://{target}/copy:1"]
    compare("copy between registries", "≥ 1×", ours, theirs, "skopeo", rounds, (forget_copy, forget_copy))
    if wanted("copy"):
        row("copy between registries: peak memory", peak(ours, forget_copy), peak(theirs, forget_copy), "MB", "skopeo", "< 60 MB")
    archive = os.path.join(work, "copy.tar")

    def forget_archive():
        if os.path.exists(archive):
            os.unlink(archive)

    compare("copy to an archive", "≥ 1×", ours[:-1] + [f"docker-archive:{archive}"], theirs[:-1] + [f"docker-archive:{archive}"],
            "skopeo", rounds, (forget_archive, forget_archive))


def peak(arguments, before):
    """The most memory that a command has resident, in MB."""
    before()
    child = subprocess.Popen(arguments, **QUIET)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{arguments} failed")
    return usage.ru_maxrss / 1024
