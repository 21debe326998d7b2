"""The command line that the course asks for, and paho's client in either version."""

import argparse

import paho.mqtt.client as mqtt

ACTIONS = ["uppercase", "lowercase", "title-case", "reverse", "shuffle"]


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("--host", default="localhost")
    parser.add_argument("-p", "--port", type=int, default=1883)
    parser.add_argument("net_id")
    parser.add_argument("action", choices=ACTIONS)
    parser.add_argument("message")
    return parser.parse_args()


def new_client(client_id, **settings):
    version = getattr(mqtt, "CallbackAPIVersion", None)
    first = [version.VERSION2] if version else []
    return mqtt.Client(*first, client_id=client_id, **settings)
