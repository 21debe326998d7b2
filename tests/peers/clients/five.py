"""A client that is right but for its version of MQTT."""

import sys

import paho.mqtt.client as mqtt

from words import arguments, new_client


def main():
    wanted = arguments()
    client = new_client(wanted.net_id, protocol=mqtt.MQTTv5)

    def on_connect(_client, _userdata, _flags, reason, *_):
        if reason != 0:
            sys.exit(f"the broker refused the connection: {reason}")

    client.on_connect = on_connect
    try:
        client.connect(wanted.host, wanted.port)
    except OSError as error:
        sys.exit(f"no broker at {wanted.host}:{wanted.port}: {error}")
    client.loop_forever(retry_first_connection=False)


main()
