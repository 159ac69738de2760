"""A bare MQTT client for a namespace of its own, that tells what its kernel knows of its socket (TCP_INFO) as it changes.

    dark_client.py '{"host": "10.77.1.1", "port": 1883, "name": "raw", "bind": "10.77.1.10", "user_timeout": 3.0}'

It connects at once. Commands, a JSON list a line of standard input: ["ping"], ["publish", how many, bytes, seconds between],
["again"] (lets the socket go without a word, and connects anew), ["stop"]. What it sees goes to standard output, a JSON object a
line with the time of the wall clock.
"""

import errno
import json
import os
import socket
import struct
import sys
import threading
import time

LOCK = threading.Lock()
STATES = {1: "ESTABLISHED", 2: "SYN_SENT", 7: "CLOSED", 8: "CLOSE_WAIT"}
TCP_USER_TIMEOUT = 18


def tell(what, **more):
    with LOCK:
        print(json.dumps({"at": time.time(), "what": what, **more}), flush=True)


def info(sock):
    raw = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232)
    word = lambda at: struct.unpack_from("I", raw, at)[0]
    return {"state": STATES.get(raw[0], str(raw[0])), "retransmits": raw[2], "backoff": raw[4], "rto": word(8),
            "unacked": word(24), "total": word(100), "out": word(136), "in": word(140)}


class Client:
    def __init__(self, given):
        self.given = given
        self.sock = None
        threading.Thread(target=self.watch, daemon=True).start()
        self.connect()

    def watch(self):
        """Tells the kernel's view whenever it is another, looking every few milliseconds."""
        before = None
        while True:
            sock = self.sock
            try:
                now = info(sock) if sock else None
            except OSError:
                now = None
            keys = ("state", "retransmits", "backoff", "total")
            if now and (before is None or any(now[key] != before[key] for key in keys) or bool(now["unacked"]) != bool(before["unacked"])):
                tell("info", **now)
            before = now
            time.sleep(0.003)

    def connect(self):
        threading.Thread(target=self.go, daemon=True).start()

    def go(self):
        family = socket.AF_INET6 if ":" in self.given["host"] else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.given.get("user_timeout"):
            sock.setsockopt(socket.IPPROTO_TCP, TCP_USER_TIMEOUT, int(self.given["user_timeout"] * 1000))
        if self.given.get("bind"):
            sock.bind((self.given["bind"], 0))
        self.sock = sock
        tell("connecting")
        try:
            sock.connect((self.given["host"], self.given["port"]))
            tell("connected", port=sock.getsockname()[1])
            name = self.given["name"].encode()
            body = b"\0\4MQTT\4\2" + struct.pack(">HH", self.given.get("keep_alive", 60), len(name)) + name
            sock.sendall(b"\x10" + bytes([len(body)]) + body)
            if self.given.get("subscribe"):
                topic = self.given["subscribe"].encode()
                body = b"\0\1" + struct.pack(">H", len(topic)) + topic + b"\0"
                sock.sendall(b"\x82" + bytes([len(body)]) + body)
            while True:
                got = sock.recv(4096)
                if not got:
                    tell("down", how="FIN")
                    return
                tell("got", kinds=self.kinds(got))
        except OSError as error:
            if sock is self.sock:
                tell("down", how=errno.errorcode.get(error.errno, str(error)))

    @staticmethod
    def kinds(got):
        """The kinds of short packets, as read."""
        kinds = []
        while len(got) >= 2:
            kinds.append(got[0] >> 4)
            got = got[2 + got[1]:]
        return kinds

    def send(self, data):
        try:
            self.sock.sendall(data)
            return True
        except OSError as error:
            tell("down", how=errno.errorcode.get(error.errno, str(error)))
            return False

    def publish(self, count, size, gap):
        payload = os.urandom(size)
        length = size + 3
        packet = bytes([0x30, length & 0x7F | 0x80, length >> 7]) + b"\0\1t" + payload
        tell("publishing", **info(self.sock))
        for _ in range(count):
            if not self.send(packet):
                return
            time.sleep(gap)
        while info(self.sock)["unacked"]:
            time.sleep(0.005)
        tell("published", **info(self.sock))


def main():
    client = Client(json.loads(sys.argv[1]))
    for line in sys.stdin:
        command, *arguments = json.loads(line)
        if command == "ping":
            tell("ping")
            client.send(b"\xc0\0")
        elif command == "publish":
            threading.Thread(target=client.publish, args=arguments, daemon=True).start()
        elif command == "again":
            old, client.sock = client.sock, None
            old.close()
            client.connect()
        elif command == "stop":
            break


main()
