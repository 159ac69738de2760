"""`--pcap` between programs that are not ours: mosquitto and paho on the line, tshark and capinfos as readers.

Usage: pcap.py PATH-TO-BROWNOUT [TEST ...]

What tshark dissects has to be the packets, in their order, that paho and the broker say that they sent and got.
"""

import os
import re
import shutil
import ssl
import stat
import subprocess
import sys
import time

from bench import can_connect, free_port, main, wait_for
from secured import TlsCase

TYPES = ["", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE", "SUBACK", "UNSUBSCRIBE",
         "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH"]

# What of tshark's findings may not be there. A window update is what a remark hangs on.
WRONG = ("_ws.malformed || tcp.checksum.status == 0 || ip.checksum.status == 0 || "
         "(tcp.analysis.flags && !tcp.analysis.window_update)")

CHECKS = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]

SHOWN_PORT = "1883"


def tshark(path, *arguments):
    read = subprocess.run(["tshark", "-n", "-r", path, *CHECKS, *arguments], capture_output=True, text=True, timeout=60)
    assert read.returncode == 0, read.stderr
    return read.stdout.splitlines()


def packets(path):
    """The types of MQTT packets, by interface and direction."""
    found = {(interface, direction): [] for interface in "01" for direction in ("up", "down")}
    for line in tshark(path, "-Y", "mqtt", "-T", "fields", "-e", "frame.interface_id", "-e", "tcp.dstport", "-e",
                       "mqtt.msgtype"):
        interface, to, kinds = line.split("\t")
        direction = "up" if to == SHOWN_PORT else "down"
        found[interface, direction] += [TYPES[int(kind)] for kind in kinds.split(",")]
    return found


class Captures(TlsCase):
    KEEP_ALIVE = 5
    RULES = [
        {"id": "held", "when": {"after": "connack", "delay": "1s", "times": 1},
         "fault": {"stall": {"direction": "both", "for": "2s"}}},
        {"id": "cut", "when": {"after": "connack", "delay": "5s", "times": 1}, "fault": {"rst": {"toward": "both"}}},
    ]

    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.folder, "run.pcapng")
        if not shutil.which("tshark"):
            self.skipTest("SKIPPED: there is no tshark (apt-get install tshark)")

    def run_before(self, port, *arguments, **options):
        profile = self.profile(self.RULES, settle="3s")
        return self.run_profile(profile, "--listen", "127.0.0.1:0", "--upstream", f"127.0.0.1:{port}", "--pcap", self.path,
                                *arguments, **options)

    def talk(self, run, broker, **options):
        """A device that publishes before, in and after the stall, and comes back after the reset."""
        logged = []
        prepare = options.pop("prepare", None)

        def prepared(client):
            client.on_log = lambda _c, _u, _level, text: logged.append(text)
            if prepare:
                prepare(client)

        device = self.device(run.port(), "paho-1", self.KEEP_ALIVE, subscribe="lab/#", prepare=prepared, **options).up()
        for pause in (0.5, 1.0, 2.5):
            time.sleep(pause)
            device.client.publish("lab/x", "x" * 200, qos=1)
        wait_for("second connect", lambda: len(device.seen["up"]) > 1)
        self.assertIn(run.wait(), (0, 1), run.err.text())
        return logged, broker.log.text()

    def heard(self, logged, log):
        """What paho and mosquitto say of the packets, as `packets` has them."""
        said = [found.groups() for line in logged for found in [re.match(r"(Sending|Received) ([A-Z]+)", line)] if found]
        hub = {"up": [], "down": []}
        for line in log.splitlines():
            if re.search(r"New client connected from .* as paho-1", line):
                hub["up"].append("CONNECT")
            found = re.search(r"(Received|Sending) ([A-Z]+) (?:from|to) paho-1", line)
            if found:
                hub["up" if found[1] == "Received" else "down"].append(found[2])
        return {
            ("0", "up"): [kind for way, kind in said if way == "Sending"],
            ("0", "down"): [kind for way, kind in said if way == "Received"],
            ("1", "up"): hub["up"],
            ("1", "down"): hub["down"],
        }

    def look(self, run, logged, log):
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
        self.assertTrue(run.err.find("WARNING: --pcap: .*passwords"), run.err.text())
        self.assertIn("WRITTEN TO A CAPTURE", run.out.text())
        ours, theirs = packets(self.path), self.heard(logged, log)
        for key, kinds in theirs.items():
            # The run ends in the midst: the last word of either may not have been said or logged.
            both = min(len(ours[key]), len(kinds))
            self.assertGreater(both, 4, key)
            self.assertEqual(ours[key][:both], kinds[:both], key)
            self.assertLessEqual(max(len(ours[key]), len(kinds)) - both, 1, key)
        self.assertFalse(tshark(self.path, "-Y", WRONG))
        remarks = [line.split("\t") for line in tshark(
            self.path, "-Y", "frame.comment", "-T", "fields", "-e", "frame.interface_name", "-e", "tcp.flags.reset", "-e",
            "frame.comment")]
        for side in ("device side", "hub side"):
            for reset, text in (("0", r'"held" began on paho-1 \(stall, stall\)'), ("0", r'"held" ended on paho-1'),
                                ("1", r'"cut" on paho-1: RST')):
                found = [line for line in remarks if line[:2] == [side, reset] and re.search(text, line[2])]
                self.assertEqual(len(found), 1, (side, text, remarks))
        information = subprocess.run(["capinfos", self.path], capture_output=True, text=True, check=True).stdout
        for text in ("brownout", "profile test, seed", "Name = device side", "Name = hub side", "nanoseconds (9)",
                     "Strict time order:   True"):
            self.assertIn(text, information)
        closed = self.first(run.events(), event="capture_closed")
        self.assertEqual(closed["dropped"], 0)
        self.assertEqual(closed["written"], len(tshark(self.path)))

    def test_plain(self):
        broker = self.broker()
        run = self.run_before(broker.port)
        self.look(run, *self.talk(run, broker))

    def test_tls_terminated(self):
        broker = self.broker()
        run = self.run_before(broker.port, "--tls", "terminate", "--ca", self.ca())
        prepare = lambda client: (client.tls_set(ca_certs=self.ca_file(), cert_reqs=ssl.CERT_REQUIRED),
                                  client.tls_insecure_set(True))
        self.look(run, *self.talk(run, broker, prepare=prepare))

    def test_websocket(self):
        port = free_port()
        broker = self.broker(f"listener {port} lo\nprotocol websockets\n")
        wait_for("WebSocket listener", lambda: can_connect(port))
        run = self.run_before(port)
        prepare = lambda client: client.ws_set_options(path="/mqtt")
        self.look(run, *self.talk(run, broker, transport="websockets", prepare=prepare))
        self.assertTrue([line for line in tshark(self.path, "-Y", 'frame.comment contains "WebSocket, /mqtt"')])

    def test_tls_passed_through_is_left_out(self):
        pki = self.pki()
        broker = self.tls_broker(pki)
        profile = self.profile([], duration="3s")
        run = self.run_profile(profile, "--listen", "127.0.0.1:0", "--upstream", f"127.0.0.1:{broker.tls}", "--pcap",
                               self.path, "--tls", "passthrough")
        prepare = lambda client: (client.tls_set(ca_certs=pki.ca), client.tls_insecure_set(True))
        self.device(run.port(), "paho-1", self.KEEP_ALIVE, subscribe="lab/#", prepare=prepare).up()
        self.assertIn(run.wait(), (0, 1), run.err.text())
        self.assertEqual(tshark(self.path, "-Y", "mqtt || tcp.len > 0"), [])
        self.assertTrue(tshark(self.path, "-Y", 'frame.comment contains "passed through"'))

    def test_a_full_disk_ends_the_capture_and_not_the_run(self):
        disk = os.path.join(self.folder, "disk")
        os.mkdir(disk)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", disk], capture_output=True)
        if mounted.returncode != 0:
            self.skipTest(f"SKIPPED: cannot mount a small disk: {mounted.stderr.decode()}")
        self.addCleanup(lambda: subprocess.run(["umount", disk], check=True))
        self.path = os.path.join(disk, "run.pcapng")
        broker = self.broker()
        profile = self.profile([], duration="4s")
        run = self.run_profile(profile, "--listen", "127.0.0.1:0", "--upstream", f"127.0.0.1:{broker.port}", "--pcap",
                               self.path)
        device = self.device(run.port(), "paho-1", self.KEEP_ALIVE, subscribe="lab/#").up()
        for _ in range(20):
            device.client.publish("lab/x", "x" * 2000, qos=0)
            time.sleep(0.05)
        self.assertEqual(run.wait(), 3)
        self.assertEqual(len(run.err.find("the capture ends here: No space left")), 1, run.err.text())
        self.assertIn("the capture is not complete", run.err.text())
        self.assertIn("the capture ends before the run", run.out.text())
        self.assertEqual(run.report()["devices"][0]["name"], "paho-1")

    def test_a_file_that_cannot_be_written(self):
        broker = self.broker()
        self.path = os.path.join(self.folder, "no", "such", "run.pcapng")
        run = self.run_before(broker.port)
        self.assertEqual(run.wait(), 3)
        self.assertIn("--pcap", run.err.text())


if __name__ == "__main__":
    sys.exit(main([Captures]))
