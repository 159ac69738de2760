"""The tap: what it says of ends, connects and retransmissions that a blackhole hides, against the clients' own word, the
hub's log, the device kernel's TCP_INFO and a counter of nftables.

Usage: tap.py PATH-TO-BROWNOUT [TEST ...]

Runs in a network namespace of its own, which needs root; else all is skipped, and said so.
"""

import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time

INSIDE = "BROWNOUT_TAP_INSIDE"

# In seconds; mosquitto's clients take no less than 5.
KEEP_ALIVE = 5
DARK = 16

# How far brownout's time of a sign may be from the client's own callback, which comes when its thread has its turn, after it
# has closed the socket. 1 to 3 ms were measured on two idle cores.
SIGN = 0.1
# How late a timer may be on a busy machine.
LATE = 0.2


def tests():
    # Only inside: they want the packages of the virtual environment, and the path of brownout.
    from bench import Case, Device, main, wait_for, wall_clock
    from secured import Sub

    def join(port, name):
        """A socket that has said CONNECT (keep-alive 60 s) and was accepted."""
        client = socket.create_connection(("127.0.0.1", port))
        said = b"\x00\x04MQTT\x04\x02\x00\x3c" + struct.pack("!H", len(name)) + name.encode()
        client.sendall(bytes([0x10, len(said)]) + said)
        assert client.recv(4)[:1] == b"\x20"
        return client

    class Kernel:
        """Retransmissions of the sockets that connect to a port, as the kernel counts them, again and again."""

        def __init__(self, port):
            self.port, self.samples, self.over = port, {}, threading.Event()
            self.thread = threading.Thread(target=self._watch, daemon=True)
            self.thread.start()

        def _watch(self):
            while not self.over.wait(0.1):
                at = time.time()
                told = subprocess.run(["ss", "-HtinaO", "dst", f"127.0.0.1:{self.port}"], capture_output=True, text=True)
                for line in told.stdout.splitlines():
                    own = re.search(r"127\.0\.0\.1:(\d+)\s+127\.0\.0\.1:", line)
                    total = re.search(r"retrans:\d+/(\d+)", line)
                    if own:
                        count = int(total.group(1)) if total else 0
                        self.samples.setdefault(int(own.group(1)), []).append((at, count))

        def between(self, port, moment):
            """The counts before and after a moment."""
            self.over.set()
            self.thread.join(5)
            samples = self.samples[port]
            before = [count for at, count in samples if at < moment]
            after = [count for at, count in samples if at > moment + 0.05]
            return before[-1], (after or before)[0 if after else -1]

    class TapTest(Case):
        def profile(self, **fault):
            path = os.path.join(self.folder, "profile.yaml")
            fault = {"toward": "both", "for": f"{DARK}s", **fault}
            # Connects only vanish where the fault is everyone's: a SYN does not say whose it is.
            when = {"at": "4s"} if "connects" in fault else {"after": "connack", "delay": "3s", "times": 1}
            rule = {"id": "dark", "when": when, "fault": {"blackhole": fault}}
            with open(path, "w") as file:
                json.dump({"brownout": 1, "name": "tap", "summary": "A dark path.", "rules": [rule], "settle": "6s"}, file)
            return path

        def run_tapped(self, broker, *arguments, **fault):
            run = self.start(self.profile(**fault), broker, "--tap", "--seed", "1", *arguments)
            run.port()
            self.assertTrue(run.err.told("the tap is open"))
            return run

        def window(self, run, device):
            rule = run.report()["rules"][0]
            windows = [window for window in rule["windows"] if window["device"] == device]
            self.assertEqual(len(windows), 1, windows)
            applied = self.first(run.events(), event="fault_applied")
            self.assertEqual(applied["fidelity"], "packet", "auto is packet beside a tap")
            return windows[0]

        def exact(self, figure, began, stamp, allowed, what):
            """A figure that is no bracket, against another program's stamp."""
            self.assertIsInstance(figure, float, f"{what}: {figure}")
            print(f"  {what}: {figure:.3f} s, by its own word {stamp - began:.3f} s", flush=True)
            self.assertAlmostEqual(figure, stamp - began, delta=allowed, msg=what)

        def bracket(self, figure, began, stamp, what):
            """Its PINGREQ is unacknowledged, so Linux keeps its FIN back: from that PINGREQ to its next connect, a second
            after it has given up."""
            self.assertIsInstance(figure, dict, f"{what}: {figure}")
            after, before = figure["after_s"], figure["before_s"]
            print(f"  {what}: {after:.3f} to {before:.3f} s, by its own word {stamp - began:.3f} s", flush=True)
            self.assertTrue(after <= stamp - began <= before + SIGN, (figure, stamp - began))
            self.assertTrue(after > 1.0 and before - (stamp - began) < 1.0 + 2 * SIGN, "a narrow one")

        def retransmitted(self, run, kernel, events, window):
            """Segments sent again in the dark, against what ss -tin showed just before and just after its end."""
            base = wall_clock(events)
            opened = next(event for event in events if event["event"] == "link_opened")
            port = int(opened["peer"].rsplit(":", 1)[1])
            closed = next(event for event in events if event["event"] == "window_closed")
            before, after = kernel.between(port, base + closed["t"] / 1e9)
            seen = window["wire"]["device"]
            told = next(e for e in events if e.get("wire") == "repeated" and e["side"] == "device")
            gaps = [gap / 1e9 for gap in told["gaps_ns"]]
            print(f"  retransmissions: {seen}, gaps {[round(gap, 2) for gap in gaps]}; ss: {before} before the end, {after} after",
                  flush=True)
            self.assertGreaterEqual(before, 3, "this test is of nothing")
            self.assertTrue(before <= seen["segments"] <= after, (before, seen, after))
            # The timeout doubles (RFC 6298 section 5.5), but for the first, which may be a probe of the tail. Each may be
            # late: by an eighth, as timers of Linux are, and by what the machine had no processor for.
            for one, next_one in zip(gaps[1:], gaps[2:]):
                self.assertAlmostEqual(next_one, 2 * one, delta=0.4 * one + LATE, msg=gaps)

        def test_paho_and_mosquitto_in_the_dark(self):
            broker = self.broker()
            run = self.run_tapped(broker)
            kernel = Kernel(run.port())
            device = self.device(run.port(), "paho-1", KEEP_ALIVE).up()
            self.assertIn(run.wait(90), (0, 1), run.err.text())
            events, window = run.events(), self.window(run, "paho-1")
            began = wall_clock(events) + window["start_s"]
            down = [at for at in device.seen["down"] if at > began]
            self.bracket(window["device_detection_s"], began, down[0], "paho gave up")
            hub = [at for at, _ in broker.log.told(r"paho-1 (has )?(exceeded timeout|disconnected due to timeout|closed its)")
                   if at > began]
            self.exact(window["hub_detection_s"], began, hub[0], SIGN, "mosquitto gave up")
            self.assertTrue(window["wire"]["whole"])
            self.retransmitted(run, kernel, events, window)

        def test_mosquitto_sub_in_the_dark(self):
            broker = self.broker()
            run = self.run_tapped(broker)
            kernel = Kernel(run.port())
            sub = Sub(run.port(), "sub-1", host="127.0.0.1", keep_alive=KEEP_ALIVE)
            self.addCleanup(sub.stop)
            sub.up()
            self.assertIn(run.wait(90), (0, 1), run.err.text())
            events, window = run.events(), self.window(run, "sub-1")
            began = wall_clock(events) + window["start_s"]
            # It says nothing when it gives up, and connects anew a second later.
            again = [at for at in sub.connects() if at > began]
            self.bracket(window["device_detection_s"], began, again[0] - 1.0, "mosquitto_sub gave up")
            self.assertAlmostEqual(window["device_detection_s"]["before_s"], again[0] - began, delta=SIGN)
            self.retransmitted(run, kernel, events, window)

        def test_ends_that_get_out(self):
            """FIN of a client that has nothing unacknowledged, and RST of one that has: exact."""
            broker = self.broker()
            run = self.run_tapped(broker, "--set", "devices=2")
            clients = {name: join(run.port(), name) for name in ("fin-1", "rst-1")}
            wait_for("two dark links", lambda: len([e for e in run.events() if e["event"] == "fault_applied"]) == 2)
            clients["rst-1"].send(b"\xc0\x00")
            time.sleep(2.0)
            clients["rst-1"].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            closed = {}
            for name, client in clients.items():
                closed[name] = time.time()
                client.close()
                time.sleep(1.0)
            self.assertIn(run.wait(90), (0, 1), run.err.text())
            for name in clients:
                window = self.window(run, name)
                began = wall_clock(run.events()) + window["start_s"]
                self.exact(window["device_detection_s"], began, closed[name], SIGN, name)
            ended = {(event["link"], event["how"]) for event in run.events() if event.get("wire") == "ended"}
            self.assertEqual(len({how for _, how in ended} & {"fin", "reset"}), 2, ended)

        def test_connects_in_the_dark(self):
            """Listener mute: a paho client that gives each connect 2 s, and waits 1 s between."""
            broker = self.broker()
            run = self.run_tapped(broker, connects="vanish")
            port = run.port()
            rules = f"tcp dport {port} tcp flags & (syn | ack) == syn counter"
            hook = "type filter hook input priority -300;"
            table = f"table inet count{port} {{\nchain seen {{\n{hook}\n{rules}\n}}\n}}\n"
            subprocess.run(["nft", "-f", "-"], check=True, text=True, input=table)
            failed = []

            def prepare(client):
                client.connect_timeout = 2.0
                client.on_connect_fail = lambda *_: failed.append(time.time())

            self.device(port, "paho-1", KEEP_ALIVE, prepare=prepare).up()
            self.assertIn(run.wait(90), (0, 1), run.err.text())
            events, window = run.events(), self.window(run, "paho-1")
            counted = subprocess.run(["nft", "list", "table", "inet", f"count{port}"], capture_output=True, text=True).stdout
            counted = int(re.search(r"counter packets (\d+)", counted).group(1))
            syns = [event for event in events if event.get("wire") == "syn"]
            opened = {event["peer"] for event in events if event["event"] == "link_opened"}
            at_once = opened - {event["peer"] for event in syns}
            print(f"  SYNs: {len(syns)} told and {len(at_once)} accepted at once, nftables counted {counted}", flush=True)
            self.assertEqual(len(syns) + len(at_once), counted)
            first = [event["seen"] / 1e9 for event in syns if event["nth"] == 1]
            gaps = [next_one - one for one, next_one in zip(first, first[1:])]
            fails = [next_one - one for one, next_one in zip(failed, failed[1:])]
            print(f"  gaps {[round(gap, 3) for gap in gaps]}; by paho's word {[round(gap, 3) for gap in fails]}", flush=True)
            self.assertGreaterEqual(len(failed), 2)
            for ours, theirs in zip(gaps, fails):
                self.near(ours, theirs, "gap between attempts")
            # The kernel's repetition of a SYN after its first second is no attempt.
            repeated = [event["gap_ns"] / 1e9 for event in syns if event["nth"] == 2]
            self.assertTrue(repeated and all(0.9 < gap < 1.2 for gap in repeated), repeated)
            # Those in the dark, and the one that is accepted after it; the first link was there before.
            self.assertEqual(window["connect_attempts"], len(first) + len(at_once) - 1)
            self.assertIn("fixed", window["back_off"])
            self.assertEqual(window["wire"]["syns"], len(syns))

        def test_what_finds_no_room_is_told_and_makes_brackets(self):
            broker = self.broker()
            run = self.run_tapped(broker, "--tap-buffer", "1", connects="vanish")
            port = run.port()
            self.device(port, "paho-1", KEEP_ALIVE).up()
            # Once the path is dark, and before the device notices.
            wait_for("a dark path", lambda: any(e["event"] == "listener_muted" for e in run.events()))
            sockets = []
            for _ in range(300):
                one = socket.socket()
                # Not the device's address: what comes from there may be its own.
                one.bind(("127.0.0.2", 0))
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", port))
                sockets.append(one)
            for one in sockets:
                one.close()
            self.assertIn(run.wait(90), (0, 1), run.err.text())
            events, window = run.events(), self.window(run, "paho-1")
            lost = sum(event["frames"] for event in events if event.get("wire") == "lost")
            closed = self.first(events, wire="closed")
            print(f"  of 300 SYNs in one go: {closed['frames']} frames read, {lost} lost", flush=True)
            self.assertGreater(lost, 100)
            self.assertEqual(lost, closed["lost"])
            self.assertFalse(window["wire"]["whole"])
            self.assertIsInstance(window["device_detection_s"], dict, "a bracket")
            self.assertIn("the tap lost", " ".join(run.report()["uncertainty"]["dropped"]))

        def test_without_the_privilege(self):
            broker = self.broker()
            prefix = ["setpriv", "--bounding-set=-net_raw", "--"]
            run = self.start(self.profile(), broker, "--tap", prefix=prefix)
            self.assertEqual(run.wait(20), 3)
            self.assertRegex(run.err.text(), r"CAP_NET_RAW.*setcap cap_net_admin,cap_net_raw,cap_net_bind_service\+ep")
            run = self.start(self.profile(), broker, "--tap=auto", prefix=prefix)
            self.device(run.port(), "paho-1", KEEP_ALIVE).up()
            run.err.told(r"no tap.*stall.*setcap")
            self.assertIn(run.wait(90), (0, 1))
            self.assertEqual(run.report()["rules"][0]["fidelities"], ["stall"])

    return main([TapTest])


def enter():
    """The same command in a network namespace of its own; why not, where that cannot be."""
    if os.environ.get(INSIDE):
        return tests()
    for tool in ("unshare", "ip", "nft", "ss", "setpriv"):
        if not shutil.which(tool):
            print(f"SKIPPED: there is no {tool} (apt-get install util-linux iproute2 nftables)")
            return 0
    probe = ["unshare", "--net", "sh", "-c", "ip link set lo up && nft add table inet probe"]
    probe = subprocess.run(probe, capture_output=True, text=True)
    if os.geteuid() != 0 or probe.returncode != 0:
        print(f"SKIPPED: a network namespace of its own needs root: {probe.stderr.strip()}")
        return 0
    inside = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable, *sys.argv]
    return subprocess.run(inside, env={**os.environ, INSIDE: "1"}).returncode


if __name__ == "__main__":
    sys.exit(enter())
