"""What the tests of TLS share: a CA of brownout's, brokers with TLS, clients of mosquitto's, profiles in a line or two."""

import json
import os
import stat
import subprocess
import sys

from bench import BROWNOUT, Case, Lines, free_port, wait_for
from openssl import Client, Pki, Server


class Sub:
    """mosquitto_sub, which tells with -d what it sends and gets."""

    def __init__(self, port, name, *arguments, host="localhost", keep_alive=5):
        self.process = subprocess.Popen(
            ["stdbuf", "-oL", "mosquitto_sub", "-d", "-h", host, "-p", str(port), "-i", name, "-k", str(keep_alive), "-t",
             "lab/#", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.out, self.err = Lines(self.process.stdout), Lines(self.process.stderr)

    def connects(self):
        """When it sent each CONNECT."""
        return [at for at, _ in self.out.find(r"sending CONNECT$")]

    def accepted(self):
        """When it got each CONNACK."""
        return [at for at, _ in self.out.find(r"received CONNACK \(0\)")]

    def up(self):
        try:
            wait_for("CONNACK", self.accepted)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.text()}") from None
        return self

    def text(self):
        return self.out.text() + "\n" + self.err.text()

    def ends(self, limit=20):
        """What it has said, once it has ended of its own accord."""
        self.process.wait(limit)
        self.out.thread.join(5)
        self.err.thread.join(5)
        return self.text()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            # mosquitto's clients forget the signal if it comes while they connect anew.
            self.process.kill()
            self.process.wait(5)


class TlsCase(Case):
    """A case after which no private key may be in anything that brownout said or wrote."""

    def setUp(self):
        super().setUp()
        self.runs = []
        self.addCleanup(self.look_for_keys)

    def look_for_keys(self):
        for run in self.runs:
            self.assertNotIn("PRIVATE KEY", run.out.text() + run.err.text())
        report = os.path.join(self.folder, "report")
        if not os.path.isdir(report):
            return
        self.assertTrue(os.listdir(report))
        for name in os.listdir(report):
            with open(os.path.join(report, name)) as file:
                self.assertNotIn("PRIVATE KEY", file.read(), name)

    def brownout(self, *arguments, **options):
        run = super().brownout(*arguments, **options)
        self.runs.append(run)
        return run

    def ca(self):
        """The directory of a CA that brownout makes."""
        directory = os.path.join(self.folder, "brownout-ca")
        if not os.path.isdir(directory):
            made = subprocess.run([BROWNOUT, "ca", directory], capture_output=True, text=True)
            self.assertEqual(made.returncode, 0, made.stderr)
            self.assertNotIn("PRIVATE KEY", made.stdout + made.stderr)
            self.assertEqual(stat.S_IMODE(os.stat(os.path.join(directory, "ca.key")).st_mode), 0o600)
        return directory

    def ca_file(self):
        return os.path.join(self.ca(), "ca.pem")

    def pki(self, name="Test CA", keys="ecdsa"):
        return Pki(self.folder, name, keys)

    def tls_broker(self, pki, extra="", keys="ecdsa", name="server"):
        """mosquitto, with one more listener, for TLS, on its `tls`."""
        certificate, key = pki.server(name, keys)
        port = free_port()
        # It gives up root before it reads the key.
        os.chmod(key, 0o644)
        self.let_in(pki.folder)
        broker = self.broker(f"listener {port} 127.0.0.1\ncertfile {certificate}\nkeyfile {key}\n{extra}")
        broker.tls = port
        return broker

    def let_in(self, *folders):
        for folder in (self.folder, *folders):
            os.chmod(folder, 0o755)

    def sub(self, *arguments, **options):
        sub = Sub(*arguments, **options)
        self.addCleanup(sub.stop)
        return sub

    def client(self, *arguments, **options):
        client = Client(*arguments, **options)
        self.addCleanup(client.stop)
        return client

    def server(self, *arguments, **options):
        server = Server(*arguments, **options)
        self.addCleanup(server.stop)
        return server

    def web_server(self):
        """The port of Python's HTTP server, before an empty folder."""
        folder = os.path.join(self.folder, "web")
        os.mkdir(folder)
        web = subprocess.Popen([sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "0"], cwd=folder,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(lambda: (web.terminate(), web.wait(10)))
        said = Lines(web.stdout)
        return int(wait_for("HTTP server", lambda: said.find(r"port (\d+)"))[0][1].group(1))

    def profile(self, rules, listeners=(), **more):
        """The path of a profile. JSON is YAML."""
        path = os.path.join(self.folder, f"profile-{len(os.listdir(self.folder))}.yaml")
        whole = {"brownout": 1, "name": "test", "summary": "A test.", "rules": rules, **more}
        if listeners:
            whole["listeners"] = list(listeners)
        with open(path, "w") as file:
            json.dump(whole, file)
        return path

    def run_profile(self, path, *arguments, **options):
        return self.brownout("run", path, *arguments, folder=os.path.join(self.folder, "report"), **options)

    def until(self, run, what, found, limit=20.0):
        """The first event of this kind for which `found` holds, as soon as it is in the log."""

        def look():
            return [event for event in run.events() if event["event"] == what and found(event)]

        try:
            return wait_for(what, look, limit)[0]
        except AssertionError as error:
            raise AssertionError(f"{error}: {run.err.text()}") from None

    def end(self, run):
        """Ends a run that goes on and on; its report."""
        run.process.terminate()
        self.assertIn(run.wait(), (0, 1), run.err.text())
        return run.report()
