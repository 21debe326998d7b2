"""What a broker far away costs: the same work beside it and over a link of 50 ms, in round trips.

A round trip is what the link adds, over its 50 ms: whole numbers, which hold on every machine and for every link. The
processes' own time cancels out.
"""
import functools
import itertools
import statistics
import subprocess
import sys
import tempfile

import cast
import delay
from cast import DEVICES, FOLDER, HOST, OURS, ROOT, Session, say

ROUND_TRIP = 50
QUICK = "--quick" in sys.argv
BURST, LINES, ALONE, IN_SESSION = 200 if QUICK else 1000, 40, 20, 5
# How much the device keeps on its disk. A level that the program's --help does not offer is left out.
LEVELS = {
    "ours": [],
    "ours, `--state-dir`": ["--state-dir"],
    "ours, `--state-dir --sync`": ["--state-dir", "--sync"],
}
NUMBERS = itertools.count(1)


def at_level(options):
    """A device whose state folder, if it has one, is a new one."""
    def device(*to):
        filled = [[o, tempfile.mkdtemp(dir=FOLDER)] if o == "--state-dir" else [o] for o in options]
        return cast.ours(*to, *itertools.chain(*filled))
    return device


def levels():
    offered = subprocess.run([OURS, "--help"], capture_output=True, text=True, check=True).stdout
    found = {}
    for name, options in LEVELS.items():
        if missing := [option for option in options if option not in offered]:
            say(f"  left out, for the program has no {' '.join(missing)}: {name}")
        else:
            found[name] = at_level(options)
    return found


def to_the_last_words(host, port, user, qos):
    return [sys.executable, ROOT / "tests/peers/lasting_device.py", host, port, user, qos, 60]


# What is measured: milliseconds.


def one_request(command, port, host):
    took, answer = cast.whole_process(command(host, port))
    if answer != b"HELLO\n":
        cast.leave(f"{command(host, port)[0]} answered {answer!r}")
    return took


def lines(command, port, host):
    asked = FOLDER / "lines"
    asked.write_text("hello\n" * LINES)
    took, answers = cast.whole_process(command(host, port), asked)
    if answers != b"HELLO\n" * LINES:
        cast.leave(f"`--lines` answered {answers!r}")
    return took


def burst(qos, device, port, host):
    session = Session("burst", device, port, qos, BURST, 0, user=f"far{next(NUMBERS)}", host=host)
    session.expect("warm")
    session.go_on()
    took = float(session.said())
    session.end()
    return took * 1000


def alone(qos, device, port, host):
    session = Session("latency", device, port, qos, ALONE, 60, user=f"far{next(NUMBERS)}", host=host)
    took = statistics.median(session.numbers()) / 1000
    session.end()
    return took


def whole_session(qos, device, port, host):
    user = f"far{next(NUMBERS)}"
    controller = cast.start_controller("session", port, user, qos, IN_SESSION, 0)
    took, _ = cast.whole_process(device(host, port, user, qos))
    pause = float(controller.stdout.readline())
    cast.stop(controller)
    return took - pause * 1000


def measures():
    ours = levels()
    library = {"libmosquitto": DEVICES["libmosquitto, nodelay"]}
    devices, lasting = {**ours, **library}, {**ours, **library}
    if not QUICK:
        devices["paho"], lasting["paho"] = DEVICES["paho"], to_the_last_words
    rr = {"ours": lambda *to: cast.asking(*to, "hello"), "libmosquitto": cast.mosquitto_rr}
    yield "one request, whole process (theirs: mosquitto_rr)", one_request, rr
    yield f"{LINES} requests, `--lines`, whole process", lines, {"ours": lambda *to: cast.asking(*to, "--lines")}
    for qos in (1, 2):
        yield f"one command and its reply, QoS {qos}", functools.partial(alone, qos), devices
    for qos in (1, 2):
        yield f"{BURST:,} commands in a burst, QoS {qos}", functools.partial(burst, qos), devices
    for qos in (1, 2):
        what = f"a session of {IN_SESSION} commands, whole process less the controller's pause, QoS {qos}"
        yield what, functools.partial(whole_session, qos), lasting


def link():
    """A broker that is beside us at HOST and 50 ms away at delay.FAR. What was started before stays behind, in another
    network namespace."""
    try:
        delay.enter()
    except OSError as error:
        cast.leave(f"no network namespace ({error.strerror}): this section wants root")
    command = [sys.executable, ROOT / "benches/delay.py", ROUND_TRIP / 2]
    carrier = cast.start(command, stdout=subprocess.PIPE, stderr=None)
    if carrier.stdout.readline() != b"ready\n":
        cast.leave("no link that delays: benches/delay.py did not start")
    return cast.broker("far", "set_tcp_nodelay true", "max_queued_messages 0", at="0.0.0.0")


def table(port):
    """A cell: round trips, milliseconds, and how much longer that is than libmosquitto."""
    columns = [*LEVELS, "libmosquitto", "paho"]
    rows = [[f"over {ROUND_TRIP} ms: round trips (ms)", *columns], ["---"] * (1 + len(columns))]
    rounds = 1 if QUICK else 3
    answering = cast.responder(port)
    for what, measure, by in measures():
        near, far = {}, {}
        for _, (name, program) in itertools.product(range(rounds), by.items()):
            near.setdefault(name, []).append(measure(program, port, HOST))
            far.setdefault(name, []).append(measure(program, port, delay.FAR))
        # The best of the rounds: what else the machine has to do only adds to the link's time.
        near, far = ({name: min(took) for name, took in times.items()} for times in (near, far))
        cells = []
        for name in columns:
            if name not in by:
                cells.append("")
                continue
            trips = round((far[name] - near[name]) / ROUND_TRIP)
            ratio = f"; × {far[name] / far['libmosquitto']:.2f}" if name in LEVELS and "libmosquitto" in by else ""
            cells.append(f"{trips:,} ({far[name]:,.0f} ms{ratio})")
        rows.append([what, *cells])
        say("  " + " | ".join(rows[-1]))
    cast.stop(answering)
    return rows
