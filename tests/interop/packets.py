"""Faults of packets and of streams, before mosquitto: what reaches the broker and paho is what brownout says of it."""

import ssl
import time

import paho.mqtt.client as paho

from bench import can_connect, free_port, wait_for, wall_clock
from symptom import KEEP_ALIVE, Symptom

TOPIC = "lab/numbers"


class Bench(Symptom):
    """Runs that go on until they are ended, with somebody who listens at the broker itself."""

    def before(self, broker, rules, *arguments):
        return self.start(self.profile(rules), broker, "--seed", "1", "--duration", "100s", *arguments)

    def listener(self, broker, topic=TOPIC):
        device = self.device(broker.port, "listener", 60)
        subscribed = []
        device.client.on_subscribe = lambda *_: subscribed.append(True)
        device.up()
        device.client.subscribe(topic, 2)
        wait_for("subscription", lambda: subscribed)
        return device

    def payloads(self, device):
        return [message.payload.decode(errors="replace") for _, message in device.seen["message"]]

    def publish(self, device, payloads, qos=1, topic=TOPIC):
        """One after the other, each acknowledged before the next; the packet identifiers."""
        mids = []
        for payload in payloads:
            sent = device.client.publish(topic, payload, qos=qos)
            sent.wait_for_publish(10)
            self.assertTrue(sent.is_published(), payload)
            mids.append(sent.mid)
        return mids


class Packets(Bench):
    def test_qos_2_acknowledged_falsely(self):
        broker = self.broker()
        heard = self.listener(broker)
        run = self.before(broker, [{"id": "lie", "what": {"packet": "publish", "direction": "up", "qos": 2, "times": 3},
                                    "fault": {"drop": {"acknowledge": True}}}])
        device = self.device(run.port(), "paho-1", KEEP_ALIVE).up()
        # paho has PUBREC and PUBCOMP for all, and three of them are nowhere.
        self.publish(device, "abcdef", qos=2)
        wait_for("the others", lambda: len(heard.seen["message"]) >= 3)
        self.assertEqual(device.seen["down"], [], "none of it hurts the link")
        report = self.end(run)
        self.assertEqual(self.payloads(heard), ["d", "e", "f"])
        self.assertEqual(len(broker.log.told(r"Received PUBLISH from paho-1 ", 3)), 3)
        dropped = self.altered(run.events(), "dropped")
        self.assertEqual([event.get("acknowledged") for event in dropped], [True] * 3)
        [window] = self.windows(report, "lie")
        self.assertEqual(window["altered"]["falsely_acknowledged"], 3)

    def test_a_shared_subscription_loses_by_topic(self):
        broker = self.broker()
        run = self.before(broker, [{"id": "gap", "what": {"topic": "lab/secret/+", "direction": "down"},
                                    "fault": {"drop": {}}}])
        through = self.device(run.port(), "paho-1", KEEP_ALIVE, subscribe="$share/group/lab/#").up()
        beside = self.device(broker.port, "paho-2", KEEP_ALIVE, subscribe="$share/group/lab/#").up()
        wait_for("both subscriptions", lambda: len(broker.log.find(r"Sending SUBACK")) == 2)
        source = self.device(broker.port, "source", 60).up()
        for number in range(10):
            self.publish(source, [str(number)], topic=f"lab/secret/{number}")
        self.publish(source, "yz", topic="lab/open")
        wait_for("the open ones", lambda: len(through.seen["message"] + beside.seen["message"]) >= 7)
        self.end(run)
        sent = len(broker.log.told(r"Sending PUBLISH to paho-1 .*lab/secret/", 5))
        self.assertEqual(sent, 5, "the broker shares evenly")
        self.assertEqual(len(self.altered(run.events(), "dropped")), sent)
        topics = [message.topic for _, message in through.seen["message"]]
        self.assertEqual(topics, ["lab/open"])
        self.assertEqual(len(beside.seen["message"]), 6)

    def test_another_packet_identifier(self):
        broker = self.broker()
        run = self.before(broker, [{"id": "other", "what": {"packet": "puback", "direction": "down", "nth": 1},
                                    "fault": {"edit": {"packet_id": 9999}}}])
        device = self.device(run.port(), "paho-1", KEEP_ALIVE).up()
        first = device.client.publish(TOPIC, "a", qos=1)
        [second] = self.publish(device, "b")
        self.assertEqual(device.seen["down"], [])
        self.end(run)
        events = run.events()
        self.assertEqual([event["edit"] for event in self.altered(events, "edited")], [{"packet_id": 9999}])
        broker.log.told(rf"Sending PUBACK to paho-1 \(m{first.mid},")
        # To paho it is an acknowledgement of nothing; the message still waits.
        self.assertEqual([mid for _, mid in device.seen["acknowledged"]], [second])
        self.assertFalse(first.is_published())

    def test_another_code(self):
        broker = self.broker()
        run = self.before(broker, [
            {"id": "quota", "what": {"packet": "puback"}, "fault": {"edit": {"code": 0x97}}},
            {"id": "no", "what": {"packet": "suback"}, "fault": {"edit": {"code": 0x87}}}])
        device = self.device(run.port(), "paho-1", KEEP_ALIVE, protocol=paho.MQTTv5).up()
        codes = []
        device.client.on_publish = lambda _c, _u, mid, code, _p: codes.append(str(code))
        device.client.on_subscribe = lambda _c, _u, mid, given, _p: codes.extend(map(str, given))
        # The broker's own word for it is 16, no matching subscribers; and after that, success, which is left out.
        self.publish(device, "a")
        device.client.subscribe(TOPIC)
        wait_for("SUBACK", lambda: len(codes) == 2)
        self.listener(broker)
        self.publish(device, "b")
        self.end(run)
        self.assertEqual(codes, ["Quota exceeded", "Not authorized", "Quota exceeded"])
        self.assertEqual([match.group(1) for _, match in broker.log.find(r"Sending PUBACK to paho-1 \(m\d+, rc(\d+)\)")],
                         ["16", "0"])

    def test_packets_of_brownouts_own(self):
        broker = self.broker()
        rules = [{"id": "command", "when": {"after": "suback", "delay": "500ms"},
                  "fault": {"inject": {"publish": {"topic": "lab/command", "payload": "stop", "qos": 1, "packet_id": 60000}}}},
                 {"id": "said", "when": {"after": "suback", "delay": "1s"},
                  "fault": {"inject": {"toward": "hub", "publish": {"topic": TOPIC, "payload": "forged"}}}},
                 {"id": "garbage", "when": {"after": "suback", "delay": "2s"},
                  "fault": {"inject": {"toward": "hub", "raw": "00 00"}}}]
        heard = self.listener(broker)
        run = self.before(broker, rules)
        device = self.device(run.port(), "paho-1", 60, subscribe="nothing").up()
        wait_for("the broker's end", lambda: device.seen["down"])
        events = run.events()
        self.end(run)
        self.assertEqual([(message.topic, message.payload, message.qos) for _, message in device.seen["message"]],
                         [("lab/command", b"stop", 1)])
        # Its answer goes on to a broker that has sent nothing.
        broker.log.told(r"Received PUBACK from paho-1 \(Mid: 60000")
        self.assertFalse(broker.log.find(r"Sending PUBLISH to paho-1"))
        self.assertEqual(self.payloads(heard), ["forged"])
        ended = broker.log.told(r"Client paho-1 disconnected due to (.*)\.")
        self.near(self.applied(events, 2)[0], ended[0][0], "the garbage against the broker's log")
        self.near(ended[0][0], device.seen["down"][0], "the end that the broker made against on_disconnect")

    def test_a_goodbye_that_the_device_never_said(self):
        broker = self.broker()
        heard = self.listener(broker, "lab/will")
        run = self.before(broker, [{"id": "bye", "when": {"after": "connack", "delay": "1s"}, "fault": {
            "disconnect": {"toward": "hub", "other": "close", "reason": "disconnect_with_will_message"}}}])
        device = self.device(run.port(), "paho-1", KEEP_ALIVE, protocol=paho.MQTTv5,
                             prepare=lambda client: client.will_set("lab/will", "gone")).up()
        wait_for("the reconnect", lambda: len(device.seen["up"]) == 2)
        # Before the end of the run, which is another end of the link.
        self.assertEqual(self.payloads(heard), ["gone"])
        self.end(run)
        at = self.applied(run.events(), 0)[0]
        broker.log.told(r"Received DISCONNECT from paho-1")
        self.near(at, heard.seen["message"][0][0], "the will")
        self.near(at, device.seen["down"][0], "on_disconnect")


    def test_a_goodbye_with_a_reason(self):
        """mosquitto_sub tells the reason, and ends. (paho 2.1 reads none in a DISCONNECT without properties.)"""
        broker = self.broker()
        run = self.before(broker, [{"id": "busy", "when": {"after": "suback", "delay": "1s"},
                                    "fault": {"disconnect": {"reason": "server_busy"}}}])
        client = self.sub(run.port(), "sub-1", "-V", "5", host="127.0.0.1").up()
        client.ends()
        told = client.out.find(r"Received DISCONNECT \((\d+)\)")
        self.assertEqual([match.group(1) for _, match in told], [str(0x89)], client.text())
        closed = broker.log.told(r"Client sub-1 closed its connection")
        self.end(run)
        at = self.applied(run.events(), 0)[0]
        self.near(at, told[0][0], "DISCONNECT")
        self.near(at, closed[0][0], "FIN to the broker")


class Streams(Bench):
    def test_a_narrow_link(self):
        broker = self.broker()
        heard = self.listener(broker)
        run = self.before(broker, [{"id": "narrow", "fault": {"bandwidth": {"rate": "16kB/s"}}}])
        device = self.device(run.port(), "paho-1", 60, subscribe="lab/down").up()
        wait_for("subscription", lambda: broker.log.find(r"Sending SUBACK to paho-1"))
        began = time.time()
        device.client.publish(TOPIC, b"u" * 32_000, qos=0)
        source = self.device(broker.port, "source", 60).up()
        asked = time.time()
        source.client.publish("lab/down", b"d" * 64_000, qos=0)
        wait_for("both", lambda: heard.seen["message"] and device.seen["message"])
        self.end(run)
        # At 16 kB/s, each way by itself.
        self.assertAlmostEqual(heard.seen["message"][0][0] - began, 2, delta=0.3)
        self.assertAlmostEqual(device.seen["message"][0][0] - asked, 4, delta=0.4)
        self.assertEqual(device.seen["message"][0][1].payload, b"d" * 64_000)

    def test_crumbs(self):
        broker = self.broker()
        run = self.before(broker, [{"id": "crumbs", "fault": {"slice": {"size": 1, "gap": "2ms", "direction": "down"}}}])
        device = self.device(run.port(), "paho-1", 60, subscribe="lab/down").up()
        wait_for("subscription", lambda: broker.log.find(r"Sending SUBACK to paho-1"))
        source = self.device(broker.port, "source", 60).up()
        asked = time.time()
        payload = bytes(number % 251 for number in range(1000))
        source.client.publish("lab/down", payload, qos=0)
        wait_for("the message", lambda: device.seen["message"])
        self.end(run)
        at, message = device.seen["message"][0]
        self.assertEqual(message.payload, payload)
        # 1012 bytes of packet, 2 ms from one to the next.
        self.assertGreaterEqual(at - asked, 2)
        self.assertLess(at - asked, 4)

    def test_segments_are_lost(self):
        broker = self.broker()
        heard = self.listener(broker)
        run = self.before(broker, [{"id": "lossy", "when": {"after": "connack", "delay": "2s"},
                                    "fault": {"loss": {"chance": "30%", "toward": "device"}}}])
        device = self.device(run.port(), "paho-1", 60).up()
        took = []
        sent = 0
        ends = time.time() + 8
        while time.time() < ends:
            began = time.time()
            self.publish(device, [str(sent)])
            took.append((began, time.time() - began))
            sent += 1
            time.sleep(0.02)
        self.end(run)
        events = run.events()
        refused = [event for event in events if event["event"] == "fault_refused"]
        if refused:
            self.skipTest(f"this kernel loses nothing at random: {refused[0]['error']}")
        [at] = self.applied(events, 0)
        # TCP sends again after 200 ms at the soonest on loopback, and loses nothing for good.
        before, after = ([time for began, time in took if (began > at) is late] for late in (False, True))
        self.assertGreaterEqual(len(before), 20)
        self.assertLess(sorted(before)[len(before) // 2], 0.1)
        self.assertGreaterEqual(sum(time > 0.15 for time in after), 3, sorted(after)[-5:])
        self.assertEqual(self.payloads(heard), [str(number) for number in range(sent)])

    def test_one_end_is_told(self):
        broker = self.broker()
        run = self.before(broker, [
            {"id": "device", "when": {"after": "connack", "delay": "1s"}, "fault": {"half_close": {"toward": "device"}}},
            {"id": "hub", "when": {"after": "connack", "delay": "5s"}, "fault": {"half_close": {"toward": "hub"}}}])
        device = self.device(run.port(), "paho-1", KEEP_ALIVE).up()
        wait_for("two reconnects", lambda: len(device.seen["up"]) == 3)
        events = run.events()
        closed = [at for at, _ in broker.log.told(r"Client paho-1 closed its connection", 2)]
        self.end(run)
        self.assertEqual(len(closed), 2, broker.log.text())
        # Either end answers FIN with FIN, which reaches the other.
        for rule in (0, 1):
            [at] = self.applied(events, rule)
            self.near(at, closed[rule], "the broker's log")
            self.near(at, device.seen["down"][rule], "on_disconnect")
        ends = [event["side"] for event in events if event["event"] == "leg_ended" and event["how"] == "fin"]
        self.assertEqual(ends[:2], ["device", "hub"])

    def test_a_slow_consumer(self):
        """Of QoS 0, so that all that it sends is PINGREQ."""
        broker = self.broker()
        run = self.shortly("slow-consumer", broker, "settle=5s")
        device = self.device(run.port(), "paho-1", KEEP_ALIVE).up()
        device.client.subscribe(TOPIC, 0)
        source = self.device(broker.port, "source", 60).up()
        # 3 kB/s for a link of 1 kB/s.
        while run.process.poll() is None:
            source.client.publish(TOPIC, "x" * 135, qos=0)
            time.sleep(0.05)
        events, report = self.over(run, 1)
        # PINGRESP waits behind the pile, and paho gives up a link that is sound.
        [at] = self.applied(events, 0)[:1]
        first = next(down for down in device.seen["down"])
        self.assertFalse(broker.log.find(r"Client paho-1 has exceeded timeout"))
        [gone] = broker.log.told(r"Client paho-1 closed its connection")[:1]
        self.near(first, gone[0], "paho's end against the broker's log")
        self.assertGreater(first, at + KEEP_ALIVE)


class Transports(Bench):
    """The same faults in WebSocket, and in TLS that brownout ends."""

    # What `gone` takes is none of the later rules' packets, so `late` is the fourth of the device's, and `torn` the sixth.
    RULES = [
        {"id": "twice", "what": {"packet": "publish", "direction": "up", "nth": 1}, "fault": {"duplicate": {"copies": 2}}},
        {"id": "bad", "what": {"packet": "publish", "direction": "up", "nth": 2}, "fault": {"corrupt": {"where": "payload"}}},
        {"id": "gone", "what": {"packet": "publish", "direction": "up", "nth": 3}, "fault": {"drop": {}}},
        {"id": "late", "what": {"packet": "publish", "direction": "up", "nth": 3}, "fault": {"delay": {"fixed": "1s"}}},
        {"id": "torn", "what": {"packet": "publish", "direction": "up", "nth": 5},
         "fault": {"cut": {"after_bytes": 20, "ending": "reset"}}},
    ]

    def work(self, broker, run, device):
        heard = self.listener(broker)
        for payload in ("first" * 9, "second" * 9, "third", "fourth", "fifth"):
            sent = time.time()
            device.client.publish(TOPIC, payload, qos=0)
            time.sleep(0.02)
        wait_for("the last", lambda: self.payloads(heard)[-1:] == ["fifth"])
        self.near(heard.seen["message"][-1][0] - sent, 1, "what is behind a late packet waits")
        device.client.publish(TOPIC, "sixth" * 9, qos=0)
        wait_for("the cut", lambda: device.seen["down"])
        wait_for("the reconnect", lambda: len(device.seen["up"]) == 2)
        self.end(run)
        events = run.events()
        got = self.payloads(heard)
        self.assertEqual(got[:3] + got[4:], ["first" * 9] * 3 + ["fourth", "fifth"])
        wrong = sum(theirs != ours for theirs, ours in zip(heard.seen["message"][3][1].payload, b"second" * 9))
        self.assertEqual((len(heard.seen["message"][3][1].payload), wrong), (54, 1))
        altered = [event for event in events if event["event"] == "altered"]
        done = [event["done"] for event in sorted(altered, key=lambda event: event["packet_seq"])]
        self.assertEqual(done, ["duplicated", "corrupted", "dropped", "delayed", "cut_short"])
        self.near(self.applied_at(events, "cut_short"), device.seen["down"][0], "the cut against on_disconnect")
        self.assertFalse([event for event in events if event["event"] == "not_mqtt"])

    def applied_at(self, events, done):
        return wall_clock(events) + self.altered(events, done)[0]["t"] / 1e9

    def test_in_websocket(self):
        port = free_port()
        broker = self.broker(f"listener {port} lo\nprotocol websockets\n")
        wait_for("WebSocket listener", lambda: can_connect(port))
        run = self.run_profile(self.profile(self.RULES), "--listen", "127.0.0.1:0", "--upstream", f"127.0.0.1:{port}",
                               "--duration", "100s")
        device = self.device(run.port(), "paho-1", KEEP_ALIVE, transport="websockets",
                             prepare=lambda client: client.ws_set_options(path="/mqtt")).up()
        self.work(broker, run, device)
        self.assertTrue(any(event["event"] == "ws_upgraded" for event in run.events()))

    def test_in_tls_that_is_terminated(self):
        broker = self.broker()
        run = self.before(broker, self.RULES, "--tls", "terminate", "--ca", self.ca())
        device = self.device(run.port(), "paho-1", KEEP_ALIVE, prepare=lambda client: client.tls_set(
            ca_certs=self.ca_file(), cert_reqs=ssl.CERT_REQUIRED)).up()
        self.work(broker, run, device)
        self.assertGreaterEqual(run.report()["tls"]["with_devices"]["handshakes"], 2)
