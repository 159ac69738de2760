"""The symptoms of error 404104 and their neighbours, with mosquitto as the hub and paho as the device.

Usage: symptoms.py PATH-TO-BROWNOUT [TEST ...]

What each profile claims to do is held against what the broker's own log and the client's own callbacks say.
"""

import json
import os
import socket
import sys
import time

import paho.mqtt.client as paho

from bench import BROWNOUT, main, wait_for, wall_clock
from packets import Packets, Streams, Transports
from symptom import KEEP_ALIVE, Symptom


class Expiry(Symptom):
    """Symptom 1."""

    def test_disconnects_at_a_regular_interval(self):
        broker = self.broker()
        log = os.path.join(self.folder, "resource.jsonl")
        run = self.start("sas-token-expiry", broker, "--set", "expired.lifetime=3s", "--set", "duration=14s",
                         "--resource-log", log)
        device = self.device(run.port(), "paho-1", KEEP_ALIVE).up()
        events, report = self.over(run)
        closed = broker.log.told(r"Client paho-1 closed its connection")
        held = self.applied(events, 0)
        self.assertGreaterEqual(len(held), 3)
        for at, (theirs, _) in zip(held, closed):
            self.near(at, theirs, "the expiry against the broker's log")
        gaps = [later - earlier for earlier, later in zip(device.seen["down"], device.seen["down"][1:])]
        for gap in gaps[:-1]:
            # The lifetime, and paho's second before it connects again.
            self.assertAlmostEqual(gap, 4, delta=0.5)
        with open(log) as file:
            told = [json.loads(line) for line in file]
        self.assertGreaterEqual(sum(str(line.get("resultType")) == "404104" for line in told), 3)
        self.assertEqual({json.loads(line["properties"])["deviceId"] for line in told}, {"paho-1"})


class Silence(Symptom):
    """Symptom 2, and what looks like it."""

    def test_an_outage_just_below_the_limit_is_borne(self):
        broker = self.broker()
        run = self.shortly("keepalive-blackhole-below", broker)
        self.device(run.port(), "paho-1", KEEP_ALIVE).up()
        run.wait()
        self.assertFalse(broker.log.find(r"exceeded timeout"), broker.log.text())
        self.assertTrue(self.applied(run.events(), 0))

    def test_an_outage_just_above_the_limit_is_not(self):
        broker = self.broker()
        run = self.shortly("keepalive-blackhole-above", broker)
        self.device(run.port(), "paho-1", KEEP_ALIVE).up()
        events, report = self.over(run)
        timed_out = broker.log.told(r"Client paho-1 has exceeded timeout")
        self.assertTrue(timed_out, broker.log.text())
        window = report["rules"][0]["windows"][0]
        self.near(window["hub_detection_s"], timed_out[0][0] - self.applied(events, 0)[0], "hub_detection")

    def test_a_reset_that_only_one_end_hears(self):
        broker = self.broker()
        run = self.shortly("rst-one-sided", broker, "device-told.delay=2s", "hub-told.delay=7s", "settle=4 keepalive")
        device = self.device(run.port(), "paho-1", KEEP_ALIVE).up()
        events, report = self.over(run)
        told = {rule["id"]: rule["windows"] for rule in report["rules"]}
        # The hub learns of the link that it still believed in by the device's next CONNECT.
        broker.log.told(r"Client paho-1 already connected, closing old connection")
        at = self.applied(events, 1)[0]
        heard = next(down for down in device.seen["down"] if down > at)
        self.near(told["hub-told"][0]["device_detection_s"], heard - at, "hub-told: paho's own on_disconnect")

    def test_a_device_crashes_and_one_vanishes(self):
        broker = self.broker()
        run = self.shortly("device-crash", broker, "vanished.delay=9s", "away.delay=9s",
                               "away.for=1.5 keepalive + 8s", "settle=3s")
        self.device(run.port(), "paho-1", KEEP_ALIVE).up()
        events, report = self.over(run)
        self.near(self.applied(events, 0)[0], broker.log.told(r"Client paho-1 closed its connection")[0][0], "crash")
        gone = broker.log.told(r"Client paho-1 has exceeded timeout")
        self.assertTrue(gone, broker.log.text())
        window = next(rule for rule in report["rules"] if rule["id"] == "vanished")["windows"][0]
        self.near(window["hub_detection_s"], gone[0][0] - self.applied(events, 1)[0], "vanished: hub_detection")

    def test_a_middlebox_forgets(self):
        broker = self.broker()
        run = self.shortly("nat-idle-timeout", broker, "forgets.after=0.7 keepalive", "settle=5s")
        device = self.device(run.port(), "paho-1", KEEP_ALIVE).up()
        events, report = self.over(run)
        window = report["rules"][0]["windows"][0]
        at = self.applied(events, 0)[0]
        self.near(window["device_detection_s"], next(d for d in device.seen["down"] if d > at) - at, "detection")

    def test_lost_pingresp(self):
        broker = self.broker()
        run = self.shortly("lost-pingresp", broker, "settle=5s")
        device = self.device(run.port(), "paho-1", KEEP_ALIVE).up()
        events, report = self.over(run)
        sent = broker.log.told(r"Sending PINGRESP to paho-1")
        dropped = self.altered(events, "dropped")
        self.assertGreaterEqual(len(dropped), 1)
        self.assertGreaterEqual(len(sent), len(dropped))
        window = self.windows(report, "unanswered")[0]
        at = self.applied(events, 1)[0]
        self.near(window["device_detection_s"], next(d for d in device.seen["down"] if d > at) - at, "detection")

    def test_one_direction_dies(self):
        broker = self.broker()
        run = self.shortly("one-way", broker, "up-dead.delay=8 keepalive + 6s", "settle=8s")
        self.device(run.port(), "paho-1", KEEP_ALIVE).up()
        self.over(run)
        # With only the way up dead, the hub hears nothing and times the device out.
        broker.log.told(r"Client paho-1 has exceeded timeout")


class AllAtOnce(Symptom):
    """Symptom 3."""

    def test_the_fleet_drops_and_is_refused_in_four_ways(self):
        broker = self.broker()
        run = self.start("hub-transient-failure", broker, "--set", "devices=20", "--set", "refused.at=3s", "--set",
                         "refused.for=4s", "--set", "unavailable.at=14s", "--set", "unavailable.for=4s", "--set",
                         "quota.at=25s", "--set", "quota.for=4s", "--set", "silent.at=36s", "--set",
                         "silent.for=8s", "--set", "dropped.at=4s", "--set", "dropped.every=11s", "--set", "settle=8s",
                         "--stop-command", "--duration", "100s",
                         command=[BROWNOUT, "device", "--quiet", "--count", "20", "--keep-alive", "5s", "--kind",
                                  "careful", "--backoff", "exponential:500ms..4s,jitter"])
        events, report = self.over(run)
        start = wall_clock(events)
        accepted = broker.log.told(r"Sending CONNACK to device-\d+ \(\d, 0\)")
        ours = [event for event in events if event["event"] == "packet" and event.get("packet") == "connack"
                and event["code"] == 0]
        # What passed brownout is what the broker said: in the silence, too, where it only waited.
        self.assertEqual(len(ours), len(accepted))
        self.assertGreaterEqual(len(accepted), 100)
        # While the listener is closed, refuses, or throttles, the broker sees no CONNECT at all.
        for first, last in ((4.2, 6.8), (15.2, 17.8), (26.2, 28.8)):
            early = [at for at, _ in broker.log.find(r"New client connected") if start + first < at < start + last]
            self.assertEqual(early, [], f"from {first} to {last} s")

    def test_codes_reach_the_client_in_its_language(self):
        for protocol, expected in ((paho.MQTTv311, "Server unavailable"), (paho.MQTTv5, "Server unavailable")):
            with self.subTest(protocol=protocol):
                broker = self.broker()
                profile = os.path.join(self.folder, "reject.yaml")
                with open(profile, "w") as file:
                    file.write("brownout: 1\nname: reject\nsummary: A refusal.\nrules:\n"
                               "  - { id: no, fault: { reject: { code: server_unavailable, for: 3s } } }\n")
                folder = os.path.join(self.folder, f"report-{protocol}")
                run = self.brownout("run", profile, "--listen", "127.0.0.1:0", "--upstream", f"127.0.0.1:{broker.port}",
                                    "--set", "settle=3s", "--duration", "30s", folder=folder)
                port = run.port()
                codes = []
                client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="paho-1", protocol=protocol)
                client.on_connect = lambda _c, _u, _f, code, _p: codes.append(str(code))
                client.reconnect_delay_set(1, 1)
                client.connect_async("127.0.0.1", port, KEEP_ALIVE)
                client.loop_start()
                self.assertEqual(run.wait(), 0, run.err.text())
                client.disconnect()
                client.loop_stop()
                self.assertEqual(codes[0], expected)
                self.assertIn("Success", codes)

    def test_a_closed_listener_refuses(self):
        broker = self.broker()
        profile = os.path.join(self.folder, "refuse.yaml")
        with open(profile, "w") as file:
            file.write("brownout: 1\nname: refuse\nsummary: A refusal.\nrules:\n"
                       "  - { id: no, when: { at: 1s }, fault: { refuse: { for: 3s } } }\n")
        run = self.start(profile, broker, "--set", "settle=2s", "--duration", "30s")
        port = run.port()
        device = self.device(port, "paho-1", KEEP_ALIVE).up()
        wait_for("the refusal", lambda: run.err.find("no: "))
        time.sleep(0.3)
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 2)
        time.sleep(3)
        socket.create_connection(("127.0.0.1", port), 2).close()
        self.assertEqual(run.wait(), 0, run.out.text())
        self.assertEqual(len(device.seen["up"]), 1, "a link that is up is left alone")

    def test_a_service_upgrade(self):
        broker = self.broker()
        log = os.path.join(self.folder, "resource.jsonl")
        run = self.start("service-upgrade", broker, "--set", "upgraded.at=3s", "--set", "rejected.at=8s", "--set",
                         "closed-again.at=9s", "--set", "rejected.for=4s", "--set", "settle=5s", "--resource-log", log,
                         "--duration", "60s")
        device = self.device(run.port(), "paho-1", KEEP_ALIVE, protocol=paho.MQTTv5).up()
        told = []
        device.client.on_disconnect = lambda _c, _u, flags, *_: told.append(flags.is_disconnect_packet_from_server)
        self.over(run)
        # Twice by DISCONNECT; between them it is refused; and the end of the run is FIN alone.
        self.assertEqual(told[0], True)
        self.assertEqual(told.count(True), 2, told)
        with open(log) as file:
            codes = {str(json.loads(line).get("resultType")) for line in file}
        self.assertLessEqual({"400029", "400030"}, codes)


class Connecting(Symptom):
    def test_connect_is_swallowed(self):
        broker = self.broker()
        run = self.shortly("swallow-connect", broker, "swallowed.for=2 keepalive", "swallowed.delay=1s",
                               "reset.delay=1100ms", "settle=12s")
        self.device(run.port(), "paho-1", KEEP_ALIVE).up()
        events, _ = self.over(run)
        dropped = self.altered(events, "dropped")
        self.assertGreaterEqual(len(dropped), 1)
        came = broker.log.told(r"New client connected from \S+ as paho-1")
        connects = [event for event in events if event["event"] == "packet" and event.get("packet") == "connect"]
        self.assertEqual(len(connects) - len(dropped), len(came), "what was not swallowed came")

    def test_accepted_and_reset(self):
        broker = self.broker()
        run = self.shortly("accept-then-reset", broker, "refused.delay=1s", "reset.delay=1100ms",
                               "refused.for=5s", "settle=5s")
        device = self.device(run.port(), "paho-1", KEEP_ALIVE).up()
        events, report = self.over(run)
        self.assertEqual(len(broker.log.told(r"New client connected from \S+ as paho-1", 2)), 2)
        self.assertEqual(len(device.seen["up"]), 2)

    def test_a_hub_that_says_nothing(self):
        broker = self.broker()
        run = self.shortly("slow-loris-hub", broker, "silent.delay=1s", "reset.delay=1500ms",
                               "silent.for=3 keepalive", "settle=15s")
        self.device(run.port(), "paho-1", KEEP_ALIVE).up()
        events, report = self.over(run)
        wait = next(row for row in report["expectations"] if row["metric"] == "connack_wait")
        # paho waits a keep-alive for CONNACK, each time; the broker had answered all.
        self.assertEqual(wait["samples"], 2)
        self.assertAlmostEqual(wait["measured"], KEEP_ALIVE, delta=1.1)
        connects = self.packets(events, "connect", "up")
        self.assertEqual(len(broker.log.told(r"Sending CONNACK to paho-1", len(connects))), len(connects))

    def test_two_with_one_name(self):
        broker = self.broker()
        run = self.shortly("takeover-fight", broker, "rival.delay=1s", "rival.for=8s", "rival.again=1s", "settle=6s")
        device = self.device(run.port(), "paho-1", KEEP_ALIVE).up()
        events, _ = self.over(run)
        fights = broker.log.told(r"Client paho-1 already connected, closing old connection")
        rivals = [event for event in events if event["event"] == "rival" and event["rival"] == "accepted"]
        self.assertGreaterEqual(len(rivals), 2)
        self.assertLessEqual(abs(len(fights) - len(rivals) - len(device.seen["up"]) + 1), 1)


class Messages(Symptom):
    def publish(self, device, run, count, each):
        """Numbers as messages, until the run is over."""
        sent = []
        for number in range(count):
            if run.process.poll() is not None:
                break
            device.client.publish("lab/numbers", str(number), qos=1)
            sent.append(number)
            time.sleep(each)
        return sent

    def subscriber(self, broker):
        heard = self.device(broker.port, "listener", 60, subscribe="lab/numbers").up()
        time.sleep(0.3)
        return heard

    def test_lost_pubacks_are_counted(self):
        broker = self.broker()
        run = self.shortly("lost-puback", broker, "lost.for=6s", "reset.delay=8s", "settle=4s")
        device = self.device(run.port(), "paho-1", KEEP_ALIVE, clean=False).up()
        self.publish(device, run, 40, 0.1)
        events, _ = self.over(run)
        sent = broker.log.told(r"Sending PUBACK to paho-1")
        dropped = self.altered(events, "dropped")
        self.assertGreaterEqual(len(dropped), 5)
        ours = [event for event in events if event["event"] == "packet" and event.get("packet") == "puback"
                and event["direction"] == "down"]
        self.assertLessEqual(len(ours), len(sent))
        self.assertEqual(len([event for event in ours if event.get("dropped")]), len(dropped))
        wait_for("every message acknowledged", lambda: len({mid for _, mid in device.seen["acknowledged"]}) == 40)
        # What was not acknowledged came again, marked.
        broker.log.told(r"Received PUBLISH from paho-1 \(d1, q1")

    def test_a_reset_amid_the_resend_loses_nothing(self):
        broker = self.broker()
        heard = self.subscriber(broker)
        run = self.shortly("reset-during-resend", broker, "unacknowledged.for=5s", "reset.delay=3s",
                               "again.for=20s", "settle=6s")
        device = self.device(run.port(), "paho-1", KEEP_ALIVE, clean=False).up()
        sent = self.publish(device, run, 25, 0.1)
        events, _ = self.over(run)
        self.assertEqual(len(self.altered(events, "cut_short")), 1)
        got = {int(message.payload) for _, message in heard.seen["message"]}
        self.assertEqual(got, set(sent))

    def test_half_a_packet_is_no_message(self):
        broker = self.broker()
        heard = self.subscriber(broker)
        run = self.shortly("mid-packet-cut", broker, "half-up.for=8s", "half-down.for=8s", "settle=4s")
        device = self.device(run.port(), "paho-1", KEEP_ALIVE, clean=False).up()
        sent = self.publish(device, run, 20, 0.2)
        events, _ = self.over(run)
        cut = self.altered(events, "cut_short")
        self.assertEqual([event["after_bytes"] for event in cut], [10])
        # The half that came is nothing to the broker, and the message came again whole.
        self.assertEqual({int(message.payload) for _, message in heard.seen["message"]}, set(sent))

    def test_the_session_is_lost(self):
        broker = self.broker()
        run = self.shortly("session-lost", broker, "reset.delay=1s", "settle=4s")
        flags = []
        device = self.device(run.port(), "paho-1", KEEP_ALIVE, subscribe="lab/#", clean=False)
        seen = device.client.on_connect

        def connected(client, userdata, given, code, properties):
            flags.append(given.session_present)
            seen(client, userdata, given, code, properties)

        device.client.on_connect = connected
        device.up()
        events, report = self.over(run)
        self.assertGreaterEqual(len(self.altered(events, "edited")), 3)
        broker.log.told(r"Sending CONNACK to paho-1 \(1, 0\)")
        self.assertFalse(any(flags[1:]), "the client is told of none")


class KeepAlive(Symptom):
    """It is made 3 s for both ends, of MQTT 5."""

    def test_a_client_that_uses_the_servers(self):
        broker = self.broker()
        run = self.shortly("lost-pingresp", broker, "patient.client=nobody", "server_keepalive=3s", "settle=5s")
        client = self.sub(run.port(), "sub-1", "-V", "5", host="127.0.0.1", keep_alive=60).up()
        events, report = self.over(run)
        broker.log.told(r"as sub-1 \(p5, c\d, k3")
        # Its later CONNECTs ask for what the first CONNACK said.
        asked = [event["keep_alive"] for event in self.packets(events, "connect", "up")]
        self.assertEqual((asked[0], set(asked[1:])), (60, {3}))
        self.assertRegex(" ".join(run.out.text().split()), r"the hub was told 3 s, the device was told 3 s")
        window = self.windows(report, "unanswered")[0]
        asked = [at for at, _ in client.out.find(r"sending PINGREQ")]
        self.assertAlmostEqual(asked[0] - client.accepted()[0], 3, delta=1.2)
        self.near(window["device_detection_s"], client.connects()[1] - asked[0] - 1, "its reconnect after a second")

    def test_a_client_that_does_not(self):
        """paho 2.1 has no notion of Server Keep Alive [MQTT-3.2.2-21]."""
        broker = self.broker()
        run = self.shortly("lost-pingresp", broker, "patient.client=nobody", "server_keepalive=3s", "settle=5s")
        device = self.device(run.port(), "paho-1", 60, protocol=paho.MQTTv5).up()
        events, report = self.over(run, 1)
        broker.log.told(r"as paho-1 \(p5, c\d, k3")
        timed_out = broker.log.told(r"Client paho-1 has exceeded timeout")
        self.assertGreaterEqual(len(timed_out), 3)
        late = [event for event in events if event["event"] == "keepalive_exceeded"]
        self.assertLessEqual(abs(len(late) - len(timed_out)), 1)
        for (at, _), down in zip(timed_out, device.seen["down"]):
            self.near(at, down, "the broker's time-out against on_disconnect")
        self.assertEqual(self.altered(events, "dropped"), [])


class FaultMessages(Symptom):
    """What the Azure SDKs' own tests send, before a broker that knows nothing of it."""

    def test_kill_tcp(self):
        broker = self.broker()
        profile = os.path.join(self.folder, "watch.yaml")
        with open(profile, "w") as file:
            file.write("brownout: 1\nname: watch\nsummary: Nothing by itself.\nduration: 10s\n")
        run = self.start(profile, broker, "--azure-fault-messages", "paho-*")
        device = self.device(run.port(), "paho-1", KEEP_ALIVE).up()
        bag = ("AzIoTHub_FaultOperationType=KillTcp&AzIoTHub_FaultOperationCloseReason=boom"
               "&AzIoTHub_FaultOperationDelayInSecs=1")
        asked = time.time()
        device.client.publish(f"devices/paho-1/messages/events/{bag}", "x", qos=1)
        wait_for("the acknowledgement", lambda: device.seen["acknowledged"], 3)
        wait_for("the reset", lambda: device.seen["down"], 5)
        self.assertAlmostEqual(device.seen["down"][0] - asked, 1, delta=0.4)
        run.wait()
        self.assertFalse(broker.log.find(r"AzIoTHub"), "the command is swallowed")
        self.assertTrue(any(event["event"] == "fault_message" for event in run.events()))


if __name__ == "__main__":
    sys.exit(main([Expiry, Silence, AllAtOnce, Connecting, Messages, KeepAlive, FaultMessages, Packets, Streams, Transports], 8))
