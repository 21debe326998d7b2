"""A device that makes one MISTAKE, and whoever reads its verdict: wrong_device.py HOST PORT USER_ID MISTAKE.

Each verdict on USER_ID/verdict is a line of JSON: its text, and how long after the last command of the session it came,
as a client of its own sees both.
"""

import json
import sys
import threading
import time

from connection import connect, say, serve
from words import WORDS

# The mistakes in a reply: its topic, its word and its QoS, made of what would be right.
REPLIES = {
    "right": lambda d, c, w, q: [(f"{d.unique_id}/{c}", w, q)],
    "deeper": lambda d, c, w, q: [(f"{d.unique_id}/{c}/reply", w, q)],
    "command-topic": lambda d, c, w, q: [(d.unique_id, w, q)],
    "user-id": lambda d, c, w, q: [(f"{d.user_id}/{c}", w, q)],
    "command-case": lambda d, c, w, q: [(f"{d.unique_id}/{c.lower()}", w, q)],
    "id-case": lambda d, c, w, q: [(f"{d.unique_id.upper()}/{c}", w, q)],
    "slash": lambda d, c, w, q: [(f"/{d.unique_id}/{c}", w, q)],
    "wrong-word": lambda d, c, w, q: [(f"{d.unique_id}/{c}", "Ape" if c == "CMD1" else w, q)],
    "other-word": lambda d, c, w, q: [(f"{d.unique_id}/{c}", "Cat" if c == "CMD1" else w, q)],
    "word-case": lambda d, c, w, q: [(f"{d.unique_id}/{c}", w.lower(), q)],
    "line-feed": lambda d, c, w, q: [(f"{d.unique_id}/{c}", w + "\n", q)],
    "wrong-qos": lambda d, c, w, q: [(f"{d.unique_id}/{c}", w, q - 1)],
    "twice": lambda d, c, w, q: [(f"{d.unique_id}/{c}", w, q)] * 2,
    "one-missing": lambda d, c, w, q: [] if c == "CMD3" else [(f"{d.unique_id}/{c}", w, q)],
    "once-each": lambda d, c, w, q: d.only_once(c, (f"{d.unique_id}/{c}", w, q)),
}
LOGINS = {"login-case": "Login", "login-slash": "/login"}


class Device:
    def __init__(self, user_id, mistake):
        self.user_id = user_id
        self.mistake = mistake
        self.unique_id = None
        self.answered = set()

    def log_in(self, client):
        client.publish(LOGINS.get(self.mistake, "login"), self.user_id, 2)

    def received(self, client, message):
        text = message.payload.decode()
        if message.topic == f"{self.user_id}/UUID":
            self.introduced(client, text)
        elif text in WORDS:
            if self.mistake == "slow":
                time.sleep(2)
            make = REPLIES.get(self.mistake, REPLIES["right"])
            for topic, word, qos in make(self, text, WORDS[text], message.qos):
                client.publish(topic, word, qos)

    def introduced(self, client, unique_id):
        self.unique_id = unique_id
        if self.mistake == "before":
            client.publish(f"{unique_id}/CMD1", "Apple", 2)
        if self.mistake == "late":
            # The commands come 3 s after the UNIQUE ID.
            threading.Timer(4.5, client.subscribe, [unique_id, 2]).start()
        elif self.mistake != "never-subscribed":
            client.subscribe(unique_id, 2)

    def only_once(self, command, reply):
        if command in self.answered:
            return []
        self.answered.add(command)
        return [reply]


class Witness:
    """Hears the verdict, and the commands before it."""

    def __init__(self, user_id):
        self.user_id = user_id
        self.last_command = None

    def received(self, client, message):
        text = message.payload.decode()
        if message.topic == f"{self.user_id}/UUID":
            client.subscribe(text, 2)
        elif message.topic == f"{self.user_id}/verdict":
            after = time.monotonic() - self.last_command if self.last_command else 0
            say(json.dumps({"verdict": text, "after": after}))
        elif text in WORDS:
            self.last_command = time.monotonic()


def main():
    host, port, user_id, mistake = sys.argv[1:]
    device = Device(user_id, mistake)
    witness = Witness(user_id)
    heard = [(f"{user_id}/UUID", 2), (f"{user_id}/verdict", 2)]

    def begin(_):
        client = connect(host, int(port), heard[:1], device.log_in, device.received)
        client.loop_start()

    client = connect(host, int(port), heard, begin, witness.received)
    serve(client, client.disconnect)


main()
