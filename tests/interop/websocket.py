"""MQTT in WebSocket: paho through brownout to mosquitto, plain and over TLS; a request that is no WebSocket."""

import os
import re
import ssl
import subprocess

from bench import can_connect, free_port, wait_for, wall_clock
from secured import TlsCase

LONG = "120s"

PATH = "/mqtt?api-version=1&sig=SECRETSIG&se=2"


class WebSockets(TlsCase):
    KEEP_ALIVE = 5

    def web_broker(self, tls=""):
        """mosquitto, with one more listener, for WebSocket, on its `web`. It does not start with that one alone."""
        port = free_port()
        broker = self.broker(f"listener {port} lo\nprotocol websockets\n{tls}")
        wait_for("WebSocket listener", lambda: can_connect(port))
        broker.web = port
        return broker

    def paho(self, port, name, trusted=None):
        def prepare(client):
            client.ws_set_options(path=PATH)
            if trusted:
                client.tls_set(ca_certs=trusted, cert_reqs=ssl.CERT_REQUIRED)

        return self.device(port, name, self.KEEP_ALIVE, subscribe="lab/#", transport="websockets", prepare=prepare).up()

    def run_before(self, profile, port, *arguments):
        return self.run_profile(profile, "--listen", "127.0.0.1:0", "--upstream", f"127.0.0.1:{port}", *arguments)

    def speaks(self, run, report):
        """What of WebSocket is told, and that the secret of the path is nowhere."""
        events = run.events()
        upgraded = self.first(events, event="ws_upgraded")
        self.assertEqual(upgraded["path"], re.sub(r"=[^&]*", "=***", PATH))
        self.assertEqual(upgraded["protocol"], "mqtt")
        sockets = report["tls"]["web_sockets"]
        self.assertEqual([(socket["path"], socket["protocol"]) for socket in sockets], [(upgraded["path"], "mqtt")])
        self.assertEqual(sockets[0]["links"], len([event for event in events if event["event"] == "ws_upgraded"]))
        written = run.out.text() + run.err.text()
        for name in os.listdir(run.folder):
            with open(os.path.join(run.folder, name)) as file:
                written += file.read()
        self.assertNotIn("SECRETSIG", written)
        kinds = {(event["direction"], event["packet"]) for event in events if event["event"] == "packet"}
        self.assertLessEqual({("up", "connect"), ("down", "connack"), ("up", "subscribe"), ("down", "suback")}, kinds)
        self.assertFalse([event for event in events if event["event"] == "not_mqtt"])
        return events

    def test_a_keepalive_blackhole(self):
        broker = self.web_broker()
        run = self.run_before("keepalive-blackhole", broker.web, "-v", "--set", "dark.delay=1s", "--set", "settle=4s",
                              "--duration", "90s")
        device = self.paho(run.port(), "paho-1")
        code = run.wait()
        report = run.report()
        events = self.speaks(run, report)
        start = wall_clock(events)
        window = report["rules"][0]["windows"][0]
        self.assertEqual(window["device"], "paho-1")
        began, restored = start + window["start_s"], start + window["restored_s"]
        self.near(began + window["device_detection_s"], device.seen["down"][0], "paho: device_detection")
        # What mosquitto says of a time-out on a WebSocket.
        timed_out = broker.log.told(r"Client paho-1 closed its connection")
        self.assertTrue(timed_out, broker.log.text())
        self.near(began + window["hub_detection_s"], timed_out[0][0], "hub_detection against the log")
        # Connects that paho gave up in the dark are no ghosts at the hub.
        ended = {event["link"] for event in events if event["event"] == "leg_ended" and event["side"] == "device"
                 and event["t"] / 1e9 < window["restored_s"]}
        dialled = {event["link"]: event["t"] / 1e9 for event in events if event["event"] == "hub_connected"}
        self.assertGreaterEqual(len(ended), 2)
        self.assertFalse([link for link in ended if dialled.get(link, 0) > window["restored_s"]])
        self.assertFalse(broker.log.find(r"Client <unknown> closed its connection")[1:], broker.log.text())
        back = [when for when in device.seen["up"] if when > restored]
        self.near(window["recovery_s"], back[0] - restored, "recovery against on_connect")
        self.assertEqual(code, 0 if report["verdict"] == "passed" else 1)

    def reset_after_connack(self, run, broker, device):
        code = run.wait()
        report = run.report()
        events = self.speaks(run, report)
        start = wall_clock(events)
        cut = self.first(events, event="leg_cut", side="hub", fate="reset")
        self.near(start + cut["t"] / 1e9, device.seen["down"][0], "the reset against on_disconnect")
        self.assertFalse(broker.log.find(r"Received DISCONNECT from paho-1"))
        window = report["rules"][0]["windows"][0]
        self.near(window["downtime_s"], device.seen["up"][1] - start - cut["t"] / 1e9, "downtime against on_connect")
        self.assertEqual(code, 0, run.out.text())
        return report

    def shortly(self, *arguments):
        return ["--set", "reset.delay=500ms", "--set", "settle=3s", "--duration", "90s", *arguments]

    def test_a_reset(self):
        broker = self.web_broker()
        run = self.run_before("rst-without-disconnect", broker.web, *self.shortly())
        self.reset_after_connack(run, broker, self.paho(run.port(), "paho-1"))

    def test_a_reset_over_tls_that_is_terminated(self):
        broker = self.web_broker()
        run = self.run_before("rst-without-disconnect", broker.web, *self.shortly("--tls", "terminate", "--ca", self.ca()))
        report = self.reset_after_connack(run, broker, self.paho(run.port(), "paho-1", self.ca_file()))
        self.assertGreaterEqual(report["tls"]["with_devices"]["handshakes"], 2)

    def test_a_reset_over_tls_that_begins_again(self):
        pki = self.pki("Hub CA")
        certificate, key = pki.server()
        os.chmod(key, 0o644)
        self.let_in(pki.folder)
        broker = self.web_broker(f"certfile {certificate}\nkeyfile {key}\n")
        run = self.run_before("rst-without-disconnect", broker.web,
                              *self.shortly("--tls", "reoriginate", "--ca", self.ca(), "--hub-ca", pki.ca))
        report = self.reset_after_connack(run, broker, self.paho(run.port(), "paho-1", self.ca_file()))
        self.assertGreaterEqual(report["tls"]["with_hub"]["handshakes"], 2)

    def test_a_close_without_disconnect(self):
        broker = self.web_broker()
        run = self.run_before(self.profile([]), broker.web, "--duration", LONG)
        device = self.paho(run.port(), "paho-1")
        # A close frame of paho's own making (1001, going away), and no DISCONNECT before it.
        socket = device.client.socket()
        frame = socket._create_frame(socket.OPCODE_CONNCLOSE, bytearray((1001).to_bytes(2, "big")))
        socket._socket.send(frame)
        closed = self.until(run, "ws_closed", lambda event: event["direction"] == "up")
        self.assertEqual(closed["code"], 1001)
        link = closed["link"]
        self.until(run, "link_closed", lambda event: event["link"] == link)
        report = self.end(run)
        self.speaks(run, report)
        ends = " ".join(report["devices"][0]["ends"])
        self.assertIn("WebSocket", ends)
        self.assertIn("1001", ends)
        self.assertIn("WebSocket", run.out.text())

    def test_curl_without_an_upgrade(self):
        port = self.web_server()
        run = self.run_before(self.profile([]), port, "--duration", LONG)
        ask = lambda port: subprocess.run(["curl", "-sS", "-m", "5", f"http://127.0.0.1:{port}/?sig=SECRETSIG"],
                                          capture_output=True, text=True, check=True).stdout
        said = ask(run.port())
        self.assertIn("<html", said)
        self.assertEqual(said, ask(port), "the answer passes as it is")
        wrong = self.until(run, "not_mqtt", lambda event: event["direction"] == "up")
        self.assertIn("does not ask", wrong["reason"])
        report = self.end(run)
        self.assertIn(wrong["reason"], " ".join(report["notes"]))
        self.assertIn(wrong["reason"], " ".join(run.err.text().split()))
        self.assertNotIn("SECRETSIG", run.out.text() + run.err.text() + str(run.events()) + str(report))
