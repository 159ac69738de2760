"""Messages under random faults, against what both ends saw: no count of the ledger may be more than its bracket says.

Usage: ledger.py PATH-TO-BROWNOUT [TEST ...]

Devices and a hub that say no more than MQTT 3.1.1 or 5 asks for, the former over WebSocket, too, but each writes down what it sent
and what it got. Between them is brownout, with one to three rules that a seed draws. What was received, received twice and lost must lie within what the report
says, for each device, direction and quality of service. Of QoS 0 it may be less than was received: what a system had acknowledged
goes with a link that is reset before the program reads it (docs/FIGURES.md). Not drawn: `corrupt` and `inject`, behind which a
payload says nothing, `takeover`, whose rival gets messages, and `drop` with a false acknowledgement.
"""

import collections
import random
import socket
import sys
import threading
import time

import bench
import drawn
import framed
from drawn import (CONNACK, CONNECT, DISCONNECT, INJECTED, PINGREQ, PINGRESP, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK,
                   SUBSCRIBE, packet, text)

DEVICES, KEEP_ALIVE = 4, 2
# For how long devices publish, and a run lasts that begins some tenths of a second before and ends what is under way, in seconds.
SPAN, RUN = 8.0, "11s"
# From one message to the next, in seconds.
EVERY = (0.02, 0.1, 0.3)
# Unacknowledged messages of an end, at most.
IN_FLIGHT = 15
SEEDS = drawn.seeds(18)


class Version4:
    """Packets as MQTT 3.1.1 has them."""

    def wire(self, sock, is_hub):
        return drawn.Wire(sock)

    def connect(self, name, clean):
        return packet(CONNECT, b"\0\4MQTT\4" + bytes([2 if clean else 0]) + KEEP_ALIVE.to_bytes(2, "big") + text(name.encode()))

    def of_connect(self, body):
        """Whether it is clean, and whose it is."""
        return bool(body[7] & 2), body[12:].decode()

    def connack(self, session_present):
        return packet(CONNACK, bytes([session_present, 0]))

    def subscribe(self):
        return packet(SUBSCRIBE, b"\0\1" + text(b"t/#") + b"\2", 2)

    def suback(self, identifier):
        return packet(SUBACK, identifier + b"\2")

    def publish(self, wire, draw, flags, topic, number, payload):
        return packet(PUBLISH, text(topic) + number + payload, flags)

    def payload(self, body):
        """What is left of a PUBLISH behind its topic and identifier."""
        return body


class Version4Framed(Version4):
    """The same over WebSocket."""

    def wire(self, sock, is_hub):
        return framed.Wire(sock, is_hub)


class Version5(Version4):
    """Packets as MQTT 5 has them. A session lasts until the next clean start, or as long as its link."""

    # One topic alias each way, a session that does not expire; properties of a PUBLISH, with their length.
    ALIASES, FOR_EVER = b"\x22\0\1", b"\x11\xff\xff\xff\xff"
    NONE, ALIAS, USER = b"\0", b"\3\x23\0\1", b"\x08\x26\0\1a\0\2bc"

    def connect(self, name, clean):
        properties = self.ALIASES + (b"" if clean else self.FOR_EVER)
        head = b"\0\4MQTT\5" + bytes([2 if clean else 0]) + KEEP_ALIVE.to_bytes(2, "big")
        return packet(CONNECT, head + bytes([len(properties)]) + properties + text(name.encode()))

    def of_connect(self, body):
        return bool(body[7] & 2), body[13 + body[10]:].decode()

    def connack(self, session_present):
        return packet(CONNACK, bytes([session_present, 0, len(self.ALIASES)]) + self.ALIASES)

    def subscribe(self):
        return packet(SUBSCRIBE, b"\0\1\0" + text(b"t/#") + b"\2", 2)

    def suback(self, identifier):
        return packet(SUBACK, identifier + b"\0\2")

    def publish(self, wire, draw, flags, topic, number, payload):
        properties = draw.choice((self.NONE, self.USER, self.ALIAS))
        if properties == self.ALIAS:
            topic, wire.has_alias = b"" if getattr(wire, "has_alias", False) else topic, True
        return packet(PUBLISH, text(topic) + number + properties + payload, flags)

    def payload(self, body):
        return body[1 + body[0]:]


class End:
    """What an end keeps of a session, and of all messages."""

    def __init__(self, name, draw, speech):
        self.name, self.draw, self.speech = name, draw, speech
        self.sent, self.got = collections.defaultdict(list), collections.defaultdict(list)
        self.number = self.identifier = 0
        self.forget()

    def forget(self):
        # Sent and not completed: payload, quality of service, and whether it was released; identifiers got and not released.
        self.under_way, self.taken = {}, set()

    def publish(self, wire):
        self.number += 1
        qos = self.number % 3 if len(self.under_way) < IN_FLIGHT else 0
        payload = f"{self.name}-{self.number}-".encode() + b"." * self.draw.choice((0, 10, 300))
        if qos:
            self.identifier = self.identifier % 65535 + 1
            self.under_way[self.identifier] = (payload, qos, False)
        self.sent[qos].append(payload)
        self._put(wire, payload, qos, self.identifier, 0)

    def go_on(self, wire):
        for identifier, (payload, qos, released) in list(self.under_way.items()):
            if released:
                wire.send(packet(PUBREL, identifier.to_bytes(2, "big"), 2))
            else:
                self._put(wire, payload, qos, identifier, 8)

    def _put(self, wire, payload, qos, identifier, dup):
        number = identifier.to_bytes(2, "big") if qos else b""
        topic = b"t/" + self.name.encode()
        wire.send(self.speech.publish(wire, self.draw, qos << 1 | dup, topic, number, payload))

    def take(self, wire, kind, flags, body):
        """A packet of messages."""
        if kind == PUBLISH:
            return self._take_message(wire, flags >> 1 & 3, body)
        number = int.from_bytes(body[:2], "big")
        if kind in (PUBACK, PUBCOMP):
            self.under_way.pop(number, None)
        elif kind == PUBREC:
            if number in self.under_way:
                self.under_way[number] = (*self.under_way[number][:2], True)
            wire.send(packet(PUBREL, body[:2], 2))
        elif kind == PUBREL:
            self.taken.discard(number)
            wire.send(packet(PUBCOMP, body[:2]))

    def _take_message(self, wire, qos, body):
        at = 2 + int.from_bytes(body[:2], "big")
        number, rest = (body[at:at + 2], body[at + 2:]) if qos else (b"", body[at:])
        payload = self.speech.payload(rest)
        # Of QoS 2 an identifier that is not released says that it is the same message.
        if payload != INJECTED.encode() and (qos < 2 or number not in self.taken):
            self.got[qos].append(payload)
        if qos == 1:
            wire.send(packet(PUBACK, number))
        elif qos == 2:
            self.taken.add(number)
            wire.send(packet(PUBREC, number))


class Hub:
    """Takes over as it should [MQTT-3.1.4-3], and keeps sessions."""

    def __init__(self, draw, until, speech):
        self.draw, self.until, self.speech = draw, until, speech
        self.server = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port = self.server.getsockname()[1]
        self.ends, self.live, self.lock = {}, {}, threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _welcome(self, wire, body):
        clean, name = self.speech.of_connect(body)
        with self.lock:
            before = self.live.get(name)
            if before:
                # Whoever serves it is through before the session goes on.
                before.end()
                before.over.wait(5)
            self.live[name] = wire
            is_known = name in self.ends and not clean
            end = self.ends.setdefault(name, End(name, self.draw, self.speech))
            if not is_known:
                end.forget()
        wire.send(self.speech.connack(is_known))
        end.go_on(wire)
        return end

    def _serve(self, sock):
        try:
            wire = self.speech.wire(sock, True)
        except (EOFError, OSError):
            return sock.close()
        end, every = None, self.draw.choice(EVERY)
        due = time.monotonic() + every
        try:
            while True:
                kind, flags, body = wire.get(0.02) or (None, 0, b"")
                if kind == CONNECT:
                    end = self._welcome(wire, body)
                elif kind == SUBSCRIBE:
                    wire.send(self.speech.suback(body[:2]))
                elif kind == PINGREQ:
                    wire.send(packet(PINGRESP))
                elif kind == DISCONNECT:
                    return
                elif kind:
                    end.take(wire, kind, flags, body)
                if end and due <= time.monotonic() < self.until:
                    due += every
                    end.publish(wire)
        except (EOFError, OSError):
            pass
        finally:
            sock.close()
            wire.over.set()


class Device(threading.Thread):
    """Connects again 0.3 s after it has lost its link, and gives it up without PINGRESP for a keep-alive."""

    def __init__(self, name, port, draw, until, speech):
        super().__init__(daemon=True)
        self.end, self.port, self.draw, self.until, self.speech = End(name, draw, speech), port, draw, until, speech
        self.clean, self.every = draw.random() < 0.5, draw.choice(EVERY)

    def run(self):
        while time.monotonic() < self.until:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=3) as sock:
                    if self._live(self.speech.wire(sock, False)):
                        return
            except (EOFError, OSError):
                pass
            time.sleep(0.3)

    def _live(self, wire):
        """Whether it has left in good order."""
        wire.send(self.speech.connect(self.end.name, self.clean))
        answer = wire.get(3)
        if not answer or answer[0] != CONNACK or answer[2][1]:
            return False
        if not answer[2][0]:
            self.end.forget()
        wire.send(self.speech.subscribe())
        self.end.go_on(wire)
        due = heard = time.monotonic()
        asked = due
        while (now := time.monotonic()) < self.until:
            kind, flags, body = wire.get(max(0.0, min(due - now, 0.02))) or (None, 0, b"")
            if kind == PINGRESP:
                heard = time.monotonic()
            elif kind and kind != SUBACK:
                self.end.take(wire, kind, flags, body)
            if now - heard > KEEP_ALIVE and not kind:
                return False
            if now - asked > KEEP_ALIVE / 2:
                asked = now
                wire.send(packet(PINGREQ))
            if now >= due:
                due += self.every
                self.end.publish(wire)
        wire.send(packet(DISCONNECT))
        wire.sock.shutdown(socket.SHUT_WR)
        while True:
            self.end.take(wire, *(wire.get(2) or (None, 0, b"")))


class Ledger(drawn.Case):
    def check(self, seed):
        rules = drawn.Rules(random.Random(seed)).some()
        until, speech = time.monotonic() + SPAN, (Version4(), Version5(), Version4Framed())[seed % 3]
        hub = Hub(random.Random(seed), until, speech)
        self.addCleanup(hub.server.close)
        run = self.start(self.profile(rules, RUN), hub, "--seed", str(seed))
        devices = [Device(f"dev{n}", run.port(), random.Random(seed + n), until, speech) for n in range(DEVICES)]
        for device in devices:
            device.start()
        for device in devices:
            device.join()
        self.assertEqual(run.wait(), 0, run.err.text())
        told = {device["name"]: device["delivery"] for device in run.report()["devices"]}
        for device in devices:
            name = device.end.name
            for way, sender, receiver in (("up", device.end, hub.ends[name]), ("down", hub.ends[name], device.end)):
                for qos in range(3):
                    counts = {key: value[qos] for key, value in told[name][way].items() if value}
                    with self.subTest(device=name, way=way, qos=qos):
                        self.whose = f"{name}, {way}, QoS {qos}: {counts}; {rules}"
                        self.agree(counts, sender.sent[qos], receiver.got[qos], is_sure=qos > 0)

    def agree(self, told, sent, got, is_sure):
        self.assertLessEqual(told["sent"], len(sent), self.whose)
        twice, lost = len(got) - len(set(got)), len(set(sent) - set(got))
        unknown = told["unfollowed"] + told["perhaps_received"]
        received = told["received"] + told["duplicated"]
        self.assertLessEqual(len(got), received + unknown + told["perhaps_duplicated"], self.whose)
        self.assertLessEqual(twice, told["duplicated"] + told["perhaps_duplicated"] + told["unfollowed"], self.whose)
        if is_sure:
            self.assertGreaterEqual(len(got), received, self.whose)
            self.assertGreaterEqual(twice, told["duplicated"], self.whose)
        # What never came to brownout it does not know of.
        if told["sent"] == len(sent):
            self.assertGreaterEqual(lost, told["lost"], self.whose)
            if is_sure:
                self.assertLessEqual(lost, told["lost"] + told["in_flight"] + unknown, self.whose)


def case(seed):
    return lambda self: self.check(seed)


for number in SEEDS:
    setattr(Ledger, f"test_{number:03}", case(number))


if __name__ == "__main__":
    sys.exit(bench.main([Ledger], workers=4))
