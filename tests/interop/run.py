"""brownout between programs that are not ours: mosquitto as the hub, its clients and paho as devices.

Usage: run.py PATH-TO-BROWNOUT [TEST ...]

The figures of each run are held against what the broker's own log and the client's own callbacks say.
"""

import os
import signal
import socket
import subprocess
import sys
import time

import paho.mqtt.client as paho

from bench import BROWNOUT, TOLERANCE, Brownout, Case, Device, Lines, can_connect, free_port, main, wait_for, wall_clock


class Profiles(Case):
    """Each shipped profile, as a user runs it."""

    KEEP_ALIVE = 5

    def test_keepalive_blackhole(self):
        broker = self.broker()
        run = self.start("keepalive-blackhole", broker, "--set", "dark.delay=1s", "--set", "settle=4s",
                         "--set", "devices=2", "--duration", "90s")
        port = run.port()
        device = self.device(port, "paho-1", self.KEEP_ALIVE, subscribe="lab/#").up()
        sub = subprocess.Popen(["mosquitto_sub", "-h", "127.0.0.1", "-p", str(port), "-i", "sub-1", "-k",
                                str(self.KEEP_ALIVE), "-t", "lab/#"], stdout=subprocess.DEVNULL)
        self.addCleanup(lambda: (sub.terminate(), sub.wait()))
        code = run.wait()
        events, report = run.events(), run.report()
        start = wall_clock(events)
        at = lambda event: start + event["t"] / 1e9
        links = {event["link"]: event for event in events if event["event"] == "link_opened"}
        names = {event["device"]: event["name"] for event in events if event["event"] == "device_named"}
        of = {event["link"]: names[event["device"]] for event in events if event["event"] == "link_identified"}
        self.assertEqual(set(names.values()), {"paho-1", "sub-1"})
        for name in names.values():
            # The hub: mosquitto's own line about the time-out, against the sign on the hub's leg.
            struck = next(link for link in links if of.get(link) == name)
            hub = self.first(events, event="leg_ended", link=struck, side="hub")
            timed_out = broker.log.told(rf"Client {name} has exceeded timeout|Client {name} .*timeout")
            self.assertTrue(timed_out, broker.log.text())
            self.near(at(hub), timed_out[0][0], f"{name}: hub's sign against its log")
        # The device: paho's own callbacks.
        struck = next(link for link in links if of.get(link) == "paho-1")
        sign = self.first(events, event="leg_ended", link=struck, side="device")
        self.near(at(sign), device.seen["down"][0], "paho: sign against on_disconnect")
        window = next(window for rule in report["rules"] for window in rule["windows"] if window["device"] == "paho-1")
        applied = self.first(events, event="fault_applied", link=struck)
        self.near(window["device_detection_s"], device.seen["down"][0] - at(applied), "paho: device_detection")
        back = [when for when in device.seen["up"] if when > device.seen["down"][0]]
        restored = next(event for event in events if event["event"] == "window_closed")
        self.near(window["recovery_s"], back[0] - at(restored), "paho: recovery against on_connect")
        self.assertEqual(code, 0 if report["verdict"] == "passed" else 1)
        self.assertIn("dark", run.out.text())

    def test_rst_without_disconnect(self):
        broker = self.broker()
        run = self.start("rst-without-disconnect", broker, "--set", "settle=3s", "--duration", "90s")
        device = self.device(run.port(), "paho-1", self.KEEP_ALIVE, subscribe="lab/#").up()
        code = run.wait()
        events = run.events()
        start = wall_clock(events)
        cut = self.first(events, event="leg_cut", side="hub", fate="reset")
        lost = broker.log.told(r"Client paho-1 closed its connection|Socket error on client paho-1")
        self.assertTrue(lost, broker.log.text())
        self.near(start + cut["t"] / 1e9, lost[0][0], "the reset against the broker's log")
        self.near(start + cut["t"] / 1e9, device.seen["down"][0], "the reset against on_disconnect")
        self.assertFalse(broker.log.find(r"Received DISCONNECT from paho-1"))
        self.assertEqual(code, 0, run.out.text())

    def test_slow_link(self):
        broker = self.broker()
        run = self.start("slow-link", broker, "--duration", "45s")
        device = self.device(run.port(), "paho-1", self.KEEP_ALIVE).up()
        trips = []
        while run.process.poll() is None:
            sent = time.time()
            message = device.client.publish("lab/x", "x" * 100, qos=1)
            try:
                message.wait_for_publish(5)
            except RuntimeError:
                break
            if not message.is_published():
                break
            trips.append(time.time() - sent)
        run.wait()
        report = run.report()
        ours = report["devices"][0]["publish_rtt"]
        self.assertGreater(len(trips), 20)
        trips.sort()
        self.assertLessEqual(abs(ours["count"] - len(trips)), 2)
        self.near(ours["p50_s"], trips[len(trips) // 2], "publish_rtt p50 against paho's own")
        self.near(ours["max_s"], trips[-1], "publish_rtt max against paho's own")

    def test_demo_before_mosquitto(self):
        broker = self.broker()
        run = self.start("demo", broker, "--stop-command", "--duration", "60s",
                         command=[BROWNOUT, "device", "--quiet", "--count", "4", "--keep-alive", "2s",
                                  "--workload", "subscribing"])
        self.assertIn(run.wait(), (0, 1))
        events, report = run.events(), run.report()
        start = wall_clock(events)
        dark = next(rule for rule in report["rules"] if rule["id"] == "dark")
        self.assertEqual(len(dark["windows"]), 4)
        for window in dark["windows"]:
            # mosquitto looks each 5 s, so it may or may not see the silence within the 8 s of dark.
            began, ended = start + window["start_s"], start + window["restored_s"]
            lines = broker.log.find(f"Client {window['device']} has exceeded timeout")
            lines = [at for at, _ in lines if began < at < ended]
            detection = window["hub_detection_s"]
            if lines:
                self.near(began + detection, lines[0], f"{window['device']}: hub_detection against the log")
            else:
                self.assertNotIsInstance(detection, float, f"{window['device']}: the log knows nothing of it")
        reset = next(rule for rule in report["rules"] if rule["id"] == "reset")
        self.assertEqual(len(reset["windows"]), 4)
        lost = [at for at, _ in broker.log.told(r"Client device-\d closed its connection|Socket error on client")]
        for window in reset["windows"]:
            self.assertTrue([at for at in lost if abs(at - start - window["start_s"]) < TOLERANCE], broker.log.text())

    def test_every_shipped_profile_checks(self):
        listed = subprocess.run([BROWNOUT, "profiles"], capture_output=True, text=True, check=True).stdout
        names = [line for line in listed.splitlines() if not line.startswith(" ")]
        self.assertGreaterEqual(len(names), 4)
        for name in names:
            shown = subprocess.run([BROWNOUT, "profiles", "show", name], capture_output=True, text=True, check=True)
            path = os.path.join(self.folder, f"{name}.yaml")
            with open(path, "w") as file:
                file.write(shown.stdout)
            checked = subprocess.run([BROWNOUT, "check", path], capture_output=True, text=True)
            self.assertEqual(checked.returncode, 0, checked.stderr)


class BadDays(Case):
    PROFILE = "rst-without-disconnect"

    def test_the_hub_dies_and_comes_back(self):
        broker = self.broker()
        run = self.start(self.PROFILE, broker, "--set", "reset.delay=30s", "--duration", "12s")
        device = self.device(run.port(), "paho-1", 5).up()
        broker.stop(signal.SIGKILL)
        wait_for("disconnect", lambda: device.seen["down"])
        time.sleep(2.5)
        broker.start()
        wait_for("second connect", lambda: len(device.seen["up"]) > 1)
        run.wait()
        events = run.events()
        self.first(events, event="leg_ended", side="hub")
        unreachable = [event for event in events if event["event"] == "hub_unreachable"]
        self.assertTrue(unreachable)
        self.assertIn("refused", unreachable[0]["error"])
        self.assertEqual(events[-1]["event"], "run_ended")
        self.assertEqual([event["seq"] for event in events], list(range(len(events))))

    def test_no_hub_at_the_start(self):
        run = self.brownout("run", self.PROFILE, "--listen", "127.0.0.1:0", "--upstream", f"127.0.0.1:{free_port()}")
        self.assertEqual(run.wait(), 3)
        self.assertIn("cannot be reached", run.err.text())
        self.assertIn("--upstream", run.err.text())

    def test_a_busy_port(self):
        broker = self.broker()
        run = self.brownout("run", self.PROFILE, "--listen", f"127.0.0.1:{broker.port}", "--upstream",
                            f"127.0.0.1:{broker.port}")
        self.assertEqual(run.wait(), 3)
        self.assertIn("another program has the port", run.err.text())

    def test_a_report_directory_that_cannot_be_written(self):
        broker = self.broker()
        path = os.path.join(self.folder, "file")
        open(path, "w").close()
        run = self.brownout("run", self.PROFILE, "--upstream", f"127.0.0.1:{broker.port}", folder=path)
        self.assertEqual(run.wait(), 3)
        self.assertIn("--report", run.err.text())

    def test_a_full_disk_ends_the_log_and_not_the_run(self):
        disk = os.path.join(self.folder, "disk")
        os.mkdir(disk)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", disk], capture_output=True)
        if mounted.returncode != 0:
            self.skipTest(f"SKIPPED: cannot mount a small disk: {mounted.stderr.decode()}")
        self.addCleanup(lambda: subprocess.run(["umount", disk], check=True))
        broker = self.broker()
        run = self.brownout("run", self.PROFILE, "--listen", "127.0.0.1:0", "--upstream",
                            f"127.0.0.1:{broker.port}", "--duration", "4s", folder=os.path.join(disk, "r"))
        port = run.port()
        end = time.time() + 3
        while time.time() < end:
            device = Device(port, "paho-1", 5).up()
            device.stop()
        self.assertEqual(run.wait(), 3)
        self.assertIn("events.jsonl", run.err.text())
        self.assertIn("paho-1", run.out.text())
        left = os.listdir(os.path.join(disk, "r"))
        self.assertNotIn("report.html", left, "it is larger than the disk")
        self.assertEqual([name for name in left if os.path.getsize(os.path.join(disk, "r", name)) == 0], [])
        self.assertEqual([name for name in left if name.startswith(".")], [])

    def test_sigterm_and_ctrl_c_report(self):
        for how in (signal.SIGTERM, signal.SIGINT):
            broker = self.broker()
            run = self.start(self.PROFILE, broker, "--set", "reset.delay=30s")
            self.device(run.port(), "paho-1", 5).up()
            run.process.send_signal(how)
            self.assertEqual(run.wait(), 1)
            self.assertIn("no evidence", run.out.text())
            self.assertEqual(run.events()[-1]["reason"], "interrupted")

    def test_secrets_are_nowhere(self):
        broker = self.broker()
        run = self.start(self.PROFILE, broker, "--duration", "2s", "-v")
        port = run.port()
        user = "hub/dev/?api-version=2021-04-12&sig=SECRETSIG&se=1"
        subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-i", "dev", "-u", user, "-P",
                        "SharedAccessSignature sig=SECRETPW&se=1&sr=x", "-t", "t/sig=SECRETTOPIC", "-m", "x"], check=True)
        run.wait()
        written = run.out.text() + run.err.text()
        for name in ("events.jsonl", "report.json"):
            with open(os.path.join(run.folder, name)) as file:
                written += file.read()
        self.assertIn("sig=***", written)
        for secret in ("SECRETSIG", "SECRETPW", "SECRETTOPIC"):
            self.assertNotIn(secret, written)


class Commands(Case):
    def run_with(self, *command, arguments=("--duration", "20s")):
        broker = self.broker()
        run = self.start("rst-without-disconnect", broker, "--set", "reset.delay=300ms", "--set", "settle=2s",
                         *arguments, command=command)
        return run, run.wait()

    def test_a_command_gets_the_address_and_its_output_through(self):
        run, code = self.run_with("sh", "-c", 'echo "at $BROWNOUT_HOST $BROWNOUT_PORT $BROWNOUT_URL"; '
                                  'timeout 6 mosquitto_sub -h $BROWNOUT_HOST -p $BROWNOUT_PORT -k 5 -i s -t x; true')
        found = run.out.find(r"^at 127\.0\.0\.1 (\d+) mqtt://127\.0\.0\.1:(\d+)$")
        self.assertTrue(found, run.out.text())
        self.assertEqual(found[0][1].group(1), found[0][1].group(2))
        self.assertEqual(code, 0, run.out.text() + run.err.text())

    def test_a_failing_command_fails_the_run(self):
        run, code = self.run_with("sh", "-c", "exit 7")
        self.assertEqual(code, 1)
        self.assertIn("exit status: 7", run.err.text())

    def test_a_command_that_does_not_exist(self):
        run, code = self.run_with("no-such-program")
        self.assertEqual(code, 2)
        self.assertIn("no-such-program", run.err.text())

    def test_a_client_that_runs_for_ever_is_ended(self):
        broker = self.broker()
        run = self.start("rst-without-disconnect", broker, "--set", "reset.delay=300ms", "--set", "settle=2s",
                         "--stop-command", "--duration", "30s",
                         command=[BROWNOUT, "device", "--keep-alive", "5s", "--kind", "careful", "--count", "3"])
        self.assertEqual(run.wait(), 0, run.out.text())
        self.assertEqual(run.events()[-1]["reason"], "complete")
        self.assertEqual(run.report()["fleet"]["devices"], 3)


class EmbeddedHub(Case):
    def hub(self, *arguments):
        port = free_port()
        run = self.brownout("hub", "--listen", f"127.0.0.1:{port}", *arguments)
        wait_for("hub", lambda: can_connect(port))
        return port, run

    def test_mosquitto_clients_at_every_quality_of_service(self):
        port, _ = self.hub()
        for version in ("mqttv31", "mqttv311", "mqttv5"):
            for qos in "012":
                sub = subprocess.Popen(["mosquitto_sub", "-h", "127.0.0.1", "-p", str(port), "-V", version, "-q", qos,
                                        "-t", f"t/{version}/+", "-C", "3", "-W", "10", "-i", f"sub{version}{qos}"[:23]],
                                       stdout=subprocess.PIPE, text=True)
                time.sleep(0.3)
                for number in range(3):
                    subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-V", version, "-q", qos,
                                    "-t", f"t/{version}/a", "-m", f"m{number}"], check=True)
                out, _ = sub.communicate(timeout=15)
                self.assertEqual(out.split(), ["m0", "m1", "m2"], (version, qos))

    def test_retained_will_and_session(self):
        port, run = self.hub()
        subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-r", "-t", "kept", "-m", "yes"], check=True)
        listener = self.device(port, "listener", 60, subscribe="#").up()
        wait_for("retained message", lambda: [m for _, m in listener.seen["message"] if m.retain and m.payload == b"yes"])
        doomed = subprocess.Popen(["mosquitto_sub", "-h", "127.0.0.1", "-p", str(port), "-t", "nothing", "-i", "doomed",
                                   "--will-topic", "will", "--will-payload", "gone"])
        wait_for("the doomed", lambda: run.out.find("doomed"))
        doomed.kill()
        doomed.wait()
        wait_for("the will", lambda: [m for _, m in listener.seen["message"] if m.payload == b"gone"])
        sleeper = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(port), "-i", "sleeper", "-c", "-q", "1", "-t", "mail"]
        subprocess.run([*sleeper, "-E"], check=True)
        subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-q", "1", "-t", "mail", "-m", "letter"],
                       check=True)
        out = subprocess.run([*sleeper, "-C", "1", "-W", "10"], capture_output=True, text=True, check=True).stdout
        self.assertEqual(out, "letter\n")

    def test_keep_alive_is_enforced_at_one_and_a_half(self):
        port, _ = self.hub()
        raw = socket.create_connection(("127.0.0.1", port))
        raw.sendall(b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x02\x00\x02ka")
        self.assertEqual(raw.recv(4), b"\x20\x02\x00\x00")
        started = time.time()
        raw.settimeout(10)
        self.assertEqual(raw.recv(1), b"")
        self.assertAlmostEqual(time.time() - started, 3.0, delta=0.1)

    def test_paho_with_version_5(self):
        port, _ = self.hub()
        listener = self.device(port, "five", 60, subscribe="v5/#", protocol=paho.MQTTv5).up()
        time.sleep(0.3)
        sender = self.device(port, "sender", 60, protocol=paho.MQTTv5).up()
        for qos in (0, 1, 2):
            sender.client.publish("v5/x", f"q{qos}", qos).wait_for_publish(10)
        wait_for("messages", lambda: len(listener.seen["message"]) == 3)


class EmbeddedDevices(Case):
    def test_a_fleet_before_mosquitto(self):
        broker = self.broker()
        run = self.brownout("device", "--connect", f"127.0.0.1:{broker.port}", "--count", "50", "--workload",
                            "publishing", "--qos", "2", "--rate", "5", "--duration", "3s")
        self.assertEqual(run.wait(), 0, run.err.text())
        self.assertEqual(len(broker.log.told(r"New client connected .* as device-\d+ ", 50)), 50)
        self.assertEqual(len(broker.log.told(r"Received DISCONNECT from device-", 50)), 50)
        self.assertGreater(len(broker.log.find(r"Sending PUBCOMP to device-")), 200)


class Privileges(Case):
    """Packet fidelity for a user without any capability, told from the device's own kernel."""

    def test_a_packet_blackhole_without_privileges(self):
        broker = self.broker()
        binary = os.path.join(self.folder, "brownout")
        subprocess.run(["cp", BROWNOUT, binary], check=True)
        os.chmod(self.folder, 0o777)
        folder = os.path.join(self.folder, "report")
        drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
        run = Brownout.__new__(Brownout)
        run.folder = folder
        run.process = subprocess.Popen(
            [*drop, binary, "run", "keepalive-blackhole", "--listen", "127.0.0.1:0", "--upstream",
             f"127.0.0.1:{broker.port}", "--set", "dark.fidelity=packet", "--set", "dark.delay=500ms", "--set",
             "dark.for=3s", "--set", "settle=2s", "--report", folder, "--duration", "30s"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(lambda: run.process.poll() is None and run.process.kill())
        run.out, run.err = Lines(run.process.stdout), Lines(run.process.stderr)
        device = self.device(run.port(), "paho-1", 60).up()
        wait_for("the dark", lambda: run.err.find("dark: "))
        time.sleep(0.2)
        device.client.publish("lab/x", "into the dark", 1)
        time.sleep(1.5)
        sent = device.client.socket()
        # struct tcp_info (linux/tcp.h): tcpi_retransmits is byte 2, tcpi_unacked the u32 at 24.
        info = sent.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
        self.assertGreater(int.from_bytes(info[24:28], sys.byteorder), 0, "unacknowledged")
        self.assertGreater(info[2], 0, "retransmitted")
        self.assertIn(run.wait(), (0, 1))
        events = run.events()
        applied = self.first(events, event="fault_applied")
        self.assertEqual(applied["fidelity"], "packet")
        self.assertEqual(applied["means"], {"device": "min_ttl", "hub": "min_ttl"})
        # Healed, and no byte lost: the message was acknowledged in the end.
        self.assertTrue(device.seen["acknowledged"])


class Rumqttc(Case):
    def test_the_same_tests_with_mosquitto_as_the_hub(self):
        broker = self.broker()
        cargo = subprocess.run(["cargo", "test", "--locked", "--test", "proxy_with_rumqttc"], capture_output=True, text=True,
                               env={**os.environ, "BROWNOUT_TEST_HUB": f"127.0.0.1:{broker.port}"})
        self.assertEqual(cargo.returncode, 0, cargo.stdout + cargo.stderr)
        self.assertIn("3 passed", cargo.stdout)
        broker.log.told("Client measured has exceeded timeout")


if __name__ == "__main__":
    sys.exit(main([Profiles, BadDays, Commands, EmbeddedHub, EmbeddedDevices, Privileges, Rumqttc]))
