"""Packet faults, as the kernel of the device sees them, against the same outage made with nftables in the path.

Usage: dark.py PATH-TO-BROWNOUT [TEST ...]

A device, a router and a hub in namespaces of their own (netns.py). Each fault is made twice: by brownout in the router, which
the device connects to; and by nftables in the router, through which another device connects to the hub itself. What the
client's own kernel says (TCP_INFO, errno), what its program does, and what brownout says of it must agree within the errors
that are stated here. Skipped aloud where there are no namespaces or no nftables.
"""

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time

import bench
import netns
from bench import Lines, wait_for, wall_clock
from netns import DEVICE, HUB, ROUTER

CLIENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "dark_client.py")

# How far two runs of the same client may be apart in time, in seconds: their TCP timers are of some milliseconds, two busy
# cores and the polls of the client of some more, and a virtual machine may not be run for some tenths of a second. What is
# told apart by it lies a second apart and more.
ALIKE = 0.4
# The same for paho, which looks at its keep-alive once a second.
PAHO = 1.2
# How far brownout's stamps may be from the client's, in seconds.
STAMP = 0.1
# A share is believed within so many standard deviations of the binomial: one run in 15,000 is wrong.
SIGMAS = 4

CONNACK, PUBLISH, PINGRESP = 2, 3, 13
PORT = 1883


class Raw:
    """dark_client.py in the device's namespace. `seen` holds what it said, in order."""

    def __init__(self, lab, host, name, number=0, family=4, **given):
        given = {"host": host, "port": PORT, "name": name, "bind": lab.device_address(family, number), **given}
        self.process = subprocess.Popen(
            [*lab.prefix(DEVICE), sys.executable, CLIENT, json.dumps(given)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        lab.running.append(self.process)
        self.seen = []
        self.err = Lines(self.process.stderr)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.seen.append(json.loads(line))

    def tell(self, *command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def all(self, what, since=0.0, **wanted):
        return [it for it in list(self.seen)
                if it["what"] == what and it["at"] >= since and all(it.get(key) == value for key, value in wanted.items())]

    def wait(self, what, since=0.0, limit=40, **wanted):
        """The first of these."""
        try:
            return wait_for(f"{what} {wanted}", lambda: self.all(what, since, **wanted), limit)[0]
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.seen[-12:]}\n{self.err.text()}") from None

    def up(self):
        wait_for("CONNACK", lambda: self.got(CONNACK))

    def got(self, kind, since=0.0):
        return [it for it in self.all("got", since) if kind in it["kinds"]]


# Looked for once: tests beside one another would look under the same name.
MISSING = netns.missing()


class Dark(netns.Case):
    def setUp(self):
        bench.Case.setUp(self)
        if MISSING:
            self.skipTest(f"SKIPPED: {MISSING}")

    def warm(self, lab, family):
        """Every device reaches the hub once: else a first SYN may be lost while neighbours are looked for, and TCP begins with
        an RTO of 3 s after that (RFC 6298 section 5.7)."""
        script = "import socket, sys\nfor own in sys.argv[3:]:\n    socket.create_connection((sys.argv[1], int(sys.argv[2])), 5, (own, 0))"
        own = [lab.device_address(family, number) for number in range(lab.devices)]
        lab.run(DEVICE, sys.executable, "-c", script, lab.hub_address(family), str(PORT), *own)

    def run_profile(self, lab, rules, family=4, prefix=(), extra=""):
        """brownout in the router with these rules, listening on the router's inner address."""
        self.warm(lab, family)
        folder = os.path.join(self.folder, f"report-{time.time()}")
        path = os.path.join(self.folder, f"profile-{time.time()}.yaml")
        with open(path, "w") as file:
            file.write(f"brownout: 1\nname: dark\nsummary: Dark.\ndevices: 100\n{extra}rules:\n{rules}")
        inside, outside = netns.NETS[family][0] + "1", lab.hub_address(family)
        host = f"[{inside}]" if family == 6 else inside
        hub = f"[{outside}]" if family == 6 else outside
        run = bench.Brownout(
            "run", path, "--listen", f"{host}:{PORT}", "--upstream", f"{hub}:{PORT}", folder=folder,
            prefix=[*lab.prefix(ROUTER), *prefix],
        )
        lab.running.append(run.process)
        wait_for("brownout", lambda: run.err.find("devices connect to") or run.process.poll() is not None)
        self.assertIsNone(run.process.poll(), run.err.text())
        run.inside = inside
        return run

    def stop(self, run):
        """Ends a run; its events."""
        run.process.send_signal(signal.SIGINT)
        run.wait()
        return run.events()

    def event(self, run, what, limit=20, **wanted):
        """The first such event, with its time on the wall clock."""
        def found():
            events = run.events()
            for event in events:
                if event["event"] == what and all(event.get(key) == value for key, value in wanted.items()):
                    return {**event, "at": wall_clock(events) + event["t"] / 1e9}

        return wait_for(f"event {what} {wanted}", found, limit)

    def alike(self, ours, theirs, what, within=ALIKE):
        """Figures of the fault and of the outage in the path."""
        print(f"  {what}: {ours:.3f} by brownout, {theirs:.3f} by nftables", flush=True)
        self.assertAlmostEqual(ours, theirs, delta=within, msg=what)


def steps(client, since, key="total"):
    """When this number of the kernel's grew, counted from `since`."""
    grown, before = [], None
    for it in client.all("info", since):
        if before is not None and it[key] > before:
            grown.append(it["at"] - since)
        before = it[key]
    return grown


class Blackholes(Dark):
    """Nothing passes, either way."""

    def gives_up(self, family):
        """A PINGREQ into the dark, with a TCP_USER_TIMEOUT: retransmission, back-off, ETIMEDOUT."""
        lab = self.lab()
        self.hub(lab)
        run = self.run_profile(
            lab, "  - { id: dark, when: { after: connack, delay: 1s }, fault: { blackhole: { fidelity: packet, for: 9s } } }\n", family
        )
        ours = Raw(lab, run.inside, "ours", 0, family, user_timeout=4.0)
        theirs = Raw(lab, lab.hub_address(family), "theirs", 1, family, user_timeout=4.0)
        ours.up(), theirs.up()
        dark = self.event(run, "fault_applied")
        self.assertEqual(dark["fidelity"], "packet")
        self.assertEqual(dark["means"], {"device": "filter", "hub": "filter"})
        lab.dark()
        found = {}
        for name, client in (("ours", ours), ("theirs", theirs)):
            client.tell("ping")
            since = client.wait("ping")["at"]
            down = client.wait("down", since)
            self.assertEqual(down["how"], "ETIMEDOUT")
            again = steps(client, since)
            most = max(client.all("info", since), key=lambda it: it["backoff"])
            self.assertGreaterEqual(most["unacked"], 1)
            self.assertGreaterEqual(most["backoff"], 3, f"{name}: {client.seen}")
            # Each wait is twice the one before, as the kernel itself says: no answer came to any.
            waits = {it["backoff"]: it["rto"] for it in client.all("info", since) if it["state"] == "ESTABLISHED"}
            for backoff in range(most["backoff"]):
                self.assertAlmostEqual(waits[backoff + 1] / waits[backoff], 2, delta=0.01, msg=f"{name} {waits}")
            found[name] = (down["at"] - since, len(again), most["backoff"])
        self.alike(found["ours"][0], found["theirs"][0], f"IPv{family}: ETIMEDOUT after")
        self.alike(found["ours"][1], found["theirs"][1], f"IPv{family}: retransmissions", within=1)
        self.alike(found["ours"][2], found["theirs"][2], f"IPv{family}: back-off", within=1)
        lab.light()
        self.event(run, "window_closed")
        counted = [event for event in self.stop(run) if event["event"] == "dropped" and event["side"] == "device"]
        # What the device's kernel says it sent in the dark: the PINGREQ and its repetitions. Its RST too, where it sent one.
        self.assertEqual(sum(event["passed"] for event in counted), 0)
        dropped = sum(event["segments"] for event in counted)
        self.alike(dropped, found["ours"][1] + 1, f"IPv{family}: segments dropped, and sent", within=1)

    def test_a_device_in_the_dark_gives_up_with_etimedout(self):
        self.gives_up(4)

    def test_a_device_in_the_dark_gives_up_with_etimedout_over_ipv6(self):
        self.gives_up(6)

    def connects(self, family):
        """Two devices, of which one goes dark. Its connects hang in SYN_SENT and come about after; its neighbour's do."""
        lab = self.lab(devices=3)
        self.hub(lab)
        run = self.run_profile(
            lab,
            "  - { id: dark, who: { client: ours }, when: { after: connack, delay: 1s }, "
            "fault: { blackhole: { fidelity: packet, connects: vanish, for: 4.5s } } }\n",
            family,
        )
        ours = Raw(lab, run.inside, "ours", 0, family)
        neighbour = Raw(lab, run.inside, "neighbour", 1, family)
        theirs = Raw(lab, lab.hub_address(family), "theirs", 2, family)
        ours.up(), neighbour.up(), theirs.up()
        muted = self.event(run, "listener_muted")
        self.assertEqual((muted["from"]["addresses"], muted["mechanism"]), (1, "filter"))
        lab.dark()
        found = {}
        for client in (ours, theirs):
            client.tell("again")
        neighbour.tell("again")
        for client in (ours, theirs):
            since = wait_for("connect", lambda c=client: len(c.all("connecting")) == 2 and c.all("connecting")[-1]["at"])
            client.wait("info", since, state="SYN_SENT")
        address = lab.device_address(family, 0)
        waiting = wait_for("SYN_SENT in ss", lambda: [
            line for line in lab.run(DEVICE, "ss", "-Htan", "state", "syn-sent").stdout.splitlines() if address in line])
        self.assertEqual(len(waiting), 1)
        since = neighbour.all("connecting")[-1]["at"]
        self.assertLess(neighbour.wait("connected", since)["at"] - since, ALIKE, "the neighbour connects at once")
        wait_for("neighbour's CONNACK", lambda: neighbour.got(CONNACK, since))
        light = self.event(run, "window_closed")["at"]
        lab.light()
        for name, client in (("ours", ours), ("theirs", theirs)):
            since = client.all("connecting")[-1]["at"]
            connected = client.wait("connected", since)
            found[name] = (connected["at"] - since, steps(client, since))
            self.assertGreater(connected["at"] - since, 3)
        print(f"  IPv{family}: SYNs again after {[round(at, 2) for at in found['ours'][1]]} s", flush=True)
        for one, other in zip(found["ours"][1], found["theirs"][1]):
            self.assertAlmostEqual(one, other, delta=ALIKE, msg=str(found))
        self.alike(found["ours"][0], found["theirs"][0], f"IPv{family}: connect took")
        wait_for("unmuted", lambda: [it for it in run.events() if it["event"] == "listener_unmuted"])
        events = self.stop(run)
        unmuted = next(event for event in events if event["event"] == "listener_unmuted")
        # The first SYN, and those repetitions that came while it was dark. One may come in the moment of the change.
        began = ours.all("connecting")[-1]["at"]
        sent = 1 + len([at for at in found["ours"][1] if began + at < light])
        self.alike(unmuted["dropped"], sent, f"IPv{family}: SYNs dropped, and sent", within=1)

    def test_connects_of_one_device_vanish_and_its_neighbours_do_not(self):
        self.connects(4)

    def test_connects_of_one_device_vanish_over_ipv6(self):
        self.connects(6)

    def test_without_the_privilege_one_device_cannot_be_told_by_its_syn_and_that_is_said(self):
        lab = self.lab()
        self.hub(lab)
        run = self.run_profile(
            lab,
            "  - { id: dark, who: { client: ours }, when: { after: connack, delay: 1s }, "
            "fault: { blackhole: { fidelity: packet, connects: vanish, for: 3s } } }\n",
            prefix=["setpriv", "--inh-caps=-net_admin", "--bounding-set=-net_admin"],
        )
        ours = Raw(lab, run.inside, "ours")
        ours.up()
        refused = self.event(run, "listener_mute_refused")
        self.assertIn("CAP_NET_ADMIN", refused["error"])
        dark = self.event(run, "fault_applied")
        # Its link goes dark all the same, by a means that takes no privilege.
        self.assertEqual((dark["fidelity"], dark["means"]["device"]), ("packet", "min_ttl"))
        ours.tell("ping")
        since = ours.wait("ping")["at"]
        ours.wait("info", since, backoff=2)
        ours.tell("again")
        connecting = wait_for("connect", lambda: len(ours.all("connecting")) == 2 and ours.all("connecting")[-1]["at"])
        self.assertLess(ours.wait("connected", connecting)["at"] - connecting, ALIKE, "accepted, and met with silence")
        self.assertEqual(ours.got(CONNACK, connecting), [])
        wait_for("CONNACK afterwards", lambda: ours.got(CONNACK, connecting))
        counted = [it for it in self.stop(run) if it["event"] == "dropped" and it["side"] == "device"]
        self.assertGreaterEqual(sum(it["segments"] for it in counted), 3, "counted by this means too")

    def test_a_closed_door_answers_with_rst(self):
        lab = self.lab()
        self.hub(lab)
        run = self.run_profile(lab, "  - { id: shut, when: { at: 2s }, fault: { refuse: { for: 5s } } }\n")
        ours, theirs = Raw(lab, run.inside, "ours", 0), Raw(lab, lab.hub_address(), "theirs", 1)
        ours.up(), theirs.up()
        self.event(run, "listener_muted", mechanism="closed")
        lab.run(ROUTER, "nft", "-f", "-", input="table inet dark {\nchain forward {\ntype filter hook forward priority -350\n"
                "tcp flags & (syn|ack) == syn reject with tcp reset\n}\n}\n")
        for client in (ours, theirs):
            client.tell("again")
            down = client.wait("down")
            since = client.all("connecting")[-1]["at"]
            self.assertEqual(down["how"], "ECONNREFUSED")
            self.assertLess(down["at"] - since, ALIKE)
        self.stop(run)


class OneWay(Dark):
    """What one end sends is lost; what the other sends arrives, as far as its TCP goes without acknowledgements."""

    def one_way(self, direction, match, publish):
        """Both devices ping; both are published to, if asked for."""
        lab = self.lab()
        hub = self.hub(lab)
        run = self.run_profile(
            lab,
            f"  - {{ id: dark, when: {{ after: connack, delay: 2s }}, "
            f"fault: {{ blackhole: {{ direction: {direction}, fidelity: packet, for: 16s }} }} }}\n",
        )
        clients = {
            "ours": Raw(lab, run.inside, "ours", 0, keep_alive=4, subscribe="ours"),
            "theirs": Raw(lab, lab.hub_address(), "theirs", 1, keep_alive=4, subscribe="theirs"),
        }
        for client in clients.values():
            client.up()
        dark = self.event(run, "fault_applied")
        lab.dark(match)
        began = time.time()
        for name, client in clients.items():
            client.tell("ping")
            if publish:
                lab.run(HUB, "mosquitto_pub", "-h", "127.0.0.1", "-t", name, "-m", "x")
        time.sleep(2.5)
        return lab, hub, run, clients, dark, began

    def hub_sockets(self, lab):
        """What the hub's kernel says of the connection of each client, as ss shows it."""
        lines = lab.sockets(HUB, "state", "established")
        peers = {"ours": netns.NETS[4][1] + "1", "theirs": lab.device_address(4, 1)}
        return {name: next(line for line in lines if f"{peer}:" in line) for name, peer in peers.items()}

    def timed_out(self, hub, began):
        """When the hub gave each client up."""
        told = lambda name: hub.log.told(rf"Client {name} .*(exceeded timeout|timed out)", limit=20)[0][0] - began
        return told("ours"), told("theirs")

    def test_up_with_something_of_the_hubs_in_flight(self):
        lab, hub, run, clients, dark, began = self.one_way("up", "ip saddr 10.77.1.0/24", publish=True)
        self.assertEqual(dark["means"], {"device": "filter", "hub": None})
        for client in clients.values():
            # It goes unacknowledged, and hears the hub all the same.
            client.wait("info", began, backoff=2)
            self.assertTrue(client.got(PUBLISH, began))
            self.assertFalse(client.got(PINGRESP, began))
        # The stated limit: what the hub sends is acknowledged by brownout, and not on such a path.
        sockets = self.hub_sockets(lab)
        self.assertNotIn("unacked", sockets["ours"])
        self.assertRegex(sockets["theirs"], "unacked:")
        ours, theirs = self.timed_out(hub, began)
        self.alike(ours, theirs, "up: the hub timed the device out after", within=PAHO)
        # Behind what is not acknowledged, TCP does not send the hub's FIN: neither hears of it in the dark.
        for client in clients.values():
            self.assertEqual(client.all("down", began), [])
        self.event(run, "window_closed")
        lab.light()
        self.stop(run)
        window = run.report()["rules"][0]["windows"][0]
        self.assertAlmostEqual(window["hub_detection_s"], ours, delta=STAMP + abs(began - dark["at"]))

    def test_up_with_nothing_in_flight(self):
        lab, hub, run, clients, _, began = self.one_way("up", "ip saddr 10.77.1.0/24", publish=False)
        ours, theirs = self.timed_out(hub, began)
        self.alike(ours, theirs, "up: the hub timed the device out after", within=PAHO)
        downs = [client.wait("down", began) for client in clients.values()]
        self.assertEqual([down["how"] for down in downs], ["FIN", "FIN"], "the hub's FIN arrives in the dark")
        self.alike(*(down["at"] - began for down in downs), "up: the device heard of it after", within=PAHO)
        self.assertEqual([it for it in run.events() if it["event"] == "window_closed"], [])

    def test_down(self):
        lab, hub, run, clients, dark, began = self.one_way("down", "ip saddr 10.77.2.0/24", publish=True)
        self.assertEqual(dark["means"], {"device": None, "hub": "filter"})
        # The hub goes unacknowledged, and hears the first that the device sends.
        for name, line in self.hub_sockets(lab).items():
            self.assertRegex(line, "backoff:", name)
            self.assertEqual(len(hub.log.told(rf"Received PINGREQ from {name}")), 1)
            self.assertFalse(clients[name].got(PUBLISH, began))
        # The stated limit: what the device sends is acknowledged by brownout, and not on such a path.
        clients["theirs"].wait("info", began, backoff=2)
        self.assertEqual(clients["ours"].all("info", began + 0.5, unacked=1), [])
        for client in clients.values():
            client.tell("ping")
        # Behind what is not acknowledged, TCP sends no other: the hub does not hear of the second.
        ours, theirs = self.timed_out(hub, began)
        self.alike(ours, theirs, "down: the hub timed the device out after", within=PAHO)
        for name in clients:
            self.assertEqual(len(hub.log.find(rf"Received PINGREQ from {name}")), 1)
        lab.light()
        self.stop(run)


class Lossy(Dark):
    """Segments that arrive are lost by chance."""

    CHANCE, SEGMENTS = 0.05, 3000

    def test_loss_is_of_the_share_that_was_asked_for(self):
        lab = self.lab()
        self.hub(lab)
        run = self.run_profile(
            lab, f"  - {{ id: lossy, when: {{ after: connack, delay: 500ms }}, "
            f"fault: {{ loss: {{ chance: {self.CHANCE:.0%}, toward: device, for: 60s }} }} }}\n",
        )
        ours, theirs = Raw(lab, run.inside, "ours", 0), Raw(lab, lab.hub_address(), "theirs", 1)
        ours.up(), theirs.up()
        self.event(run, "fault_applied", fidelity="packet")
        share = f"ip saddr 10.77.1.0/24 numgen random mod 100 < {self.CHANCE * 100:.0f}"
        lab.dark(share)
        found = {}
        for client in (ours, theirs):
            # Each a segment of its own, slowly enough for nothing to be merged.
            client.tell("publish", self.SEGMENTS, 200, 0.002)
        for name, client in (("ours", ours), ("theirs", theirs)):
            before, after = client.wait("publishing"), client.wait("published", limit=60)
            sent, again = (after[key] - before[key] for key in ("out", "total"))
            found[name] = (sent, again)
            print(f"  {name}: {again} of {sent} segments sent again, {again / sent:.2%}", flush=True)
        lab.light()
        events = self.stop(run)
        counted = [it for it in events if it["event"] == "dropped" and it["side"] == "device"]
        dropped, passed = (sum(it[key] for it in counted) for key in ("segments", "passed"))
        print(f"  brownout: {dropped} of {dropped + passed} segments dropped, {dropped / (dropped + passed):.2%}", flush=True)
        # What the kernel dropped: the share asked for.
        error = SIGMAS * math.sqrt(self.CHANCE * (1 - self.CHANCE) / (dropped + passed))
        self.assertAlmostEqual(dropped / (dropped + passed), self.CHANCE, delta=error)
        # What the device's kernel sent, and sent again: all of it is counted. Two small segments that were lost may be sent again
        # in one, and what was not lost may be sent again too: a tenth, and a few.
        self.assertAlmostEqual(dropped + passed, found["ours"][0], delta=5)
        self.assertAlmostEqual(found["ours"][1], dropped, delta=5 + dropped / 10)
        # The same as in the path: two draws.
        ours, theirs = (again / sent for sent, again in found.values())
        self.alike(ours, theirs, "share sent again", within=error * math.sqrt(2) + 0.005)
        with open(os.path.join(run.folder, "report.json")) as file:
            self.assertIn(f"the kernel dropped {dropped} of {dropped + passed} segments", file.read())


class Programs(Dark):
    """paho, as programs use it, and what brownout says of it."""

    def test_paho_finds_out_and_comes_back_as_on_a_dark_path(self):
        lab = self.lab()
        self.hub(lab)
        run = self.run_profile(
            lab,
            "  - { id: dark, who: { client: ours }, when: { after: connack, delay: 3s }, "
            "fault: { blackhole: { fidelity: packet, connects: vanish, for: 14s } } }\n",
        )
        ours = netns.Device(lab, run.inside, PORT, "ours", 4, bind=lab.device_address(4, 0))
        theirs = netns.Device(lab, lab.hub_address(), PORT, "theirs", 4, bind=lab.device_address(4, 1))
        ours.up(), theirs.up()
        dark = self.event(run, "fault_applied")
        # As long after its CONNACK, so that both are as far in their keep-alives.
        wait_for("the same moment", lambda: time.time() - theirs.seen["up"][0] >= dark["at"] - ours.seen["up"][0])
        lab.dark(f"ip saddr {lab.device_address(4, 1)}")
        began = {"ours": dark["at"], "theirs": time.time()}
        ours.down(limit=20), theirs.down(limit=20)
        light = self.event(run, "window_closed", limit=30)
        wait_for("as long in the dark", lambda: time.time() - began["theirs"] >= light["at"] - dark["at"])
        lab.light()
        restored = {"ours": light["at"], "theirs": time.time()}
        ours.up(2, limit=30), theirs.up(2, limit=30)
        clients = {"ours": ours, "theirs": theirs}
        noticed = {name: client.seen["down"][0] - began[name] for name, client in clients.items()}
        back = {name: client.seen["up"][1] - restored[name] for name, client in clients.items()}
        self.alike(noticed["ours"], noticed["theirs"], "paho noticed after", within=PAHO)
        # Its connects hang for 5 s each, a second apart; the two are as far in that as they noticed apart.
        self.alike(back["ours"], back["theirs"], "paho was back after", within=PAHO + 1)
        self.stop(run)
        window = run.report()["rules"][0]["windows"][0]
        detection = window["device_detection_s"]
        self.assertLessEqual(detection["after_s"] - STAMP, noticed["ours"], "the bracket holds what paho says")
        self.assertGreaterEqual(detection["before_s"] + STAMP, noticed["ours"])
        self.assertAlmostEqual(window["recovery_s"], back["ours"], delta=STAMP)


if __name__ == "__main__":
    sys.exit(bench.main([Blackholes, OneWay, Lossy, Programs], workers=3))
