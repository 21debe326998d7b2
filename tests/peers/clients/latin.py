"""A client with mistakes, without paho: another encoding, packets that the standard forbids, another host."""

import socket
import struct
import sys

ACTIONS = ["uppercase", "lowercase", "title-case", "reverse", "shuffle"]


def text(words):
    encoded = words.encode("latin-1", "replace")
    return struct.pack("!H", len(encoded)) + encoded


def packet(first, body):
    # Wrong above 127 bytes, which nobody asks for here.
    return bytes([first, len(body)]) + body


def main():
    words = sys.argv[1:]
    if words == ["--help"]:
        print("usage: latin [-v] [--host HOST] [-p PORT] NETID ACTION MESSAGE")
        return
    verbose = "-v" in words
    words = [word for word in words if word != "-v"]
    port = int(words[words.index("-p") + 1]) if "-p" in words else 1883
    if len(words) < 3 or words[-2] not in ACTIONS:
        # Wrong: not a word about what is missing.
        sys.exit(2)
    net_id, action, message = words[-3:]
    topic = f"{net_id}/{action}"
    try:
        # Wrong: whatever --host says.
        broker = socket.create_connection(("127.0.0.1", port))
    except OSError as error:
        # Wrong: on standard output.
        sys.exit(print(f"no broker: {error}"))
    broker.sendall(packet(0x10, text("MQTT") + b"\x04\x02\x00\x3c" + text(net_id)))
    connack = broker.recv(4)
    if connack[3] != 0:
        sys.exit("refused")
    if verbose:
        # Wrong: on standard output.
        print("connected")
    broker.sendall(packet(0x82, b"\x00\x01" + text(f"{topic}/response") + b"\x01" + text("#") + b"\x01"))
    broker.recv(6)
    # Wrong: Latin-1.
    broker.sendall(packet(0x32, text(f"{topic}/request") + b"\x00\x02" + message.encode("latin-1", "replace")))
    broker.recv(4)
    answer = b""
    while not answer:
        answer = broker.recv(4096)
    length = struct.unpack("!H", answer[2:4])[0]
    broker.sendall(packet(0x40, answer[4 + length:6 + length]))
    # Wrong: no line feed.
    sys.stdout.write(answer[6 + length:].decode())
    # Wrong: UNSUBSCRIBE with the flags of MQTT 3, and no DISCONNECT.
    broker.sendall(packet(0xA0, b"\x00\x03" + text(f"{topic}/response")))
    sys.stderr.write(answer[6 + length:].decode())


main()
