"""Certificates, clients and servers of OpenSSL's command line."""

import os
import signal
import subprocess

from bench import Lines, wait_for


def openssl(*arguments):
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, f"openssl {' '.join(arguments)}: {done.stderr}"
    return done.stdout


class Pki:
    """A CA, and certificates of it: NAME.pem and NAME.key in its folder."""

    KEYS = {"rsa": ["rsa:2048"], "ecdsa": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]}

    def __init__(self, folder, name, keys="ecdsa"):
        self.folder = os.path.join(folder, name.replace(" ", "-"))
        os.mkdir(self.folder)
        self.name, self.ca = name, self.path("ca.pem")
        openssl("req", "-x509", "-newkey", *self.KEYS[keys], "-nodes", "-keyout", self.path("ca.key"), "-out", self.ca,
                "-subj", f"/CN={name}", "-days", "30")

    def path(self, name):
        return os.path.join(self.folder, name)

    def issue(self, name, subject=None, names=(), keys="ecdsa", days=30):
        """The files of a certificate and its key; `names` as `DNS:a.example` or `IP:127.0.0.1`."""
        certificate, key, request = self.path(f"{name}.pem"), self.path(f"{name}.key"), self.path(f"{name}.csr")
        openssl("req", "-newkey", *self.KEYS[keys], "-nodes", "-keyout", key, "-out", request, "-subj",
                subject or f"/CN={name}")
        extensions = self.path(f"{name}.ext")
        with open(extensions, "w") as file:
            file.write("basicConstraints=CA:FALSE\n")
            if names:
                file.write(f"subjectAltName={','.join(names)}\n")
        openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.path("ca.key"), "-CAcreateserial",
                "-extfile", extensions, "-days", str(days), "-out", certificate)
        return certificate, key

    def server(self, name="server", keys="ecdsa"):
        """The same for a server on this machine."""
        return self.issue(name, names=("DNS:localhost", "IP:127.0.0.1"), keys=keys)


class Program:
    """One of OpenSSL's programs, which talks on a pipe. Its commands by letters are switched off, where there are any."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(["openssl", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.out, self.err = (Lines(open(stream.fileno(), errors="replace", closefd=False))
                              for stream in (self.process.stdout, self.process.stderr))

    def say(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def text(self):
        return self.out.text() + "\n" + self.err.text()

    def ends(self, limit=20):
        """What it has said, once it has ended of its own accord."""
        try:
            self.process.wait(limit)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {limit} s: {self.text()}") from None
        self.out.thread.join(5)
        self.err.thread.join(5)
        return self.text()

    def hang_up(self):
        """Its input ends, and so it does, in order."""
        self.process.stdin.close()
        return self.ends()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.out.thread.join(5)
        self.err.thread.join(5)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                stream.close()
            except BrokenPipeError:
                pass
        return self.text()


class Client(Program):
    """`openssl s_client`."""

    def __init__(self, port, *arguments, name="localhost"):
        asked = ["-servername", name] if name else ["-noservername"]
        super().__init__("s_client", "-connect", f"127.0.0.1:{port}", *asked, "-nocommands", *arguments)

    def up(self):
        wait_for("handshake", lambda: self.out.find(r"Verify return code"))
        return self


class Server(Program):
    """`openssl s_server`, for one connection at a time."""

    def __init__(self, certificate, key, *arguments):
        super().__init__("s_server", "-accept", "127.0.0.1:0", "-cert", certificate, "-key", key, *arguments)
        found = wait_for("s_server", lambda: self.out.find(r"ACCEPT 127\.0\.0\.1:(\d+)"))
        self.port = int(found[0][1].group(1))


