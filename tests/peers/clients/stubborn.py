"""A client with mistakes: it says too much, leaves before the PUBACK, and never gives up."""

import sys
import time

from words import arguments, new_client


def main():
    wanted = arguments()
    # Wrong: no client id.
    client = new_client("")
    topic = f"{wanted.net_id}/{wanted.action}"

    def on_connect(client, _userdata, _flags, reason, *_):
        if reason == 0:
            client.subscribe(f"{topic}/response", qos=2)

    def on_subscribe(client, *_):
        # Wrong: without the blanks.
        client.publish(f"{topic}/request", wanted.message.replace(" ", ""), qos=2)

    def on_message(client, _userdata, message):
        # Wrong: more than the response.
        print("Response:", message.payload.decode())
        # Wrong: paho sends the PUBACK after this.
        client.disconnect()

    client.on_connect = on_connect
    client.on_subscribe = on_subscribe
    client.on_message = on_message
    while True:
        # Wrong: for ever, where there is no broker or where it refuses the connection.
        try:
            client.connect(wanted.host, wanted.port)
            break
        except OSError:
            time.sleep(0.2)
    client.loop_forever()
    # Wrong: all was well.
    sys.exit(1)


main()
