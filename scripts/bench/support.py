"""What the rows have in common: running, timing and comparing commands, daemons, memory."""
import ctypes
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
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
    """Adds a row; `ours` and `theirs` are commands, or functions from the turn to one; `before` runs untimed ahead of each.

    Turns count from 0; `theirs` runs once more before, as turn `rounds + 1`, to see whether it can.
    """
    if not wanted(name):
        return
    def words(side, turn):
        return side(turn) if callable(side) else side

    if theirs:
        if before[1]:
            before[1]()
        # Into a file: what a peer leaves running would keep a pipe open for ever.
        with tempfile.TemporaryFile("w+") as said:
            failed = subprocess.run(words(theirs, rounds + 1), **{**QUIET, "stderr": said}).returncode
            said.seek(0)
            reason = (said.read().strip() or "no message").splitlines()[-1]
        if failed:
            missing.append(f"{peer}, which cannot do it here ({reason})")
            theirs = None
    samples = ([], [])
    for turn in range(rounds + 1):
        pair = (timed(words(ours, turn), before[0]), timed(words(theirs, turn), before[1]) if theirs else None)
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


def forget_programs(*programs):
    """Takes programs out of the page cache, so that they come into it as after a start of the machine, by reading ahead.

    What was written just now lies there in pages of up to 2 MB, and Linux 6.18 maps all of one for a single touch, which
    would count as memory of whoever touches it."""
    for program in filter(None, map(shutil.which, programs)):
        descriptor = os.open(program, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


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


def row(name, ours, theirs, unit, peer, keep, less=True):
    """Adds a row of two figures that were measured otherwise; `less` says whether less is better."""
    ratio = (theirs / ours if less else ours / theirs) if theirs and ours else None
    shown = [f"{figure:.1f} {unit}" if figure is not None else "-" for figure in (ours, theirs)]
    rows.append((name, *shown, peer, f"{ratio:.1f}×" if ratio else "-", keep))


def private_network():
    """Gives this process, and all that it starts, a network of its own: the host's stays as it is."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x40000000):  # CLONE_NEWNET
        raise OSError(ctypes.get_errno(), "unshare")
    command(["ip", "link", "set", "lo", "up"])


def clean_up():
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
