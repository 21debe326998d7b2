"""Hears and says what it is told to, over any number of connections: observer.py HOST PORT FILTER...

Each line of standard input is `QOS TOPIC PAYLOAD`, to be published. Prints `subscribed` whenever the
broker has confirmed the subscriptions of a connection, and `heard QOS TOPIC PAYLOAD` for each message.
"""

import os
import sys
import threading

from connection import leave, new_client, or_leave, say

# Short, as the tests wait for it; not zero, or a broker that is down would be asked all the time.
BETWEEN_ATTEMPTS = 0.05


def client_of(client_id, clean):
    client = new_client(client_id=client_id, clean_session=clean)
    client.reconnect_delay_set(BETWEEN_ATTEMPTS, BETWEEN_ATTEMPTS)
    return client


def main(host, port, *filters):
    # Its session is to outlive the broker's restart, and to be no other observer's; at QoS 1, so that what it hears was
    # said.
    ear = client_of(f"observer-{os.getpid()}", False)
    # It says again whatever was not confirmed. Another client, without a session: mosquitto counts what
    # it has restored of a session against max_inflight_messages, and drops what is beyond that.
    mouth = client_of("speaker", True)

    def on_connect(client, _userdata, _flags, reason, *_):
        if reason != 0:
            leave(f"connection refused: {reason}")
        if client is ear:
            client.subscribe([(name, 1) for name in filters])

    def heard(_client, _userdata, message):
        say(f"heard {message.qos} {message.topic} {message.payload.decode()}")

    def listen():
        for line in sys.stdin:
            qos, topic, payload = line.rstrip("\n").split(" ", 2)
            or_leave(mouth.publish, topic, payload, int(qos))
        leave("done")

    ear.on_subscribe = lambda *_: say("subscribed")
    ear.on_message = lambda *arguments: or_leave(heard, *arguments)
    for client in [ear, mouth]:
        client.on_connect = on_connect
        client.connect(host, int(port), keepalive=60)
    threading.Thread(target=listen, daemon=True).start()
    mouth.loop_start()
    ear.loop_forever()


main(*sys.argv[1:])
