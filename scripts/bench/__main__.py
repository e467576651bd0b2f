#!/usr/bin/env python3
"""Dhow beside its peers, on this machine, in this run: ratios of medians.

    make bench [BENCH='run exec']        all rows, or those whose names contain one of the words

Each pair of commands is measured alternately, so that a noisy neighbour hits both. Peers that are not installed are
named at the end (`make setup-bench` installs Debian's).
"""
import json
import os
import shutil
import subprocess
import time

import images
import network
import nix
import registries
from support import (
    BIN, DHOW, QUIET, ROOT, ROUNDS, clean_up, command, compare, forget_programs, missing, private_network, processes,
    proportional, row, rows, start_daemon, wanted, work)


# What an engine keeps, rather than what it needed a moment ago to start: seconds.
SETTLING = 5


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


def main():
    if os.geteuid() != 0:
        raise SystemExit("bench: run it as root: it makes containers with three engines")
    private_network()
    tree, tar = busybox_tar()
    forget_programs(*(os.path.join(BIN, name) for name in os.listdir(BIN)),
                    "dockerd", "containerd", "containerd-shim-runc-v2", "runc", "podman", "conmon", "crun")
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
             "-p", f"{work}/docker.pid"], theirs, f"{work}/docker.log")
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
        time.sleep(SETTLING)
        other = None
        if docker:
            other = proportional(
                [dockerd.pid] + processes(lambda line: line.startswith("containerd --config " + work)))
        row("memory of the idle daemon", proportional([daemon.pid]), other, "MB", "dockerd + containerd", "≥ 5×")

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
        time.sleep(SETTLING)
        monitors = processes(lambda line: "dhow-runtime monitor" in line and work in line)
        mine = proportional(monitors) / len(monitors)
        other = None
        if docker:
            shims = processes(lambda line: "containerd-shim" in line and work in line)
            other = proportional(shims) / len(shims) if shims else None
        row("memory per running container, of ten", mine, other, "MB", "containerd-shim", "≥ 6×")
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
        rounds = max(3, ROUNDS // 3)
        # A new image each time. To delete and load one again would measure something else: for minutes after many
        # deletions ext4 searches long for an inode that was not deleted just now.
        archives = [images.archive(root_tar, 1, turn) for turn in range(rounds + 2)]
        compare("load a Debian image", "≥ 2×", lambda turn: dhow + ["load", "-i", archives[turn]],
                docker and (lambda turn: docker + ["load", "-i", archives[turn]]), "docker", rounds)
        for path in archives:
            os.unlink(path)

    registries.compare_registries(dhow, docker, podman)
    network.compare_networks(dhow, docker)
    nix.compare_nix()

    widths = [max(len(str(line[column])) for line in rows + [("what", "dhow", "peer", "which", "ratio", "keep")]) for column in range(6)]
    for line in [("what", "dhow", "peer", "which", "ratio", "keep")] + rows:
        print("  ".join(str(cell).ljust(width) for cell, width in zip(line, widths)).rstrip())
    if missing:
        print("missing peers:", ", ".join(missing), "(make setup-bench)")


try:
    main()
finally:
    clean_up()
