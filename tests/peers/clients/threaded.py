"""A right client with paho's own thread: loop_start, and events that the main thread waits for."""

import sys
import threading

from words import arguments, new_client


def main():
    wanted = arguments()
    topic = f"{wanted.net_id}/{wanted.action}"
    connected, subscribed, answered = (threading.Event() for _ in range(3))
    reasons, answers = [], []
    client = new_client(wanted.net_id)

    def on_connect(_client, _userdata, _flags, reason, *_):
        reasons.append(reason)
        connected.set()

    def on_message(_client, _userdata, message):
        answers.append(message.payload)
        answered.set()

    def on_log(_client, _userdata, _level, text):
        if wanted.verbose:
            print(text, file=sys.stderr)

    client.on_connect = on_connect
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = on_message
    client.on_log = on_log
    try:
        client.connect(wanted.host, wanted.port)
    except OSError as error:
        sys.exit(f"no broker at {wanted.host}:{wanted.port}: {error}")
    client.loop_start()
    if not connected.wait(10) or reasons[0] != 0:
        sys.exit(f"the broker refused the connection: {reasons}")
    client.subscribe(f"{topic}/response", qos=1)
    if not subscribed.wait(10):
        sys.exit("no subscription")
    client.publish(f"{topic}/request", wanted.message.encode(), qos=1)
    if not answered.wait(10):
        sys.exit("no answer")
    # In this order: the thread ends when its PUBACK is out.
    client.loop_stop()
    client.disconnect()
    print(answers[0].decode())


main()
