"""A device that does as MODE says: device.py HOST PORT USER_ID MODE.

MODE is right, wrong-word, missing-reply, extra-reply or wrong-qos. When its standard input ends, it waits
for what the broker still has for it and prints a line of JSON: every message on the command topic in
order, and what happened when.
"""

import sys
import time

from connection import connect, report, serve
from words import WORDS

END = "end of test"


class Device:
    def __init__(self, user_id, mode):
        self.user_id = user_id
        self.mode = mode
        self.seen = {"login_at": None, "unique_id": None, "unique_id_at": None, "heard": []}

    def log_in(self, client):
        self.seen["login_at"] = time.monotonic()
        client.publish("login", self.user_id, 2)

    def received(self, client, message):
        text = message.payload.decode()
        if message.topic == f"{self.user_id}/UUID":
            self.seen["unique_id"] = text
            self.seen["unique_id_at"] = time.monotonic()
            client.subscribe(text, 2)
        elif text == END:
            report(client, self.seen)
        else:
            heard = {"text": text, "qos": message.qos, "at": time.monotonic()}
            self.seen["heard"].append(heard)
            self.answer(client, text, message.qos)

    def answer(self, client, command, qos):
        if command not in WORDS or self.mode == "missing-reply":
            return
        word = "Ape" if self.mode == "wrong-word" else WORDS[command]
        qos = qos - 1 if self.mode == "wrong-qos" else qos
        for _ in range(2 if self.mode == "extra-reply" else 1):
            client.publish(f"{self.seen['unique_id']}/{command}", word, qos)

    def end(self, client):
        # Behind everything that the broker has for this client: what comes before it is all there is.
        client.publish(self.seen["unique_id"], END, 2)


def main():
    host, port, user_id, mode = sys.argv[1:]
    device = Device(user_id, mode)
    filters = [(f"{user_id}/UUID", 2)]
    client = connect(host, int(port), filters, device.log_in, device.received)
    serve(client, lambda: device.end(client))


main()
