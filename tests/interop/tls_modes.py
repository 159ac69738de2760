"""TLS ended, ended and begun again, begun, passed through; certificates of devices; secrets; the wrong port."""

import os
import socket
import ssl
import stat
import time

from bench import free_port, wall_clock
from secured import TlsCase

# Longer than any test lasts.
LONG = "120s"


def unwrapped(lines):
    """What a program said, without the line breaks of a narrow terminal."""
    return " ".join(lines.text().split())


class Modes(TlsCase):
    KEEP_ALIVE = 5

    def test_terminate_with_a_keepalive_blackhole(self):
        broker = self.broker()
        run = self.start("keepalive-blackhole", broker, "--tls", "terminate", "--ca", self.ca(), "--set", "dark.delay=1s",
                         "--set", "settle=4s", "--duration", "90s")
        self.assertIn(f"devices have to trust {self.ca_file()}", (run.port(), run.err.text())[1])
        sub = self.sub(run.port(), "sub-1", "--cafile", self.ca_file()).up()
        code = run.wait()
        events, report = run.events(), run.report()
        start = wall_clock(events)
        at = lambda event: start + event["t"] / 1e9
        up = self.first(events, event="tls_established", side="device")
        self.assertIn(up["version"], ("TLS 1.2", "TLS 1.3"))
        self.assertEqual(self.first(events, event="tls_hello")["sni"], "localhost")
        self.assertEqual(self.first(events, event="packet", packet="connect")["client_id"], "sub-1")
        hub = self.first(events, event="leg_ended", link=up["link"], side="hub")
        timed_out = broker.log.told(r"Client sub-1 has exceeded timeout")
        self.assertTrue(timed_out, broker.log.text())
        self.near(at(hub), timed_out[0][0], "hub's sign against its log")
        window = report["rules"][0]["windows"][0]
        self.assertEqual(window["device"], "sub-1")
        applied = self.first(events, event="fault_applied", link=up["link"])
        # Its next CONNECT comes with the path restored; its detection is told by its next ClientHello or its end.
        self.assertIsNotNone(window["device_detection_s"])
        self.near(window["hub_detection_s"], timed_out[0][0] - at(applied), "hub_detection")
        restored = self.first(events, event="window_closed")
        back = [when for when in sub.accepted() if when > at(restored)]
        self.near(window["recovery_s"], back[0] - at(restored), "recovery against CONNACK")
        self.assertEqual(report["devices"][0]["name"], "sub-1")
        self.assertGreaterEqual(report["tls"]["with_devices"]["handshakes"], 2)
        self.assertEqual(code, 0 if report["verdict"] == "passed" else 1)

    def test_terminate_with_a_reset(self):
        broker = self.broker()
        run = self.start("rst-without-disconnect", broker, "--tls", "terminate", "--ca", self.ca(), "--set",
                         "settle=3s", "--duration", "90s")
        sub = self.sub(run.port(), "sub-1", "--cafile", self.ca_file(), host="127.0.0.1").up()
        code = run.wait()
        events = run.events()
        start = wall_clock(events)
        cut = self.first(events, event="leg_cut", side="hub", fate="reset")
        lost = broker.log.told(r"Client sub-1 closed its connection|Socket error on client sub-1")
        self.assertTrue(lost, broker.log.text())
        self.near(start + cut["t"] / 1e9, lost[0][0], "the reset against the broker's log")
        self.assertFalse(broker.log.find(r"Received DISCONNECT from sub-1"))
        self.assertGreaterEqual(len(sub.accepted()), 2, sub.text())
        window = run.report()["rules"][0]["windows"][0]
        self.near(window["downtime_s"], sub.accepted()[1] - start - cut["t"] / 1e9, "downtime against CONNACK")
        self.assertEqual(code, 0, run.out.text())

    def test_reoriginate_to_a_verified_hub(self):
        for keys in ("rsa", "ecdsa"):
            pki = self.pki(f"{keys} CA", keys)
            broker = self.tls_broker(pki, keys=keys)
            run = self.run_profile(self.profile([]), "--listen", "127.0.0.1:0", "--upstream", f"127.0.0.1:{broker.tls}",
                                   "--tls", "reoriginate", "--ca", self.ca(), "--hub-ca", pki.ca, "--duration", LONG)
            self.sub(run.port(), "sub-1", "--cafile", self.ca_file()).up()
            report = self.end(run)
            broker.log.told(r"New client connected .* as sub-1 ")
            self.assertEqual(report["tls"]["with_hub"]["handshakes"], 1)
            self.assertEqual(report["tls"]["listeners"][0]["hub_unverified"], False)
            self.assertEqual(self.first(run.events(), event="tls_established", side="hub")["subject"], "CN=server")
            self.assertNotIn("NOT VERIFIED", run.out.text())

    def test_reoriginate_refuses_a_hub_of_another_ca(self):
        pki, other = self.pki("Hub CA"), self.pki("Other CA")
        broker = self.tls_broker(pki)
        run = self.run_profile("rst-without-disconnect", "--listen", "127.0.0.1:0", "--upstream",
                               f"127.0.0.1:{broker.tls}", "--tls", "reoriginate", "--ca", self.ca(), "--hub-ca", other.ca,
                               "--duration", "4s")
        sub = self.sub(run.port(), "sub-1", "--cafile", self.ca_file())
        code = run.wait()
        self.assertEqual(sub.accepted(), [])
        for told in (unwrapped(run.err), run.report()["tls"]["failures"][0]["error"]):
            self.assertIn("`CN=Hub CA`", told)
            self.assertIn("--hub-ca FILE", told)
            self.assertIn("--hub-insecure", told)
        self.assertIn("CN=Hub CA", unwrapped(run.out))
        self.assertEqual(run.report()["tls"]["failures"][0]["side"], "hub")
        self.assertIsNone(run.report()["tls"]["with_hub"])
        # Nobody was accepted, so the expectations of the profile have nothing to go by.
        self.assertEqual(code, 1, run.out.text())
        alert = broker.log.told(r"tlsv1 alert unknown ca|alert number 48")
        self.assertTrue(alert, broker.log.text())

    def test_an_unverified_hub_is_told_of(self):
        broker = self.tls_broker(self.pki("Hub CA"))
        run = self.run_profile(self.profile([]), "--listen", "127.0.0.1:0", "--upstream", f"127.0.0.1:{broker.tls}",
                               "--tls", "reoriginate", "--ca", self.ca(), "--hub-insecure", "--duration", LONG)
        self.sub(run.port(), "sub-1", "--cafile", self.ca_file()).up()
        self.assertIn("its certificate not verified", run.err.text())
        report = self.end(run)
        self.assertTrue(report["tls"]["listeners"][0]["hub_unverified"])
        self.assertIn("NOT VERIFIED", " ".join(report["notes"]))
        self.assertIn("NOT VERIFIED", run.out.text())
        self.assertIn("--hub-insecure", run.out.text())

    def test_the_hub_is_asked_for_its_name(self):
        pki = self.pki()
        first, named = pki.server("first"), pki.issue("named", names=["DNS:hub.example"])
        server = self.server(*first, "-servername", "hub.example", "-cert2", named[0], "-key2", named[1])
        run = self.run_profile(self.profile([]), "--listen", "127.0.0.1:0", "--upstream", f"127.0.0.1:{server.port}",
                               "--tls", "reoriginate", "--ca", self.ca(), "--hub-ca", pki.ca, "--hub-name",
                               "hub.example", "--duration", LONG)
        self.client(run.port(), "-CAfile", self.ca_file(), name="localhost").up()
        up = self.until(run, "tls_established", lambda event: event["side"] == "hub")
        self.assertEqual(up["subject"], "CN=named", "s_server shows this one to who asks for hub.example alone")
        server.out.told(r'Hostname in TLS extension: "hub\.example"')
        self.end(run)

    def test_originate(self):
        pki = self.pki()
        broker = self.tls_broker(pki)
        run = self.run_profile("rst-without-disconnect", "--listen", "127.0.0.1:0", "--upstream",
                               f"127.0.0.1:{broker.tls}", "--tls", "originate", "--hub-ca", pki.ca, "--set",
                               "settle=3s", "--duration", "90s")
        sub = self.sub(run.port(), "sub-1").up()
        self.assertEqual(run.wait(), 0, run.out.text())
        report = run.report()
        self.assertGreaterEqual(len(sub.accepted()), 2, sub.text())
        self.assertIsNone(report["tls"]["with_devices"])
        self.assertGreaterEqual(report["tls"]["with_hub"]["handshakes"], 2)
        self.assertEqual(report["devices"][0]["name"], "sub-1")
        self.assertIsNotNone(report["devices"][0]["hub_tls_time"])


class Renamed(ssl.SSLContext):
    """A context of Python's that asks for another name than the one that was connected to."""

    asked = None

    def wrap_socket(self, *arguments, **options):
        options["server_hostname"] = self.asked
        return super().wrap_socket(*arguments, **options)


class Passthrough(TlsCase):
    def run_with(self, fault):
        pki = self.pki()
        broker = self.tls_broker(pki)
        rules = [{"id": "cut", "when": {"at": "3s"}, "fault": fault}]
        run = self.run_profile(self.profile(rules, settle="6s"), "--listen", "127.0.0.1:0", "--upstream",
                               f"127.0.0.1:{broker.tls}", "--tls", "passthrough", "--duration", "60s")
        sub = self.sub(run.port(), "sub-1", "--cafile", pki.ca).up()
        run.wait()
        events, report = run.events(), run.report()
        self.assertFalse([event for event in events if event["event"] == "packet"])
        hello = self.first(events, event="tls_hello")
        self.assertEqual((hello["sni"], hello["passthrough"]), ("localhost", True))
        self.assertGreaterEqual(report["tls"]["links_passed_through"], 2)
        self.assertEqual(report["devices"][0]["name"], "127.0.0.1")
        self.assertIn("passed TLS through", " ".join(report["notes"]))
        return broker, sub, events, report["rules"][0]["windows"][0], wall_clock(events)

    def test_a_reset(self):
        broker, sub, events, window, start = self.run_with({"rst": {}})
        self.assertEqual(window["outcome"], "back", window)
        # mosquitto's word for a reset under TLS.
        lost = broker.log.told(r"Client sub-1 disconnected: Protocol error")
        self.assertTrue(lost, broker.log.text())
        self.near(start + window["start_s"], lost[0][0], "the reset against the broker's log")
        # To the first application data from the hub, which with TLS 1.2 is CONNACK; with 1.3 tickets go before.
        again = sub.accepted()[1] - start - window["start_s"]
        self.near(window["downtime_s"], again, "downtime against CONNACK")
        self.assertIsNotNone(window["device_detection_s"])

    def test_a_blackhole(self):
        broker, sub, events, window, start = self.run_with({"blackhole": {"for": "12s"}})
        self.assertIn(window["outcome"], ("back", "back_before"))
        timed_out = broker.log.told(r"Client sub-1 has exceeded timeout")
        self.assertTrue(timed_out, broker.log.text())
        self.near(start + window["start_s"] + window["hub_detection_s"], timed_out[0][0], "hub_detection")
        # mosquitto_sub waits for PINGRESP for a keep-alive.
        self.assertGreater(window["device_detection_s"], 4.5)
        self.assertLess(window["device_detection_s"], 12.5)
        back = [when for when in sub.accepted() if when > start + window["restored_s"]]
        self.near(window["recovery_s"], back[0] - start - window["restored_s"], "recovery against CONNACK")

    def test_names_lead_to_brokers(self):
        pki = self.pki()
        brokers = {}
        for name in ("a.example", "b.example"):
            certificate, key = pki.issue(name, names=[f"DNS:{name}"])
            os.chmod(key, 0o644)
            self.let_in(pki.folder)
            port = free_port()
            brokers[name] = self.broker(f"listener {port} 127.0.0.1\ncertfile {certificate}\nkeyfile {key}\n")
            brokers[name].tls = port
        routes = [{"sni": "b.*", "upstream": f"127.0.0.1:{brokers['b.example'].tls}"}]
        listener = {"name": "main", "listen": "127.0.0.1:0", "upstream": f"127.0.0.1:{brokers['a.example'].tls}",
                    "tls": {"mode": "passthrough", "routes": routes}}
        run = self.run_profile(self.profile([], [listener]), "--duration", LONG)
        for name in brokers:
            context = Renamed(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(pki.ca)
            context.asked = name
            self.device(run.port(), f"to-{name}", 60, prepare=lambda client, to=context: client.tls_set_context(to)).up()
        for name, broker in brokers.items():
            self.assertEqual([match.group(1) for _, match in broker.log.find(r"New client connected .* as (\S+)")],
                             [f"to-{name}"])
        self.end(run)
        self.assertEqual([event["sni"] for event in run.events() if event["event"] == "tls_hello"], list(brokers))


    def test_a_client_hello_that_comes_in_parts(self):
        pki = self.pki()
        server = self.server(*pki.server(), "-rev")
        routes = [{"sni": "local*", "upstream": f"127.0.0.1:{server.port}"}]
        listener = {"name": "main", "listen": "127.0.0.1:0", "upstream": f"127.0.0.1:{free_port()}",
                    "tls": {"mode": "passthrough", "routes": routes}}
        # The listener's own hub only has to be there when the run begins.
        with socket.create_server(("127.0.0.1", int(listener["upstream"].rpartition(":")[2]))):
            run = self.run_profile(self.profile([], [listener]), "--duration", LONG)
            port = run.port()
        read, written = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = ssl.create_default_context(cafile=pki.ca).wrap_bio(read, written, server_hostname="localhost")
        with socket.create_connection(("127.0.0.1", port)) as device:
            device.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            device.settimeout(10)
            with self.assertRaises(ssl.SSLWantReadError):
                tls.do_handshake()
            hello = written.read()
            for part in (hello[:5], hello[5:100], hello[100:]):
                device.sendall(part)
                time.sleep(0.1)
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    read.write(device.recv(65536))
            device.sendall(written.read())
        self.assertEqual(self.until(run, "tls_hello", lambda event: event["passthrough"])["sni"], "localhost")
        self.end(run)


class DeviceCertificates(TlsCase):
    def test_a_rule_by_subject_falls_on_that_device_alone(self):
        pki, broker = self.pki("Device CA"), self.broker()
        rsa = pki.issue("dev-1", subject="/O=Plant/CN=dev-1", keys="rsa")
        ecdsa = pki.issue("dev-2", subject="/O=Plant/CN=dev-2", keys="ecdsa")
        rules = [{"id": "cut", "who": {"subject": "CN=dev-1*"}, "when": {"after": "connack", "delay": "1s"},
                  "fault": {"rst": {}}}]
        run = self.run_profile(self.profile(rules, devices=2, settle="3s"), "--listen", "127.0.0.1:0", "--upstream",
                               f"127.0.0.1:{broker.port}", "--tls", "terminate", "--ca", self.ca(), "--client-certs",
                               "require", "--client-ca", pki.ca, "--duration", "60s")
        shown = lambda pair: ["--cafile", self.ca_file(), "--cert", pair[0], "--key", pair[1]]
        struck = self.sub(run.port(), "one", *shown(rsa))
        spared = self.sub(run.port(), "two", *shown(ecdsa)).up()
        without = self.sub(run.port(), "three", "--cafile", self.ca_file())
        stranger = self.sub(run.port(), "four", *shown(self.pki("Other CA").issue("dev-1")))
        self.assertEqual(run.wait(), 0, run.err.text())
        self.assertEqual((len(struck.accepted()), len(spared.accepted())), (2, 1))
        self.assertEqual(without.accepted() + stranger.accepted(), [])
        report = run.report()
        subjects = {device["name"]: device["certificate_subject"] for device in report["devices"]}
        self.assertEqual(subjects["one"], "CN=dev-1,O=Plant")
        self.assertEqual(subjects["two"], "CN=dev-2,O=Plant")
        self.assertIn("CN=dev-1,O=Plant", [event.get("subject") for event in run.events()])
        self.assertEqual({window["device"] for window in report["rules"][0]["windows"]}, {"one"})
        errors = " ".join(failure["error"] for failure in report["tls"]["failures"])
        self.assertIn("presented no certificate", errors)
        self.assertIn("comes from `CN=Other CA`", errors)

    def test_the_hub_is_shown_who_the_device_is(self):
        pki = self.pki()
        # One CA for the devices and for what is shown in their place.
        shown = {"dev-1": pki.issue("dev-1", keys="rsa"), "dev-2": pki.issue("dev-2", keys="ecdsa")}
        broker = self.tls_broker(pki, f"cafile {pki.ca}\nrequire_certificate true\nuse_identity_as_username true\n")
        run = self.run_profile(self.profile([]), "--listen", "127.0.0.1:0", "--upstream", f"127.0.0.1:{broker.tls}",
                               "--tls", "reoriginate", "--ca", self.ca(), "--client-certs", "require", "--client-ca",
                               pki.ca, "--hub-ca", pki.ca, "--hub-certs", pki.folder, "--duration", LONG)
        for name, (certificate, key) in shown.items():
            self.sub(run.port(), f"sub-{name}", "--cafile", self.ca_file(), "--cert", certificate, "--key", key).up()
        unknown = pki.issue("dev-3")
        os.remove(pki.path("dev-3.pem"))
        certificate = pki.issue("dev-4", subject="/CN=dev-3")[0]
        self.assertTrue(unknown)
        lost = self.sub(run.port(), "lost", "--cafile", self.ca_file(), "--cert", certificate, "--key", pki.path("dev-4.key"))
        failed = self.until(run, "tls_failed", lambda event: True)
        self.assertIn("dev-3.pem", failed["error"])
        self.assertEqual(lost.accepted(), [])
        self.end(run)
        for name in shown:
            broker.log.told(rf"New client connected .* as sub-{name} .*u'{name}'")

    def test_a_hub_that_wants_a_certificate_and_is_shown_none(self):
        pki = self.pki()
        certificate, key = pki.server()
        for version, alert in ("-tls1_2", "handshake_failure"), ("-tls1_3", "certificate_required"):
            server = self.server(certificate, key, "-CAfile", pki.ca, "-Verify", "1", version)
            run = self.run_profile(self.profile([]), "--listen", "127.0.0.1:0", "--upstream", f"127.0.0.1:{server.port}",
                                   "--tls", "originate", "--hub-ca", pki.ca, "--duration", LONG)
            self.sub(run.port(), "sub-1")
            self.until(run, "leg_ended", lambda event: event["side"] == "hub" and event["how"] == "alert")
            self.end(run)
            told = [finding for finding in run.report()["findings"] if finding["id"] == "hub-refuses-tls"]
            self.assertEqual(len(told), 1, run.report()["findings"])
            self.assertIn(alert, told[0]["seen"])
            self.assertIn("--hub-cert", told[0]["advice"])


class Secrets(TlsCase):
    def test_the_key_log_is_that_of_the_session(self):
        broker = self.broker()
        keys = os.path.join(self.folder, "keys")
        run = self.run_profile(self.profile([]), "--listen", "127.0.0.1:0", "--upstream", f"127.0.0.1:{broker.port}",
                               "--tls", "terminate", "--ca", self.ca(), "--duration", LONG, env={"SSLKEYLOGFILE": keys})
        port = run.port()
        self.assertIn(f"WARNING: SSLKEYLOGFILE is set: the secrets of every TLS session go to {keys}", run.err.text())
        theirs = set()
        for version, label in (("-tls1_2", "CLIENT_RANDOM"), ("-tls1_3", "CLIENT_TRAFFIC_SECRET_0")):
            log = os.path.join(self.folder, f"keys{version}")
            client = self.client(port, "-CAfile", self.ca_file(), version, "-keylogfile", log).up()
            client.hang_up()
            with open(log) as file:
                lines = {line.strip() for line in file if line.strip() and not line.startswith("#")}
            self.assertTrue([line for line in lines if line.startswith(f"{label} ")], lines)
            theirs |= lines
        report = self.end(run)
        with open(keys) as file:
            ours = {line.strip() for line in file}
        self.assertEqual(stat.S_IMODE(os.stat(keys).st_mode), 0o600)
        self.assertEqual(ours, theirs)
        self.assertTrue(report["tls"]["listeners"][0]["key_log"])
        self.assertIn("SECRETS OF TLS SESSIONS WERE WRITTEN", run.out.text())

    def test_no_key_is_shown(self):
        ca, pki = self.ca(), self.pki()
        pair = pki.server(keys="rsa")
        broker = self.tls_broker(pki, name="hub")
        run = self.run_profile(self.profile([]), "-vv", "--listen", "127.0.0.1:0", "--upstream", f"127.0.0.1:{broker.tls}",
                               "--tls", "reoriginate", "--ca", ca, "--cert", pair[0], "--key", pair[1], "--hub-cert",
                               pair[0], "--hub-key", pair[1], "--hub-ca", pki.ca, "--duration", LONG)
        self.sub(run.port(), "sub-1", "--cafile", pki.ca).up()
        self.end(run)
        with open(os.path.join(ca, "ca.key")) as file:
            secret = file.read()
        self.assertIn("PRIVATE KEY", secret)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.join(ca, "ca.key")).st_mode), 0o600)
        # Neither in PEM's frame (looked for after each case) nor without it.
        secrets = [line for line in secret.splitlines() if "KEY" not in line]
        with open(pair[1]) as file:
            secrets += [line for line in file.read().splitlines() if "KEY" not in line]
        written = run.out.text() + run.err.text()
        for folder in (run.folder, ca):
            for name in os.listdir(folder):
                if name != "ca.key":
                    with open(os.path.join(folder, name)) as file:
                        written += file.read()
        self.assertNotIn("PRIVATE KEY", written)
        self.assertFalse([line for line in secrets if line in written])

    def test_an_expired_certificate_is_warned_of(self):
        pki, broker = self.pki(), self.broker()
        certificate, key = pki.issue("old", names=["DNS:localhost"], days=-1)
        run = self.start(self.profile([]), broker, "--tls", "terminate", "--cert", certificate, "--key", key,
                         "--duration", LONG)
        run.port()
        self.assertRegex(run.err.text(), r"WARNING: .*old\.pem.* has expired: it was valid until \d{4}-")
        self.assertTrue(self.client(run.port(), "-CAfile", pki.ca).up().out.find(r"Verify return code: 10 "))
        self.end(run)


class WrongPorts(TlsCase):
    def test_plain_mqtt_on_the_tls_port(self):
        broker = self.broker()
        run = self.start(self.profile([]), broker, "--tls", "terminate", "--ca", self.ca(), "--duration", LONG)
        sub = self.sub(run.port(), "sub-1")
        self.until(run, "tls_failed", lambda event: event["side"] == "device")
        report = self.end(run)
        self.assertEqual(sub.accepted(), [])
        for told in (unwrapped(run.err), unwrapped(run.out), report["tls"]["failures"][0]["error"]):
            self.assertIn("MQTT", told)
            self.assertIn("on a port for TLS", told)

    def test_tls_on_the_plain_port(self):
        pki = self.pki()
        broker = self.tls_broker(pki)
        run = self.run_profile(self.profile([]), "--listen", "127.0.0.1:0", "--upstream", f"127.0.0.1:{broker.tls}",
                               "--tls", "originate", "--hub-ca", pki.ca, "--duration", LONG)
        sub = self.sub(run.port(), "sub-1", "--cafile", pki.ca)
        wrong = self.until(run, "not_mqtt", lambda event: event["direction"] == "up")
        self.assertIn("a TLS handshake begins so", wrong["reason"])
        report = self.end(run)
        self.assertEqual(sub.accepted(), [])
        for told in (unwrapped(run.err), unwrapped(run.out), " ".join(report["notes"])):
            self.assertIn(wrong["reason"], told)

    def test_tls_to_a_plain_broker(self):
        broker = self.broker()
        run = self.start(self.profile([]), broker, "--duration", LONG)
        sub = self.sub(run.port(), "sub-1", "--cafile", self.ca_file())
        self.until(run, "tls_hello", lambda event: event["passthrough"])
        self.until(run, "link_closed", lambda event: True)
        report = self.end(run)
        self.assertEqual(sub.accepted(), [])
        self.assertEqual(report["tls"]["links_passed_through"], len(sub.connects()) or 1)
        self.assertIn("passed TLS through", run.out.text())

    def test_a_plain_hub_where_tls_is_wanted(self):
        port = self.web_server()
        run = self.run_profile(self.profile([]), "--listen", "127.0.0.1:0", "--upstream", f"127.0.0.1:{port}", "--tls",
                               "originate", "--hub-insecure", "--duration", LONG)
        self.sub(run.port(), "sub-1")
        failed = self.until(run, "tls_failed", lambda event: event["side"] == "hub")
        self.assertIn("what the hub answered is no TLS", failed["error"])
        report = self.end(run)
        self.assertEqual(report["tls"]["failures"][0]["error"], failed["error"])
        self.assertIn(failed["error"], unwrapped(run.err))
