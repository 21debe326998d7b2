"""Leads one device session: controller.py HOST PORT QOS PAUSE COMMANDS...

Hears a login, hands out a UNIQUE ID, waits PAUSE seconds, sends all the commands in one burst, and the
last words when every command of the table has its reply. When its standard input ends, it waits for
what the broker still has for it and prints a line of JSON: every reply in order, and what happened when.
"""

import sys
import threading
import time

from connection import connect, report, say, serve

TABLE = {"CMD1", "CMD2", "CMD3", "CMD4", "CMD5", "CMD6", "CMD7"}
UNIQUE_ID = "4e1d-unique"
END = f"{UNIQUE_ID}/end-of-test"


class Controller:
    def __init__(self, qos, pause, commands):
        self.qos = qos
        self.pause = pause
        self.commands = commands
        self.due = sum(command.strip() in TABLE for command in commands)
        self.seen = {"login_at": None, "unique_id_at": None, "commands_at": None, "replies": []}

    def received(self, client, message):
        text = message.payload.decode()
        if message.topic == "login":
            self.log_in(client, text)
        elif message.topic == END:
            report(client, self.seen)
        else:
            self.reply(client, message, text)

    def log_in(self, client, user_id):
        self.seen["login_at"] = time.monotonic()
        self.seen["user_id"] = user_id

        def introduce(client, *_):
            client.on_subscribe = None
            client.publish(f"{user_id}/UUID", UNIQUE_ID, self.qos)
            self.seen["unique_id_at"] = time.monotonic()
            threading.Timer(self.pause, self.send, [client]).start()

        client.on_subscribe = introduce
        client.subscribe(f"{UNIQUE_ID}/+", 2)

    def send(self, client):
        self.seen["commands_at"] = time.monotonic()
        for command in self.commands:
            client.publish(UNIQUE_ID, command, self.qos)

    def reply(self, client, message, word):
        replies = self.seen["replies"]
        replies.append({"topic": message.topic, "word": word, "qos": message.qos})
        if len(replies) == self.due:
            client.publish(UNIQUE_ID, "Well done my IoT!", self.qos)


def main():
    host, port, qos, pause = sys.argv[1:5]
    controller = Controller(int(qos), float(pause), sys.argv[5:])
    client = connect(
        host, int(port), [("login", 2)], lambda _: say("ready"), controller.received
    )
    # Behind everything that the broker has for this client: what comes before it is all there is.
    serve(client, lambda: client.publish(END, "", 2))


main()
