"""Logs of runs that never were, for the page to draw: any number of devices in a blackhole and a reset, and their messages."""

import datetime
import json
import random

PROFILE = """brownout: 1
name: many
summary: Many devices in the dark, and then reset.
rules:
  - id: dark
    when: { at: 60s }
    fault: { blackhole: { toward: both, for: 40s } }
  - id: reset
    when: { at: 180s }
    fault: { rst: { toward: both } }
expect:
  - { metric: device_detection, of: dark, p95: "<= 1.5 keepalive" }
  - { metric: recovery, of: dark, p95: "<= 60s" }
"""
KEEP_ALIVE = 20
END = 300.0
NONE = {"up": 0, "down": 0}


class Log:
    def __init__(self, seed):
        self.events, self.links, self.windows = [], 0, 0
        self.random = random.Random(seed)

    def at(self, t, event, **fields):
        self.events.append((t, len(self.events), {"event": event, **fields}))

    def packet(self, t, link, direction, name, **fields):
        self.at(t, "packet", link=link, direction=direction, packet=name, **fields)

    def connects(self, t, device, name, held=False):
        link, self.links = self.links, self.links + 1
        self.at(t, "link_opened", link=link, listener=0, peer=f"10.0.{device // 250}.{device % 250 + 1}:{4000 + link % 50000}")
        self.at(t + 0.003, "link_identified", link=link, device=device)
        more = {"held": True} if held else {}
        self.packet(t + 0.003, link, "up", "connect", version="3.1.1", client_id=name, keep_alive=KEEP_ALIVE, clean=True,
                    username=None, **more)
        if not held:
            self.packet(t + 0.01, link, "down", "connack", session_present=False, code=0)
        return link

    def pings(self, t, end, link, each):
        while t < end:
            self.packet(t, link, "up", "pingreq")
            self.packet(t + 0.02, link, "down", "pingresp")
            t += each

    def message(self, t, device, link, news, **fields):
        self.at(t, "message", device=device, link=link, direction="up", qos=1, id=7, news=news, first=int((t - 5) * 1e9), **fields)

    def leaves(self, t, link, side, how="fin"):
        last = {"from": int((t - 1) * 1e9), "to": int((t - 1) * 1e9)}
        self.at(t, "leg_ended", link=link, side=side, how=how, last=last)

    def window(self, t, rule, device, link, fidelity, means, until=None):
        window, self.windows = self.windows, self.windows + 1
        self.at(t, "window_opened", window=window, firing=rule + 1, rule=rule, device=device,
                until=until and int(until * 1e9), keep_alive_ns=KEEP_ALIVE * 10**9, assumed=False)
        self.at(t + 0.001, "fault_applied", window=window, link=link, fidelity=fidelity, means=means)
        return window

    def write(self, path, day):
        clock = (datetime.datetime(2026, 1, 1) + datetime.timedelta(days=day - 1)).isoformat() + "Z"
        order = {"fired": 0, "device_named": 1}
        started = {"event": "run_started", "version": "0.1.0", "wall_clock": clock, "seed": int(day * 86400),
                   "profile_name": "many", "profile": PROFILE, "overrides": []}
        middle = sorted(self.events, key=lambda event: (event[0], order.get(event[2]["event"], 2), event[1]))
        whole = [(0, 0, started), *middle, (END, 0, {"event": "run_ended", "reason": "complete"})]
        with open(path, "w") as file:
            for seq, (t, _, fields) in enumerate(whole):
                file.write(json.dumps({"seq": seq, "t": int(t * 1e9), **fields}) + "\n")
        return len(whole)


def in_the_dark(log, device, name, link):
    """From 60 s to 100 s: the hub gives the link up, and most devices do too, and try again in vain."""
    draw = log.random
    window = log.window(60, 0, device, link, "stall", {"device": "gate", "hub": "gate"}, until=100)
    hub, own = 60 + draw.uniform(15, 31), 63 + draw.expovariate(1 / 12)
    log.leaves(hub, link, "hub")
    if own < 98:
        log.leaves(own, link, "device", "fin" if draw.random() < 0.7 else "reset")
        log.at(max(hub, own) + 0.001, "link_closed", link=link, undelivered=NONE)
        attempt = own
        while attempt < 97:
            vain = log.connects(attempt, device, name, held=True)
            log.leaves(attempt + 1.9, vain, "device")
            log.at(attempt + 1.901, "link_closed", link=vain, undelivered=NONE)
            attempt += draw.uniform(3, 14)
    else:
        log.at(100.01, "end_carried", link=link, to="device", how="fin")
        log.leaves(100.02, link, "device")
        log.at(100.03, "link_closed", link=link, undelivered=NONE)
    log.at(100, "fault_lifted", window=window, link=link)
    log.at(100.0005, "window_closed", window=window)


def is_reset(log, device, link):
    window = log.window(180, 1, device, link, "packet", {"device": "linger", "hub": "linger"})
    for side in ("device", "hub"):
        log.at(180.001, "leg_cut", link=link, side=side, fate="reset", window=window, last={"from": None, "to": None})
    log.at(180.002, "window_closed", window=window)
    log.at(180.003, "link_closed", link=link, undelivered=NONE)


def write(path, names, each, day=1):
    """A run of devices of these names, a PINGREQ each so many seconds, from the beginning of this day of a January (1.5: from its noon); the number of its events."""
    log = Log(day)
    for rule, t in [(0, 60), (1, 180)]:
        log.at(t, "fired", firing=rule + 1, rule=rule, nth=1)
    for device, name in enumerate(names):
        # Devices are numbered as they appear.
        t = 8 * device / len(names)
        log.at(t, "device_named", device=device, name=name)
        link = log.connects(t, device, name)
        log.pings(t + log.random.uniform(1, each), 59, link, each)
        in_the_dark(log, device, name, link)
        back = 100.05 + log.random.expovariate(1 / 6)
        link = log.connects(back, device, name)
        log.message(back + 0.5, device, link, "retransmitted", dup=True, renumbered=False)
        log.message(back + 0.51, device, link, "duplicated")
        log.pings(back + 1, 179, link, each)
        if back < 179:
            is_reset(log, device, link)
            link = log.connects(180.1 + min(15, log.random.expovariate(1 / 3)), device, name)
            log.message(190, device, link, "lost", why="never_sent_again")
            log.pings(200, END - 1, link, each)
    return log.write(path, day)
