"""A connected paho client, and what every peer does with its standard input and output."""

import json
import os
import sys
import threading

import paho.mqtt.client as mqtt


def new_client(**settings):
    """A client of paho 1 or 2: they differ in the constructor, and in what follows the callbacks' arguments.

    MQTT_LOGIN in the environment is its user and password, with a colon between.
    """
    version = getattr(mqtt, "CallbackAPIVersion", None)
    first = [version.VERSION2] if version else []
    client = mqtt.Client(*first, protocol=mqtt.MQTTv311, **settings)
    if "MQTT_LOGIN" in os.environ:
        client.username_pw_set(*os.environ["MQTT_LOGIN"].split(":", 1))
    return client


def connect(host, port, filters, subscribed, received):
    """Connects and subscribes; calls `subscribed(client)` at the SUBACK, then `received(client, message)`.

    `filters` is a list of (filter, qos). Whatever goes wrong ends the process: a peer that is deaf would
    make a test wait for nothing.
    """
    client = new_client()

    def on_connect(client, _userdata, _flags, reason, *_):
        if reason != 0:
            leave(f"connection refused: {reason}")
        client.subscribe(filters)

    def on_subscribe(client, _userdata, _mid, granted, *_):
        client.on_subscribe = None
        if any(getattr(code, "value", code) > 2 for code in granted):
            leave(f"subscription refused: {granted}")
        subscribed(client)

    client.on_connect = on_connect
    client.on_subscribe = on_subscribe
    client.on_message = lambda client, _userdata, message: or_leave(received, client, message)
    client.connect(host, port, keepalive=60)
    return client


def or_leave(call, *arguments):
    try:
        call(*arguments)
    except Exception as error:
        leave(repr(error))


def leave(why):
    """Ends the process, from whatever thread."""
    print(why, file=sys.stderr, flush=True)
    os._exit(1)


def say(line):
    """One line for the test that started this peer."""
    print(line, flush=True)


def serve(client, told):
    """Runs the client; `told()` is called when standard input ends, as it also does at the starter's death."""

    def listen():
        sys.stdin.read()
        or_leave(told)

    threading.Thread(target=listen, daemon=True).start()
    client.loop_forever()


def report(client, seen):
    """The last thing a peer does: what it saw, as one line of JSON."""
    say(json.dumps(seen))
    client.disconnect()
