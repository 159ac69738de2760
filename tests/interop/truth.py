"""brownout's figures against an independent capture of the same runs.

Usage: truth.py PATH-TO-BROWNOUT [SCENARIO ...]

dumpcap records the loopback interface of a network namespace of its own, in which brokers, clients and brownout run; what
tshark makes of that is the truth here. Of brownout, only the start and the end of windows are taken on trust, where a
fault leaves no packet that shows them. Needs root, for the namespace and the capture; else all is skipped, and said so.
"""

import collections
import concurrent.futures
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

INSIDE = "BROWNOUT_TRUTH_INSIDE"

# By how much a time may differ, in seconds. The kernel stamps a packet when it is sent, brownout when it has read or written
# it, and between the two a task may have to wait to be run. On two idle cores 5 ms were the worst of 300 figures; with
# four times the work that they can do, 27 ms. More where the run says that it was held up: see tolerance().
TIME = 0.05
# Or this part of the figure.
SHARE = 0.01
# What happens so long before the end of a run may be a part of that.
LAST_WORDS = 0.3
# What comes so shortly before the end of the run may find nobody who reads it any more.
UNREAD = 0.1
# Half of all differences are below this: 0.2 ms were measured idle, 0.4 ms with that much work. More where half of the wakes of
# a thread that only sleeps are late: each end of a figure waits for one.
TYPICAL = 0.002

# In seconds; mosquitto's clients take no less.
KEEP_ALIVE = 5

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PINGREQ, PINGRESP, DISCONNECT = 1, 2, 3, 4, 8, 9, 12, 13, 14
NAMES = {CONNECT: "connect", CONNACK: "connack", SUBSCRIBE: "subscribe", SUBACK: "suback", PINGREQ: "pingreq",
         PINGRESP: "pingresp", DISCONNECT: "disconnect"}
WITH_ID = {4, 5, 6, 7, 8, 9, 10, 11}

FIELDS = ["frame.time_epoch", "tcp.stream", "tcp.srcport", "tcp.dstport", "tcp.flags", "tcp.len", "tcp.seq_raw",
          "mqtt.msgtype", "mqtt.clientid", "mqtt.conack.val", "mqtt.msgid", "mqtt.qos", "mqtt.dupflag"]

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10

Packet = collections.namedtuple("Packet", "at kind id qos code dup")
End = collections.namedtuple("End", "at up how")


class Stream:
    """A TCP connection as the capture has it. Up is what its client says."""

    def __init__(self, side, port, opened):
        self.side, self.port, self.opened = side, port, opened
        self.name = None
        self.up, self.down = [], []
        self.ends = []
        self.first, self.segments = {}, {True: [], False: []}

    def take(self, at, up, flags, length, seq, packets):
        if flags & SYN:
            self.first[up] = seq + 1
        elif length and up in self.first:
            self.segments[up].append((at, (seq + length - self.first[up]) & 0xFFFFFFFF))
        (self.up if up else self.down).extend(packets)
        for flag, how in ((RST, "reset"), (FIN, "fin")):
            if flags & flag and not [end for end in self.ends if end.up == up and end.how == how]:
                self.ends.append(End(at, up, how))

    def end(self, up):
        """The first sign of that end."""
        words = [End(packet.at, up, "disconnect") for packet in (self.up if up else self.down)
                 if packet.kind == DISCONNECT]
        return min([end for end in self.ends if end.up == up] + words, default=None)

    def unasked(self, up):
        """The same, if the other end had not given up before."""
        own, other = self.end(up), self.end(not up)
        return own if own and (not other or own.at < other.at) else None

    def accepted(self):
        return next((packet.at for packet in self.down if packet.kind == CONNACK and packet.code == 0), None)

    def bytes(self, up, until=float("inf")):
        return max((end for at, end in self.segments[up] if at <= until), default=0)

    def lose(self, up, began, ended):
        """What was sent in this time did not arrive, unless it was sent again."""
        lost = lambda at: began < at < ended
        self.segments[up] = [segment for segment in self.segments[up] if not lost(segment[0])]
        kept = [packet for packet in (self.up if up else self.down) if not lost(packet.at)]
        if up:
            self.up = kept
        else:
            self.down = kept


class Capture:
    """dumpcap on loopback, of two ports."""

    def __init__(self, folder, device_port, hub_port):
        self.path = os.path.join(folder, "truth.pcapng")
        self.device_port, self.hub_port = device_port, hub_port
        self.process = subprocess.Popen(
            ["dumpcap", "-q", "-i", "lo", "-B", "32", "-f", f"tcp port {device_port} or tcp port {hub_port}", "-w", self.path],
            stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if line.startswith("File:"):
                break
        else:
            raise AssertionError("dumpcap did not start")

    def stop(self):
        time.sleep(0.5)
        self.process.send_signal(signal.SIGINT)
        said = self.process.communicate(timeout=20)[1]
        dropped = [line for line in said.splitlines() if "dropped" in line and "/0" not in line]
        assert not [line for line in dropped if " 0 (0.0" not in line and "dropped: 0" not in line], said

    def read(self):
        """Its streams, in the order of their SYNs."""
        command = ["tshark", "-n", "-r", self.path, "-d", f"tcp.port=={self.device_port},mqtt", "-d",
                   f"tcp.port=={self.hub_port},mqtt", "-T", "fields"]
        read = subprocess.run(command + [part for field in FIELDS for part in ("-e", field)], capture_output=True,
                              text=True, timeout=120)
        assert read.returncode == 0, read.stderr
        streams = {}
        for line in read.stdout.splitlines():
            row = dict(zip(FIELDS, line.split("\t")))
            self.row(streams, row)
        return list(streams.values())

    def row(self, streams, row):
        at, flags = float(row["frame.time_epoch"]), int(row["tcp.flags"], 16)
        source, target = int(row["tcp.srcport"]), int(row["tcp.dstport"])
        ports = (self.device_port, self.hub_port)
        # brownout's own port to the hub may be any, but not one of these two.
        up = target in ports
        server = target if up else source
        side = "device" if server == self.device_port else "hub"
        key = int(row["tcp.stream"])
        if key not in streams:
            streams[key] = Stream(side, source if up else target, at)
        stream = streams[key]
        packets = list(self.packets(at, row))
        names = [name for name in row["mqtt.clientid"].split(",") if name]
        if names:
            stream.name = names[0]
        stream.take(at, up, flags, int(row["tcp.len"]), int(row["tcp.seq_raw"]), packets)

    def packets(self, at, row):
        """The MQTT packets that end in a segment. tshark lists each field for all of them."""
        ids, grades, codes, dups = (iter(row[field].split(",")) for field in
                                    ("mqtt.msgid", "mqtt.qos", "mqtt.conack.val", "mqtt.dupflag"))
        for kind in (int(kind) for kind in row["mqtt.msgtype"].split(",") if kind):
            qos = int(next(grades)) if kind == PUBLISH else None
            dup = kind == PUBLISH and next(dups) in ("1", "True")
            number = next(ids) if kind in WITH_ID or (kind == PUBLISH and qos > 0) else None
            code = int(next(codes), 0) if kind == CONNACK else None
            yield Packet(at, kind, number, qos, code, dup)


class Table:
    """The figures, side by side."""

    def __init__(self, name, tolerance):
        self.name, self.tolerance, self.rows, self.failed = name, tolerance, [], []

    def add(self, what, ours, theirs, allowed, unit="s"):
        difference = None if ours is None or theirs is None else ours - theirs
        good = ours == theirs if difference is None else abs(difference) <= allowed
        self.rows.append((what, ours, theirs, difference, allowed, unit, good))
        if not good:
            self.failed.append(what)

    def time(self, what, ours, theirs):
        """A figure of the report; brackets have to hold the truth, and what never came may not be in the capture."""
        allowed = self.tolerance
        if isinstance(ours, dict) and "after_s" in ours:
            low, high = ours["after_s"], ours["before_s"]
            held = theirs is not None and low - allowed <= theirs <= high + allowed
            self.add(f"{what} (bracket)", theirs if held else high, theirs, allowed)
        elif isinstance(ours, dict) and ours["never_watched_s"] == 0:
            # The fault hid it, and the report says so: whatever the capture has is no contradiction.
            self.rows.append((f"{what} (hidden)", None, theirs, None, allowed, "s", True))
        elif isinstance(ours, dict):
            self.add(f"{what} (never)", None, theirs, allowed)
        else:
            self.add(what, ours, theirs, max(allowed, SHARE * (theirs or 0)))

    def count(self, what, ours, theirs, unread=0):
        """`unread`: so many of theirs came as the run ended, and may be in no count of ours."""
        self.add(what, ours, min(max(ours, theirs - unread), theirs), 0, "")

    def text(self):
        show = lambda value, unit: "-" if value is None else f"{value:.4f}" if unit else str(value)
        held_up = f" (brownout was held up: times may differ by {self.tolerance:.3f} s)" if self.tolerance > TIME else ""
        lines = [f"{self.name}{held_up}", f"  {'figure':44} {'brownout':>10} {'capture':>10} {'difference':>11}"]
        for what, ours, theirs, difference, allowed, unit, good in self.rows:
            apart = "-" if difference is None else f"{difference * 1000:+.2f} ms" if unit else f"{difference:+d}"
            lines.append(f"  {what:44} {show(ours, unit):>10} {show(theirs, unit):>10} {apart:>11}{'' if good else '  WRONG'}")
        return "\n".join(lines)


def of_kind(packets, kind):
    return len([packet for packet in packets if packet.kind == kind])


def before(packets, at):
    """When the last packet before was."""
    return max(packet.at for packet in packets if packet.at < at)


def rank(values, part):
    """The nearest-rank percentile."""
    values = sorted(values)
    return values[max(0, -(-len(values) * part // 100) - 1)] if values else None


def tolerance(report):
    """By how much times of this run may differ. Where the report itself says that brownout was held up, it calls times off by
    as much: that is no wrong figure. Twice, since a figure has two ends, and each may be late; and what held brownout up had
    begun up to 50 ms before the timer was due that shows it."""
    held_up = report["uncertainty"]["held_up"]
    return max(TIME, 2 * held_up["worst_s"]) if held_up else TIME


class Truth:
    """A run held against its capture."""

    def __init__(self, name, run, streams, start):
        self.events, self.report = run.events(), run.report()
        self.table = Table(name, tolerance(self.report))
        self.start = start
        self.devices = [stream for stream in streams if stream.side == "device"]
        self.hubs = [stream for stream in streams if stream.side == "hub"]
        self.gaps = collections.defaultdict(list)
        self.links()

    def at(self, event):
        return self.start + event["t"] / 1e9

    def links(self):
        """Which streams are each link's: on the device's leg by the port, on the hub's by the name and the order."""
        self.of = {}
        names = {event["device"]: event["name"] for event in self.events if event["event"] == "device_named"}
        self.names = {event["link"]: names[event["device"]] for event in self.events if event["event"] == "link_identified"}
        for event in self.events:
            if event["event"] == "link_opened":
                port = int(event["peer"].rsplit(":", 1)[1])
                near = [stream for stream in self.devices if stream.port == port]
                self.of[event["link"], "device"] = min(near, key=lambda stream: abs(stream.opened - self.at(event)))
        # The first is brownout's own look for the hub.
        free = self.hubs[1:]
        for event in self.events:
            if event["event"] == "hub_connected":
                link, dialled = event["link"], self.at(event) - event["took_ns"] / 1e9
                # A CONNECT that brownout rejects itself never comes to the hub.
                named = [stream for stream in free if stream.name in (self.names.get(link), None)]
                stream = min(named, key=lambda stream: (abs(stream.opened - dialled) > self.table.tolerance, stream.name is None,
                                                        abs(stream.opened - dialled)))
                free.remove(stream)
                self.of[link, "hub"] = stream
        self.muted = set()
        for applied in self.events:
            if applied["event"] == "fault_applied" and applied["fidelity"] == "packet":
                link = applied["link"]
                self.muted.add(link)
                ended = next((event for event in self.events if event["event"] in ("fault_lifted", "link_closed")
                              and event["link"] == link and event["t"] > applied["t"]), self.events[-1])
                # In the kernel, below brownout and above the capture.
                self.of[link, "device"].lose(True, self.at(applied), self.at(ended))
                if (link, "hub") in self.of:
                    self.of[link, "hub"].lose(False, self.at(applied), self.at(ended))

    def of_device(self, name, side):
        return [stream for (link, at), stream in sorted(self.of.items()) if at == side and self.names.get(link) == name]

    # Figures of the report.

    def windows(self, rule, start=None):
        """The windows of a rule; `start` tells from the streams of the struck link when the fault began, if they do."""
        of_rule = next(entry for entry in self.report["rules"] if entry["id"] == rule)
        for window in of_rule["windows"]:
            if window["start_s"] is None:
                continue
            self.window(rule, window, start)
        self.connect_gaps(of_rule)

    def struck(self, window):
        """The device's stream that was up when the fault fell on it, and the hub's of the same link."""
        began = self.start + window["start_s"]
        links = [link for link, name in self.names.items() if name == window["device"] and (link, "hub") in self.of]
        before = [link for link in links if (self.of[link, "device"].accepted() or began + 1) < began]
        link = max(before, key=lambda link: self.of[link, "device"].opened)
        return self.of[link, "device"], self.of[link, "hub"]

    def window(self, rule, window, begins):
        name, time_of = window["device"], self.table.time
        device, hub = self.struck(window)
        began = self.start + window["start_s"]
        restored = window["restored_s"] and self.start + window["restored_s"]
        label = lambda what: f"{rule} {name} {what}"
        if begins:
            seen = begins(device, hub)
            time_of(label("start"), window["start_s"], seen - self.start)
            began = seen
        sign = device.unasked(True)
        later = [stream for stream in self.devices if stream.opened > began and stream.name in (name, None)
                 and self.owner(stream) == name]
        signs = [end.at for end in [sign] if end] + [stream.opened for stream in later]
        if window["device_detection_s"] is not None and not window["device_told"]:
            time_of(label("device_detection"), window["device_detection_s"], min(signs) - began if signs else None)
        sign, noticed = hub.unasked(False), min(signs, default=None)
        if window["hub_detection_s"] is not None:
            time_of(label("hub_detection"), window["hub_detection_s"], sign and sign.at - began)
        if window["device_silence_s"] is not None and noticed:
            time_of(label("device_silence"), window["device_silence_s"], noticed - before(device.up, noticed))
        if window["hub_silence_s"] is not None and sign:
            time_of(label("hub_silence"), window["hub_silence_s"], sign.at - before(hub.up, sign.at))
        if window["split_view_s"] is not None and sign and noticed:
            time_of(label("split_view"), window["split_view_s"], abs(sign.at - noticed))
        back = [stream.accepted() for stream in self.of_device(name, "device")]
        back = min((at for at in back if at and at > began), default=None)
        if window["downtime_s"] is not None:
            time_of(label("downtime"), window["downtime_s"], back and back - began)
        if window["recovery_s"] is not None:
            time_of(label("recovery"), window["recovery_s"], back and back - restored)
        tries = [stream for stream in later if not back or stream.opened < back]
        if window["downtime_s"] is not None:
            self.table.count(label("connect_attempts"), window["connect_attempts"], len(tries))
            self.gaps[rule] += [after.opened - one.opened for one, after in zip(tries, tries[1:])]

    def owner(self, stream):
        return next((self.names.get(link) for (link, _), known in self.of.items() if known is stream), None)

    def connect_gaps(self, of_rule):
        """From one connect to the next, over all outages of a rule."""
        ours, gaps, name = of_rule["measures"].get("connect_gap"), self.gaps[of_rule["id"]], of_rule["id"]
        if ours or gaps:
            self.table.count(f"{name} connect gaps", ours["samples"] if ours else 0, len(gaps))
        if ours and gaps:
            self.table.time(f"{name} connect gap min", ours["min"], min(gaps))
            self.table.time(f"{name} connect gap p50", ours["p50"], rank(gaps, 50))
            self.table.time(f"{name} connect gap max", ours["max"], max(gaps))

    def trips(self, asked, answered, figure, up_only=lambda packet: True):
        """Round trips of each device, from what it sent to what it got."""
        for device in self.report["devices"]:
            trips = []
            for stream in self.of_device(device["name"], "device"):
                open_ = collections.deque()
                marked = [(packet.at, 0, packet) for packet in stream.up if packet.kind == asked and up_only(packet)]
                marked += [(packet.at, 1, packet) for packet in stream.down if packet.kind == answered]
                for at, answer, packet in sorted(marked, key=lambda entry: entry[:2]):
                    if not answer:
                        open_.append(packet)
                        continue
                    found = next((one for one in open_ if one.id == packet.id), None)
                    if found:
                        open_.remove(found)
                        trips.append(at - found.at)
            ours = device[figure]
            what = f"{device['name']} {figure}"
            self.table.count(f"{what} count", ours["count"] if ours else 0, len(trips))
            if ours and trips:
                self.table.time(f"{what} p50", ours["p50_s"], rank(trips, 50))
                self.table.time(f"{what} max", ours["max_s"], max(trips))

    def messages(self):
        """Messages of QoS 1 from each device: sent, sent again with DUP, and acknowledged."""
        for device in self.report["devices"]:
            streams = self.of_device(device["name"], "device")
            packets = sorted([(packet.at, packet) for stream in streams for packet in stream.up
                              if packet.kind == PUBLISH and packet.qos == 1], key=lambda entry: entry[0])
            acknowledged = [packet for stream in streams for packet in stream.down if packet.kind == PUBACK]
            known, again = set(), 0
            for _, packet in packets:
                # One whose first never came to the wire is new to whoever stands there.
                again += packet.dup and packet.id in known
                known.add(packet.id)
            if not packets:
                continue
            ours, name = device["delivery"]["up"], device["name"]
            self.table.count(f"{name} messages sent", ours["sent"][1], len(packets) - again)
            self.table.count(f"{name} retransmissions", ours["retransmitted"][1], again)
            # Of the last before a leg went brownout does not say whether they were acknowledged.
            least, most = ours["completed"][1], ours["completed"][1] + ours["perhaps_completed"][1]
            self.table.count(f"{name} messages acknowledged", min(max(least, len(acknowledged)), most), len(acknowledged))

    def control_gaps(self):
        """The longest gap between two packets of a device on a sound path: one that was, and no shorter than those that no
        window came near."""
        faults = [(self.start + window["start_s"], self.start + (window["restored_s"] or 1e9))
                  for rule in self.report["rules"] for window in rule["windows"] if window["start_s"] is not None]
        for device in self.report["devices"]:
            every, sound = [], []
            for stream in self.of_device(device["name"], "device"):
                for one, after in zip(stream.up, stream.up[1:]):
                    every.append(after.at - one.at)
                    if not any(one.at < end and after.at > start for start, end in faults):
                        sound.append(every[-1])
            if device["control_gap"] and every:
                ours = device["control_gap"]["max_s"]
                self.table.time(f"{device['name']} control_gap max", ours, min(every, key=lambda gap: abs(gap - ours)))
                if sound and ours < max(sound) - self.table.tolerance:
                    self.table.time(f"{device['name']} control_gap, at least", ours, max(sound))

    def counts(self):
        """Packets by type and direction, bytes, and how legs ended: over the whole run."""
        for direction, side in (("up", "device"), ("down", "hub")):
            streams = [stream for (_, at), stream in self.of.items() if at == side]
            packets = [packet for stream in streams for packet in getattr(stream, direction)]
            last = [packet for packet in packets if packet.at > self.at(self.events[-1]) - UNREAD]
            for kind, name in NAMES.items():
                ours = [event for event in self.events if event["event"] == "packet" and event["packet"] == name
                        and event["direction"] == direction]
                theirs = [packet for packet in packets if packet.kind == kind]
                if ours or theirs:
                    self.table.count(f"{name} {direction}", len(ours), len(theirs), of_kind(last, kind))
            traffic = [event[direction] for event in self.events if event["event"] == "traffic"]
            self.table.count(f"publish {direction}", sum(entry["publishes"] for entry in traffic),
                             of_kind(packets, PUBLISH), of_kind(last, PUBLISH))
            self.table.count(f"packets {direction}", sum(entry["packets"] for entry in traffic), len(packets), len(last))
            whole = sum(stream.bytes(direction == "up") for stream in streams)
            unread = whole - sum(stream.bytes(direction == "up", self.at(self.events[-1]) - UNREAD) for stream in streams)
            self.table.count(f"bytes {direction}", sum(entry["bytes"] for entry in traffic), whole, unread)

    def ends(self):
        """FIN and RST, of whom and how; when those of the peers were told, but of links whose packets were dropped."""
        worst = 0.0
        # What a peer answers to brownout's last word, when the run ends, is no sign of its own.
        over = self.at(self.events[-1]) - LAST_WORDS
        for side, up in (("device", True), ("hub", False)):
            legs = [stream for (_, at), stream in self.of.items() if at == side]
            for how in ("fin", "reset"):
                told = [event for event in self.events if event["event"] == "leg_ended" and event["side"] == side
                        and event["how"] == how and event["link"] not in self.muted and self.at(event) < over]
                seen = [end for (link, at), stream in self.of.items() if at == side and link not in self.muted
                        for end in [end for end in stream.ends if end.up == up and end.at < over][:1]
                        if end.how == how]
                self.table.count(f"{how} of the {side}", len(told), len(seen))
                for event in told:
                    ends = [end.at for end in self.of[event["link"], side].ends if end.up == up and end.how == how]
                    worst = max([worst] + [abs(self.at(event) - at) for at in ends])
            told = [event for event in self.events
                    if (event["event"] == "leg_cut" and event["side"] == side and event["fate"] == "reset")
                    or (event["event"] == "end_carried" and event["to"] == side and event["how"] == "reset")]
            seen = [end for stream in legs for end in stream.ends
                    if end.up != up and end.how == "reset" and end.at < over]
            self.table.count(f"RST made toward the {side}", len(told), len(seen))
        self.table.time("the latest that an end of a peer was told", worst, 0.0)


def main():
    # Only inside: they want the packages of the virtual environment, and the path of brownout.
    from bench import Brownout, Device, Mosquitto, free_port, wall_clock
    from runner import MACHINE, TRIES
    from secured import Sub

    class Bench:
        """A broker, a run before it, a capture of both, and clients."""

        def __init__(self, name, folder, profile, *arguments):
            self.name, self.folder = name, folder
            self.broker = Mosquitto(folder)
            port = free_port()
            self.capture = Capture(folder, port, self.broker.port)
            self.run = Brownout("run", profile, "--listen", f"127.0.0.1:{port}", "--upstream",
                                f"127.0.0.1:{self.broker.port}", "--seed", "1", *arguments,
                                folder=os.path.join(folder, "report"))
            self.port = self.run.port()
            self.clients = []
            self.over = threading.Event()

        def paho(self, name, every=None, subscribe="lab/#"):
            device = Device(self.port, name, KEEP_ALIVE, subscribe=subscribe)
            self.clients.append(device)
            if every:
                threading.Thread(target=self.publish, args=(device, every), daemon=True).start()
            return device

        def publish(self, device, every):
            while not self.over.wait(every):
                if device.client.is_connected():
                    device.client.publish(f"out/{every}", "x" * 64, qos=1)

        def sub(self, name):
            self.clients.append(Sub(self.port, name, host="127.0.0.1", keep_alive=KEEP_ALIVE))

        def pub(self, name, every):
            """mosquitto_pub, a line a message."""
            process = subprocess.Popen(
                ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.port), "-i", name, "-k", str(KEEP_ALIVE), "-q", "1",
                 "-t", f"out/{name}", "-l"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

            def feed():
                while not self.over.wait(every) and process.poll() is None:
                    try:
                        process.stdin.write("x" * 64 + "\n")
                        process.stdin.flush()
                    except BrokenPipeError:
                        return

            threading.Thread(target=feed, daemon=True).start()
            self.clients.append(Process(process))

        def once(self, name):
            """A client that publishes, says DISCONNECT and goes."""
            subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.port), "-i", name, "-q", "1", "-t", "out/once",
                            "-m", "x"], check=True, timeout=20)

        def truth(self, limit=80):
            code = self.run.wait(limit)
            assert code in (0, 1), self.run.err.text()
            self.over.set()
            self.close()
            streams = self.capture.read()
            return Truth(self.name, self.run, streams, wall_clock(self.run.events()))

        def close(self):
            self.over.set()
            if self.run.process.poll() is None:
                self.run.process.kill()
                self.run.process.wait()
            if self.capture.process.poll() is None:
                self.capture.stop()
            for client in self.clients:
                client.stop()
            self.clients = []
            if self.broker.process.poll() is None:
                self.broker.stop()

    class Process:
        def __init__(self, process):
            self.process = process

        def stop(self):
            self.process.terminate()
            self.process.wait(10)

    def whole(truth):
        truth.trips(PINGREQ, PINGRESP, "ping_rtt")
        truth.trips(PUBLISH, PUBACK, "publish_rtt", lambda packet: packet.qos == 1)
        truth.control_gaps()
        truth.messages()
        truth.counts()
        truth.ends()
        return truth.table

    def blackhole(name, folder, fidelity):
        bench = Bench(name, folder, "keepalive-blackhole", "--set", "dark.delay=6s", "--set", "dark.times=1", "--set",
                      "settle=3s", "--set", f"dark.fidelity={fidelity}", "--set", "devices=2")
        try:
            bench.paho("paho-1"), bench.sub("sub-1")
            truth = bench.truth()
            truth.windows("dark")
            return whole(truth)
        finally:
            bench.close()

    def stall(folder):
        return blackhole("keepalive-blackhole, stall", folder, "stall")

    def packet(folder):
        return blackhole("keepalive-blackhole, packet", folder, "packet")

    def rst(folder):
        bench = Bench("rst-without-disconnect", folder, "rst-without-disconnect", "--set", "reset.delay=2s", "--set",
                      "settle=7s", "--set", "devices=3")
        try:
            bench.paho("paho-1", every=0.3), bench.sub("sub-1"), bench.paho("paho-2")
            truth = bench.truth()
            truth.windows("reset", lambda device, hub: next(end.at for end in device.ends if not end.up))
            return whole(truth)
        finally:
            bench.close()

    def crash(folder):
        bench = Bench("device-crash", folder, "device-crash", "--set", "vanished.delay=11s", "--set", "away.delay=11s",
                      "--set", "settle=7s")
        try:
            bench.paho("paho-1")
            truth = bench.truth()
            truth.windows("crashed", lambda device, hub: next(end.at for end in device.ends if not end.up))
            truth.windows("vanished", lambda device, hub: next(end.at for end in device.ends if not end.up))
            return whole(truth)
        finally:
            bench.close()

    def pingresp(folder):
        bench = Bench("lost-pingresp", folder, "lost-pingresp", "--set", "settle=8s", "--set", "devices=2")
        try:
            bench.paho("paho-1"), bench.sub("sub-1")
            truth = bench.truth()
            truth.windows("unanswered")
            return whole(truth)
        finally:
            bench.close()

    def latency(folder):
        profile = os.path.join(folder, "latency.yaml")
        with open(profile, "w") as file:
            json.dump({"brownout": 1, "name": "latency", "summary": "A slow path.", "devices": 3, "rules": [
                {"id": "slow", "when": {"at": "4s"},
                 "fault": {"latency": {"direction": "both", "fixed": "150ms", "for": "12s"}}}], "settle": "6s"}, file)
        bench = Bench("latency", folder, profile)
        try:
            bench.paho("paho-1", every=0.5), bench.sub("sub-1"), bench.pub("pub-1", 0.7)
            for number in range(3):
                bench.once(f"once-{number}")
            return whole(bench.truth())
        finally:
            bench.close()

    def transient(folder):
        sets = ["refused.at=4s", "refused.for=4s", "dropped.at=5s", "dropped.every=12s", "unavailable.at=16s",
                "unavailable.for=4s", "quota.at=28s", "quota.for=4s", "silent.at=40s", "silent.for=9s", "settle=8s",
                "devices=5"]
        bench = Bench("hub-transient-failure", folder, "hub-transient-failure",
                      *[part for text in sets for part in ("--set", text)])
        try:
            for number in (1, 2, 3):
                bench.paho(f"paho-{number}", every=0.5 if number == 1 else None)
            bench.sub("sub-1"), bench.sub("sub-2")
            truth = bench.truth()
            truth.windows("dropped", lambda device, hub: next(end.at for end in device.ends if not end.up))
            return whole(truth)
        finally:
            bench.close()

    scenarios = [stall, packet, rst, crash, pingresp, latency, transient]
    chosen = set(sys.argv[2:])
    scenarios = [scenario for scenario in scenarios if not chosen or scenario.__name__ in chosen]
    failed, figures, apart = 0, 0, []

    def one(scenario):
        """Its table, or None where it broke off; and where not all of it is well, what the machine did to it, in words."""
        since, table = MACHINE.moment(), None
        try:
            with tempfile.TemporaryDirectory(prefix="brownout-truth-") as folder:
                os.chmod(folder, 0o755)
                table = scenario(folder)
        except Exception as error:
            traceback.print_exception(error)
        return table, (table is None or table.failed) and MACHINE.held_up(since)

    with concurrent.futures.ThreadPoolExecutor(len(scenarios)) as pool:
        tables = list(zip(scenarios, pool.map(one, scenarios)))
    for scenario, (table, held_up) in tables:
        for _ in range(1, TRIES):
            if not held_up:
                break
            print(f"{table.text()}\n" if table else "", end="")
            print(f"AGAIN, alone: {scenario.__name__}, since the machine was {held_up}", flush=True)
            table, held_up = one(scenario)
        if table is None:
            failed += 1
            continue
        print(table.text(), flush=True)
        failed += len(table.failed)
        apart += [abs(row[3]) for row in table.rows if row[5] and row[3] is not None]
        figures += len(table.rows)
    typical, worst = rank(apart, 50) or 0.0, max(apart, default=0.0)
    print(f"{figures} figures; of {len(apart)} times, half differ by less than {typical * 1000:.2f} ms, the worst by "
          f"{worst * 1000:.2f} ms")
    most = TYPICAL + 2 * MACHINE.typical()
    if typical > most:
        print(f"that is more than the {most * 1000:.1f} ms that the half may")
        failed += 1
    print(f"{failed} figures wrong" if failed else "every figure agrees with the capture")
    return 1 if failed else 0


def enter():
    """The same command in a network namespace of its own; why not, where that cannot be."""
    if os.environ.get(INSIDE):
        return main()
    for tool in ("dumpcap", "tshark", "unshare", "ip"):
        if not shutil.which(tool):
            print(f"SKIPPED: there is no {tool} (apt-get install tshark util-linux iproute2)")
            return 0
    if os.geteuid() != 0:
        print("SKIPPED: a network namespace and a capture of it need root")
        return 0
    inside = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable, *sys.argv]
    probe = subprocess.run(["unshare", "--net", "ip", "link", "set", "lo", "up"], capture_output=True, text=True)
    if probe.returncode != 0:
        print(f"SKIPPED: no network namespace can be made here: {probe.stderr.strip()}")
        return 0
    return subprocess.run(inside, env={**os.environ, INSIDE: "1"}).returncode


if __name__ == "__main__":
    sys.exit(enter())
