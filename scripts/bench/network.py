"""Rows about networks: starts on a bridge, published ports, throughput, names, many containers at once."""
import concurrent.futures
import contextlib
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import time

from support import QUIET, ROUNDS, command, compare, missing, row, timed, wanted, work

RUN = ["run", "--rm", "busybox", "true"]
# Of what takes seconds to measure.
TURNS = 5
SECONDS = os.environ.get("BENCH_SECONDS", "3")
MANY = int(os.environ.get("BENCH_CONTAINERS", "200"))
PORTS = int(os.environ.get("BENCH_PORTS", "1000"))


def compare_networks(dhow, docker):
    engines = [engine for engine in (dhow, docker) if engine]
    compare("run --rm IMG true, bridge", "≥ 15×", dhow + RUN, docker and docker + RUN, "docker")
    none = RUN[:2] + ["--network", "none"] + RUN[2:]
    if wanted("bridge beside none"):
        pairs = [(timed(dhow + RUN), timed(dhow + none)) for _ in range(ROUNDS + 1)][1:]
        bridge, alone = (statistics.median(side) for side in zip(*pairs))
        row("run on the bridge beside none", bridge, alone, "ms", "dhow itself", "≥ 0.8×")
    publish(engines)
    with_traffic(engines)
    with_names(engines)
    many_at_once(engines)


def pair(name, figures, unit, peer, keep, less=True):
    row(name, figures[0], figures[1] if len(figures) > 1 else None, unit, peer, keep, less)


def publish(engines):
    """A port more, when none and when a thousand are published."""
    if not wanted("publish"):
        return
    one = ["run", "--rm", "-p", "19999:80", "busybox", "true"]
    growth, each = [], []
    for engine in engines:
        before = typical(engine + one)
        ports = ["-p", f"20000-{20000 + PORTS - 1}:20000-{20000 + PORTS - 1}"]
        took = timed(engine + ["run", "-d", "--name", "ports", *ports, "busybox", "sleep", "1000000"])
        each.append(took / PORTS)
        growth.append(typical(engine + one) / before)
        command(engine + ["rm", "-f", "ports"])
    pair(f"publish {PORTS} ports, each", each, "ms", "docker", "")
    pair(f"run with a port beside {PORTS} published / none", growth, "×", "docker", "≤ 1.1×")


def typical(arguments):
    return statistics.median([timed(arguments) for _ in range(ROUNDS + 1)][1:])


class Server:
    """A container with a published port, and programs of the host in its network."""

    def __init__(self, engine, port):
        self.engine, self.port = engine, port
        self.name = f"server{port}"
        command(engine + ["run", "-d", "--name", self.name, "-p", f"{port}:5201", "-p", f"{port + 1}:7", "busybox",
                          "sleep", "1000000"])
        text = subprocess.run(engine + ["inspect", self.name], check=True, stdout=subprocess.PIPE).stdout
        container = json.loads(text)[0]
        self.pid = str(container["State"]["Pid"])
        self.address = container["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
        self.inside = ["nsenter", "-t", self.pid, "-n"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        command(self.engine + ["rm", "-f", self.name])


def wait_for(address, port):
    for _ in range(200):
        try:
            socket.create_connection((address, port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nothing listens at {address}:{port}")


ECHO = """
import socket
server = socket.create_server(("", 7))
while True:
    client, _ = server.accept()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := client.recv(64): client.sendall(data)
"""


def round_trips(address, port):
    """How many one-byte questions are answered in a second, one after the other."""
    wait_for(address, port)
    with socket.create_connection((address, port)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        count, end = 0, time.perf_counter() + float(SECONDS) / 2
        while time.perf_counter() < end:
            client.sendall(b"x")
            client.recv(1)
            count += 1
        return count / (float(SECONDS) / 2)


def with_traffic(engines):
    if not wanted("TCP"):
        return
    if not shutil.which("iperf3"):
        missing.append("iperf3")
        return
    # The host seen from outside, so that the packets are translated rather than proxied.
    outside = subprocess.Popen(["unshare", "-n", "sleep", "1000000"], **QUIET)
    try:
        until_apart(outside.pid)
        command(["ip", "link", "add", "bench0", "type", "veth", "peer", "name", "bench1", "netns", str(outside.pid)])
        command(["ip", "addr", "add", "198.51.100.1/24", "dev", "bench0"])
        command(["ip", "link", "set", "bench0", "up"])
        beyond = ["nsenter", "-t", str(outside.pid), "-n"]
        command(beyond + ["ip", "addr", "add", "198.51.100.2/24", "dev", "bench1"])
        command(beyond + ["ip", "link", "set", "bench1", "up"])
        with contextlib.ExitStack() as stack:
            servers = [stack.enter_context(Server(engine, 18000 + 10 * number)) for number, engine in enumerate(engines)]
            for server in servers:
                for words in (["iperf3", "-s"], ["python3", "-c", ECHO]):
                    stack.callback(end, subprocess.Popen(server.inside + words, **QUIET))
                wait_for("127.0.0.1", server.port + 1)
            translated = alternate(servers, lambda server: gigabits(beyond, "198.51.100.1", server.port))
            proxied = alternate(servers, lambda server: gigabits([], "127.0.0.1", server.port))
            direct = alternate(servers, lambda server: gigabits([], server.address, 5201))
            trips = alternate(servers, lambda server: round_trips("127.0.0.1", server.port + 1))
        pair("TCP to a published port, translated", translated, "Gbit/s", "docker", "", less=False)
        pair("TCP to a published port, by the proxy", proxied, "Gbit/s", "docker-proxy", "≥ 2×", less=False)
        pair("TCP to the container itself", direct, "Gbit/s", "docker", "", less=False)
        pair("TCP round trips by the proxy", trips, "/s", "docker-proxy", "", less=False)
    finally:
        outside.kill()
        outside.wait()


def end(program):
    program.kill()
    program.wait()


def alternate(sides, measure):
    """The median for each side, measured in turns."""
    turns = [[measure(side) for side in sides] for _ in range(TURNS)]
    return [statistics.median(figures) for figures in zip(*turns)]


def until_apart(pid):
    """Waits until a process has left our network."""
    while os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net"):
        time.sleep(0.01)


def gigabits(prefix, address, port):
    for _ in range(50):
        # Not yet there, or busy with the last test's end.
        text = subprocess.run(prefix + ["iperf3", "-J", "-c", address, "-p", str(port), "-t", SECONDS],
                              stdout=subprocess.PIPE).stdout
        end = json.loads(text).get("end", {})
        if "sum_received" in end:
            return end["sum_received"]["bits_per_second"] / 1e9
        time.sleep(0.1)
    raise SystemExit(f"iperf3 could not measure {address}:{port}: {text.decode()[-500:]}")


def with_names(engines):
    """A container's own name server, asked by dnsperf and, one question after the other, by a plain socket."""
    if not wanted("DNS"):
        return
    if not shutil.which("dnsperf"):
        missing.append("dnsperf")
        return
    questions = os.path.join(work, "questions")
    with open(questions, "w") as file:
        file.write("web A\n")
    places = []
    for engine in engines:
        command(engine + ["network", "create", "names"])
        for name in ("web", "asker"):
            command(engine + ["run", "-d", "--name", name, "--network", "names", "busybox", "sleep", "1000000"])
        text = subprocess.run(engine + ["inspect", "asker"], check=True, stdout=subprocess.PIPE).stdout
        places.append(["nsenter", "-t", str(json.loads(text)[0]["State"]["Pid"]), "-n"])

    def said(inside, words):
        return subprocess.run(inside + words, check=True, stdout=subprocess.PIPE, text=True).stdout

    def rate(inside):
        text = said(inside, ["dnsperf", "-s", "127.0.0.11", "-d", questions, "-l", SECONDS, "-c", "8"])
        return float(re.search(r"Queries per second:\s+([0-9.]+)", text).group(1))

    rates = alternate(places, rate)
    slow = alternate(places, lambda inside: float(said(inside, ["python3", "-c", ASK])))
    for engine in engines:
        command(engine + ["rm", "-f", "web", "asker"])
        command(engine + ["network", "rm", "names"])
    pair("DNS answers a second", rates, "", "docker", "≥ 2×", less=False)
    pair("DNS, 99th percentile", slow, "µs", "docker", "≥ 2×")


ASK = """
import socket, struct, time
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.connect(("127.0.0.11", 53))
client.settimeout(5)
question = b"\\3web\\0" + struct.pack(">HH", 1, 1)
times = []
for number in range(5000):
    start = time.perf_counter()
    client.send(struct.pack(">HHHHHH", number, 0x100, 1, 0, 0, 0) + question)
    client.recv(512)
    times.append(time.perf_counter() - start)
print(sorted(times)[int(len(times) * 0.99)] * 1e6)
"""


def many_at_once(engines):
    """All started by clients of their own at the same time; every one must run, with an address of its own."""
    if not wanted("containers at once"):
        return
    totals = []
    for engine in engines:
        command(engine + ["network", "create", "many"])
        names = [f"many{number}" for number in range(MANY)]

        def start(name):
            command(engine + ["run", "-d", "--name", name, "--network", "many", "busybox", "sleep", "1000000"])

        begin = time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(MANY) as pool:
            list(pool.map(start, names))
        totals.append(time.perf_counter() - begin)
        text = subprocess.run(engine + ["network", "inspect", "many"], check=True, stdout=subprocess.PIPE).stdout
        addresses = [place["IPv4Address"] for place in json.loads(text)[0]["Containers"].values()]
        if len(set(addresses)) != MANY:
            raise SystemExit(f"{MANY} containers have {len(addresses)} addresses, {len(set(addresses))} of them different")
        command(engine + ["rm", "-f"] + names)
        # dockerd may still hold endpoints of containers that it has removed.
        for turn in range(20):
            if subprocess.run(engine + ["network", "rm", "many"], **QUIET).returncode == 0:
                break
            time.sleep(0.5)
        else:
            raise SystemExit("a network cannot be removed though its containers are")
    pair(f"{MANY} containers at once on one network", totals, "s", "docker", "≥ 8×")
