"""When ends saw their links end, and gave them up, under random faults: what brownout tells of it against their own logs.

Usage: signs.py PATH-TO-BROWNOUT [TEST ...]

Devices and a hub that write down when each of their connections began, was accepted and ended, and how: by the other end's FIN or
RST, or by their own decision. Between them is brownout, with one to three rules that a seed draws. Then

- each end that brownout tells of was seen there, and each that was seen is told, at that time;
- each detection, downtime and recovery of a report ends with what the end itself did at that time, or within the bracket; and who
  is told never to have noticed did not while it was watched.
"""

import collections
import random
import socket
import sys
import threading
import time

import bench
import drawn
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

    def end_of(self, error):
        """How a connection ended that cannot be read any more."""
        if self.was_reset or isinstance(error, ConnectionError):
            return "reset"
        return "eof" if isinstance(error, EOFError) else "own"


class Hub:
    """Takes over as it should [MQTT-3.1.4-3], and ends who is silent for 1.5 keep-alives [MQTT-3.1.2-24]."""

    def __init__(self, books):
        self.books, self.live, self.lock = books.hub, {}, threading.Lock()
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
        wire, began, who, accepted, how = Wire(sock), time.time(), None, None, "own"
        wire.gone = False
        name, heard, due = None, time.monotonic(), time.monotonic()
        try:
            while not wire.gone and time.monotonic() - heard < 1.5 * KEEP_ALIVE:
                kind, flags, body = wire.get(0.02) or (None, 0, b"")
                if kind:
                    heard = time.monotonic()
                if kind == CONNECT:
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

    def __init__(self, name, port, draw, until, books):
        super().__init__(daemon=True)
        self.client, self.port, self.until, self.books = name, port, until, books.device
        self.every, self.nth = draw.choice((0.05, 0.4, 5)), 0

    def run(self):
        while time.monotonic() < self.until:
            self.nth += 1
            began, self.accepted, how, ended = time.time(), None, "own", None
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=3) as sock:
                    began, wire = time.time(), Wire(sock)
                    try:
                        self._live(wire, f"{self.client}/{self.nth}")
                    except (EOFError, OSError) as error:
                        how = wire.end_of(error)
                    ended = time.time()
            except OSError:
                pass
            if ended:
                self.books.append(Seen(f"{self.client}/{self.nth}", began, self.accepted, ended, how))
            time.sleep(0.3)

    def _live(self, wire, who):
        body = b"\0\4MQTT\4\x82" + KEEP_ALIVE.to_bytes(2, "big") + text(self.client.encode()) + text(who.encode())
        wire.send(packet(CONNECT, body))
        answer = wire.get(3)
        if not answer or answer[0] != CONNACK or answer[2][1]:
            return
        self.accepted = time.time()
        due = heard = asked = time.monotonic()
        while (now := time.monotonic()) < self.until:
            kind, _, _ = wire.get(max(0.0, min(due - now, 0.02))) or (None, 0, b"")
            if kind == PINGRESP:
                heard = now
            if now - heard > 1.5 * KEEP_ALIVE and not kind:
                return
            if now - asked > KEEP_ALIVE / 2:
                asked = now
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
        if "blackhole" in rule["fault"] and self.draw.random() < 0.5:
            rule["fault"]["blackhole"].update(fidelity="packet", toward=self.draw.choice(("device", "hub", "both")))
        return rule


class Told:
    """What a log tells of the legs of links."""

    def __init__(self, events, rules):
        self.zero = bench.wall_clock(events)
        toward = [rule["fault"].get("half_close", {}).get("toward") for rule in rules]
        of_window = {event["window"]: toward[event["rule"]] for event in events if event["event"] == "window_opened"}
        # The user name of a link's CONNECT; of its leg what ended it: when, whose doing, how; when a fault held.
        self.who, self.ends, self.held = {}, collections.defaultdict(list), collections.defaultdict(list)
        for event in events:
            kind, link, at = event["event"], event.get("link"), self.zero + event["t"] / 1e9
            if kind == "packet" and event["packet"] == "connect":
                self.who[link] = event["username"]
            elif kind == "leg_ended":
                self.ends[link, event["side"]].append((at, "own", event["how"]))
            elif kind == "end_carried":
                self.ends[link, event["to"]].append((at, "told", event["how"]))
            elif kind == "leg_cut":
                self.ends[link, event["side"]].append((at, "cut", event["fate"]))
            elif kind == "fault_applied" and of_window[event["window"]]:
                self.ends[link, of_window[event["window"]]].append((at, "told", "fin"))
            elif kind == "fault_applied":
                self.held[link].append([at, float("inf")])
            elif kind == "fault_lifted":
                self.held[link][-1][1] = at

    def is_held(self, link, at, until):
        """Whether a fault held the link at some time between these two."""
        return any(since <= until + NEAR and at - NEAR <= lifted for since, lifted in self.held[link])


RESETS = ("reset", "reset_when_sends")
UNSEEN = ("half_open",)


class Signs(drawn.Case):
    def check(self, seed):
        draw = random.Random(seed)
        rules = Rules(draw).some()
        until, books = time.monotonic() + SPAN, Books()
        hub = Hub(books)
        self.addCleanup(hub.server.close)
        run = self.start(self.profile(rules, RUN), hub, "--seed", str(seed))
        devices = [Device(f"dev{n}", run.port(), random.Random(seed + n), until, books) for n in range(DEVICES)]
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
        for rule in run.report()["rules"]:
            for window in rule["windows"]:
                if window["start_s"] is not None:
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
            elif how not in UNSEEN and how != "reset_when_sends" and not told.is_held(link, at, at):
                self.assertLessEqual(seen.ended, at + NEAR, self.whose)
        others = [(at, how) for at, whose, how in news if whose != "own" and how not in UNSEEN]
        if seen.how == "own":
            own = [at for at, whose, _ in news if whose == "own"]
            is_over = any(at < seen.ended + NEAR for at, whose, _ in news if whose != "own")
            if not is_over and not told.is_held(link, seen.ended, own[0] if own else seen.ended):
                self.assertTrue(own and own[0] < seen.ended + NEAR, self.whose)
        else:
            may_be = [at for at, how in others if (how in RESETS) == (seen.how == "reset")]
            late = "reset_when_sends" in [how for _, how in others]
            self.assertTrue(any(at - NEAR / 4 < seen.ended and (late or seen.ended < at + NEAR) for at in may_be), self.whose)

    def window_agrees(self, told, rule, window, books):
        start = told.zero + window["start_s"]
        mine = lambda seen: [one for one in seen if one.who and one.who.split("/")[0] == window["device"]]
        device, hub = mine(books.device), mine(books.hub)
        accepted = [one.accepted for one in device if one.accepted]
        signs = [one.ended for one in device if one.how == "own"] + [one.began for one in device]
        figures = {key: window[key] for key in ("start_s", "restored_s", "outcome", "device_detection_s", "hub_detection_s",
                                                "downtime_s", "recovery_s", "link_end")}
        self.whose = f"{rule['id']} {rule['fault']} on {window['device']}: {figures}; {self.rules}"
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
            self.assertTrue(any(least - NEAR < moment < most + NEAR / 4 for moment in since + [0.0]), whose)
        self.assertFalse(since and since[0] < least - NEAR, whose)


def case(seed):
    return lambda self: self.check(seed)


for number in SEEDS:
    setattr(Signs, f"test_{number:03}", case(number))


if __name__ == "__main__":
    sys.exit(bench.main([Signs], workers=4))
