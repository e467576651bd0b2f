"""Rows about Nix: evaluating, walking a nixpkgs, hashing a tree; time and peak memory beside Debian's nix.

NIXPKGS names a nixpkgs to walk (a directory); without it that row is left out. NIXPKGS_LIB names nixpkgs' `lib`, by
default `lib` of NIXPKGS.
"""
import os
import shutil
import statistics
import subprocess
import time

from support import BIN, QUIET, ROUNDS, command, missing, row, rows, wanted, work

PROGRAMS = {
    "fib": "let fib = n: if n < 2 then n else fib (n - 1) + fib (n - 2); in fib 24",
    "list": """
        let l = builtins.genList (x: builtins.bitXor (x * 7919) 4321) 200000;
        in builtins.foldl' (a: x: a + x) 0 (builtins.sort builtins.lessThan (builtins.filter (x: x > 9) (map (x: x - 1) l)))
        """,
    "attrs": """
        let s = builtins.listToAttrs (builtins.genList (i: { name = "n${toString i}"; value = i; }) 2000);
            many = builtins.foldl' (a: i: a // { "n${toString i}" = i + 1; }) s (builtins.genList (i: i) 500);
        in builtins.foldl' (a: n: a + many.${n}) 0 (builtins.attrNames many)
        """,
}

MODULES = """
    let lib = import %s;
        modules = builtins.genList (i: { lib, ... }: {
          options."o${toString i}" = lib.mkOption { type = lib.types.attrsOf lib.types.int; default = { }; };
          config."o${toString i}" = { a = i; b = lib.mkDefault 2; };
        }) 1000;
        config = (lib.evalModules { inherit modules; }).config;
    in builtins.foldl' (sum: n: sum + config.${n}.a + config.${n}.b) 0 (builtins.filter (n: n != "_module") (builtins.attrNames config))
    """

WALK = """
    let pkgs = import %s { system = "x86_64-linux"; config = { allowUnfree = true; allowBroken = true; }; };
        try = e: let r = builtins.tryEval e; in if r.success then r.value else null;
        walk = depth: set: builtins.concatMap (n:
          let v = try (builtins.seq set.${n} set.${n}); in
          if !builtins.isAttrs v then [ ]
          else if v.type or null == "derivation" then [ [ (try v.name) (try (v.version or "")) (try v.drvPath) ] ]
          else if depth > 0 && try (v.recurseForDerivations or false) == true then walk (depth - 1) v
          else [ ]) (builtins.attrNames set);
    in walk 3 pkgs
    """


def measure(arguments):
    """Seconds, and the most memory, in MB, of a command that must succeed."""
    seconds, usage = run(arguments)
    return seconds, usage.ru_maxrss / 1024


def run(arguments):
    """Seconds, and the resources, of a command that must succeed."""
    start = time.perf_counter()
    child = subprocess.Popen(arguments, env={**os.environ, "NIX_REMOTE": "dummy://"}, **QUIET)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"bench: {' '.join(arguments)[:200]} ended with {child.returncode}")
    return time.perf_counter() - start, usage


def beside(name, ours, theirs, rounds=ROUNDS):
    """Adds a row of time and one of memory."""
    if not wanted(name):
        return
    samples = ([], [])
    for turn in range(rounds + 1):
        for side, arguments in enumerate((ours, theirs)):
            sample = measure(arguments)
            if turn:
                samples[side].append(sample)
    for index, (what, unit, scale) in enumerate((("time", "ms", 1000), ("peak memory", "MB", 1))):
        mine, other = (statistics.median(sample[index] for sample in side) * scale for side in samples)
        rows.append((f"{name}, {what}", f"{mine:.1f} {unit}", f"{other:.1f} {unit}", "nix", f"{other / mine:.1f}×", "≥ 1×"))


def hashing():
    """Hashing a file beside OpenSSL, which uses the processor's instructions for SHA: processor time, not the disk's."""
    if not wanted("hash a 1 GB file"):
        return
    if not shutil.which("openssl"):
        missing.append("openssl")
        return
    path = os.path.join(work, "hashed")
    with open(path, "wb") as file:
        for _ in range(1024):
            file.write(os.urandom(1 << 20))
    samples = ([], [])
    sides = ([os.path.join(BIN, "dhow-nix"), "hash", "file", path], ["openssl", "dgst", "-sha256", path])
    for turn in range(max(3, ROUNDS // 3) + 1):
        for side, arguments in enumerate(sides):
            _, usage = run(arguments)
            if turn:
                samples[side].append(usage.ru_utime)
    os.unlink(path)
    mine, other = (1024 / statistics.median(side) for side in samples)
    row("hash a 1 GB file, SHA-256", mine, other, "MB/s", "openssl", "≥ 0.9×", less=False)


def tree(gigabytes=1):
    """A tree of files from a byte to a quarter of a gigabyte, not compressible, without links between them."""
    top = os.path.join(work, "nar-tree")
    sizes = [1 << 28] * (3 * gigabytes) + [1 << 20] * (192 * gigabytes) + [1 << 13] * (8192 * gigabytes)
    for number, size in enumerate(sizes):
        directory = os.path.join(top, f"d{number % 97}")
        os.makedirs(directory, exist_ok=True)
        with open(os.path.join(directory, f"f{number}"), "wb") as file:
            for _ in range(max(1, size >> 20)):
                file.write(os.urandom(min(size, 1 << 20)))
    return top


def compare_nix():
    hashing()
    if not any(wanted(name) for name in ("nix eval 1", "nix fib", "nix list", "nix attrs", "nix modules", "nix walk", "nix hash")):
        return
    if not shutil.which("nix-instantiate"):
        missing.append("nix")
        return
    names = os.path.join(work, "nix")
    os.mkdir(names)
    for tool in ("nix-instantiate", "nix-hash"):
        os.symlink(os.path.join(BIN, "dhow-nix"), os.path.join(names, tool))

    def tools(tool, arguments):
        return [os.path.join(names, tool)] + arguments, [tool] + arguments

    def evaluate(name, text, rounds=ROUNDS):
        path = os.path.join(work, "expression.nix")
        with open(path, "w") as file:
            file.write(text)
        beside(name, *tools("nix-instantiate", ["--eval", "--strict", path]), rounds)

    beside("nix eval 1", *tools("nix-instantiate", ["--eval", "-E", "1"]))
    for name, text in PROGRAMS.items():
        evaluate(f"nix {name}", text)
    nixpkgs = os.environ.get("NIXPKGS")
    library = os.environ.get("NIXPKGS_LIB") or (nixpkgs and os.path.join(nixpkgs, "lib"))
    if library and wanted("nix modules"):
        evaluate("nix modules, 1000 options", MODULES % os.path.abspath(library))
    if nixpkgs and wanted("nix walk"):
        evaluate("nix walk of a nixpkgs", WALK % os.path.abspath(nixpkgs), max(1, ROUNDS // 5))
    if wanted("nix hash"):
        path = tree()
        beside("nix hash of a 1 GB tree", *tools("nix-hash", ["--type", "sha256", path]), max(3, ROUNDS // 3))
        shutil.rmtree(path)
    command(["rm", "-r", names])
