"""Answers text requests: responder.py HOST PORT. Prints "ready" when the broker has subscribed it."""

import random
import sys

from connection import connect, say, serve


def shuffled(text):
    return "".join(random.sample(text, len(text)))


ACTIONS = {
    "uppercase": str.upper,
    "lowercase": str.lower,
    "title-case": str.title,
    "reverse": lambda text: text[::-1],
    "shuffle": shuffled,
}


def received(client, message):
    if message.retain:
        return
    net_id, action, _ = message.topic.split("/")
    answer = ACTIONS[action](message.payload.decode())
    client.publish(f"{net_id}/{action}/response", answer.encode(), qos=1)


def main():
    host, port = sys.argv[1:]
    filters = [(f"+/{action}/request", 1) for action in ACTIONS]
    client = connect(host, int(port), filters, lambda _: say("ready"), received)
    serve(client, client.disconnect)


main()
