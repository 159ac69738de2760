"""Messages under random faults, against what both ends saw: no count of the ledger may be more than its bracket says.

Usage: ledger.py PATH-TO-BROWNOUT [TEST ...]

Devices and a hub that say no more than MQTT 3.1.1 asks for, but each writes down what it sent and what it got. Between them is
brownout, with one to three rules that a seed draws. What was received, received twice and lost must lie within what the report
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
from drawn import (CONNACK, CONNECT, DISCONNECT, PINGREQ, PINGRESP, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK, SUBSCRIBE,
                   Wire, packet, text)

DEVICES, KEEP_ALIVE = 4, 2
# For how long devices publish, and a run lasts that begins some tenths of a second before and ends what is under way, in seconds.
SPAN, RUN = 8.0, "11s"
# From one message to the next, in seconds.
EVERY = (0.02, 0.1, 0.3)
# Unacknowledged messages of an end, at most.
IN_FLIGHT = 15
SEEDS = drawn.seeds(12)


class End:
    """What an end keeps of a session, and of all messages."""

    def __init__(self, name, draw):
        self.name, self.draw = name, draw
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
        wire.send(packet(PUBLISH, text(b"t/" + self.name.encode()) + number + payload, qos << 1 | dup))

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
        number, payload = (body[at:at + 2], body[at + 2:]) if qos else (b"", body[at:])
        # Of QoS 2 an identifier that is not released says that it is the same message.
        if qos < 2 or number not in self.taken:
            self.got[qos].append(payload)
        if qos == 1:
            wire.send(packet(PUBACK, number))
        elif qos == 2:
            self.taken.add(number)
            wire.send(packet(PUBREC, number))


class Hub:
    """Takes over as it should [MQTT-3.1.4-3], and keeps sessions."""

    def __init__(self, draw, until):
        self.draw, self.until = draw, until
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
        clean, name = body[7] & 2, body[12:].decode()
        with self.lock:
            before = self.live.get(name)
            if before:
                # Whoever serves it is through before the session goes on.
                before.end()
                before.over.wait(5)
            self.live[name] = wire
            is_known = name in self.ends and not clean
            end = self.ends.setdefault(name, End(name, self.draw))
            if not is_known:
                end.forget()
        wire.send(packet(CONNACK, bytes([is_known, 0])))
        end.go_on(wire)
        return end

    def _serve(self, sock):
        wire, end, every = Wire(sock), None, self.draw.choice(EVERY)
        due = time.monotonic() + every
        try:
            while True:
                kind, flags, body = wire.get(0.02) or (None, 0, b"")
                if kind == CONNECT:
                    end = self._welcome(wire, body)
                elif kind == SUBSCRIBE:
                    wire.send(packet(SUBACK, body[:2] + b"\2"))
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

    def __init__(self, name, port, draw, until):
        super().__init__(daemon=True)
        self.end, self.port, self.draw, self.until = End(name, draw), port, draw, until
        self.clean, self.every = draw.random() < 0.5, draw.choice(EVERY)

    def run(self):
        while time.monotonic() < self.until:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=3) as sock:
                    if self._live(Wire(sock)):
                        return
            except (EOFError, OSError):
                pass
            time.sleep(0.3)

    def _live(self, wire):
        """Whether it has left in good order."""
        flags = bytes([2 if self.clean else 0])
        wire.send(packet(CONNECT, b"\0\4MQTT\4" + flags + KEEP_ALIVE.to_bytes(2, "big") + text(self.end.name.encode())))
        answer = wire.get(3)
        if not answer or answer[0] != CONNACK or answer[2][1]:
            return False
        if not answer[2][0]:
            self.end.forget()
        wire.send(packet(SUBSCRIBE, b"\0\1" + text(b"t/#") + b"\2", 2))
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
        draw = random.Random(seed)
        rules = drawn.Rules(draw).some()
        until = time.monotonic() + SPAN
        hub = Hub(random.Random(seed), until)
        self.addCleanup(hub.server.close)
        run = self.start(self.profile(rules, RUN), hub, "--seed", str(seed))
        devices = [Device(f"dev{n}", run.port(), random.Random(seed + n), until) for n in range(DEVICES)]
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
