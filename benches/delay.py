#!/usr/bin/env python3
"""A link that holds every packet back: whoever connects to FAR reaches HERE, each packet later.

    benches/delay.py MILLISECONDS      prints `ready`, and carries until it is killed

In a network namespace of its own (`enter` makes it): a TUN device takes IP packets from HERE to FAR, and gives each
back MILLISECONDS later with source and destination swapped, so that it arrives as one from FAR to HERE. No proxy ends
the TCP connection in between: handshake, acknowledgements and FIN travel like everything else, and packets overtake
nothing and wait for nothing but their own time. `tc netem` would do the same where the kernel has it; many
kernels for virtual machines have not.
"""
import collections
import ctypes
import fcntl
import os
import select
import struct
import subprocess
import sys
import time
from pathlib import Path

# Of TEST-NET-1 (RFC 5737): no network has these addresses.
HERE, FAR = "192.0.2.1", "192.0.2.2"
CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000


def enter():
    """Moves this process, and all that it starts, to a network namespace with nothing but loopback."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def open_device():
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH14x", b"delay", IFF_TUN | IFF_NO_PI))
    subprocess.run(["ip", "address", "add", f"{HERE}/24", "dev", "delay"], check=True)
    subprocess.run(["ip", "link", "set", "delay", "up"], check=True)
    # What one connection has learned of the link would change the next: the second peer would be measured on
    # another link than the first.
    Path("/proc/sys/net/ipv4/tcp_no_metrics_save").write_text("1")
    return device


def carry(device, seconds):
    held = collections.deque()
    while True:
        while held and held[0][0] <= time.monotonic():
            os.write(device, held.popleft()[1])
        wait = max(0, held[0][0] - time.monotonic()) if held else None
        if select.select([device], [], [], wait)[0]:
            packet = os.read(device, 65536)
            due = time.monotonic() + seconds
            if packet[0] >> 4 == 4:
                # The checksums are sums: they hold for the swapped addresses, too.
                held.append((due, packet[:12] + packet[16:20] + packet[12:16] + packet[20:]))


if __name__ == "__main__":
    opened = open_device()
    # Before all others, and without the kernel's slack for timers: on a busy machine a packet is late otherwise, and
    # 60 round trips become 62.
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    print("ready", flush=True)
    carry(opened, float(sys.argv[1]) / 1000)
