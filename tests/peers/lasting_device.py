"""A device that goes on over lost connections as paho does: lasting_device.py HOST PORT USER_ID QOS SECONDS.

Its session outlives a connection (CleanSession 0), and paho sends again what was not confirmed. It answers each command
with the word of the table, prints the last words and ends with 0; it ends with 1 where they do not come in time.
"""

import sys
import threading

from connection import leave, new_client, or_leave, say
from words import WORDS

LAST_WORDS = "Well done my IoT!"
BETWEEN_ATTEMPTS = 0.05


def main(host, port, user_id, qos, seconds):
    qos = int(qos)
    client = new_client(client_id=user_id, clean_session=False)
    client.reconnect_delay_set(BETWEEN_ATTEMPTS, BETWEEN_ATTEMPTS)
    session = {"unique_id": None, "logged_in": False}

    def on_connect(client, _userdata, _flags, reason, *_):
        if reason != 0:
            leave(f"connection refused: {reason}")
        unique_id = session["unique_id"]
        client.subscribe([(f"{user_id}/UUID", qos)] + ([(unique_id, qos)] if unique_id else []))

    def on_subscribe(client, *_):
        if not session["logged_in"]:
            session["logged_in"] = True
            client.publish("login", user_id, qos)

    def received(client, message):
        text = message.payload.decode()
        if message.topic == f"{user_id}/UUID":
            session["unique_id"] = text
            client.subscribe(text, qos)
        elif text == LAST_WORDS:
            say(LAST_WORDS)
            client.disconnect()
        elif text in WORDS:
            client.publish(f"{message.topic}/{text}", WORDS[text], qos)

    client.on_connect = on_connect
    client.on_subscribe = on_subscribe
    client.on_message = lambda client, _userdata, message: or_leave(received, client, message)
    late = threading.Timer(float(seconds), leave, ["no last words"])
    late.daemon = True
    late.start()
    client.connect(host, int(port), keepalive=60)
    client.loop_forever()


main(*sys.argv[1:])
