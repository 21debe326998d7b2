"""Runs a program on a pseudo-terminal, types what TYPED says once it asks without echo, sends the signal
that SENT names, if it does, and prints what a person would have seen. The exit code is the program's, or 128 and the number of its signal."""

import fcntl
import os
import select
import signal
import subprocess
import sys
import termios
import time

# After this, what has not happened will not.
GUARD = time.monotonic() + 60


def echoes(terminal):
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)


def main():
    typed = os.environ.pop("TYPED", "").encode()
    sent = os.environ.pop("SENT", "")
    asked = False
    ours, theirs = os.openpty()
    program = subprocess.Popen(
        sys.argv[1:],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    seen = b""
    while time.monotonic() < GUARD:
        ended = program.poll() is not None
        # A short wait: neither an end nor a change of echo makes the terminal readable.
        if select.select([ours], [], [], 0.005)[0]:
            seen += os.read(ours, 4096)
        elif ended:
            break
        if not asked and b"password" in seen:
            asked = True
            if echoes(theirs):
                seen += b"\n(it asks with echo)"
                break
            os.write(ours, typed)
            if sent:
                program.send_signal(signal.Signals[sent])
    else:
        program.kill()
        seen += b"\n(it did not end)"
    # What is left in the line would go to the shell.
    os.write(ours, b"\n")
    left = os.read(theirs, 4096) if select.select([theirs], [], [], 1)[0] else b""
    if left not in (b"\n", b""):
        seen += b"\n(left over: " + left + b")"
    if not echoes(theirs):
        seen += b"\n(echo is still off)"
    sys.stdout.buffer.write(seen)
    sys.stdout.flush()
    code = program.wait()
    return 128 - code if code < 0 else code


sys.exit(main())
