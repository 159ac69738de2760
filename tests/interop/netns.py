"""A lab of three network namespaces for the interoperability tests: a device, a router and a hub.

    device eth0 ──── inside router outside ──── eth0 hub
    10.77.1.10 …      .1.1        .2.1           10.77.2.10, .2.11
    fd77:1::10 …      fd77:1::1   fd77:2::1      fd77:2::10, fd77:2::11

The router forwards, and brownout runs in it; names carry the pid of the test, and the addresses live in namespaces, so
tests run side by side. All of it is gone after the test, also after one that failed. It takes root and nftables: `Case`
skips its tests aloud where they are missing.
"""

import collections
import functools
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading

import bench
from bench import Brownout, Lines, wait_for

DEVICE, ROUTER, HUB = "device", "router", "hub"

# The addresses by family: of the router's two ends, the devices' and the hubs' (the last group is counted on).
NETS = {4: ("10.77.1.", "10.77.2.", 24), 6: ("fd77:1::", "fd77:2::", 64)}

COUNT = itertools.count(1)

CLIENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "netns_client.py")


@functools.cache
def missing():
    """Why no lab can be made here, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for program in ("ip", "nft"):
        if not shutil.which(program):
            return f"no program `{program}`"
    name = f"bo{os.getpid()}x{next(COUNT)}-probe"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if made.returncode:
        return f"no network namespaces: {made.stderr.strip()}"
    try:
        tried = subprocess.run(["ip", "netns", "exec", name, "nft", "add table inet probe"], capture_output=True, text=True)
        return f"nft: {tried.stderr.strip()}" if tried.returncode else None
    finally:
        subprocess.run(["ip", "netns", "del", name], capture_output=True)


class Lab:
    """Three namespaces. `devices` and `hubs` say how many addresses each end has, of each family."""

    def __init__(self, devices=2, hubs=2):
        label = f"bo{os.getpid()}x{next(COUNT)}"
        self.names = {place: f"{label}-{place}" for place in (DEVICE, ROUTER, HUB)}
        self.devices, self.hubs = devices, hubs
        self.running = []
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def _build(self):
        for place, name in self.names.items():
            subprocess.run(["ip", "netns", "add", name], check=True, capture_output=True)
            self.ip(place, "link", "set", "lo", "up")
        self._join(DEVICE, "inside", 0, self.devices)
        self._join(HUB, "outside", 1, self.hubs)
        # The family's own switches last: an address that is there before is usable at once.
        self.shell(ROUTER, "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding")

    def _join(self, place, end, side, count):
        """A veth pair: `end` is the router's, eth0 the other's. No name of it is ever seen outside of namespaces."""
        self.ip(ROUTER, "link", "add", end, "type", "veth", "peer", "name", "eth0", "netns", self.names[place])
        for where, link in ((ROUTER, end), (place, "eth0")):
            # Addresses are used at once, without looking whether somebody has them.
            self.shell(where, f"echo 0 > /proc/sys/net/ipv6/conf/{link}/accept_dad")
        for family, net in NETS.items():
            bits = net[2]
            flags = ["nodad"] if family == 6 else []
            self.ip(ROUTER, "addr", "add", f"{net[side]}1/{bits}", "dev", end, *flags)
            for number in range(count):
                self.ip(place, "addr", "add", f"{net[side]}{10 + number}/{bits}", "dev", "eth0", *flags)
        self.ip(ROUTER, "link", "set", end, "up")
        self.ip(place, "link", "set", "eth0", "up")
        for family, net in NETS.items():
            self.ip(place, f"-{family}", "route", "add", "default", "via", f"{net[side]}1")

    def device_address(self, family=4, number=0):
        return f"{NETS[family][0]}{10 + number}"

    def hub_address(self, family=4, number=0):
        return f"{NETS[family][1]}{10 + number}"

    def prefix(self, place):
        """What to put before a program's arguments for it to run there."""
        return ["ip", "netns", "exec", self.names[place]]

    def run(self, place, *arguments, check=True, limit=20, **options):
        """A program there that ends by itself; its CompletedProcess."""
        done = subprocess.run([*self.prefix(place), *arguments], capture_output=True, text=True, timeout=limit, **options)
        if check and done.returncode:
            raise AssertionError(f"{' '.join(arguments)} in {place}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def shell(self, place, script, check=True):
        return self.run(place, "sh", "-c", script, check=check)

    def ip(self, place, *arguments):
        subprocess.run(["ip", "-n", self.names[place], *arguments], check=True, capture_output=True, timeout=20)

    def start(self, place, *arguments, **options):
        """A program there that goes on: a subprocess.Popen with `out` and `err` as Lines."""
        process = subprocess.Popen(
            [*self.prefix(place), *arguments],
            stdin=options.pop("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            **options,
        )
        process.out, process.err = Lines(process.stdout), Lines(process.stderr)
        self.running.append(process)
        return process

    def brownout(self, *arguments, place=ROUTER, **options):
        """bench.Brownout there, in the router as a rule."""
        run = Brownout(*arguments, prefix=self.prefix(place), **options)
        self.running.append(run.process)
        return run

    def listens(self, place, port):
        """Whether a program there listens on this port, of any address."""
        return f":{port} " in self.run(place, "ss", "-Htln").stdout

    def sockets(self, place, *filters):
        """`ss -tino` there, with what the kernel knows of each TCP socket (TCP_INFO, timers); a string a socket."""
        told = self.run(place, "ss", "-HtinaO", *filters).stdout
        return told.splitlines()

    def dark(self, match="", hooks=("forward",), place=ROUTER):
        """Drops packets with nftables: those that `match` (as nft writes it; all TCP without). Undone by light()."""
        chains = "".join(
            f"chain {hook} {{ type filter hook {hook} priority -350; {match or 'meta l4proto tcp'} drop; }}\n" for hook in hooks
        )
        self.run(place, "nft", "-f", "-", input=f"table inet dark {{}}\ndelete table inet dark\ntable inet dark {{\n{chains}}}\n")

    def light(self, place=ROUTER):
        self.run(place, "nft", "delete", "table", "inet", "dark")

    def close(self):
        for process in self.running:
            if process.poll() is None:
                process.kill()
                process.wait(10)
        for name in self.names.values():
            # What a program of ours has left behind would keep the namespace alive.
            left = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True).stdout
            for pid in left.split():
                os.kill(int(pid), signal.SIGKILL)
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


class Mosquitto:
    """mosquitto in the hub's namespace, on all its addresses or one; `ports` may map a port to lines of its listener."""

    def __init__(self, lab, folder, ports=(1883,), extra="", place=HUB, address=""):
        self.lab, self.place = lab, place
        self.config = os.path.join(folder, f"mosquitto-{next(COUNT)}.conf")
        ports = ports if isinstance(ports, dict) else {port: "" for port in ports}
        self.ports = list(ports)
        listeners = "".join(f"listener {port} {address}\n{lines}\n" for port, lines in ports.items())
        with open(self.config, "w") as file:
            file.write(f"allow_anonymous true\nlog_dest stderr\nlog_type all\n{extra}\n{listeners}")
        self.start()

    def start(self):
        self.process = self.lab.start(self.place, "mosquitto", "-c", self.config)
        self.log = self.process.err
        wait_for("mosquitto", lambda: all(self.lab.listens(self.place, port) for port in self.ports))

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(10)


class Device:
    """A paho client in the device's namespace, a process of its own; `seen` is as that of bench.Device.

    The times are the client's own (seconds of the wall clock). `seen["message"]` holds (time, topic, payload), and
    `seen["failed"]` connects that failed, with the error.
    """

    def __init__(self, lab, host, port, name, keep_alive, bind="", subscribe="", cafile="", delay=1, place=DEVICE):
        self.seen = collections.defaultdict(list)
        given = {"host": host, "port": port, "name": name, "keep_alive": keep_alive, "bind": bind, "subscribe": subscribe,
                 "cafile": cafile, "delay": delay}
        self.process = subprocess.Popen(
            [*lab.prefix(place), sys.executable, CLIENT, json.dumps(given)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        lab.running.append(self.process)
        self.err = Lines(self.process.stderr)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            told = json.loads(line)
            self.seen[told["what"]].append((told["at"], *told["more"]) if told["more"] else told["at"])

    def tell(self, *command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def publish(self, topic, payload, qos=1):
        self.tell("publish", topic, payload, qos)

    def up(self, count=1, limit=20):
        """Waits until it has been connected this often."""
        try:
            wait_for(f"device connected {count} times", lambda: len(self.seen["up"]) >= count, limit)
        except AssertionError as error:
            raise AssertionError(f"{error}: {dict(self.seen)} {self.err.text()}") from None
        return self

    def down(self, count=1, limit=20):
        """Waits until it has been disconnected this often."""
        wait_for(f"device disconnected {count} times", lambda: len(self.seen["down"]) >= count, limit)
        return self

    def stop(self):
        """DISCONNECT, and the end."""
        self.tell("stop")
        self.process.wait(10)


class Case(bench.Case):
    """A test with a lab, or one that is skipped aloud."""

    def setUp(self):
        super().setUp()
        why = missing()
        if why:
            self.skipTest(f"SKIPPED: {why}")

    def lab(self, **options):
        lab = Lab(**options)
        self.addCleanup(lab.close)
        return lab

    def hub(self, lab, **options):
        return Mosquitto(lab, self.folder, **options)

