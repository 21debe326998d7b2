"""Who plays in benches/compare: our program, its peers, the brokers, and the controller that measures a device."""
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
# An older or newer program instead of this source's: OURS=FILE in the environment.
OURS = Path(os.environ.get("OURS", TARGET / "release/mqtt_client")).resolve()
PLAIN = TARGET / "plain/release/mqtt_client"
HOST = "127.0.0.1"
# Commands that the controller sends before it measures.
WARM_UP = 20
FOLDER = Path(tempfile.mkdtemp(prefix="compare-"))
STARTED = []


def leave(why):
    sys.exit(f"compare: {why}")


def say(text):
    print(text, file=sys.stderr, flush=True)


# What has to be there.


def install():
    missing = [p for p, there in {
        "mosquitto": shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin"),
        "mosquitto-clients": shutil.which("mosquitto_rr"),
        "libmosquitto-dev": Path("/usr/include/mosquitto.h").exists(),
        "gcc": shutil.which("gcc"),
        "iproute2": shutil.which("ip"),
        "strace": shutil.which("strace"),
    }.items() if not there]
    if missing:
        if os.geteuid():
            leave(f"apt-get install {' '.join(missing)}")
        subprocess.run(["apt-get", "install", "-y", *missing], check=True, stdout=sys.stderr)
    if subprocess.run([sys.executable, "-c", "import paho.mqtt"], capture_output=True).returncode:
        subprocess.run([sys.executable, "-m", "pip", "install", "paho-mqtt"], check=True, stdout=sys.stderr)


def build(with_plain):
    cargo = ["cargo", "build", "--quiet", "--locked", "--release", "-p", "mqtt_client"]
    if "OURS" not in os.environ:
        subprocess.run(cargo, cwd=ROOT, check=True)
    if with_plain:
        plain = [*cargo, "--no-default-features", "--target-dir", str(TARGET / "plain")]
        subprocess.run(plain, cwd=ROOT, check=True)
    for name, libraries in [("controller", []), ("device", ["-lmosquitto"])]:
        source = ROOT / f"benches/peers/{name}.c"
        subprocess.run(["gcc", "-O2", "-o", FOLDER / name, source, *libraries], check=True)


def start(command, **options):
    process = subprocess.Popen([str(part) for part in command], **{
        "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options,
    })
    STARTED.append(process)
    return process


def stop(process):
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()


def connectable(port):
    try:
        socket.create_connection((HOST, port), 1).close()
        return True
    except OSError:
        return False


def await_(condition, what, seconds=20):
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            leave(f"{what}: not within {seconds} s")
        time.sleep(0.01)


def broker(name, *settings, at=HOST):
    with socket.create_server((at, 0)) as free:
        port = free.getsockname()[1]
    path = FOLDER / f"{name}.conf"
    path.write_text("\n".join([f"listener {port} {at}", "allow_anonymous true", *settings, ""]))
    path = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin"), "-c", path
    start(path, stderr=open(FOLDER / f"{name}.log", "w"))
    await_(lambda: connectable(port), f"the broker {name}")
    return port


# The devices.


def ours(host, port, user, qos, *options, binary=OURS):
    return [binary, "-h", host, "-p", port, "-q", qos, "-W", 0, *options, "device", user]


def in_c(host, port, user, qos):
    return [FOLDER / "device", host, port, user, qos]


def in_c_nodelay(host, port, user, qos):
    return [*in_c(host, port, user, qos), "nodelay"]


def in_python(host, port, user, _qos):
    return [sys.executable, ROOT / "tests/peers/device.py", host, port, user, "right"]


DEVICES = {"ours": ours, "libmosquitto, nodelay": in_c_nodelay, "libmosquitto": in_c, "paho": in_python}


def start_controller(mode, port, user, qos, *numbers):
    """The measuring controller, once it can hear a login."""
    command = [FOLDER / "controller", mode, HOST, port, user, qos, *numbers]
    controller = start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if controller.stdout.readline() != "ready\n":
        leave("the controller did not say `ready`")
    return controller


class Session:
    """A device and the measuring controller."""

    def __init__(self, mode, device, port, qos, *numbers, user="alice", host=HOST):
        """`host` is where the device finds the broker; the controller is always near it."""
        self.controller = start_controller(mode, port, user, qos, *numbers)
        # paho's device reads its standard input for the order to end: an open one keeps it going.
        self.device = start(device(host, port, user, qos), stdin=subprocess.PIPE)

    def said(self):
        return self.controller.stdout.readline().strip()

    def expect(self, line):
        if self.said() != line:
            leave(f"the controller did not say `{line}`")

    def go_on(self):
        self.controller.stdin.write("\n")
        self.controller.stdin.flush()

    def numbers(self):
        return [float(line) for line in self.controller.stdout]

    def end(self):
        stop(self.controller)
        stop(self.device)


def whole_process(command, stdin="/dev/null"):
    """Milliseconds from before the start to after the end, and what it printed. Leaner than subprocess,
    whose own time would count on both sides."""
    command = [str(part) for part in command]
    printed = FOLDER / "printed"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [(os.POSIX_SPAWN_OPEN, 0, stdin, os.O_RDONLY, 0), (os.POSIX_SPAWN_OPEN, 1, printed, flags, 0o600)]
    path = shutil.which(command[0])
    begin = time.perf_counter()
    os.waitpid(os.posix_spawn(path, command, os.environ, file_actions=actions), 0)
    return (time.perf_counter() - begin) * 1000, printed.read_bytes()


def responder(port):
    """Ours, once it can hear a request."""
    process = start([OURS, "-h", HOST, "-p", port, "-v", "responder"], stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if "waiting for requests" in line or "subscribed to +/shuffle" in line:
            break
    threading.Thread(target=process.stderr.read, daemon=True).start()
    return process


def asking(host, port, *options):
    return [OURS, "-h", host, "-p", port, "abcd01", "uppercase", *options]


def mosquitto_rr(host, port):
    return ["mosquitto_rr", "-V", "mqttv311", "-h", host, "-p", port, "-q", 1,
            "-t", "abcd01/uppercase/request", "-e", "abcd01/uppercase/response", "-m", "hello"]
