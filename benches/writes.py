"""What a device writes to its disk: calls of write, bytes and syncs, counted by strace."""
import re

import cast
import delay
import far
from cast import FOLDER, HOST, Session, say

CALLS = "write,writev,pwrite64,pwritev,fsync,fdatasync,sync_file_range,ftruncate,rename,renameat2,unlink"
# With -y a file's path is beside its number: `write(5</path>, ""..., 120) = 120`.
CALL = re.compile(r"^\d+ +(\w+)\((?:\d+<)?\"?(/[^>\"]*)[^\n]*?(?:= (-?\d+)|<unfinished \.\.\.>)", re.M)
ASKED = re.compile(r", (\d+)(?:, \d+)? <unfinished")


def counted(trace):
    """Writes, bytes, syncs, and every other change, below the state folder."""
    writes = size = syncs = others = 0
    for call in CALL.finditer(trace):
        name, path, result = call.groups()
        if not path.startswith(str(FOLDER)) or result and int(result) < 0:
            continue
        if "write" in name:
            writes += 1
            size += int(result or ASKED.search(call[0])[1])
        elif "sync" in name:
            syncs += 1
        else:
            others += 1
    return writes, size, syncs, others


def traced(device, port, qos, host):
    """Counts from the start to the burst, and in the burst."""
    trace = FOLDER / "trace"
    strace = ["strace", "-f", "--seccomp-bpf", "-qq", "-y", "-s", "0", "-o", trace, "-e", f"trace={CALLS}"]
    session = Session("burst", lambda *to: [*strace, *device(*to)], port, qos, far.BURST, 0,
                      user=f"far{next(far.NUMBERS)}", host=host)
    session.expect("warm")
    before = trace.read_text()
    session.go_on()
    session.said()
    after = trace.read_text()[len(before):]
    # The last words end the device, and strace with it: killing strace would leave it behind.
    session.go_on()
    session.device.wait()
    session.end()
    return counted(before), counted(after)


def table(port):
    rows = [["written to the disk", "QoS", "writes", "bytes", "fsync, fdatasync", "renames, truncations, removals"],
            ["---"] * 6]
    for name, device in far.levels().items():
        if name == "ours":
            continue
        for qos in (1, 2):
            for where, host in (("beside the broker", HOST), (f"over {far.ROUND_TRIP} ms", delay.FAR)):
                login, burst = traced(device, port, qos, host)
                for what, counts in ((f"login and {cast.WARM_UP} commands", login),
                                     (f"{far.BURST:,} commands in a burst", burst)):
                    rows.append([f"{name}, {where}: {what}", str(qos), *(f"{count:,}" for count in counts)])
                    say("  " + " | ".join(rows[-1]))
    return rows
