#!/usr/bin/env python3
"""How long the program takes from its start to CONNECT, and how much memory it has once connected.

    python3 benches/start.py target/release/mqtt_client

The broker is this script: it answers CONNECT with CONNACK, and nothing else.
"""
import socket
import statistics
import subprocess
import sys
import time

RUNS = 60


def run(binary, listener):
    port = str(listener.getsockname()[1])
    begin = time.perf_counter()
    command = [binary, "-h", "127.0.0.1", "-p", port, "responder"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    connection, _ = listener.accept()
    connection.recv(100)
    took = time.perf_counter() - begin
    connection.sendall(b"\x20\x02\x00\x00")
    # Its SUBSCRIBE says that it has understood.
    connection.recv(100)
    with open(f"/proc/{process.pid}/status") as status:
        memory = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    process.kill()
    process.wait()
    connection.close()
    return took * 1000, memory


with socket.create_server(("127.0.0.1", 0)) as listener:
    runs = [run(sys.argv[1], listener) for _ in range(RUNS)]
took, memory = (statistics.median(column) for column in zip(*runs))
print(f"{sys.argv[1]}: start to CONNECT {took:.2f} ms, VmRSS {memory:.0f} kB, medians of {RUNS}")
