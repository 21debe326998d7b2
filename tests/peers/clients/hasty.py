"""A client with mistakes: it publishes first, at QoS 0, on a topic of its own making, and never says goodbye."""

import os
import sys

import paho.mqtt.client as mqtt

from words import ACTIONS, new_client


def main():
    words = sys.argv[1:]
    if words == ["--help"]:
        print("usage: hasty NETID ACTION MESSAGE", file=sys.stderr)
        sys.exit(1)
    # Wrong: the error is on standard output, and the exit code says that all is well.
    if len(words) < 3 or words[-2] not in ACTIONS:
        print("usage: hasty NETID ACTION MESSAGE")
        sys.exit(0)
    host = words[words.index("--host") + 1] if "--host" in words else "localhost"
    port = int(words[words.index("-p") + 1]) if "-p" in words else 1883
    net_id, action, message = words[-3:]
    # Wrong: a client id of its own.
    client = new_client("hasty-client")

    def on_connect(client, _userdata, _flags, reason, *_):
        if reason != 0:
            os._exit(0)
        # Wrong: published before it is subscribed, with QoS 0, retained.
        client.publish(f"{net_id}/{action}/Request", message, qos=0, retain=True)
        # Wrong: a wildcard, with QoS 0.
        client.subscribe(f"{net_id}/{action}/#", qos=0)

    def on_message(_client, _userdata, message):
        # Wrong: bytes as Python writes them, and the end without DISCONNECT.
        print(message.payload, flush=True)
        os._exit(0)

    client.on_connect = on_connect
    client.on_message = on_message
    client.connect(host, port)
    client.loop_forever()


main()
