"""What the tests of the Azure device SDK share: the embedded hub, runs with the SDK's device beside them.

The SDK connects to port 8883 and to no other. So each test has a network namespace of its own where this is root and `ip`
is there: nobody else's 8883 is met, and the tests run beside each other. Elsewhere they run one after the other on
127.0.0.1:8883, which has to be free.
"""

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

    def told(self, pattern, count=1, limit=10.0):
        """At least `count` of these: what another program tells may come later than what it did was seen."""
        end = time.monotonic() + limit
        while len(found := self.find(pattern)) < count and time.monotonic() < end:
            time.sleep(0.02)
        if len(found) < count:
            raise AssertionError(f"{len(found)} of `{pattern}`, {count} awaited:\n{self.text()}")
        return found

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

    def run_profile(self, profile, port, *arguments, tls=("--tls", "terminate"), device=(), well=True,
                    ended="complete", limit=LIMIT - 10):
        """A run with the SDK's device beside it, ended when the profile is through; its exit code, report and output.

        At its end the device is connected, and its last message acknowledged, or (`well=False`) not.
        """
        run = self.program(
            BROWNOUT, "run", profile, *tls, "--listen", f"127.0.0.1:{PORT}", "--upstream", f"localhost:{port}",
            "--report", "report", "--seed", "404104", "--stop-command", "--duration", f"{limit}s", *arguments, "--",
            sys.executable, DEVICE, "--ca", "brownout-ca/ca.pem", "--key", KEY, "--seconds", str(LIMIT),
            "--keep-alive", str(KEEP_ALIVE), "--retry", str(RETRY), *device,
        )
        code = run.wait()
        report = self.report()
        self.assertEqual([run["ended"] for run in report["runs"]], [ended], run.text())
        self.assertEqual([device["name"] for device in report["devices"]], ["dev1"])
        self.assertTrue(run.find(rf"\d+ sent, last acknowledged \d+, {'well' if well else 'not well'}$"), run.text())
        tls_seen = report["tls"]["with_devices"]
        self.assertEqual({suite["version"] for suite in tls_seen["suites"]}, {"TLS 1.2"})
        self.assertEqual(tls_seen["resumed"], 0, "the SDK resumes no session")
        return code, report, run

    def report(self):
        with open(os.path.join(self.folder, "report", "report.json"), encoding="utf-8") as file:
            return json.load(file)

    def events(self):
        with open(os.path.join(self.folder, "report", "events.jsonl"), encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def ends(self, hub, why, count=1):
        """How often the hub logged this end of the device as error 404104: at least `count` times."""
        return len(hub.told(rf"^conn \d+ dev1: gone: {why} \(404104 DeviceConnectionClosedRemotely\)$", count))

    def windows(self, report, rule, count=1):
        found = next(entry for entry in report["rules"] if entry["id"] == rule)["windows"]
        self.assertEqual([window["device"] for window in found], ["dev1"] * count, found)
        return found

    def seconds(self, value, least, most, what):
        self.assertIsInstance(value, (int, float), what)
        self.assertTrue(least <= value <= most, f"{what}: {value} is not from {least} to {most}")
