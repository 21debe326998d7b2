"""A right client without threads: it turns paho's loop by hand until the answer is there."""

import sys
import time

from words import arguments, new_client


def main():
    wanted = arguments()
    topic = f"{wanted.net_id}/{wanted.action}"
    answers = []
    client = new_client(wanted.net_id)

    def on_connect(client, _userdata, _flags, reason, *_):
        if reason != 0:
            sys.exit(f"the broker refused the connection: {reason}")
        client.subscribe(f"{topic}/response", qos=1)

    def on_subscribe(client, *_):
        client.publish(f"{topic}/request", wanted.message, qos=1)

    client.on_connect = on_connect
    client.on_subscribe = on_subscribe
    client.on_message = lambda _client, _userdata, message: answers.append(message.payload)
    try:
        client.connect(wanted.host, wanted.port)
    except OSError as error:
        sys.exit(f"no broker at {wanted.host}:{wanted.port}: {error}")
    limit = time.monotonic() + 10
    while not answers:
        if client.loop(timeout=1) != 0 or time.monotonic() > limit:
            sys.exit("no answer")
    client.disconnect()
    while client.loop(timeout=0.1) == 0:
        pass
    print(answers[0].decode())


main()
