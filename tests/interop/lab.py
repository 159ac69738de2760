"""Transparent mode in a lab of network namespaces: mosquitto as the hub, paho and mosquitto_sub as devices that know of
nothing, brownout in the router between them.

Usage: lab.py PATH-TO-BROWNOUT [TEST ...]
"""

import json
import os
import re
import signal
import subprocess
import sys
import time

from bench import BROWNOUT, main, wait_for, wall_clock
from netns import DEVICE, HUB, ROUTER, Case, Device
from openssl import Pki

# Long enough for nobody to say anything by himself.
KEEP_ALIVE = 60

FAMILIES = (4, 6)


class Way(Case):
    def up(self, lab, *arguments):
        return lab.run(ROUTER, BROWNOUT, "lab", "up", "--inside", "inside", *arguments)

    def down(self, lab):
        return lab.run(ROUTER, BROWNOUT, "lab", "down")

    def rules(self, lab):
        """All that `lab` may have changed."""
        return [lab.shell(ROUTER, command).stdout for command in (
            "nft list ruleset", "ip rule", "ip -6 rule", "ip route show table all", "ip -6 route show table all")]

    def transparent(self, lab, rules=(), *arguments):
        """A run in the router that is ready for those who are led to it."""
        profile = os.path.join(self.folder, "profile.json")
        with open(profile, "w") as file:
            json.dump({"brownout": 1, "name": "lab", "summary": "In the lab.", "rules": list(rules)}, file)
        run = lab.brownout("run", profile, "--transparent", "--duration", "100s", *arguments,
                           folder=os.path.join(self.folder, f"report-{len(lab.running)}"))
        self.ready(run)
        return run

    def ready(self, run):
        def listens():
            if run.process.poll() is not None:
                raise AssertionError(f"ended with {run.process.returncode}: {run.err.text()}")
            return run.err.find(r"connects that are led to ")

        wait_for("listening brownout", listens)

    def end(self, run, how=signal.SIGTERM):
        run.process.send_signal(how)
        return run.wait()

    def links(self, run):
        return [event for event in run.events() if event["event"] == "link_opened"]

    def seen(self, hub, name, count=1):
        """The address that a hub has of a client, the latest time."""
        return hub.log.told(rf"New client connected from (.*):\d+ as {name} ", count)[-1][1].group(1)

    def device(self, lab, family, name, hub=0, number=0, port=1883, **options):
        return Device(lab, lab.hub_address(family, hub), port, name, options.pop("keep_alive", KEEP_ALIVE),
                      bind=lab.device_address(family, number), **options)


class Led(Way):
    """Source addresses and destinations, in each mode and family."""

    def through(self, mode, family):
        lab = self.lab()
        hubs = [self.hub(lab, address=lab.hub_address(family, number)) for number in (0, 1)]
        self.up(lab, "--mode", mode)
        if mode == "tproxy":
            run = self.transparent(lab)
        else:
            run = lab.brownout("observe", "--transparent", folder=os.path.join(self.folder, "report"))
            self.ready(run)
        devices = [self.device(lab, family, f"paho-{number}", hub=number, number=number).up() for number in (0, 1)]
        for number, (hub, device) in enumerate(zip(hubs, devices)):
            own = lab.device_address(family, number)
            router = {4: "10.77.2.1", 6: "fd77:2::1"}[family]
            self.assertEqual(self.seen(hub, f"paho-{number}"), own if mode == "tproxy" else router)
            self.assertFalse(hub.log.find(f"as paho-{1 - number} "), "the other device is at the other hub")
            [(_, seen, peer)] = device.seen["from"]
            self.assertEqual((seen[0], peer), (own, [lab.hub_address(family, number), 1883]))
        told = {(link["peer"].rsplit(":", 1)[0].strip("[]"), link["to"]) for link in self.links(run)}
        hosts = [lab.hub_address(family, number) for number in (0, 1)]
        self.assertEqual(told, {
            (lab.device_address(family, number), f"[{host}]:1883" if family == 6 else f"{host}:1883")
            for number, host in enumerate(hosts)})
        self.end(run)

    def test_tproxy_ipv4(self):
        self.through("tproxy", 4)

    def test_tproxy_ipv6(self):
        self.through("tproxy", 6)

    def test_redirect_ipv4(self):
        self.through("redirect", 4)

    def test_redirect_ipv6(self):
        self.through("redirect", 6)

    ROUTER_RULES = """
table inet home {
  chain input { type filter hook input priority filter; policy drop;
    ct state invalid drop; ct state established,related accept; iifname "inside" accept; meta l4proto ipv6-icmp accept;
  }
  chain forward { type filter hook forward priority filter; policy drop;
    ct state invalid drop; ct state established,related accept; iifname "inside" accept;
  }
  chain postrouting { type nat hook postrouting priority srcnat;
    oifname "outside" masquerade;
  }
}
"""

    def test_a_router_with_a_firewall_that_tracks_and_hides(self):
        """Connection tracking and NAT, as routers do them: both legs pass, and the hub sees the router, as without."""
        lab = self.lab()
        hub = self.hub(lab)
        lab.run(ROUTER, "nft", "-f", "-", input=self.ROUTER_RULES)
        for family in FAMILIES:
            self.device(lab, family, f"direct-{family}").up().stop()
        self.up(lab)
        run = self.transparent(lab)
        for family in FAMILIES:
            router = {4: "10.77.2.1", 6: "fd77:2::1"}[family]
            self.assertEqual(self.seen(hub, f"direct-{family}"), router)
            device = self.device(lab, family, f"paho-{family}", keep_alive=1).up()
            self.assertEqual(self.seen(hub, f"paho-{family}"), router)
            time.sleep(2.5)
            self.assertEqual(device.seen["down"], [])
        self.assertEqual(len(self.links(run)), 2)
        self.end(run)

    def test_errors_on_the_way_come_to_brownout(self):
        """An ICMP error about the hub's leg has the device's address, and is brownout's all the same."""
        lab = self.lab()
        lab.shell(HUB, "sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1; ip route add unreachable 10.99.0.0/24;"
                       "ip -6 route add unreachable fd99::/64")
        lab.shell(ROUTER, "ip route add 10.99.0.0/24 via 10.77.2.10; ip -6 route add fd99::/64 via fd77:2::10")
        self.up(lab)
        run = self.transparent(lab)
        for host, at in (("10.99.0.1", "10.99.0.1:1883"), ("fd99::1", "[fd99::1]:1883")):
            script = f"import socket; socket.create_connection(({host!r}, 1883), 3).recv(1)"
            done = lab.run(DEVICE, sys.executable, "-c", script, check=False)
            self.assertIn("ConnectionResetError", done.stderr)
            errors = [event["error"] for event in run.events() if event["event"] == "hub_unreachable"]
            self.assertRegex(errors[-1], re.escape(at) + ": (No route to host|Network is unreachable)")
        self.end(run)

    HUB_SCRIPT = """
import socket, sys, time
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
listener = socket.create_server((sys.argv[1], 1883), family=family)
print("listens", flush=True)
link = listener.accept()[0]
while link.recv(9):
    pass
time.sleep(0.3)
link.close()
"""
    LEG_SCRIPT = """
import socket, sys
device, hub = sys.argv[1:]
leg = socket.socket(socket.AF_INET6 if ":" in hub else socket.AF_INET)
# IPV6_TRANSPARENT or IP_TRANSPARENT, of linux/in6.h and linux/in.h.
leg.setsockopt(*((socket.IPPROTO_IPV6, 75, 1) if ":" in hub else (socket.IPPROTO_IP, 19, 1)))
leg.bind((device, 0))
leg.connect((hub, 1883))
"""

    def test_the_last_word_of_a_hub_comes_to_this_machine(self):
        """A hub's FIN after the leg's own: the leg is nobody's any more, in FIN_WAIT2, and the hub's kernel is to be
        answered all the same."""
        for family in FAMILIES:
            lab = self.lab()
            self.up(lab)
            hub = lab.hub_address(family)
            server = lab.start(HUB, sys.executable, "-c", self.HUB_SCRIPT, hub)
            server.out.told("listens")
            lab.run(ROUTER, sys.executable, "-c", self.LEG_SCRIPT, lab.device_address(family), hub)
            self.assertEqual(server.wait(5), 0, server.err.text())
            wait_for("its FIN acknowledged", lambda: not lab.sockets(HUB, "state", "last-ack"), 2)

    def test_a_rule_for_one_address(self):
        """`who: {address}` is the device's own, and a reset falls on that one alone; it is back through brownout."""
        for family in FAMILIES:
            lab = self.lab()
            hub = self.hub(lab)
            self.up(lab)
            own = lab.device_address(family, 1)
            run = self.transparent(lab, [{"id": "cut", "who": {"address": own}, "fault": {"rst": {}},
                                          "when": {"after": "connack", "delay": "500ms", "times": 1}}])
            spared, struck = (self.device(lab, family, f"paho-{number}", number=number).up() for number in (0, 1))
            struck.up(2)
            hub.log.told(r"Client paho-1 .*(closed|disconnected)")
            self.assertEqual(spared.seen["down"], [])
            self.assertEqual(len(self.links(run)), 3)
            self.assertEqual(self.seen(hub, "paho-1", 2), own)
            self.assertEqual(self.end(run), 1, "cut off by a signal before it was through")
            [cut] = [event for event in run.events() if event["event"] == "leg_cut" and event["side"] == "device"]
            self.assertAlmostEqual(struck.seen["down"][0], self.at(run, cut), delta=0.25)

    def test_one_device_in_the_dark(self):
        """The tap is taken by itself: what the device in the dark tries is seen on the wire, at the hub's port; its SYNs
        vanish, its neighbour connects."""
        for mode, family, port in (("tproxy", 4, 1883), ("tproxy", 6, 1883), ("redirect", 4, 1883), ("tproxy", 4, 1900)):
            lab = self.lab()
            self.hub(lab, ports=(port,))
            self.up(lab, "--mode", mode, "--ports", str(port))
            own = lab.device_address(family, 1)
            run = self.transparent(lab, [{"id": "dark", "who": {"address": own}, "when": {
                "after": "connack", "delay": "500ms", "times": 1}, "fault": {"blackhole": {
                    "toward": "both", "for": "9s", "connects": "vanish"}}}])
            run.err.told("the tap is open")
            if port != 1883:
                # Of a port that nobody named, the tap learns by the first who is led here.
                self.device(lab, family, "first", number=0, port=port).up()
            struck = self.device(lab, family, "struck", number=1, keep_alive=2, port=port).up()
            struck.down(limit=12)
            # paho gave up; its next connect is under way, and nobody answers.
            wait_for("SYN_SENT", lambda: lab.sockets(DEVICE, "state", "syn-sent", "src", f"[{own}]" if family == 6 else own))
            spared = self.device(lab, family, "spared", number=0, port=port).up()
            struck.up(2)
            self.assertEqual(spared.seen["down"], [])
            self.assertEqual(self.end(run), 1, "cut off by a signal before it was through")
            [applied] = [event for event in run.events() if event["event"] == "fault_applied"]
            self.assertEqual(applied["fidelity"], "packet", (mode, family))
            [window] = run.report()["rules"][0]["windows"]
            wire = window["wire"]
            print(f"  {mode}, IPv{family}, port {port}: {wire['connects']} connects on the wire, {wire['syns']} SYNs, "
                  f"{wire['device']['segments']} segments sent again", flush=True)
            self.assertTrue(wire["whole"])
            self.assertGreaterEqual(wire["syns"], 1)
            self.assertGreaterEqual(wire["device"]["segments"], 2)

    def at(self, run, event):
        return wall_clock(run.events()) + event["t"] / 1e9

    def test_who_connects_to_brownout_itself(self):
        lab = self.lab()
        self.hub(lab)
        for mode in ("tproxy", "redirect"):
            self.up(lab, "--mode", mode)
            run = self.transparent(lab)
            for host in ("10.77.1.1", "fd77:1::1"):
                script = f"import socket; socket.create_connection(({host!r}, 18830), 3).recv(1)"
                done = lab.run(DEVICE, sys.executable, "-c", script, check=False)
                self.assertIn("ConnectionResetError", done.stderr)
                # It is told once a second.
                time.sleep(1.1)
            run.err.told(r"10\.77\.1\.10:\d+ connected to brownout itself")
            run.err.told(r"\[fd77:1::1\d\]:\d+ connected to brownout itself")
            self.assertEqual([event["event"] for event in run.events()].count("connect_astray"), 2)
            self.assertEqual(self.links(run), [])
            self.end(run)


class Readme(Way):
    def test_its_words(self):
        """The block of README and docs/LAB.md, as it stands, but for the name of the interface, and for sudo, as this is root."""
        root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
        found = set()
        for page in ("README.md", "docs/LAB.md"):
            with open(os.path.join(root, page), encoding="utf-8") as file:
                found |= {block for block in re.findall(r"^```bash\n(.*?)^```$", file.read(), re.M | re.S) if "lab up" in block}
        [block] = found
        lab = self.lab()
        self.hub(lab)
        before = self.rules(lab)
        path = f"{os.path.dirname(BROWNOUT)}:{os.environ['PATH']}"
        script = block.replace("sudo ", "").replace("eth1", "inside")
        shell = lab.start(ROUTER, "bash", "-euo", "pipefail", "-c", script, env={**os.environ, "PATH": path})
        wait_for("listening brownout", lambda: lab.listens(ROUTER, 18830))
        self.device(lab, 4, "paho").up(2, limit=60)
        code = shell.wait(90)
        shell.out.thread.join(5)
        self.assertEqual(code, 0, shell.out.text() + shell.err.text())
        self.assertIn("rst toward both", shell.out.text())
        self.assertEqual(self.rules(lab), before)


class Secured(Way):
    def pki(self):
        pki = Pki(self.folder, "Lab CA")
        addresses = ["IP:10.77.2.10", "IP:fd77:2::10"]
        _certificate, key = pki.issue("hub", names=("DNS:hub.example", *addresses))
        os.chmod(key, 0o644)
        for folder in (self.folder, pki.folder):
            os.chmod(folder, 0o755)
        return pki

    def tls_hub(self, lab, pki):
        return self.hub(lab, ports={8883: f"certfile {pki.path('hub.pem')}\nkeyfile {pki.path('hub.key')}"})

    def test_passed_through(self):
        pki = self.pki()
        for family in FAMILIES:
            lab = self.lab()
            hub = self.tls_hub(lab, pki)
            self.up(lab)
            run = self.transparent(lab)
            sub = lab.start(DEVICE, "stdbuf", "-oL", "mosquitto_sub", "-d", "-h", lab.hub_address(family), "-p", "8883",
                            "--cafile", pki.ca, "-i", "sub", "-t", "a")
            sub.out.told(r"received SUBACK")
            self.assertEqual(self.seen(hub, "sub"), self.links(run)[0]["peer"].rsplit(":", 1)[0].strip("[]"))
            self.assertTrue([event for event in run.events() if event["event"] == "tls_hello" and event["passthrough"]])
            self.end(run)

    def test_begun_again_for_the_name_that_the_device_asks_for(self):
        lab = self.lab()
        pki = self.pki()
        self.tls_hub(lab, pki)
        ca = os.path.join(self.folder, "ca")
        subprocess.run([BROWNOUT, "ca", ca], check=True, capture_output=True)
        self.up(lab)
        run = self.transparent(lab, (), "--tls", "reoriginate", "--ca", ca, "--hub-ca", pki.ca)
        for family in FAMILIES:
            host = lab.hub_address(family)
            at = f"[{host}]:8883" if family == 6 else f"{host}:8883"
            for name in (["-servername", "hub.example", "-verify_hostname", "hub.example"], ["-noservername", "-verify_ip", host]):
                done = lab.run(DEVICE, "openssl", "s_client", "-connect", at, *name, "-CAfile", os.path.join(ca, "ca.pem"),
                               "-verify_return_error", "-brief", input="")
                self.assertIn("Verification: OK", done.stderr)
            # The hub has no certificate for that, and brownout sees to it in the device's place.
            lab.run(DEVICE, "openssl", "s_client", "-connect", at, "-servername", "other.example", "-brief", input="",
                    check=False)
        failed = [event for event in run.events() if event["event"] == "tls_failed"]
        self.assertTrue(failed and all("other.example" in event["error"] for event in failed), failed)
        self.end(run)


class WithoutBrownout(Way):
    """What becomes of devices before, between and after runs."""

    def connects(self, lab, family):
        """Whether a connect to the hub comes about, by the device's own kernel."""
        host = lab.hub_address(family)
        script = f"import socket; socket.create_connection(({host!r}, 1883), 3)"
        done = lab.run(DEVICE, sys.executable, "-c", script, check=False)
        if done.returncode:
            self.assertIn("ConnectionRefusedError", done.stderr)
        return done.returncode == 0

    def test_connects_are_refused_unless_told(self):
        lab = self.lab()
        self.hub(lab)
        for mode in ("tproxy", "redirect"):
            told = self.up(lab, "--mode", mode).stderr
            self.assertNotIn("forwards no", told)
            self.assertEqual([self.connects(lab, family) for family in FAMILIES], [False, False], mode)
        # A machine that forwards nothing refuses them, too, and does not just swallow them.
        lab.shell(ROUTER, "sysctl -w net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0")
        told = self.up(lab).stderr
        self.assertTrue("forwards no IPv4" in told and "forwards no IPv6" in told, told)
        self.assertEqual([self.connects(lab, family) for family in FAMILIES], [False, False])
        lab.shell(ROUTER, "sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
        self.down(lab)
        self.assertEqual([self.connects(lab, family) for family in FAMILIES], [True, True])

    def past(self, family, how):
        """Straight to the hub before, through brownout with it, straight again after: each time by itself."""
        lab = self.lab()
        hub = self.hub(lab)
        self.up(lab, "--fail-open")
        device = self.device(lab, family, "paho-1", keep_alive=2).up()
        run = self.transparent(lab)
        # Its link is reset by its next packet.
        device.up(2)
        self.assertEqual(len(self.links(run)), 1)
        stopped = time.time()
        self.end(run, how)
        device.up(3)
        self.assertLess(device.seen["up"][2] - stopped, 4)
        self.assertEqual(self.seen(hub, "paho-1", 3), lab.device_address(family))
        self.assertEqual(device.seen["failed"], [])
        time.sleep(2.5)
        self.assertEqual(len(device.seen["up"]), 3, "and it stays")

    def test_fail_open_when_it_ends(self):
        self.past(4, signal.SIGTERM)

    def test_fail_open_when_it_is_killed(self):
        self.past(6, signal.SIGKILL)

    def test_a_closed_listener_is_not_open(self):
        """A fault that refuses connects: nobody goes past it."""
        for arguments in (["--fail-open"], [], ["--mode", "redirect"]):
            self.closed("--fail-open" in arguments, *arguments)

    def closed(self, is_open_after, *arguments):
        lab = self.lab()
        hub = self.hub(lab)
        self.up(lab, *arguments)
        run = self.transparent(lab, [{"id": "no", "when": {"at": "0s"},
                                      "fault": {"refuse": {"how": "closed", "for": "100s"}}}])
        wait_for("the fault", lambda: [event for event in run.events() if event["event"] == "listener_muted"])
        self.assertEqual([self.connects(lab, family) for family in FAMILIES], [False, False])
        self.assertFalse(hub.log.find("New connection"))
        self.end(run)
        self.assertEqual([self.connects(lab, family) for family in FAMILIES], [is_open_after] * 2)


class Undone(Way):
    FOREIGN = """
table ip filter {
  chain INPUT { type filter hook input priority filter; policy drop; tcp dport { 1883, 18830 } accept; ct state established accept; }
}
table inet brownout_other {
  chain c { tcp dport 1883 accept; }
}
"""

    def foreign(self, lab):
        lab.run(ROUTER, "nft", "-f", "-", input=self.FOREIGN)
        lab.shell(ROUTER, "ip rule add pref 500 fwmark 0x5 lookup 77; ip route add default dev lo table 77 proto 150;"
                          "ip -6 rule add pref 500 from fd99::/64 lookup 78 protocol 150;"
                          "ip rule add pref 700 fwmark 0x19 iif j lookup 5 protocol 150")

    def test_down_leaves_everything_as_it_was(self):
        lab = self.lab()
        self.foreign(lab)
        before = self.rules(lab)
        self.assertIn("nothing was up", self.down(lab).stderr)
        for arguments in ([], ["--mode", "redirect"], ["--fail-open", "--mark", "0x77", "--table", "900"],
                          ["--ports", "1,2,3", "--to", "5"]):
            told = self.up(lab, *arguments).stderr
            self.assertIn("the chain `INPUT` of the table `ip filter` drops", told)
            self.assertEqual("from fd99::/64" in told, "redirect" not in arguments)
            self.assertNotIn("fwmark 0x19", told)
            self.assertNotIn("up already", told)
            self.assertNotEqual(self.rules(lab), before)
            self.assertIn("up already", self.up(lab, *arguments).stderr)
            self.assertEqual(lab.run(ROUTER, BROWNOUT, "lab", "status").stdout.splitlines()[0], "lab: up")
            self.assertIn("is gone", self.down(lab).stderr)
            self.assertEqual(self.rules(lab), before)
            self.assertEqual(lab.run(ROUTER, BROWNOUT, "lab", "status", check=False).returncode, 1)
        # From any to any other.
        for arguments in (["--table", "900"], ["--mode", "redirect"], ["--mark", "9"]):
            self.up(lab, *arguments)
        self.down(lab)
        self.assertEqual(self.rules(lab), before)

    def test_the_scripts_do_the_same(self):
        lab = self.lab()
        before = self.rules(lab)
        script = self.up(lab, "--dry-run").stdout
        self.assertEqual(self.rules(lab), before)
        lab.run(ROUTER, "sh", input=script)
        by_script = self.rules(lab)
        undo = lab.run(ROUTER, BROWNOUT, "lab", "down", "--dry-run").stdout
        self.assertEqual(self.rules(lab), by_script)
        self.down(lab)
        self.up(lab)
        self.assertEqual(self.rules(lab), by_script)
        lab.run(ROUTER, "sh", input=undo)
        self.assertEqual(self.rules(lab), before)

    def test_killed_in_mid_run(self):
        for mode in ("tproxy", "redirect"):
            lab = self.lab()
            before = self.rules(lab)
            hub = self.hub(lab)
            self.up(lab, "--mode", mode)
            run = self.transparent(lab)
            device = self.device(lab, 4, "paho-1").up()
            self.end(run, signal.SIGKILL)
            device.down()
            # Half of it gone as well.
            if mode == "tproxy":
                lab.shell(ROUTER, "nft delete table inet brownout_lab; ip -6 rule del pref 1883")
                status = lab.run(ROUTER, BROWNOUT, "lab", "status", check=False)
                self.assertEqual((status.returncode, status.stdout.split(";")[0]), (1, "lab: a part of it is gone"))
            self.down(lab)
            self.assertEqual(self.rules(lab), before)
            device.up(2)
            self.assertEqual(self.seen(hub, "paho-1", 2), lab.device_address())

    def failing(self, program, words):
        """A folder for PATH, in which this program fails where its arguments begin so, and else does its work."""
        folder = os.path.join(self.folder, f"failing-{program}")
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, program)
        with open(path, "w") as file:
            file.write(f'#!/bin/sh\ncase "$*" in "{words}"*) echo no {program} today >&2; exit 1;; esac\n'
                       f'PATH={os.environ["PATH"]} exec {program} "$@"\n')
        os.chmod(path, 0o755)
        return folder

    def test_an_up_that_fails_leaves_what_stood(self):
        lab = self.lab()

        def fails(told, *arguments, **failing):
            before = self.rules(lab)
            folders = [self.failing(program, words) for program, words in failing.items()]
            path = ":".join([*folders, os.environ["PATH"]])
            done = lab.run(ROUTER, "env", f"PATH={path}", BROWNOUT, "lab", "up", "--inside", "inside", *arguments, check=False)
            self.assertEqual(done.returncode, 3, done.stderr)
            for words in told:
                self.assertIn(words, done.stderr)
            return before

        for left in ("nothing is up", "what was up before still is"):
            for failing in ({"nft": "--check -f -"}, {"nft": "-f -"}, {"ip": "-6 rule add"}):
                before = fails([f"no {next(iter(failing))} today", left], "--table", "900", **failing)
                self.assertEqual(self.rules(lab), before)
            self.up(lab)
        fails(["no nft today", "nor could all be undone", "no ip today"], "--mark", "9", nft="-f -", ip="-4 rule del")

    def test_what_is_refused(self):
        lab = self.lab()
        before = self.rules(lab)

        def refused(code, words, *arguments, prefix=()):
            done = lab.run(ROUTER, *prefix, BROWNOUT, *arguments, check=False)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn(words, done.stderr)

        powerless = ["setpriv", "--bounding-set=-net_admin,-net_raw"]
        refused(3, "there is no interface `nowhere` here; there are inside, lo, outside", "lab", "up", "--inside", "nowhere")
        refused(3, "run it as root", "lab", "up", "--inside", "inside", prefix=powerless)
        refused(3, "sudo setcap cap_net_admin,cap_net_raw,cap_net_bind_service+ep ", "observe", "--transparent", prefix=powerless)
        refused(3, "no program `nft`", "lab", "up", "--inside", "inside", prefix=self.without_system_programs())
        refused(2, "--upstream", "run", "control", "--transparent", "--upstream", "h:1")
        lab.shell(ROUTER, "ip link add br0 type bridge; ip link add port type veth peer name end; ip link set port master br0")
        refused(3, "`port` is a part of `br0`", "lab", "up", "--inside", "port")
        lab.shell(ROUTER, "ip link del port; ip link del br0")
        lab.shell(ROUTER, "ip rule add pref 500 fwmark 0x1883 lookup 77")
        refused(3, "give another with --mark", "lab", "up", "--inside", "inside")
        lab.shell(ROUTER, "ip rule del pref 500")
        lab.shell(ROUTER, "ip route add default dev lo table 18830")
        refused(3, "give another with --table", "lab", "up", "--inside", "inside")
        lab.shell(ROUTER, "ip route del default dev lo table 18830")
        self.assertEqual(self.rules(lab), before)

    def without_system_programs(self):
        """A prefix in whose mount namespace nft is not to be found."""
        return ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /usr/sbin; exec \"$@\"", "sh"]


if __name__ == "__main__":
    sys.exit(main([Led, Readme, Secured, WithoutBrownout, Undone], workers=2))
