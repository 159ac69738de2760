"""Faults that a seed draws, and the packets of ends that say no more than MQTT asks for."""

import json
import os
import select
import socket
import threading
import time

import bench


def seeds(usual):
    """From 1 to `usual`, or to what SEEDS says in the environment."""
    return range(1, int(os.environ.get("SEEDS", usual)) + 1)


CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK = range(1, 10)
PINGREQ, PINGRESP, DISCONNECT = 12, 13, 14


def packet(kind, body=b"", flags=0):
    length, left = b"", len(body)
    while True:
        left, digit = divmod(left, 128)
        length += bytes([digit | (128 if left else 0)])
        if not left:
            return bytes([kind << 4 | flags]) + length + body


def text(value):
    return len(value).to_bytes(2, "big") + value


class Wire:
    """Packets on a socket. What cannot be sent is not: what the other end had sent before is still read."""

    def __init__(self, sock):
        # `over`: whoever serves it is through.
        self.sock, self.come, self.over = sock, b"", threading.Event()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            pass

    def end(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def get(self, limit):
        """The next packet (kind, flags, body); None after so long without, EOFError at the end."""
        until = time.monotonic() + limit
        while (taken := self._first()) is None:
            if not self.has_more(max(0.0, until - time.monotonic())):
                return None
            self.come += self.more()
        return taken

    def has_more(self, limit):
        return select.select([self.sock], [], [], limit)[0]

    def more(self):
        more = self.sock.recv(65536)
        if not more:
            raise EOFError
        return more

    def _first(self):
        length, shift, at = 0, 0, 1
        while at < min(len(self.come), 5):
            byte = self.come[at]
            length, shift, at = length | (byte & 127) << shift, shift + 7, at + 1
            if byte < 128:
                if len(self.come) < at + length:
                    return None
                first, body = self.come[0], self.come[at:at + length]
                self.come = self.come[at + length:]
                return first >> 4, first & 15, body
        return None


# The payload of a message that a fault puts in.
INJECTED = "injected"


class Rules:
    """Rules that a seed draws."""

    def __init__(self, draw):
        self.draw = draw

    def some(self):
        return [self.rule(f"r{nth}") for nth in range(self.draw.randint(1, 3))]

    def span(self, least=0.5, most=3.0):
        return f"{self.draw.uniform(least, most):.3f}s"

    def way(self):
        return self.draw.choice(("up", "down", "both"))

    def toward(self):
        toward = self.draw.choice(("device", "hub", "both"))
        return {"toward": toward} if toward == "both" else {"toward": toward, "other": self.draw.choice(("reset", "close", "half_open"))}

    def when(self):
        return self.draw.choice((
            {"at": self.span(1, 5)},
            {"every": self.span(1.5, 4), "jitter": "200ms"},
            {"after": "connack", "delay": self.span(0.2, 2), "times": self.draw.randint(1, 3)},
            {"after": "publish", "nth": self.draw.randint(1, 40), "times": 2},
        ))

    def rule(self, name):
        """Half of them fall on messages, or on all that passes; the others on links, or on packets that hold them up."""
        rule = {"id": name, "when": self.when(), **self.draw.choice((self.of_traffic, self.of_links))()}
        if self.draw.random() < 0.3:
            rule["who"] = {"client": self.draw.choice(("dev0", "dev1", "dev?"))}
        if self.draw.random() < 0.2:
            rule["chance"] = "60%"
        return rule

    def of_traffic(self):
        one, hold, way = self.draw.choice, {"for": self.span()}, {"direction": self.way()}
        late = one(({"fixed": "50ms"}, {"uniform": {"min": "1ms", "max": "300ms"}}, {"pareto": {"scale": "5ms", "shape": 1.5, "max": "1s"}}))
        fault, what = one((
            ({"blackhole": {**hold, "fidelity": "stall", "connects": one(("silence", "allow"))}}, None),
            ({"rst": self.toward()}, None),
            ({"fin": self.toward()}, None),
            ({"half_close": {"toward": one(("device", "hub"))}}, None),
            ({"refuse": {**hold, "how": one(("closed", "reset"))}}, None),
            ({"stall": {**hold, **way}}, None),
            ({"latency": {**late, **hold, **way}}, None),
            ({"bandwidth": {"rate": one(("500B/s", "2kB/s", "20kB/s")), **hold, **way}}, None),
            ({"slice": {"size": one((1, 3, 50)), "gap": one(("0s", "1ms", "5ms")), **hold, **way}}, None),
            ({"cut_after": {"bytes": self.draw.randint(100, 5000), "direction": one(("up", "down")), **self.toward(), **hold}}, None),
            ({"reject": {"code": "server_unavailable", **hold}}, None),
            ({"disconnect": self.toward()}, None),
            ({"drop": hold}, {"chance": one(("5%", "30%", "100%"))}),
            ({"delay": {"fixed": one(("50ms", "500ms")), **hold}}, {"chance": one(("5%", "30%"))}),
            ({"duplicate": {"copies": one((1, 2)), **hold}}, {"chance": one(("5%", "30%", "100%"))}),
            ({"cut": {"after_bytes": one((1, 5, 10)), **self.toward(), **hold}}, {"nth": self.draw.randint(3, 60)}),
            ({"edit": {"dup": True, **hold}}, {}),
        ))
        return {"fault": fault} if what is None else {"fault": fault, "what": {"packet": "publish", **way, **what}}

    def of_links(self):
        one, hold, way = self.draw.choice, {"for": self.span()}, {"direction": self.way()}
        dark = {**hold, "fidelity": one(("stall", "packet"))}
        some = {"chance": one(("50%", "100%"))}
        fault, what = one((
            ({"blackhole": {**dark, "direction": one(("up", "down")), "connects": one(("silence", "allow", "vanish"))}}, None),
            ({"blackhole": {**dark, "connects": "vanish"}}, None),
            ({"idle_timeout": {"after": self.span(0.2, 2.5), "then": one(("vanish", "reset")), **hold}}, None),
            ({"token_expiry": {"lifetime": self.span(1, 4), "grace": one(("0s", "500ms")), **hold}}, None),
            ({"loss": {"chance": one(("10%", "40%")), "toward": one(("device", "hub", "both")), **hold}}, None),
            ({"drop": hold}, {"packet": one(("pingreq", "pingresp", "connect", "connack", "disconnect")), **some}),
            ({"drop": hold}, {"packet": one(("puback", "pubrec", "pubcomp")), **way, **some}),
            ({"delay": {"fixed": one(("50ms", "1s")), **hold}}, {"packet": one(("connack", "puback"))}),
            ({"duplicate": {"copies": 1, **hold}}, {"packet": one(("puback", "pubrec", "pubrel", "pubcomp"))}),
            ({"cut": {"after_bytes": 1, **self.toward(), **hold}}, {"packet": one(("connect", "connack", "pingreq", "pingresp"))}),
            ({"edit": {"session_present": one((True, False)), **hold}}, {"packet": "connack"}),
            ({"edit": {"keep_alive": one(("1s", "4s", "0s")), **hold}}, {"packet": "connect"}),
            ({"inject": {"publish": {"topic": "in/ject", "payload": INJECTED}, "toward": one(("device", "hub"))}}, None),
        ))
        return {"fault": fault} if what is None else {"fault": fault, "what": what}


class Case(bench.Case):
    def profile(self, rules, lasts):
        path = os.path.join(self.folder, "random.yaml")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"brownout": 1, "name": "random", "summary": "Rules that were drawn.", "duration": lasts, "rules": rules}, file)
        return path
