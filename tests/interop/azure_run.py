"""The Azure device SDK through brownout to the embedded hub that plays Azure IoT Hub.

Usage: azure_run.py PATH-TO-BROWNOUT [TEST ...], by a Python that has `azure-iot-device` (2.14.0 is what it is held against)
"""

import os
import re
import signal
import subprocess
import sys
import unittest

import runner
from azure_bench import (BROWNOUT, DEVICE, KEEP_ALIVE, KEY, PATIENCE, PORT, ROOT, Case, Program, in_namespaces,
                         remove_namespaces)
from azure_symptoms import FaultMessages, Symptoms


class Profiles(Case):
    """Each shipped profile, shortened."""

    def test_keepalive_blackhole(self):
        hub, port = self.hub()
        code, report, run = self.run_profile("keepalive-blackhole", port, "--set", "dark.delay=1s", "--set", "settle=8s")
        self.assertEqual(code, 0, run.text())
        [dark] = self.windows(report, "dark")
        self.assertEqual(dark["outcome"], "back")
        self.seconds(dark["device_detection_s"], KEEP_ALIVE - 1.5, 2 * KEEP_ALIVE + 1, "device_detection")
        self.seconds(dark["hub_silence_s"], PATIENCE - 0.1, PATIENCE + 0.5, "hub_silence")
        # Its start is stamped when the fault holds, which is a little after it was due, and its end is due from then.
        self.seconds(dark["downtime_s"], 4 * KEEP_ALIVE + 4.9, 4 * KEEP_ALIVE + 5 + 8, "downtime")
        self.seconds(dark["recovery_s"], 0, 8, "recovery")
        self.assertEqual(self.ends(hub, rf"keep-alive timeout after {PATIENCE:.0f}\S+ of silence"), 1, hub.text())

    def test_rst_without_disconnect(self):
        hub, port = self.hub()
        self.reset_three_times(hub, port, ("--tls", "terminate"))

    def reset_three_times(self, hub, port, tls):
        code, report, run = self.run_profile(
            "rst-without-disconnect", port, "--set", "reset.delay=2s", "--set", "settle=5s", tls=tls)
        self.assertEqual(code, 0, run.text())
        for window in self.windows(report, "reset", 3):
            self.assertEqual(window["outcome"], "back")
            self.seconds(window["device_detection_s"], 0, 1, "device_detection: the SDK tries again at once")
            self.seconds(window["recovery_s"], 0, 2, "recovery")
        self.assertEqual(self.ends(hub, "reset without DISCONNECT", 3), 3, hub.text())
        return report

    def test_rst_one_sided(self):
        hub, port = self.hub()
        code, report, run = self.run_profile(
            "rst-one-sided", port, "--set", "device-told.delay=2s", "--set", "hub-told.delay=7s", "--set", "settle=14s",
            tls=("--tls", "terminate"))
        self.assertEqual(code, 0, run.text())
        [told] = self.windows(report, "device-told")
        self.seconds(told["device_detection_s"], 0, 1, "device_detection of device-told")
        # Its messages are not acknowledged, and its PINGREQ, sent after as long without a packet of the hub, not answered.
        [untold] = self.windows(report, "hub-told")
        self.seconds(untold["device_detection_s"], KEEP_ALIVE, 3 * KEEP_ALIVE, "device_detection of hub-told")

    def test_slow_link(self):
        hub, port = self.hub()
        # A message each 5 s, so that there is something to be quiet about: PINGREQ comes after 4 s of it.
        code, report, run = self.run_profile(
            "slow-link", port, "--set", "satellite.for=15s", "--set", "cell.at=16s", "--set", "cell.for=15s",
            "--set", "settle=3s", device=("--every", "5"))
        self.assertEqual(code, 0, run.text())
        [satellite] = self.windows(report, "satellite")
        self.assertEqual(satellite["outcome"], "survived")
        self.seconds(satellite["ping_rtt"]["p50_s"], 0.5, 0.7, "ping_rtt")
        self.seconds(satellite["publish_rtt"]["p50_s"], 0.5, 0.7, "publish_rtt")
        [cell] = self.windows(report, "cell")
        self.assertGreater(cell["ping_rtt"]["count"], 0)

    def test_tls_handshake_trouble(self):
        hub, port = self.hub()
        # The SDK takes seconds to start on a busy machine, and has to be up before the first fault.
        shortened = {"silence.at": 9, "silence.for": 7, "refused.at": 25, "refused.for": 5, "expired.at": 41,
                     "expired.for": 5, "cut.at": 10, "cut.every": 16, "settle": 8}
        sets = [part for key, value in shortened.items() for part in ("--set", f"{key}={value}s")]
        code, report, run = self.run_profile("tls-handshake-trouble", port, *sets)
        self.assertEqual(code, 0, run.text())
        for rule in ("silence", "refused", "expired"):
            [window] = self.windows(report, rule)
            self.assertEqual(window["outcome"], "back", rule)
            self.assertGreaterEqual(window["handshakes"]["attempts"], 2, rule)
            self.seconds(window["recovery_s"], 0, 8, f"recovery of {rule}")
        told = [end["end"] for end in window["handshakes"]["ends"]]
        self.assertEqual(told, ["alert certificate_expired"])
        self.assertEqual(window["handshakes"]["took_bad_certificate"], 0)
        # The cuts; and one that waited in the handshake has only been seen to open.
        self.windows(report, "cut", 3)
        self.assertEqual(self.ends(hub, "reset without DISCONNECT", 3), 3, hub.text())

    def test_tls_record_damage(self):
        """The SDK survives the close without close_notify, and not the record: its network thread ends with an SSLError, it
        believes itself connected, and what it is given to send waits. brownout has to say so. As shipped, the record
        comes first, and nothing would be left to close."""
        hub, port = self.hub()
        code, report, run = self.run_profile(
            "tls-record-damage", port, "--set", "unnotified.delay=2s", "--set", "damaged.delay=6s", "--set", "settle=8s",
            well=False)
        self.assertEqual(code, 1, run.text())
        [unnotified] = self.windows(report, "unnotified")
        self.assertEqual(unnotified["outcome"], "back")
        self.seconds(unnotified["device_detection_s"], 0, 1, "device_detection of unnotified")
        self.seconds(unnotified["recovery_s"], 0, 2, "recovery of unnotified")
        [damaged] = self.windows(report, "damaged")
        self.assertEqual(damaged["outcome"], "gone")
        self.assertEqual(damaged["link_end"], "TLS alert bad_record_mac by the device")
        self.seconds(damaged["device_detection_s"], 0, 2, "device_detection of damaged: its TLS library sends the alert")
        self.assertIn("never_watched_s", damaged["recovery_s"])
        self.assertEqual(len(run.find("ssl.SSLError: .*bad record mac")), 1, run.text())
        self.assertNotIn("  disconnected", run.text().partition("ssl.SSLError: ")[2])
        # With FIN, both times: brownout carries the alert through as the end that it is.
        self.assertEqual(self.ends(hub, "closed without DISCONNECT", 2), 2, hub.text())

    def test_demo(self):
        """Made for four devices with a keep-alive of 2 s: it is stretched, and what it expects of a device named
        careful stays without evidence."""
        hub, port = self.hub()
        code, report, run = self.run_profile(
            "demo", port, "--set", "devices=1", "--set", "dark.at=8s", "--set", "reset.at=30s", "--set", "slow.at=36s")
        self.assertEqual(code, 1, run.text())
        self.assertEqual([found for found in run.find(r"^  UNMET  (.*)$") if "careful*" not in found], [])
        for rule in ("dark", "reset"):
            [window] = self.windows(report, rule)
            self.assertEqual(window["outcome"], "back", rule)
        self.assertEqual(self.ends(hub, "keep-alive timeout .*"), 1, hub.text())
        self.assertEqual(self.ends(hub, "reset without DISCONNECT"), 1, hub.text())


class AllProfiles(unittest.TestCase):
    def test_no_profile_is_left_out(self):
        listed = subprocess.run([BROWNOUT, "profiles", "list"], capture_output=True, text=True, check=True).stdout
        names = [line for line in listed.splitlines() if line and not line.startswith(" ")]
        tested = {name.removeprefix("test_").replace("_", "-") for name in [*dir(Profiles), *dir(Symptoms)]
                  if name.startswith("test_")}
        self.assertEqual(set(names) - tested, set())


class ToTheHub(Case):
    """TLS again to the hub."""

    def test_reoriginate(self):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
             "-keyout", "hub.key", "-out", "hub.pem", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
            cwd=self.folder, check=True, capture_output=True)
        hub, port = self.hub("--cert", "hub.pem", "--key", "hub.key")
        report = Profiles.reset_three_times(self, hub, port, ("--tls", "reoriginate", "--hub-ca", "hub.pem"))
        self.assertEqual(report["tls"]["with_hub"]["handshakes"], 4, "one for each link")
        self.assertEqual(report["tls"]["with_devices"]["handshakes"], 4)


class Tokens(Case):
    """The regular cause of error 404104: a token's end. Nothing is broken here."""

    def test_a_token_that_ends(self):
        hub, port = self.hub()
        with open(os.path.join(self.folder, "watch.yaml"), "w", encoding="utf-8") as file:
            file.write("brownout: 1\nname: watch\nsummary: Nothing is broken.\nduration: 14s\n")
        run = self.program(
            BROWNOUT, "run", "watch.yaml", "--tls", "terminate", "--listen", f"127.0.0.1:{PORT}", "--upstream",
            f"localhost:{port}", "--report", "report", "--stop-command", "--", sys.executable, DEVICE, "--ca",
            "brownout-ca/ca.pem", "--key", KEY, "--retry", "1", "--seconds", "60", "--fixed-token", "4")
        self.assertEqual(run.wait(), 0, run.text())
        self.assertTrue(run.find(r"\d+ sent, last acknowledged \d+, well$"), run.text())
        ended = self.ends(hub, "its token has expired", 2)
        self.assertGreaterEqual(ended, 2, hub.text())
        [device] = self.report()["devices"]
        self.assertEqual(device["ends"]["token expired"], ended)


class Readme(Case):
    """What docs/AZURE.md says of the SDK, as it stands."""

    def test_the_blocks(self):
        with open(os.path.join(ROOT, "docs", "AZURE.md"), encoding="utf-8") as file:
            page = file.read()
        [script] = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
        commands = next(text for text in re.findall(r"^```text\n(.*?)^```$", page, re.M | re.S) if "device.py" in text)
        with open(os.path.join(self.folder, "device.py"), "w", encoding="utf-8") as file:
            file.write(script)
        path = f"{os.path.dirname(BROWNOUT)}:{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
        shell = self.program("bash", "-euo", "pipefail", "-c", commands, env={**os.environ, "PATH": path})
        self.assertEqual(shell.wait(), 0, shell.text())
        # Its handler runs in a thread of its own, and lines of several threads may run into each other: that the device came
        # back is read in the report.
        self.assertEqual(shell.find(r"^((?:dis)?connected)")[:2], ["connected", "disconnected"], shell.text())
        self.assertIn("keep-alive timeout", shell.text())
        self.assertIn("(404104 DeviceConnectionClosedRemotely)", shell.text())
        report = self.report()
        self.assertEqual(report["verdict"], "passed")
        [dark] = self.windows(report, "dark")
        self.assertEqual(dark["outcome"], "back")


def main():
    Case.apart = in_namespaces()
    loader = unittest.TestLoader()
    chosen = set(sys.argv[2:])
    groups = [Profiles, Symptoms, AllProfiles, FaultMessages, ToTheHub, Tokens, Readme]
    cases = [case for group in groups for case in loader.loadTestsFromTestCase(group)]
    cases = [case for case in cases if not chosen or case._testMethodName in chosen]

    # A signal is an end like another: what was started is ended, and no namespace is left.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, Program.interrupt)
    try:
        # Most of the time is waiting; few enough at once not to disturb each other's timing.
        return runner.run(cases, 8 if Case.apart else 1, "azure")
    finally:
        if Case.apart:
            remove_namespaces()


if __name__ == "__main__":
    sys.exit(main())
