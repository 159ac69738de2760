"""The Azure device SDK through brownout to the embedded hub that plays Azure IoT Hub.

Usage: azure_run.py PATH-TO-BROWNOUT [TEST ...], by a Python that has `azure-iot-device` (2.14.0 is what it is held against)

The SDK connects to port 8883 and to no other. So each test has a network namespace of its own where this is root and `ip`
is there: nobody else's 8883 is met, and the tests run beside each other. Elsewhere they run one after the other on
127.0.0.1:8883, which has to be free.
"""

import concurrent.futures
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

BROWNOUT = os.path.abspath(sys.argv[1])
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEVICE = os.path.join(ROOT, "tests", "interop", "azure.py")
PORT = 8883

# The key of device and hub: any Base64 will do.
KEY = "YnJvd25vdXQgYnJvd25vdXQgYnJvd25vdXQgYnJvd24="

# In seconds. Seconds rather than the SDK's minute, so that a profile is over in less than one; a TLS handshake may take
# this long, too, so that it is not less.
KEEP_ALIVE = 4

# How long after an outage the SDK tries again (it tries at once, and then each so many seconds).
RETRY = 2

# The hub takes 1.5 keep-alives of silence [MQTT-3.1.2-24].
PATIENCE = 1.5 * KEEP_ALIVE

# What one profile may take, in seconds.
LIMIT = 150


def in_namespaces():
    """Whether network namespaces can be made here: one is, and is taken away."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        return False
    name = f"brownout-azure-{os.getpid()}-probe"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if made.returncode != 0:
        print(f"no network namespaces here, so on 127.0.0.1:{PORT}: {made.stderr.strip()}", flush=True)
        return False
    subprocess.run(["ip", "netns", "delete", name], check=True)
    return True


@contextlib.contextmanager
def namespace(name):
    """A network namespace with a loopback device; yields what a command in it begins with."""
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        inside = ["ip", "netns", "exec", name]
        subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True)
        yield inside
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def remove_namespaces():
    """Those of this process that are still there: it was interrupted."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout
    for name in re.findall(rf"^(brownout-azure-{os.getpid()}-\S+)", listed, re.M):
        subprocess.run(["ip", "netns", "delete", name])


def port_is_free():
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError:
            return False
    return True


class Program:
    """A program with what it says, line by line."""

    running = set()
    interrupted = threading.Event()

    def __init__(self, command, **options):
        if self.interrupted.is_set():
            raise InterruptedError
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
        )
        self.running.add(self)
        self.lines = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def text(self):
        return "\n".join(list(self.lines))

    def find(self, pattern):
        return re.findall(pattern, self.text(), re.M)

    def wait_for(self, pattern, limit=20.0):
        end = time.monotonic() + limit
        while time.monotonic() < end:
            found = self.find(pattern)
            if found:
                return found[0]
            if self.process.poll() is not None and not self.reader.is_alive():
                break
            time.sleep(0.02)
        raise AssertionError(f"no `{pattern}` in {limit} s:\n{self.text()}")

    def wait(self, limit=LIMIT):
        code = self.process.wait(limit)
        self.reader.join(5)
        return code

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.running.discard(self)
        self.reader.join(5)
        self.process.stdout.close()

    @classmethod
    def interrupt(cls, *_):
        """Ends everything that runs, so that the tests end, and clean up behind them."""
        cls.interrupted.set()
        for program in list(cls.running):
            program.process.terminate()


class Case(unittest.TestCase):
    # Set by main: whether each test has a namespace.
    apart = False
    numbers = iter(range(1_000_000))

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.folder = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="brownout-azure-"))
        self.inside = []
        if self.apart:
            name = f"brownout-azure-{os.getpid()}-{next(self.numbers)}"
            self.inside = self.stack.enter_context(namespace(name))
        elif not port_is_free():
            self.fail(f"another program has 127.0.0.1:{PORT}, the only port that the SDK connects to: stop it, or run "
                      "this as root with `ip` (iproute2)")
        subprocess.run([BROWNOUT, "ca", os.path.join(self.folder, "brownout-ca")], check=True, stdout=subprocess.DEVNULL)

    def program(self, *command, **options):
        program = Program([*self.inside, *command], cwd=self.folder, **options)
        self.stack.callback(program.stop)
        return program

    def hub(self, *arguments):
        """The hub, and its port."""
        hub = self.program(BROWNOUT, "hub", "--azure", "--azure-key", KEY, "--listen", "127.0.0.1:0", *arguments)
        return hub, hub.wait_for(r"hub: listening on 127\.0\.0\.1:(\d+)")

    def run_profile(self, profile, port, *arguments, tls=("--tls", "terminate"), device=(), well=True):
        """A run with the SDK's device beside it, ended when the profile is through; its exit code, report and output.

        At its end the device is connected, and its last message acknowledged, or (`well=False`) not.
        """
        run = self.program(
            BROWNOUT, "run", profile, *tls, "--listen", f"127.0.0.1:{PORT}", "--upstream", f"localhost:{port}",
            "--report", "report", "--seed", "404104", "--stop-command", "--duration", f"{LIMIT - 10}s", *arguments, "--",
            sys.executable, DEVICE, "--ca", "brownout-ca/ca.pem", "--key", KEY, "--seconds", str(LIMIT),
            "--keep-alive", str(KEEP_ALIVE), "--retry", str(RETRY), *device,
        )
        code = run.wait()
        report = self.report()
        self.assertEqual([run["ended"] for run in report["runs"]], ["complete"], run.text())
        self.assertEqual([device["name"] for device in report["devices"]], ["dev1"])
        self.assertTrue(run.find(rf"\d+ sent, last acknowledged \d+, {'well' if well else 'not well'}$"), run.text())
        tls_seen = report["tls"]["with_devices"]
        self.assertEqual({suite["version"] for suite in tls_seen["suites"]}, {"TLS 1.2"})
        self.assertEqual(tls_seen["resumed"], 0, "the SDK resumes no session")
        return code, report, run

    def report(self):
        with open(os.path.join(self.folder, "report", "report.json"), encoding="utf-8") as file:
            return json.load(file)

    def ends(self, hub, why):
        """How often the hub logged this end of the device as error 404104."""
        return len(hub.find(rf"^conn \d+ dev1: gone: {why} \(404104 DeviceConnectionClosedRemotely\)$"))

    def windows(self, report, rule, count=1):
        found = next(entry for entry in report["rules"] if entry["id"] == rule)["windows"]
        self.assertEqual([window["device"] for window in found], ["dev1"] * count, found)
        return found

    def seconds(self, value, least, most, what):
        self.assertIsInstance(value, (int, float), what)
        self.assertTrue(least <= value <= most, f"{what}: {value} is not from {least} to {most}")


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
        self.seconds(dark["downtime_s"], 4 * KEEP_ALIVE + 5, 4 * KEEP_ALIVE + 5 + 8, "downtime")
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
        self.assertEqual(self.ends(hub, "reset without DISCONNECT"), 3, hub.text())
        return report

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
        shortened = {"silence.at": 4, "silence.for": 7, "refused.at": 20, "refused.for": 5, "expired.at": 36,
                     "expired.for": 5, "cut.at": 5, "cut.every": 16, "settle": 8}
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
        self.assertEqual(self.ends(hub, "reset without DISCONNECT"), 3, hub.text())

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
        self.assertEqual(self.ends(hub, "closed without DISCONNECT"), 2, hub.text())

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

    def test_no_profile_is_left_out(self):
        listed = subprocess.run([BROWNOUT, "profiles", "list"], capture_output=True, text=True, check=True).stdout
        names = [line for line in listed.splitlines() if line and not line.startswith(" ")]
        tested = {name.removeprefix("test_").replace("_", "-") for name in dir(Profiles) if name.startswith("test_")}
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
        ended = self.ends(hub, "its token has expired")
        self.assertGreaterEqual(ended, 2, hub.text())
        [device] = self.report()["devices"]
        self.assertEqual(device["ends"]["closed without DISCONNECT by the hub"], ended)


class Readme(Case):
    """What README says of the SDK, as it stands."""

    def test_the_blocks(self):
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
            section = re.search(r"^## Azure IoT Hub\n(.*?)^## ", file.read(), re.M | re.S).group(1)
        [script] = re.findall(r"^```python\n(.*?)^```$", section, re.M | re.S)
        commands = next(text for text in re.findall(r"^```text\n(.*?)^```$", section, re.M | re.S) if "device.py" in text)
        with open(os.path.join(self.folder, "device.py"), "w", encoding="utf-8") as file:
            file.write(script)
        path = f"{os.path.dirname(BROWNOUT)}:{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
        shell = self.program("bash", "-euo", "pipefail", "-c", commands, env={**os.environ, "PATH": path})
        self.assertEqual(shell.wait(), 0, shell.text())
        states = shell.find(r"^((?:dis)?connected)$")
        self.assertEqual((states[0], states[-1]), ("connected", "connected"), shell.text())
        self.assertIn("disconnected", states)
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
    groups = [Profiles, ToTheHub, Tokens, Readme]
    cases = [case for group in groups for case in loader.loadTestsFromTestCase(group)]
    cases = [case for case in cases if not chosen or case._testMethodName in chosen]
    failures = []

    def one(case):
        started, result = time.monotonic(), unittest.TestResult()
        case.run(result)
        bad = result.failures + result.errors
        word = "FAILED" if bad else "ok"
        print(f"azure {case.id().removeprefix('__main__.')} ... {word} ({time.monotonic() - started:.1f} s)", flush=True)
        for _, trace in bad:
            print(trace, flush=True)
        failures.extend(bad)

    # A signal is an end like another: what was started is ended, and no namespace is left.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, Program.interrupt)
    try:
        # Most of the time is waiting; few enough at once not to disturb each other's timing.
        with concurrent.futures.ThreadPoolExecutor(3 if Case.apart else 1) as pool:
            list(pool.map(one, cases))
    finally:
        if Case.apart:
            remove_namespaces()
    print(f"{len(cases) - len(failures)} passed, {len(failures)} failed")
    return 1 if failures or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
