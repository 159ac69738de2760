"""When ends saw their links end, and gave them up, under random faults: what brownout tells of it against their own logs.

Usage: signs.py PATH-TO-BROWNOUT [TEST ...]

Devices and a hub that write down when each of their connections began, was accepted and ended, and how: by the other end's FIN or
RST, or by their own decision. Between them is brownout, with one to three rules that a seed draws. Then

- each end that brownout tells of was seen there, and each that was seen is told, at that time;
- each detection, downtime and recovery of a report ends with what the end itself did at that time, or within the bracket; and who
  is told never to have noticed did not while it was watched.
"""

import collections
import os
import random
import socket
import ssl
import subprocess
import sys
import threading
import time

import bench
import drawn
import openssl
from drawn import CONNACK, CONNECT, DISCONNECT, PINGREQ, PINGRESP, PUBLISH, packet, text

DEVICES, KEEP_ALIVE = 4, 2
SPAN, RUN = 12.0, "16s"
SEEDS = drawn.seeds(8)
# Between a stamp of brownout and one of a thread here, on two busy cores.
NEAR = 0.15

# One connection as its end saw it. `who`: the user name of its CONNECT, which no other has. `how`: eof, reset, own.
Seen = collections.namedtuple("Seen", "who began accepted ended how")


class Books:
    """Connections of both sides, as they end."""

    def __init__(self):
        self.device, self.hub = [], []


class Wire(drawn.Wire):
    """The system tells a program of an RST once: where it writes, the next read is the end."""

    was_reset = False

    def send(self, data):
        try:
            self.sock.sendall(data)
        except ConnectionError:
            self.was_reset = True
        except OSError:
            pass

    def has_more(self, limit):
        return (isinstance(self.sock, ssl.SSLSocket) and self.sock.pending()) or super().has_more(limit)

    def more(self):
        try:
            return super().more()
        except ssl.SSLWantReadError:
            return b""

    def end_of(self, error):
        """How a connection ended that cannot be read any more."""
        if self.was_reset or isinstance(error, ConnectionError):
            return "reset"
        if isinstance(error, ssl.SSLEOFError):
            return "unnotified"
        if isinstance(error, ssl.SSLError):
            return "alert" if "_ALERT_" in (error.reason or "") else "own"
        return "eof" if isinstance(error, EOFError) else "own"


def secured(sock, context, **options):
    """The same with TLS; what a record has no end of yet is not waited for."""
    sock.settimeout(5)
    sock = context.wrap_socket(sock, suppress_ragged_eofs=False, **options)
    sock.setblocking(False)
    return sock


class Hub:
    """Takes over as it should [MQTT-3.1.4-3], and ends who is silent for 1.5 of the keep-alives that came to it [MQTT-3.1.2-24]."""

    def __init__(self, books, context):
        self.books, self.context, self.live, self.lock = books.hub, context, {}, threading.Lock()
        self.server = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        if self.context:
            try:
                sock = secured(sock, self.context, server_side=True)
            except OSError:
                return sock.close()
        wire, began, who, accepted, how = Wire(sock), time.time(), None, None, "own"
        wire.gone = False
        name, heard, due, patience = None, time.monotonic(), time.monotonic(), 3
        try:
            while not wire.gone and time.monotonic() - heard < patience:
                kind, flags, body = wire.get(0.02) or (None, 0, b"")
                if kind:
                    heard = time.monotonic()
                if kind == CONNECT:
                    # 0 turns it off; more than a run lasts is as good.
                    patience = 1.5 * (int.from_bytes(body[8:10], "big") or 100)
                    length = int.from_bytes(body[10:12], "big")
                    name, who = body[12:12 + length].decode(), body[14 + length:].decode()
                    with self.lock:
                        before, self.live[name] = self.live.get(name), wire
                    if before:
                        before.gone = True
                        before.over.wait(5)
                    wire.send(packet(CONNACK, b"\0\0"))
                    accepted = time.time()
                elif kind == PINGREQ:
                    wire.send(packet(PINGRESP))
                elif kind == DISCONNECT:
                    break
                if accepted and time.monotonic() >= due:
                    due = time.monotonic() + 0.3
                    wire.send(packet(PUBLISH, text(b"down") + b"x"))
        except (EOFError, OSError) as error:
            how = wire.end_of(error)
        finally:
            self.books.append(Seen(who, began, accepted, time.time(), how))
            sock.close()
            wire.over.set()


class Device(threading.Thread):
    """Connects again 0.3 s after it has lost its link, and gives it up without PINGRESP for a keep-alive."""

    def __init__(self, name, port, draw, until, books, context):
        super().__init__(daemon=True)
        self.client, self.port, self.until, self.books, self.context = name, port, until, books.device, context
        self.every, self.nth, self.round_trips = draw.choice((0.05, 0.4, 5)), 0, []

    def run(self):
        while time.monotonic() < self.until:
            self.nth += 1
            try:
                self._link(Wire(socket.create_connection(("127.0.0.1", self.port), timeout=3)), f"{self.client}/{self.nth}")
            except OSError:
                pass
            time.sleep(0.3)

    def _link(self, wire, who):
        began, self.accepted, how = time.time(), None, "own"
        try:
            if self.context:
                wire.sock = secured(wire.sock, self.context)
            self._live(wire, who)
        except (EOFError, OSError) as error:
            how = wire.end_of(error)
        finally:
            self.books.append(Seen(who, began, self.accepted, time.time(), how))
            wire.sock.close()

    def _live(self, wire, who):
        body = b"\0\4MQTT\4\x82" + KEEP_ALIVE.to_bytes(2, "big") + text(self.client.encode()) + text(who.encode())
        wire.send(packet(CONNECT, body))
        answer = wire.get(3)
        if not answer or answer[0] != CONNACK or answer[2][1]:
            return
        self.accepted = time.time()
        due = heard = asked = time.monotonic()
        unanswered = []
        while (now := time.monotonic()) < self.until:
            kind, _, _ = wire.get(max(0.0, min(due - now, 0.02))) or (None, 0, b"")
            if kind == PINGRESP:
                heard = now
                self.round_trips.append(time.monotonic() - unanswered.pop(0))
            if now - heard > 1.5 * KEEP_ALIVE and not kind:
                return
            if now - asked > KEEP_ALIVE / 2:
                asked = now
                unanswered.append(now)
                wire.send(packet(PINGREQ))
            if now >= due:
                due = now + self.every
                wire.send(packet(PUBLISH, text(b"up") + b"x"))
        wire.send(packet(DISCONNECT))


class Rules(drawn.Rules):
    def span(self, least=0.5, most=6.0):
        return super().span(least, most)

    def rule(self, name):
        rule = super().rule(name)
        blackhole = rule["fault"].get("blackhole")
        if blackhole and "direction" not in blackhole and self.draw.random() < 0.5:
            blackhole.update(fidelity="packet", toward=self.draw.choice(("device", "hub", "both")))
        return rule


class TlsRules(Rules):
    """Some of them of TLS with devices."""

    def rule(self, name):
        one = self.draw.choice
        if self.draw.random() < 0.6:
            return super().rule(name)
        at = one(({"at": self.span(1, 5)}, {"every": self.span(1.5, 4), "jitter": "200ms"}))
        fault, when = one((
            ({"tls_handshake": {**one(({"stall": "before_server_hello"}, {"stall": "after_server_hello"}, {"abort": "reset"},
                                       {"abort": "close"}, {"alert": "internal_error"})), "for": self.span()}}, at),
            ({"tls_alert": {"alert": "internal_error", "other": one(("reset", "close", "half_open"))}}, self.when()),
            ({"tls_record": {"damage": one(("mac", "type", "length", "truncated"))}}, self.when()),
        ))
        return {"id": name, "when": when, "fault": fault}


class Told:
    """What a log tells of the legs of links."""

    def __init__(self, events, rules):
        self.zero = bench.wall_clock(events)
        toward = [rule["fault"].get("half_close", {}).get("toward") for rule in rules]
        of_window = {event["window"]: toward[event["rule"]] for event in events if event["event"] == "window_opened"}
        # The user name of a link's CONNECT; of its leg what ended it: when, whose doing, how; when a fault held.
        self.who, self.ends, self.held = {}, collections.defaultdict(list), collections.defaultdict(dict)
        for event in events:
            kind, link, at = event["event"], event.get("link"), self.zero + event["t"] / 1e9
            if kind == "packet" and event["packet"] == "connect":
                self.who[link] = event["username"]
            elif kind == "leg_ended":
                self.ends[link, event["side"]].append((at, "own", event["how"]))
            elif kind == "end_carried":
                self.ends[link, event["to"]].append((at, "told", name(event["how"])))
            elif kind == "leg_cut":
                self.ends[link, event["side"]].append((at, "cut", name(event["fate"])))
            elif kind == "fault_applied" and of_window[event["window"]]:
                self.ends[link, of_window[event["window"]]].append((at, "told", "fin"))
            elif kind == "fault_applied":
                self.held[link][event["window"]] = (at, float("inf"))
            elif kind == "fault_lifted":
                self.held[link][event["window"]] = (self.held[link][event["window"]][0], at)

    def is_held(self, link, at, until):
        """Whether a fault held the link at some time between these two, or what it dropped may still be sent again."""
        return any(since <= until + NEAR and at - NEAR <= 2 * lifted - since + 1 for since, lifted in self.held[link].values())


# How an end sees what brownout tells of; a fault that leaves a leg half-open shows it nothing, until it sends.
SEEN = {"fin": "eof", "close": "eof", "rejected": "eof", "disconnected": "eof", "unnotified": "unnotified", "truncated": "unnotified",
        "alert": "alert", "reset": "reset", "reset_when_sends": "reset", "half_open": None}


def name(fate):
    return fate if isinstance(fate, str) else next(iter(fate))


class Signs(drawn.Case):
    def secured(self, mode):
        """Contexts of devices and of the hub, where it has one, and options of brownout."""
        ca = os.path.join(self.folder, "ca")
        subprocess.run([bench.BROWNOUT, "ca", ca], check=True, capture_output=True)
        device = ssl.create_default_context(cafile=os.path.join(ca, "ca.pem"))
        device.check_hostname = False
        options = ("--tls", mode, "--ca", ca)
        if mode == "terminate":
            return device, None, options
        pki = openssl.Pki(self.folder, "Hub CA")
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(*pki.server())
        return device, server, (*options, "--hub-ca", pki.ca)

    def check(self, seed):
        draw = random.Random(seed)
        rules = (TlsRules if seed % 3 else Rules)(draw).some()
        until, books = time.monotonic() + SPAN, Books()
        # Without TLS, with devices, with both.
        mode = (None, "terminate", "reoriginate")[seed % 3]
        device, server, options = self.secured(mode) if mode else (None, None, ())
        hub = Hub(books, server)
        self.addCleanup(hub.server.close)
        run = self.start(self.profile(rules, RUN), hub, "--seed", str(seed), *options)
        devices = [Device(f"dev{n}", run.port(), random.Random(seed + n), until, books, device) for n in range(DEVICES)]
        for device in devices:
            device.start()
        for device in devices:
            device.join()
        self.assertEqual(run.wait(), 0, run.err.text())
        time.sleep(0.2)
        self.rules, told = rules, Told(run.events(), rules)
        for side, seen in (("device", books.device), ("hub", books.hub)):
            by_name = {one.who: one for one in seen if one.who}
            self.assertEqual(len(by_name), sum(one.who is not None for one in seen), "a CONNECT came twice")
            for link, who in told.who.items():
                with self.subTest(link=link, side=side, who=who):
                    self.ends_agree(told, link, side, by_name.get(who))
        report = run.report()
        for device in devices:
            [figures] = [figures for figures in report["devices"] if figures["name"] == device.client]
            with self.subTest(device=device.client):
                self.totals_agree(figures, device, [one for one in books.device if one.who.split("/")[0] == device.client])
        for rule in report["rules"]:
            for window in rule["windows"]:
                # Who has not got as far as its CONNECT is an address.
                if window["start_s"] is not None and window["device"].startswith("dev"):
                    with self.subTest(rule=rule["id"], window=window["window"], device=window["device"]):
                        self.window_agrees(told, rule, window, books)

    def ends_agree(self, told, link, side, seen):
        news = told.ends[link, side]
        self.whose = f"link {link}, {side}: {[(round(at - told.zero, 3), *what) for at, *what in news]}, " + (
            f"seen {seen.how} at {seen.ended - told.zero:.3f}" if seen else "not seen") + f"; {self.rules}"
        if seen is None:
            # Of the hub's connections those that no CONNECT came to.
            self.assertTrue(side == "hub" or not news, self.whose)
            return
        for at, whose, how in news:
            if whose == "own":
                self.assertGreaterEqual(at, seen.ended - NEAR / 4, self.whose)
            elif SEEN[how] and how != "reset_when_sends" and not told.is_held(link, at, at):
                self.assertLessEqual(seen.ended, at + NEAR, self.whose)
        others = [(at, how) for at, whose, how in news if whose != "own"]
        if seen.how == "own":
            own = [at for at, whose, _ in news if whose == "own"]
            is_over = any(at < seen.ended + NEAR for at, whose, _ in news if whose != "own")
            if not is_over and not told.is_held(link, seen.ended, own[0] if own else seen.ended):
                self.assertTrue(own and own[0] < seen.ended + NEAR, self.whose)
        else:
            # Python's ssl has one word for RST and for FIN without close_notify.
            like = ("unnotified", "reset") if seen.how == "unnotified" else (seen.how,)
            may_be = [at for at, how in others if SEEN[how] in like]
            late = "reset_when_sends" in [how for _, how in others]
            self.assertTrue(any(at - NEAR / 4 < seen.ended and (late or seen.ended < at + NEAR) for at in may_be), self.whose)

    def totals_agree(self, figures, device, seen):
        whose = f"{figures['name']}: {figures['links']} links, {figures['accepted']} accepted, {figures['ping_rtt']}; {self.rules}"
        self.assertLessEqual(figures["links"], len(seen), whose)
        accepted, gave_up = sum(one.accepted is not None for one in seen), sum(one.how == "own" for one in seen)
        # What comes behind its own end it does not read.
        self.assertTrue(accepted <= figures["accepted"] <= accepted + gave_up, f"accepted {accepted}, gave up {gave_up}; {whose}")
        if any(rule.get("what", {}).get("packet") in ("pingreq", "pingresp") for rule in self.rules):
            # Which of them a PINGRESP answers is then its own guess.
            return
        told, mine = figures["ping_rtt"] or {"count": 0}, sorted(device.round_trips)
        self.assertTrue(len(mine) <= told["count"] <= len(mine) + 3 * gave_up, f"{len(mine)}; {whose}")
        if mine and told["count"] == len(mine):
            # A PINGREQ that the kernel dropped comes when it is sent again.
            is_dropped = any(
                "loss" in rule["fault"] or rule["fault"].get("blackhole", {}).get("fidelity") == "packet" for rule in self.rules
            )
            for figure, own in ((told["max_s"], mine[-1]), (told["p50_s"], mine[(len(mine) - 1) // 2])):
                self.assertLess(figure, own + NEAR, whose)
                self.assertTrue(is_dropped or figure > own - NEAR, f"{own}; {whose}")

    def window_agrees(self, told, rule, window, books):
        start = told.zero + window["start_s"]
        mine = lambda seen: [one for one in seen if one.who and one.who.split("/")[0] == window["device"]]
        device, hub = mine(books.device), mine(books.hub)
        # Not the CONNACK that came late on the link that the fault found.
        accepted = [one.accepted for one in device if one.accepted and one.began > start]
        signs = [one.ended for one in device if one.how == "own"] + [one.began for one in device]
        figures = {key: window[key] for key in ("start_s", "restored_s", "outcome", "device_detection_s", "hub_detection_s",
                                                "downtime_s", "recovery_s", "link_end")}
        self.whose = f"{rule['id']} {rule['fault']} on {window['device']}: {figures}; {self.rules}"
        # What the kernel dropped by chance its sender sends again: a FIN, too.
        self.late = 3.0 if any("loss" in rule["fault"] for rule in self.rules) else NEAR
        self.figure_agrees(window["device_detection_s"], start, signs)
        self.figure_agrees(window["hub_detection_s"], start, [one.ended for one in hub if one.how == "own"])
        self.figure_agrees(window["downtime_s"], start, accepted)
        if window["restored_s"] is not None:
            self.figure_agrees(window["recovery_s"], told.zero + window["restored_s"], accepted)

    def figure_agrees(self, figure, start, moments):
        """A time since `start`: at its end there was one of these moments, and before it none."""
        if figure is None:
            return
        if not isinstance(figure, dict):
            least = most = figure
        elif "never_watched_s" in figure:
            least, most = figure["never_watched_s"], None
        else:
            least, most = figure["after_s"], figure["before_s"]
        since = [moment - start for moment in sorted(moments) if moment > start + NEAR / 4]
        whose = f"{figure} among {[round(moment, 3) for moment in since]}; {self.whose}"
        if most is not None:
            self.assertTrue(any(least - self.late < moment < most + NEAR / 4 for moment in since + [0.0]), whose)
        self.assertFalse(since and since[0] < least - self.late, whose)


def case(seed):
    return lambda self: self.check(seed)


for number in SEEDS:
    setattr(Signs, f"test_{number:03}", case(number))


if __name__ == "__main__":
    sys.exit(bench.main([Signs], workers=4))
