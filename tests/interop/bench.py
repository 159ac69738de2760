"""What the interoperability tests share: programs as processes with their lines, and the runner of the tests.

The first argument of the command line is the path of brownout. Everything listens on loopback, on ports that the
system gives out; what is started is stopped by its pid.
"""

import collections
import datetime
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import paho.mqtt.client as paho

import runner

BROWNOUT = os.path.abspath(sys.argv[1])

# How far brownout's figure may be from another program's, which is stamped when its line or callback gets to us:
# scheduling on two busy cores.
TOLERANCE = 0.25


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, condition, limit=20.0):
    end = time.time() + limit
    while time.time() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"no {what} in {limit} s")


class Lines:
    """The lines of a stream, each with the time it came."""

    def __init__(self, stream):
        self.lines = []
        self.thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self.thread.start()

    def _read(self, stream):
        for line in stream:
            self.lines.append((time.time(), line.rstrip("\n")))

    def find(self, pattern):
        return [(at, match) for at, line in list(self.lines) for match in [re.search(pattern, line)] if match]

    def told(self, pattern, count=1, limit=10.0):
        """At least `count` lines like this: what another program tells may come later than what it did was seen."""
        end = time.time() + limit
        while len(found := self.find(pattern)) < count and time.time() < end:
            time.sleep(0.01)
        if len(found) < count:
            raise AssertionError(f"{len(found)} lines like {pattern!r}, {count} awaited:\n{self.text()}")
        return found

    def text(self):
        return "\n".join(line for _, line in list(self.lines))


class Mosquitto:
    def __init__(self, folder, extra=""):
        self.port = free_port()
        self.config = os.path.join(folder, f"mosquitto-{self.port}.conf")
        with open(self.config, "w") as file:
            file.write(f"listener {self.port} 127.0.0.1\nallow_anonymous true\nlog_dest stderr\nlog_type all\n{extra}")
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["mosquitto", "-c", self.config], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )
        self.log = Lines(self.process.stderr)
        wait_for("mosquitto", lambda: can_connect(self.port))

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(10)


def can_connect(port):
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
        return True
    except OSError:
        return False


class Brownout:
    """A run of the built binary."""

    def __init__(self, *arguments, folder=None, command=(), env=None, prefix=()):
        self.folder = folder
        call = [*prefix, BROWNOUT, *arguments]
        if folder:
            call += ["--report", folder]
        if command:
            call += ["--", *command]
        self.process = subprocess.Popen(
            call,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **(env or {})},
        )
        self.out, self.err = Lines(self.process.stdout), Lines(self.process.stderr)

    def port(self):
        return self.ports(1)[0]

    def ports(self, count):
        """The ports of its listeners, in the order of the profile."""

        def told():
            found = self.err.find(r"devices connect to 127\.0\.0\.1:(\d+)")
            return len(found) >= count and [int(match.group(1)) for _, match in found]

        try:
            return wait_for("listening brownout", told)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.err.text()}") from None

    def wait(self, limit=120):
        code = self.process.wait(limit)
        self.out.thread.join(5)
        self.err.thread.join(5)
        return code

    def events(self):
        """The events so far. While it runs, they come to the log a little later than they happen."""
        if self.process.poll() is None:
            time.sleep(0.2)
        with open(os.path.join(self.folder, "events.jsonl")) as file:
            return [json.loads(line) for line in file if line.endswith("\n")]

    def report(self):
        with open(os.path.join(self.folder, "report.json")) as file:
            return json.load(file)


def wall_clock(events):
    """The wall-clock time of the beginning of a run."""
    text = events[0]["wall_clock"]
    seconds, fraction = re.fullmatch(r"(.*?)(\.\d+)?Z", text).groups()
    base = datetime.datetime.fromisoformat(seconds).replace(tzinfo=datetime.timezone.utc).timestamp()
    return base + float(fraction or 0)


class Device:
    """A paho client that keeps what its callbacks said, and when."""

    def __init__(self, port, name, keep_alive, subscribe=None, protocol=paho.MQTTv311, clean=True,
                 transport="tcp", prepare=None):
        self.seen = collections.defaultdict(list)
        options = {} if protocol == paho.MQTTv5 else {"clean_session": clean}
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=name, protocol=protocol,
                                  transport=transport, **options)
        if prepare:
            prepare(self.client)
        self.client.on_connect = self._connected
        self.client.on_disconnect = lambda *_: self.seen["down"].append(time.time())
        self.client.on_message = lambda _c, _u, message: self.seen["message"].append((time.time(), message))
        self.client.on_publish = lambda _c, _u, mid, *_: self.seen["acknowledged"].append((time.time(), mid))
        self.client.reconnect_delay_set(1, 1)
        self.subscribe = subscribe
        self.client.connect_async("127.0.0.1", port, keep_alive)
        self.client.loop_start()

    def _connected(self, client, _userdata, _flags, code, _properties):
        if code == 0:
            self.seen["up"].append(time.time())
            if self.subscribe:
                client.subscribe(self.subscribe, 1)

    def up(self):
        wait_for("connected device", lambda: self.seen["up"])
        return self

    def stop(self):
        self.client.disconnect()
        self.client.loop_stop()


class Case(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="brownout-interop-")
        self.addCleanup(holder.cleanup)
        self.folder = holder.name

    def broker(self, extra=""):
        broker = Mosquitto(self.folder, extra)
        self.addCleanup(lambda: broker.process.poll() is None and broker.stop())
        return broker

    def device(self, *arguments, **options):
        device = Device(*arguments, **options)
        self.addCleanup(device.stop)
        return device

    def brownout(self, *arguments, **options):
        run = Brownout(*arguments, **options)

        def end():
            if run.process.poll() is None:
                run.process.kill()
                run.process.wait()

        self.addCleanup(end)
        return run

    def start(self, profile, broker, *arguments, **options):
        """A run before a broker, listening on a port of its own."""
        folder = os.path.join(self.folder, "report")
        return self.brownout(
            "run", profile, "--listen", "127.0.0.1:0", "--upstream", f"127.0.0.1:{broker.port}", *arguments,
            folder=folder, **options,
        )

    def near(self, ours, theirs, what):
        self.assertAlmostEqual(ours, theirs, delta=TOLERANCE, msg=what)

    def first(self, events, **wanted):
        for event in events:
            if all(event.get(key) == value for key, value in wanted.items()):
                return event
        self.fail(f"no event {wanted}")


def main(classes, workers=4):
    """Runs the tests of these classes, or those that the command line names; the exit code."""
    loader = unittest.TestLoader()
    chosen = set(sys.argv[2:])
    cases = [case for group in classes for case in loader.loadTestsFromTestCase(group)]
    unknown = chosen - {case._testMethodName for case in cases}
    if unknown:
        sys.exit(f"no such test: {', '.join(sorted(unknown))}; give the name of a method, as test_a_reset")
    cases = [case for case in cases if not chosen or case._testMethodName in chosen]
    # Most of the time is waiting for keep-alives: some at once, few enough not to disturb each other's timing.
    return runner.run(cases, workers)
