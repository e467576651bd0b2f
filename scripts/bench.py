#!/usr/bin/env python3
"""Dhow beside its peers, on this machine, in this run: ratios of medians.

    make bench [BENCH='run exec']        all rows, or those whose names contain one of the words

Each pair of commands is measured alternately, so that a noisy neighbour hits both. Peers that are not installed are
named at the end (`make setup-bench` installs Debian's).
"""
import hashlib
import io
import json
import os
import shutil
import signal
import socket as socketlib
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIN = os.path.join(ROOT, "bin")
DHOW = os.path.join(BIN, "dhow")
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "15"))
WANTED = sys.argv[1:] or os.environ.get("BENCH", "").split()
QUIET = dict(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

work = tempfile.mkdtemp(prefix="dhow-bench.")
rows, missing, children = [], [], []


def command(arguments, **options):
    return subprocess.run(arguments, check=True, **{**QUIET, **options})


def timed(arguments, before=None):
    if before:
        before()
    start = time.perf_counter()
    command(arguments)
    return (time.perf_counter() - start) * 1000


def compare(name, keep, ours, theirs, peer, rounds=ROUNDS, before=(None, None)):
    """Adds a row; `ours` and `theirs` are commands, `before` what runs untimed ahead of each."""
    if not wanted(name):
        return
    if theirs:
        if before[1]:
            before[1]()
        # Into a file: what a peer leaves running would keep a pipe open for ever.
        with tempfile.TemporaryFile("w+") as words:
            failed = subprocess.run(theirs, **{**QUIET, "stderr": words}).returncode
            words.seek(0)
            reason = (words.read().strip() or "no message").splitlines()[-1]
        if failed:
            missing.append(f"{peer}, which cannot do it here ({reason})")
            theirs = None
    samples = ([], [])
    for turn in range(rounds + 1):
        pair = (timed(ours, before[0]), timed(theirs, before[1]) if theirs else None)
        if turn:  # the first round warms caches
            for side in range(2):
                samples[side].append(pair[side])
    mine = statistics.median(samples[0])
    other = statistics.median(samples[1]) if theirs else None
    rows.append((name, f"{mine:.1f} ms", f"{other:.1f} ms" if other else "-", peer, f"{other / mine:.1f}×" if other else "-", keep))


def wanted(name):
    return not WANTED or any(word in name for word in WANTED)


def proportional(pids):
    """The proportional set size of processes, in MB: shared pages count by their share."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup") as lines:
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def processes(predicate):
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                if predicate(file.read().replace(b"\0", b" ").decode(errors="replace")):
                    found.append(int(entry))
        except OSError:
            pass
    return found


def start_daemon(arguments, socket, log):
    child = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=open(log, "w"), stderr=subprocess.STDOUT)
    children.append(child)
    for _ in range(600):
        if os.path.exists(socket) and subprocess.run(
            ["curl", "-sf", "--unix-socket", socket, "http://d/_ping"], **QUIET).returncode == 0:
            return child
        if child.poll() is not None:
            break
        time.sleep(0.1)
    raise SystemExit(f"{arguments[0]} did not start: {open(log).read()[-2000:]}")


def busybox_tar():
    tree = os.path.join(work, "busybox")
    os.makedirs(os.path.join(tree, "bin"))
    for directory in ("dev", "proc", "sys", "etc", "tmp"):
        os.mkdir(os.path.join(tree, directory))
    shutil.copy("/bin/busybox", os.path.join(tree, "bin/busybox"))
    for applet in ("sh", "true", "sleep", "cat", "echo"):
        os.symlink("busybox", os.path.join(tree, "bin", applet))
    with open(os.path.join(tree, "etc/passwd"), "w") as file:
        file.write("root:x:0:0:root:/:/bin/sh\n")
    tar = os.path.join(work, "busybox.tar")
    command(["tar", "-C", tree, "-cf", tar, "."])
    return tree, tar


def bundle(tree):
    directory = os.path.join(work, "bundle")
    shutil.copytree(tree, os.path.join(directory, "rootfs"), symlinks=True)
    command([os.path.join(BIN, "dhow-runtime"), "spec"], cwd=directory)
    path = os.path.join(directory, "config.json")
    spec = json.load(open(path))
    spec["process"]["terminal"] = False
    spec["process"]["args"] = ["/bin/true"]
    json.dump(spec, open(path, "w"))
    return directory


def start_registry():
    """Debian's registry on loopback; returns its host and the directory that holds everything it has."""
    with socketlib.socket() as probe:
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


def registries(dhow, docker, podman):
    """Pulling and pushing a Debian-based image of five layers."""
    if not shutil.which("docker-registry") or not shutil.which("skopeo"):
        return missing.append("docker-registry, skopeo")
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


def main():
    if os.geteuid() != 0:
        raise SystemExit("bench: run it as root: it makes containers with three engines")
    tree, tar = busybox_tar()
    ours = os.path.join(work, "dhow.sock")
    dhow = [DHOW, "-H", f"unix://{ours}"]
    daemon = start_daemon(
        [os.path.join(BIN, "dhowd"), "-H", f"unix://{ours}", "--data-root", f"{work}/dhow", "--exec-root",
         f"{work}/dhow-run", "--pidfile", f"{work}/dhow.pid"], ours, f"{work}/dhow.log")
    command(dhow + ["import", tar, "busybox"])

    docker = None
    if shutil.which("dockerd"):
        theirs = os.path.join(work, "docker.sock")
        dockerd = start_daemon(
            ["dockerd", "-H", f"unix://{theirs}", "--data-root", f"{work}/docker", "--exec-root", f"{work}/docker-run",
             "-p", f"{work}/docker.pid", "--bridge", "none", "--iptables=false"], theirs, f"{work}/docker.log")
        docker = ["docker", "-H", f"unix://{theirs}"]
        command(docker + ["import", tar, "busybox"])
    else:
        missing.append("dockerd")
    podman = None
    if shutil.which("podman"):
        podman = ["podman", "--root", f"{work}/podman", "--runroot", f"{work}/podman-run", "--cgroup-manager", "cgroupfs"]
        command(podman + ["import", tar, "busybox"])
    else:
        missing.append("podman")

    def versus(engine, arguments):
        return engine + arguments if engine else None

    run = ["run", "--rm", "--network", "none", "busybox", "true"]
    compare("run --rm IMG true, network none", "≥ 10×", dhow + run, versus(docker, run), "docker")
    if podman:
        # Podman asks for its own limits, which takes CAP_SYS_RESOURCE, unless it is given some.
        theirs = podman + ["run", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"] + run[1:]
        compare("run --rm IMG true, beside podman", "", dhow + run, theirs, "podman")

    # Idle memory, before any container runs.
    if wanted("memory"):
        time.sleep(1)
        mine = proportional([daemon.pid])
        if docker:
            peers = [dockerd.pid] + processes(lambda line: line.startswith("containerd --config " + work))
            other = proportional(peers)
            rows.append(("memory of the idle daemon", f"{mine:.1f} MB", f"{other:.1f} MB", "dockerd + containerd", f"{other / mine:.1f}×", "≥ 5×"))
        else:
            rows.append(("memory of the idle daemon", f"{mine:.1f} MB", "-", "dockerd + containerd", "-", "≥ 5×"))

    sleeper = ["run", "-d", "--name", "sleeper", "--network", "none", "busybox", "sleep", "1000000"]
    for engine in filter(None, (dhow, docker)):
        command(engine + sleeper)
    compare("exec C true", "≥ 5×", dhow + ["exec", "sleeper", "true"], versus(docker, ["exec", "sleeper", "true"]), "docker")
    if wanted("memory"):
        # Of ten containers: what they share, as a program's text, counts once, as it does on a real machine.
        names = [f"sleeper{number}" for number in range(9)]
        for engine in filter(None, (dhow, docker)):
            for name in names:
                command(engine + [name if word == "sleeper" else word for word in sleeper])
        time.sleep(1)
        monitors = processes(lambda line: "dhow-runtime monitor" in line and work in line)
        mine = proportional(monitors) / len(monitors)
        other = None
        if docker:
            shims = processes(lambda line: "containerd-shim" in line and work in line)
            other = proportional(shims) / len(shims) if shims else None
        rows.append(("memory per running container, of ten", f"{mine:.1f} MB", f"{other:.1f} MB" if other else "-",
                     "containerd-shim", f"{other / mine:.1f}×" if other else "-", "≥ 6×"))
        for engine in filter(None, (dhow, docker)):
            command(engine + ["rm", "-f"] + names)
    for engine in filter(None, (dhow, docker)):
        command(engine + ["rm", "-f", "sleeper"])

    directory = bundle(tree)
    counter = iter(range(1_000_000))

    def runtime(program, root):
        return ["sh", "-c", f'exec {program} --root {work}/{root} run --bundle {directory} b$$']

    for peer, keep in (("runc", "≥ 3×"), ("crun", "")):
        if shutil.which(peer):
            compare(f"dhow-runtime run, beside {peer}", keep, runtime(f"{BIN}/dhow-runtime", "rt"), runtime(peer, peer), peer)
        else:
            missing.append(peer)

    if wanted("load"):
        root_tar = subprocess.run([os.path.join(ROOT, "scripts/debian-image"), "debian"], check=True,
                                  stdout=subprocess.PIPE, text=True).stdout.strip()
        command(dhow + ["import", root_tar, "debian:bench"])
        archive = os.path.join(work, "debian.tar")
        command(dhow + ["save", "-o", archive, "debian:bench"])
        command(dhow + ["rmi", "debian:bench"])

        def without(engine):
            return lambda: subprocess.run(engine + ["rmi", "-f", "debian:bench"], **QUIET) if engine else None

        compare("load a Debian image", "≥ 2×", dhow + ["load", "-i", archive], versus(docker, ["load", "-i", archive]),
                "docker", rounds=max(3, ROUNDS // 3), before=(without(dhow), without(docker)))

    if wanted("pull") or wanted("push"):
        registries(dhow, docker, podman)

    widths = [max(len(str(row[column])) for row in rows + [("what", "dhow", "peer", "which", "ratio", "keep")]) for column in range(6)]
    for row in [("what", "dhow", "peer", "which", "ratio", "keep")] + rows:
        print("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip())
    if missing:
        print("missing peers:", ", ".join(missing), "(make setup-bench)")


try:
    main()
finally:
    for child in children:
        child.send_signal(signal.SIGTERM)
    for child in children:
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
    for line in reversed(open("/proc/self/mountinfo").read().splitlines()):
        point = line.split()[4]
        if point.startswith(work):
            subprocess.run(["umount", "-l", point], **QUIET)
    shutil.rmtree(work, ignore_errors=True)
