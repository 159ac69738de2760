"""Faults of TLS as OpenSSL's client and server, and mosquitto_sub, tell them."""

import os
import time

from bench import wait_for
from secured import TlsCase

# Longer than any test lasts.
LONG = "120s"

VERSIONS = ("-tls1_2", "-tls1_3")

PINGREQ = b"\xc0\x00"

# What OpenSSL says of a record with this damage. In TLS 1.2 it looks at the type only after the MAC, which covers it.
RECORD_WORDS = {
    "mac": r"decryption failed or bad record mac",
    "type": r"bad record type",
    "length": r"packet length too long",
    "truncated": r"unexpected eof while reading",
}
RECORD_WORDS_OF_1_2 = {**RECORD_WORDS, "type": RECORD_WORDS["mac"]}

# And the alert that goes with it.
ALERTS = {"mac": 20, "type": 10, "length": 22}
ALERTS_OF_1_2 = {**ALERTS, "type": 20}


def record_words(damage, version):
    return (RECORD_WORDS if version == "-tls1_3" else RECORD_WORDS_OF_1_2)[damage]


def alert_of(damage, version):
    return (ALERTS if version == "-tls1_3" else ALERTS_OF_1_2)[damage]


def connect(name):
    """CONNECT of MQTT 3.1.1 with a keep-alive of 60 s."""
    body = b"\x00\x04MQTT\x04\x02\x00\x3c" + len(name).to_bytes(2, "big") + name.encode()
    return bytes([0x10, len(body)]) + body


def received(client, message):
    """Where `-msg` shows that a handshake message came."""
    return client.out.find(rf"^<<< .*{message}")


class FaultCase(TlsCase):
    def listener(self, name, upstream, **tls):
        return {"name": name, "listen": "127.0.0.1:0", "upstream": f"127.0.0.1:{upstream}", "tls": tls}

    def run_listeners(self, rules, listeners, *arguments, **more):
        """A run with these listeners; their ports by name."""
        run = self.run_profile(self.profile(rules, listeners, **more), "--duration", LONG, *arguments)
        return run, dict(zip((listener["name"] for listener in listeners), run.ports(len(listeners))))

    def rule(self, report, name):
        return next(rule for rule in report["rules"] if rule["id"] == name)

    def verify(self, port, *arguments, trusted=None, **options):
        return self.client(port, "-CAfile", trusted or self.ca_file(), "-verify_return_error", *arguments, **options)


class Handshakes(FaultCase):
    """Each fault on handshakes, with a listener of its own, in both versions."""

    def handshakes(self, faults):
        broker = self.broker()
        listeners = [self.listener(name, broker.port, mode="terminate", ca=self.ca()) for name in faults]
        rules = [{"id": name, "who": {"listener": name}, "when": {"at": "0s"},
                  "fault": {"tls_handshake": {**fault, "for": "90s"}}} for name, fault in faults.items()]
        return self.run_listeners(rules, listeners)

    def ends(self, report, name):
        """How the handshakes of a rule ended, and how many so."""
        handshakes = [window["handshakes"] for window in self.rule(report, name)["windows"]]
        ends = {}
        for end in (end for told in handshakes for end in told["ends"]):
            ends[end["end"]] = ends.get(end["end"], 0) + end["attempts"]
        self.assertEqual(sum(told["attempts"] for told in handshakes), len(VERSIONS))
        return ends

    def test_stalls(self):
        run, ports = self.handshakes({"before": {"stall": "before_server_hello"},
                                      "after": {"stall": "after_server_hello"}})
        before = [self.verify(ports["before"], version, "-msg") for version in VERSIONS]
        after = [self.verify(ports["after"], version, "-msg") for version in VERSIONS]
        for client in before + after:
            wait_for("ClientHello", lambda: client.out.find(r"^>>> .*ClientHello"))
        for client in after:
            wait_for("ServerHello", lambda: received(client, "ServerHello"))
        time.sleep(1.5)
        for client in before + after:
            self.assertIsNone(client.process.poll(), "it waits on")
            self.assertFalse(client.out.find(r"SSL handshake has read"))
        for client in before:
            self.assertFalse(received(client, ""), client.text())
        for client in after:
            self.assertFalse(received(client, "Finished"), client.text())
        self.server_hello_alone(after)
        for client in before + after:
            client.stop()
        wait_for("the clients' ends", lambda: 4 == len([e for e in run.events() if e["event"] == "leg_ended"]))
        report = self.end(run)
        for name in ports:
            self.assertEqual(sum(self.ends(report, name).values()), 2)
            self.assertNotIn("finished", " ".join(self.ends(report, name)))
            self.assertTrue([window for window in self.rule(report, name)["windows"] if window["start_s"] is not None])

    def server_hello_alone(self, clients):
        """With TLS 1.2, the rest of the server's first flight stands in the same record."""
        for version, client in zip(VERSIONS, clients):
            got = [match.group(1) for _, match in client.out.find(r"^<<< .*Handshake .*, (\w+)$")]
            rest = ["Certificate", "ServerKeyExchange", "ServerHelloDone"] if version == "-tls1_2" else []
            self.assertEqual(got, ["ServerHello", *rest])

    def test_aborts(self):
        run, ports = self.handshakes({"reset": {"abort": "reset"}, "close": {"abort": "close"}})
        for name, said in (("reset", r"(read|write):errno=104"), ("close", r"unexpected eof while reading")):
            clients = [self.verify(ports[name], version, "-msg") for version in VERSIONS]
            for client in clients:
                self.assertRegex(client.ends(), said)
                self.assertNotEqual(client.process.returncode, 0)
            self.server_hello_alone(clients)
        report = self.end(run)
        self.assertEqual([sum(self.ends(report, name).values()) for name in ports], [2, 2])

    def test_alerts(self):
        alerts = {"handshake_failure": 40, "unrecognized_name": 112, "internal_error": 80}
        run, ports = self.handshakes({f"alert-{number}": {"alert": name} for name, number in alerts.items()}
                                     | {"alert-200": {"alert": 200}})
        for name, port in ports.items():
            for version in VERSIONS:
                client = self.verify(port, version, "-msg")
                text = client.ends()
                self.assertRegex(text, rf"SSL alert number {name.removeprefix('alert-')}\b")
                self.assertFalse(received(client, "ServerHello"), text)
        report = self.end(run)
        for name in ports:
            self.assertEqual(sum(self.ends(report, name).values()), 2, name)

    def test_certificates(self):
        flaws = {
            "expired": (10, "certificate has expired", "certificate_expired"),
            "not_yet_valid": (9, "certificate is not yet valid", "bad_certificate"),
            "wrong_name": (62, "hostname mismatch", "bad_certificate"),
            # The CA that nobody knows stands in the chain.
            "untrusted_ca": (19, r"self-signed certificate in certificate chain", "unknown_ca"),
            "self_signed": (18, "self-signed certificate", "unknown_ca"),
        }
        run, ports = self.handshakes({name.replace("_", "-"): {"certificate": name} for name in flaws})
        for flaw, (code, words, _) in flaws.items():
            port = ports[flaw.replace("_", "-")]
            for version in VERSIONS:
                asked = (version, "-verify_hostname", "hub.example")
                # One that goes on all the same tells the code in the end.
                lax = self.client(port, "-CAfile", self.ca_file(), *asked, name="hub.example").up()
                self.assertTrue(lax.out.find(rf"Verify return code: {code} \({words}"), lax.text())
                lax.hang_up()
                text = self.verify(port, *asked, name="hub.example").ends()
                self.assertRegex(text, rf"verify error:num={code}:{words}")
                self.assertIn("certificate verify failed", text)
        report = self.end(run)
        for flaw, (_, _, alert) in flaws.items():
            windows = self.rule(report, flaw.replace("_", "-"))["windows"]
            handshakes = [window["handshakes"] for window in windows]
            self.assertEqual(sum(told["attempts"] for told in handshakes), 4)
            self.assertEqual(sum(told["took_bad_certificate"] for told in handshakes), 2)
            ends = {end["end"] for told in handshakes for end in told["ends"]}
            self.assertEqual(ends, {f"alert {alert}", "finished all the same"}, flaw)


class Certificates(FaultCase):
    def test_given_certificates(self):
        broker = self.broker()
        for keys in ("rsa", "ecdsa"):
            pki = self.pki(f"{keys} CA", keys)
            certificate, key = pki.server("given", keys)
            run = self.start(self.profile([]), broker, "--tls", "terminate", "--cert", certificate, "--key", key,
                             "--duration", LONG)
            port = run.port()
            self.assertNotIn("WARNING", run.err.text())
            for version in VERSIONS:
                client = self.client(port, "-CAfile", pki.ca, "-verify_hostname", "localhost", version).up()
                text = client.hang_up()
                self.assertIn("Verify return code: 0 (ok)", text)
                self.assertRegex(text, r"subject=CN ?= ?given")
                self.assertRegex(text, rf"Peer signature type: {'RSA' if keys == 'rsa' else 'ECDSA'}")
            versions = [suite["version"] for suite in self.end(run)["tls"]["with_devices"]["suites"]]
            self.assertEqual(sorted(versions), ["TLS 1.2", "TLS 1.3"])

    def test_minted_certificates(self):
        broker = self.broker()
        run = self.start(self.profile([]), broker, "--tls", "terminate", "--ca", self.ca(), "--duration", LONG)
        for name in ("localhost", "hub.example", "xn--mnchen-3ya.example"):
            for version in VERSIONS:
                text = self.client(run.port(), "-CAfile", self.ca_file(), "-verify_hostname", name, version,
                                   name=name).up().hang_up()
                self.assertIn("Verify return code: 0 (ok)", text)
        text = self.client(run.port(), "-CAfile", self.ca_file(), "-verify_ip", "127.0.0.1", name=None).up().hang_up()
        self.assertIn("Verify return code: 0 (ok)", text)
        self.end(run)


class LiveLinks(FaultCase):
    """Faults on links that are up, which carry MQTT from s_client to mosquitto."""

    def links(self, faults, speaks_on):
        """What s_client says of each fault, by fault and version."""
        broker = self.broker()
        rules = [{"id": name, "who": {"client": f"{name}-tls*"}, "when": {"after": "connack", "delay": "300ms"},
                  "fault": fault} for name, fault in faults.items()]
        run = self.run_profile(self.profile(rules, devices=2 * len(faults)), "--listen", "127.0.0.1:0", "--upstream",
                               f"127.0.0.1:{broker.port}", "--tls", "terminate", "--ca", self.ca(), "--duration", LONG)
        port, clients = run.port(), {}
        for name in faults:
            for version in VERSIONS:
                client = self.verify(port, version, "-msg").up()
                client.say(connect(name + version))
                clients[name, version] = client
        said = {}
        for (name, version), client in clients.items():
            device = self.until(run, "device_named", lambda event: event["name"] == name + version)["device"]
            self.until(run, "window_opened", lambda event: event["device"] == device)
            if name in speaks_on:
                self.assertIsNone(client.process.poll(), f"{name} {version}: nothing until a record goes")
                client.say(PINGREQ)
            said[name, version] = client.ends()
        report = self.end(run)
        for name in faults:
            windows = self.rule(report, name)["windows"]
            self.assertEqual({window["device"] for window in windows}, {name + version for version in VERSIONS})
            for window in windows:
                self.assertIsNotNone(window["start_s"], name)
                self.assertNotEqual(window["outcome"], "survived")
        return said, report

    def test_records(self):
        damages = ("mac", "type", "length", "truncated")
        faults = {name: {"tls_record": {"damage": name, "toward": "device"}} for name in damages}
        said, report = self.links(faults, speaks_on=("mac", "type", "length"))
        for (name, version), text in said.items():
            self.assertRegex(text, record_words(name, version), f"{name} {version}")
        for name in damages:
            self.assertTrue(self.rule(report, name)["means"])

    def test_ends(self):
        alerts = {"internal_error": 80, "access_denied": 49, "bad_record_mac": 20}
        faults = {name.replace("_", "-"): {"tls_alert": {"alert": name}} for name in alerts}
        faults["unnotified"] = {"fin": {"toward": "both", "close_notify": False}}
        faults["notified"] = {"fin": {"toward": "both"}}
        faults["reset"] = {"rst": {}}
        said, _ = self.links(faults, speaks_on=())
        for (name, version), text in said.items():
            number = alerts.get(name.replace("-", "_"))
            if number:
                self.assertRegex(text, rf"SSL alert number {number}\b", f"{name} {version}")
            elif name == "unnotified":
                self.assertIn("unexpected eof while reading", text)
                self.assertNotIn("close_notify", text)
            elif name == "notified":
                self.assertRegex(text, r"<<< .*Alert.*close_notify")
                self.assertNotIn("error:", text.replace("verify error", ""))
            else:
                self.assertRegex(text, r"(read|write):errno=104")


class PassedThrough(FaultCase):
    @staticmethod
    def rule_name(fault, version):
        return f"{fault}{version}".replace("_", "-")

    def links(self, faults, speaker):
        """s_client and s_server about brownout, by fault and version: what both say once the speaker has spoken."""
        pki, servers, listeners, rules = self.pki(), {}, [], []
        pair = pki.server()
        for name, fault in faults.items():
            for version in VERSIONS:
                case, listener = (name, version), self.rule_name(name, version)
                servers[case] = self.server(*pair, version)
                listeners.append(self.listener(listener, servers[case].port, mode="passthrough"))
                rules.append({"id": listener, "who": {"listener": listener}, "when": {"at": "4s"}, "fault": fault})
        run, ports = self.run_listeners(rules, listeners)
        ports = {case: ports[self.rule_name(*case)] for case in servers}
        began = time.time()
        clients = {case: self.verify(port, trusted=pki.ca).up() for case, port in ports.items()}
        for case, client in clients.items():
            # Application data both ways, so that the link counts as up.
            client.say(b"one\n")
            wait_for("data up", lambda: servers[case].out.find("^one$"))
            servers[case].say(b"two\n")
            wait_for("data down", lambda: client.out.find("^two$"))
        self.assertLess(time.time() - began, 3.5, "too late for the rules")
        for number in range(len(rules)):
            self.until(run, "fired", lambda event: event["rule"] == number)
        said = {}
        for case, client in clients.items():
            if speaker == "hub":
                servers[case].say(b"three\n")
            elif speaker == "device":
                client.say(b"three\n")
            said[case] = (client.ends() if speaker != "device" else client.text(), servers[case])
        return run, said

    def test_records_to_the_device(self):
        faults = {name: {"tls_record": {"damage": name, "toward": "device"}} for name in ("mac", "type", "length")}
        run, said = self.links(faults, speaker="hub")
        for case, (text, server) in said.items():
            self.assertRegex(text, record_words(*case), case)
            self.assertNotIn("three", text)
            # The client's alert reaches the server, through brownout.
            wait_for("alert at the server", lambda: server.err.find(rf"SSL alert number {alert_of(*case)}\b"))
        self.struck(self.end(run), said)

    def test_records_to_the_hub(self):
        faults = {name: {"tls_record": {"damage": name, "toward": "hub"}} for name in ("mac", "type", "length")}
        run, said = self.links(faults, speaker="device")
        for case, (_, server) in said.items():
            wait_for(f"{case}: error at the server", lambda: server.err.find(record_words(*case)))
            self.assertFalse(server.out.find("three"))
        # The server says what is wrong before it ends the link.
        wait_for("the ends of all links", lambda: len({event["link"] for event in run.events()
                                                       if event["event"] == "leg_ended"}) == len(said))
        self.struck(self.end(run), said)

    def test_ends(self):
        faults = {"truncated": {"tls_record": {"damage": "truncated", "toward": "device"}}, "reset": {"rst": {}},
                  "fin": {"fin": {"toward": "both"}}}
        run, said = self.links(faults, speaker=None)
        for case, (text, _) in said.items():
            # No close_notify can be made for a session of others.
            words = r"(read|write):errno=104" if case[0] == "reset" else r"unexpected eof while reading"
            self.assertRegex(text, words, case)
        self.struck(self.end(run), said)

    def struck(self, report, cases):
        for case in cases:
            windows = self.rule(report, self.rule_name(*case))["windows"]
            self.assertEqual(len(windows), 1, case)
            self.assertIsNotNone(windows[0]["start_s"], case)
            # Those that were seen to send in turn are several behind one address, and whether one came back is not known.
            self.assertIn(windows[0]["outcome"], ("gone", "unknown"), case)


class Sessions(FaultCase):
    def test_sessions_are_resumed(self):
        broker = self.broker()
        run = self.start(self.profile([]), broker, "--tls", "terminate", "--ca", self.ca(), "--duration", LONG)
        port = run.port()
        for version in VERSIONS:
            kept = os.path.join(self.folder, f"session{version}")
            first = self.client(port, "-CAfile", self.ca_file(), version, "-sess_out", kept).up()
            # The tickets of TLS 1.3 come after the handshake.
            wait_for("session", lambda: os.path.exists(kept) and os.path.getsize(kept) > 0)
            self.assertIn("New, TLSv1", first.hang_up())
            again = self.client(port, "-CAfile", self.ca_file(), version, "-sess_in", kept).up()
            self.assertIn("Reused, TLSv1", again.hang_up())
        report = self.end(run)
        told = [(event["version"], event["resumed"]) for event in run.events() if event["event"] == "tls_established"]
        self.assertEqual(told, [("TLS 1.2", False), ("TLS 1.2", True), ("TLS 1.3", False), ("TLS 1.3", True)])
        self.assertEqual((report["tls"]["with_devices"]["handshakes"], report["tls"]["with_devices"]["resumed"]), (4, 2))


class ShippedProfiles(FaultCase):
    """The shipped profiles of TLS, shortened, before a mosquitto_sub that somebody restarts: TLS errors end it."""

    LOOP = ("trap 'kill $sub; wait $sub; exit' TERM; while :; do mosquitto_sub -h localhost -p $BROWNOUT_PORT "
            "--cafile $BROWNOUT_CA -i dev-1 -k 5 -t lab/# & sub=$!; wait $sub; echo restarted; sleep 1; done")

    def shipped(self, profile, sets):
        broker = self.broker()
        sets = [part for value in sets for part in ("--set", value)]
        run = self.start(profile, broker, "--tls", "terminate", "--ca", self.ca(), *sets, "--stop-command", "--duration",
                         "90s", command=["sh", "-c", self.LOOP])
        code = run.wait()
        return run, code, run.report()

    def test_tls_handshake_trouble(self):
        run, code, report = self.shipped("tls-handshake-trouble", [
            "silence.at=4s", "silence.for=6s", "refused.at=14s", "refused.for=6s", "expired.at=24s", "expired.for=6s",
            "cut.at=5s", "cut.every=10s", "settle=6s"])
        self.assertEqual(code, 0, run.out.text() + run.err.text())
        self.assertEqual(report["verdict"], "passed")
        rules = {rule["id"]: rule for rule in report["rules"]}
        self.assertEqual(len(rules["cut"]["windows"]), 3)
        for name in ("silence", "refused", "expired"):
            told = rules[name]["windows"][0]["handshakes"]
            self.assertGreaterEqual(told["attempts"], 1, name)
            self.assertEqual(told["took_bad_certificate"], 0, name)
            self.assertEqual(rules[name]["windows"][0]["outcome"], "back", name)
        ends = lambda name: {end["end"] for end in rules[name]["windows"][0]["handshakes"]["ends"]}
        self.assertIn("alert certificate_expired", ends("expired"))
        self.assertGreaterEqual(len(run.out.find("^restarted$")), 2)

    def test_tls_record_damage(self):
        run, code, report = self.shipped("tls-record-damage", ["damaged.delay=1s", "settle=4s"])
        self.assertEqual(code, 0, run.out.text() + run.err.text())
        self.assertEqual(report["verdict"], "passed")
        for rule in report["rules"]:
            self.assertEqual([window["device"] for window in rule["windows"]], ["dev-1"])
            self.assertEqual(rule["windows"][0]["outcome"], "back")
        # mosquitto_sub has two words for its two losses.
        self.assertIn("Error: Protocol error", run.err.text())
        self.assertIn("Error: The connection was lost.", run.err.text())
        self.assertEqual(report["devices"][0]["ends"].get("TLS alert bad_record_mac by the device"), 1)
