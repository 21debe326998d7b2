#!/usr/bin/env python3
"""Past one machine: a cluster of three rmqttd nodes, two responders and two controllers that share the
work, and devices and requests spread over the nodes, while nodes are killed.

    cargo build --release
    python3 tests/cluster.py             # 500 devices, 2,000 requests; exit code 1 when one is lost
    python3 tests/cluster.py --costs     # replies a second, and what they cost

The first half of the work meets the death (SIGKILL) of a follower that serves a responder, the second
half that of the leader. Needs Python 3 and nothing besides; `--costs` measures mosquitto, too.

RMQTTD names the broker's binary. Without it, rmqttd is installed from crates.io below target/, which
wants `apt-get install protobuf-compiler cmake` and a quarter of an hour. MQTT_CLIENT names the program
under test (target/release/mqtt_client). The files of a run are in a folder that is printed when it fails.
"""
import argparse
import collections
import concurrent.futures
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
VERSION = "0.24.0"
AT_ONCE = 40
# What a request, and a device without a word, waits for; an election takes rmqttd up to 10 s.
PATIENCE = 30
# A device whose session died with a node gives up, and systemd starts it again.
STARTS = 5
# After this, what has not happened will not.
GUARD = 180


def until(what, condition, guard=GUARD):
    """Waits for a condition, and returns what it found."""
    end = time.monotonic() + guard
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise RuntimeError(f"{what}: not within {guard} s")


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def connect(name):
    """CONNECT with CleanSession 1 and a keep alive of ten minutes (MQTT 3.1.1, section 3.1)."""
    body = b"\0\4MQTT\4\2\2\x58\0" + bytes([len(name)]) + name.encode()
    return b"\x10" + bytes([len(body)]) + body


def subscribe(topic):
    """SUBSCRIBE at QoS 1 (section 3.8)."""
    body = b"\0\1\0" + bytes([len(topic)]) + topic.encode() + b"\1"
    return b"\x82" + bytes([len(body)]) + body


def accepts(port):
    """Whether a broker accepts a connection on this port."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.settimeout(5)
            connection.sendall(connect("probe"))
            accepted = connection.recv(4) == b"\x20\x02\x00\x00"
            connection.sendall(b"\xe0\x00")
            return accepted
    except OSError:
        return False


def cpu(pid):
    """Seconds of CPU that a running process has used."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Node:
    """One rmqttd, alone or of a cluster."""

    def __init__(self, binary, number, folder, ports, cluster):
        self.binary, self.number, self.port = binary, number, ports[number][0]
        self.folder = folder / f"node{number}"
        (self.folder / "plugins").mkdir(parents=True)
        plugins = {
            "rmqtt-retainer": 'storage.type = "ram"\n',
            "rmqtt-shared-subscription": 'strategy = "round_robin"\n',
        }
        if cluster:
            def addresses(which):
                return [f"{n}@127.0.0.1:{all_[which]}" for n, all_ in sorted(ports.items())]
            plugins["rmqtt-cluster-raft"] = (
                f'laddr = "127.0.0.1:{ports[number][2]}"\n'
                f"node_grpc_addrs = {addresses(1)}\nraft_peer_addrs = {addresses(2)}\n"
                'node_grpc_client_timeout = "2s"\ntry_lock_timeout = "3s"\n'
                'raft.grpc_reuseaddr = true\nraft.grpc_timeout = "2s"\n'
            )
        for name, text in plugins.items():
            (self.folder / "plugins" / f"{name}.toml").write_text(text)
        (self.folder / "rmqtt.toml").write_text(
            f'node.id = {number}\nnode.busy.check_enable = false\n'
            f'rpc.server_addr = "127.0.0.1:{ports[number][1]}"\n'
            'log.to = "console"\nlog.level = "info"\n'
            f'plugins.dir = "{self.folder}/plugins"\nplugins.default_startups = {list(plugins)}\n'
            'plugins.disabled_default_startups = ["rmqtt-http-api", "rmqtt-counter", "rmqtt-acl"]\n'
            f'listener.tcp.external.addr = "127.0.0.1:{self.port}"\n'
            "listener.tcp.external.allow_anonymous = true\nlistener.tcp.external.nodelay = true\n"
            "listener.tcp.external.max_connections = 10000\n"
            "listener.tcp.external.max_handshaking_limit = 1000\n"
        )
        self.process = None

    def start(self):
        command = [self.binary, "-f", self.folder / "rmqtt.toml", "--id", str(self.number)]
        with open(self.folder / "log", "a") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, cwd=self.folder)
        until(f"node {self.number} up", lambda: accepts(self.port))
        # Two that start at once become two brokers that know nothing of each other.
        time.sleep(3)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def term_as_leader(self):
        """The last raft term that it led; 0 for none."""
        text = (self.folder / "log").read_text(errors="replace")
        return max(map(int, re.findall(r"became leader at term (\d+)", text)), default=0)


class Service:
    """A responder or a controller: what it says, and when."""

    def __init__(self, client, hosts, role, name, *more):
        self.name, self.lines = name, []
        command = [client, "-v", "-h", hosts, "--share", "cluster", "-i", name, *more, role]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        threading.Thread(target=self.read, daemon=True).start()
        until(f"{name} is subscribed", lambda: self.node() and self.count("subscribed to $share"))

    def read(self):
        for line in self.process.stderr:
            self.lines.append((time.monotonic(), line.removeprefix("mqtt_client: ")))

    def count(self, text, since=0.0):
        return sum(at >= since and text in line for at, line in list(self.lines))

    def node(self, since=0.0):
        """The port of the node that it connected to last."""
        for at, line in reversed(list(self.lines)):
            if at < since:
                return None
            if found := re.search(r"connected to \S+:(\d+)( again)?, ", line):
                return int(found[1])
        return None

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(GUARD)


def service_elsewhere(client, hosts, role, name, taken, *more):
    """A service on a node on which none of these are: where a client begins is random."""
    while True:
        service = Service(client, hosts, role, name, *more)
        if service.node() not in taken:
            taken.add(service.node())
            return service
        service.stop()


Outcome = collections.namedtuple("Outcome", "kind good begin took repeats starts node why")


def run(command):
    return subprocess.run(command, capture_output=True, text=True, timeout=GUARD * 2)


def connected_node(stderr):
    found = re.search(r"connected to \S+:(\d+)", stderr)
    return int(found[1]) if found else None


def ask(client, hosts, number):
    action, turn = random.choice([("reverse", lambda t: t[::-1]), ("uppercase", str.upper)])
    text = f"request {number} {random.random()}"
    begin = time.monotonic()
    ended = run([client, "-v", "-h", hosts, "-W", str(PATIENCE), f"net{number}", action, text])
    good = ended.returncode == 0 and ended.stdout == turn(text) + "\n"
    why = "" if good else f"code {ended.returncode}, `{ended.stdout}`, {ended.stderr[-600:]}"
    repeats = ended.stderr.count("asking again")
    node = connected_node(ended.stderr)
    return Outcome("request", good, begin, time.monotonic() - begin, repeats, 1, node, why)


def be_device(client, hosts, number):
    begin, repeats, why = time.monotonic(), 0, ""
    for starts in range(1, STARTS + 1):
        ended = run([client, "-v", "-h", hosts, "-W", str(PATIENCE), "device", f"device{number}"])
        good = ended.returncode == 0 and ended.stdout == "Well done my IoT!\n"
        repeats += ended.stderr.count("logging in again")
        if good:
            break
        why = f"code {ended.returncode}, {ended.stderr[-600:]}"
    node = connected_node(ended.stderr)
    return Outcome("device", good, begin, time.monotonic() - begin, repeats, starts, node, why)


class Half:
    """Half of the work, during which something happens."""

    def __init__(self, client, hosts, numbers, devices):
        jobs = [(be_device if number in devices else ask, number) for number in numbers]
        random.shuffle(jobs)
        self.pool = concurrent.futures.ThreadPoolExecutor(AT_ONCE)
        self.futures = [self.pool.submit(job, client, hosts, number) for job, number in jobs]

    def done(self):
        return sum(future.done() for future in self.futures)

    def wait_for_third(self):
        until("a third of the work", lambda: self.done() * 3 >= len(self.futures), GUARD * 4)

    def outcomes(self):
        outcomes = [future.result() for future in self.futures]
        self.pool.shutdown()
        return outcomes


def kill(node, what, services, half):
    """Kills a node, and waits until the services that were on it are elsewhere and at work again."""
    half.wait_for_third()
    moving = [service for service in services if service.node() == node.port]
    before = half.done()
    begin = time.monotonic()
    node.kill()
    names = ", ".join(service.name for service in moving) or "none of the four"
    print(f"  SIGKILL of node {node.number}, {what}, after {before} of {len(half.futures)}; on it: {names}")

    def served():
        signs = {"responder": "asked for", "controller": "logged in as session"}
        return all(
            service.node(begin) and service.count(signs[service.name.split("-")[0]], begin)
            for service in services if service in moving
        )
    until("the services are back", lambda: served() or half.done() == len(half.futures))
    at = {service.name: next(
        (t for t, line in service.lines if t > begin and "connected to" in line), None)
        for service in moving}
    back = ", ".join(f"{name} after {t - begin:.1f} s" for name, t in at.items() if t)
    print(f"  connected elsewhere: {back or '-'}")
    return begin


def describe(title, outcomes, killed_at):
    for kind in ("request", "device"):
        some = [o for o in outcomes if o.kind == kind]
        if not some:
            continue
        good = sum(o.good for o in some)
        met = [o.took for o in some if o.begin <= killed_at + PATIENCE and o.begin + o.took >= killed_at]
        repeats, again = sum(o.repeats > 0 for o in some), sum(o.starts > 1 for o in some)
        calm = sorted(o.took for o in some if o.begin + o.took < killed_at) or [0]
        print(
            f"  {title}: {good} of {len(some)} {kind}s ended well; median before {calm[len(calm) // 2]:.2f} s, "
            f"slowest around the kill {max(met, default=0):.1f} s; {repeats} asked or logged in again, "
            f"{again} started again"
        )


def first_answer(outcomes, killed_at):
    """From the kill until the first request that began after it was answered."""
    after = [o for o in outcomes if o.kind == "request" and o.good and o.begin > killed_at]
    return min((o.begin + o.took - killed_at for o in after), default=float("nan"))


def whole(binary, client, folder, devices, requests):
    ports = dict(enumerate(zip(*[iter(free_ports(9))] * 3), 1))
    nodes = [Node(binary, number, folder, ports, True) for number in ports]
    services = []
    try:
        for node in nodes:
            node.start()
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in nodes)
        taken = set()
        for number in (1, 2):
            services.append(service_elsewhere(client, hosts, "responder", f"responder-{number}", taken))
        taken = set()
        for number in (1, 2):
            more = ("--delay", "0.3", "--commands", "2-4", "-W", str(PATIENCE))
            services.append(
                service_elsewhere(client, hosts, "controller", f"controller-{number}", taken, *more))
        by_port = {node.port: node for node in nodes}
        where = ", ".join(f"{s.name} on node {by_port[s.node()].number}" for s in services)
        print(f"  {where}")
        numbers = list(range(devices + requests))
        random.shuffle(numbers)
        which = set(numbers[:devices])
        halves = numbers[0::2], numbers[1::2]

        leader = max(nodes, key=Node.term_as_leader)
        follower = next(
            node for node in nodes if node is not leader and any(s.node() == node.port for s in services))
        half = Half(client, hosts, halves[0], which)
        at = kill(follower, "a follower", services, half)
        follower.start()
        print(f"  node {follower.number} is back after {time.monotonic() - at:.1f} s")
        first = half.outcomes()
        describe("first half", first, at)
        print(f"  the first request that began after the kill was answered {first_answer(first, at):.1f} s after it")

        leader = max((node for node in nodes), key=Node.term_as_leader)
        half = Half(client, hosts, halves[1], which)
        at = kill(leader, "the leader", services, half)
        second = half.outcomes()
        describe("second half", second, at)
        print(f"  the first request that began after the kill was answered {first_answer(second, at):.1f} s after it")

        outcomes = first + second
        spread = collections.Counter(by_port[o.node].number for o in outcomes if o.node)
        print("  clients by node: " + ", ".join(f"{n}: {c}" for n, c in sorted(spread.items())))
        said = {"responder": "asked for", "controller": "logged in as session"}
        split = ", ".join(f"{s.name} {s.count(said[s.name.split('-')[0]])}" for s in services)
        print(f"  requests and logins taken: {split}")
        failed = sum(s.count(" failed: ") for s in services)
        passed = sum(s.count(" passed") for s in services)
        print(f"  sessions: {passed} passed, {failed} given up by their controller")
        codes = [service.stop() for service in services]
        bad = [o for o in outcomes if not o.good]
        for o in bad[:5]:
            print(f"  LOST {o.kind}: {o.why}")
        return not bad and codes == [0] * 4
    finally:
        for service in services:
            service.process.kill()
        for node in nodes:
            if node.process and node.process.poll() is None:
                node.process.kill()


REQUESTERS = 12
LINES = 1500
IDLE = 6000


class Mosquitto:
    """One mosquitto, with its defaults but for Nagle's algorithm."""

    def __init__(self, folder):
        self.port = free_ports(1)[0]
        self.file = folder / "mosquitto.conf"
        self.file.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nuser root\n")

    def start(self):
        command = ["mosquitto", "-c", self.file]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        until("mosquitto up", lambda: accepts(self.port))


def measure(client, nodes, responders, folder):
    """Replies a second, and milliseconds of CPU that a reply costs: brokers, responders, requesters."""
    hosts = [f"127.0.0.1:{node.port}" for node in nodes]
    def turn(number):
        return hosts[number % len(hosts)]

    services = [
        subprocess.Popen(
            [client, "-h", turn(number), "--share", "costs", "-i", f"costs-{number}", "--quiet", "responder"])
        for number in range(responders)]
    text = "".join(f"line {number} of the costs\n" for number in range(LINES))
    # Until every one of them is subscribed, on every node.
    for number in range(6 * len(hosts)):
        run([client, "-h", turn(number), "-W", "30", f"warm{number}", "reverse", "x"])

    def ask(number):
        asked = subprocess.run(
            [client, "-h", turn(number), "-W", "60", f"costs{number}", "uppercase", "--lines"],
            input=text, capture_output=True, text=True, timeout=GUARD * 4)
        if asked.stdout != text.upper():
            raise RuntimeError(f"wrong answers: {asked.stderr}")

    def used():
        brokers = sum(cpu(node.process.pid) for node in nodes)
        requesters = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
        return brokers, sum(cpu(one.pid) for one in services), requesters

    before, begin = used(), time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(REQUESTERS) as pool:
        list(pool.map(ask, range(REQUESTERS)))
    took, after = time.monotonic() - begin, used()
    for service in services:
        service.terminate()
        service.wait()
    total = REQUESTERS * LINES
    return total / took, [1000 * (b - a) / total for a, b in zip(before, after)]


def memory(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1])


def idle(nodes):
    """Connections, and subscriptions, a second when all come at once, and kB for each that stays."""
    before = sum(memory(node.process.pid) for node in nodes)
    connections = [
        socket.create_connection(("127.0.0.1", nodes[number % len(nodes)].port)) for number in range(IDLE)]
    rates = []
    for packet, expected in (
            (lambda n: connect(f"idle{n}"), b"\x20\x02\x00\x00"),
            (lambda n: subscribe(f"idle{n}/UUID"), b"\x90\x03\x00\x01\x01")):
        begin = time.monotonic()
        for number, connection in enumerate(connections):
            connection.settimeout(GUARD)
            connection.sendall(packet(number))
        if any(connection.recv(len(expected)) != expected for connection in connections):
            raise RuntimeError("a connection or subscription was refused")
        rates.append(IDLE / (time.monotonic() - begin))
    grown = sum(memory(node.process.pid) for node in nodes) - before
    for connection in connections:
        connection.close()
    return *rates, grown / IDLE


def costs(binary, client, folder):
    """What a reply and a connection cost, and where the limit is."""
    idles = []
    print(f"{REQUESTERS} requesters, {LINES} lines each, one at a time; {os.cpu_count()} cores for all")
    print("| broker | responders | replies/s | CPU ms a reply: broker | responders | requesters | cores busy |")
    print("|---|---|---|---|---|---|---|")

    def rows(name, nodes):
        try:
            for node in nodes:
                node.start()
            idles.append((name, *idle(nodes)))
            for responders in (1, 2, 3):
                rate, (broker, responder, requester) = measure(client, nodes, responders, folder)
                busy = rate * (broker + responder + requester) / 1000
                print(f"| {name} | {responders} | {rate:.0f} | {broker:.2f} | {responder:.3f} | "
                      f"{requester:.3f} | {busy:.1f} |")
        finally:
            for node in nodes:
                node.process.kill()
                node.process.wait()

    if shutil.which("mosquitto"):
        rows("mosquitto, one", [Mosquitto(folder)])
    ports = dict(enumerate(zip(*[iter(free_ports(12))] * 3), 1))
    rows("rmqttd, one node", [Node(binary, 4, folder, ports, False)])
    del ports[4]
    rows("rmqttd, three nodes", [Node(binary, number, folder, ports, True) for number in ports])
    print(f"\n| broker | {IDLE} at once: connections/s | subscriptions/s | kB of broker for each |")
    print("|---|---|---|---|")
    for name, connections, subscriptions, grown in idles:
        print(f"| {name} | {connections:.0f} | {subscriptions:.0f} | {grown:.0f} |")


def install():
    """The broker's binary."""
    if given := os.environ.get("RMQTTD"):
        return given
    root = ROOT / "target" / "rmqttd"
    if not (root / "bin" / "rmqttd").exists():
        missing = [tool for tool in ("protoc", "cmake", "cargo") if not shutil.which(tool)]
        if missing:
            sys.exit(f"rmqttd needs {', '.join(missing)}: apt-get install protobuf-compiler cmake")
        subprocess.run(
            ["cargo", "install", "rmqttd", "--version", VERSION, "--debug", "--root", root], check=True)
    return str(root / "bin" / "rmqttd")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--devices", type=int, default=500)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--costs", action="store_true")
    args = parser.parse_args()
    client = os.environ.get("MQTT_CLIENT", str(ROOT / "target" / "release" / "mqtt_client"))
    if not shutil.which(client):
        sys.exit(f"there is no {client}: cargo build --release, or name it in MQTT_CLIENT")
    for name in [name for name in os.environ if name.startswith(("MQTT_CLIENT_", "RUST_LOG"))]:
        del os.environ[name]
    # However it ends, no broker is left.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
    binary = install()
    for tool in (client, binary):
        version = run([tool, "--version"]).stdout.strip()
        print(version)
    sys.stdout.reconfigure(line_buffering=True)
    if args.costs:
        with tempfile.TemporaryDirectory(prefix="mqtt_client-costs-") as folder:
            return costs(binary, client, pathlib.Path(folder))
    for number in range(1, args.runs + 1):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="mqtt_client-cluster-"))
        print(f"run {number}: {args.devices} devices, {args.requests} requests, {AT_ONCE} at once")
        begin = time.monotonic()
        good = whole(binary, client, folder, args.devices, args.requests)
        print(f"run {number}: {'nothing lost' if good else 'LOST'}, {time.monotonic() - begin:.0f} s")
        if not good:
            sys.exit(f"see {folder}")
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
