"""`brownout keepalive live`: what is predicted for foreign clients and a foreign hub, against what they do.

Usage: keepalive.py PATH-TO-BROWNOUT [TEST ...]

mosquitto is the hub; mosquitto_sub and paho are the devices, each taken for what `--client` knows of it. Every detection,
of the device and of the hub, has to be within WITHIN of its prediction, and every outage that is predicted to be borne
has to be borne. That this can fail is tried with the habits of another client.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import bench
from bench import BROWNOUT, free_port, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
# paho as its programs use it; it takes all that it is given in its environment.
PAHO = [sys.executable, os.path.join(HERE, "suite_client.py")]
# Both clients look at their timers once a second, and libmosquitto counts whole seconds: a second that the simulation does
# not know, and half of one for the machine.
WITHIN = 1.5


def mosquitto_sub(*more, keep_alive="$BROWNOUT_KEEPALIVE", name='-i "$BROWNOUT_CLIENT_ID"'):
    given = " ".join(more)
    return ["sh", "-c", f'exec mosquitto_sub -h "$BROWNOUT_HOST" -p "$BROWNOUT_PORT" -k {keep_alive} {name} '
                        f'-t "$BROWNOUT_TOPIC" {given}']


class Live(bench.Case):
    def live(self, arguments, command, prefix=(), env=None, within=WITHIN, code=0, meanwhile=None):
        """A run before mosquitto: what it showed, and its JSON. `meanwhile` is done beside it, with the broker."""
        broker = self.broker()
        if meanwhile:
            beside = threading.Thread(target=meanwhile, args=(broker,))
            beside.start()
            self.addCleanup(beside.join)
        path = os.path.join(self.folder, "live.json")
        call = [*prefix, BROWNOUT, "keepalive", "live", "--upstream", f"127.0.0.1:{broker.port}", "--hub", "mosquitto",
                "--within", f"{within}s", "--json", path, *arguments]
        call += ["--", *command] if command else []
        done = subprocess.run(call, capture_output=True, text=True, timeout=220, env={**os.environ, **(env or {})})
        self.shown = done.stdout + done.stderr
        print(done.stdout, flush=True)
        self.assertEqual(done.returncode, code, self.shown)
        if meanwhile:
            beside.join()
        for line in done.stdout.splitlines():
            self.assertLessEqual(len(line), 80, line)
        if not os.path.exists(path) or os.path.getsize(path) == 0:
            return None
        with open(path) as file:
            return json.load(file)

    def both_sides(self, live, keep_alives):
        """Each end bore an outage and noticed another, at each keep-alive."""
        self.assertEqual({row["keep_alive"] for row in live["rows"]}, set(keep_alives), self.shown)
        for keep_alive in keep_alives:
            rows = [row for row in live["rows"] if row["keep_alive"] == keep_alive]
            for end in ("device", "hub"):
                self.assertTrue([row for row in rows if row[end]["measured"]], f"{end} {keep_alive}: {self.shown}")
                self.assertTrue([row for row in rows if row[end]["measured_never"]], f"{end} {keep_alive}: {self.shown}")

    def test_paho(self):
        live = self.live(["--keep-alive", "4s,7s", "--client", "paho-python", "--rounds", "2"], PAHO)
        self.both_sides(live, [4, 7])

    def test_mosquitto_sub(self):
        live = self.live(["--keep-alive", "5s,8s", "--client", "mosquitto", "--rounds", "2"], mosquitto_sub())
        self.both_sides(live, [5, 8])

    def test_bytes_that_wait_where_no_segment_may_be_dropped(self):
        bare = ["setpriv", "--inh-caps=-net_admin,-net_raw", "--bounding-set=-net_admin,-net_raw"]
        if os.geteuid() != 0:
            bare = []
        live = self.live(["--keep-alive", "5s", "--client", "mosquitto"], mosquitto_sub(), prefix=bare)
        self.assertEqual({row["fidelity"] for row in live["rows"]}, {"stall"})
        self.both_sides(live, [5])

    def test_server_keep_alive(self):
        live = self.live(["--keep-alive", "6s", "--client", "mosquitto", "--mode", "server-keep-alive"],
                         mosquitto_sub("-V", "mqttv5"))
        self.assertEqual(live["mode"], "server_keep_alive")
        self.both_sides(live, [6])

    def test_a_device_that_is_there_is_stepped_by_server_keep_alive(self):
        port = free_port()
        device = subprocess.Popen(["mosquitto_sub", "-h", "127.0.0.1", "-p", str(port), "-V", "mqttv5", "-k", "60",
                                   "-i", "there", "-t", "t"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (device.terminate(), device.wait()))
        # It gives up at once where nobody listens: it is started anew until somebody does.
        device.wait(5)
        again = subprocess.Popen(
            ["sh", "-c", f"while true; do mosquitto_sub -h 127.0.0.1 -p {port} -V mqttv5 -k 60 -i there -t t; sleep 0.2; done"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0)
        self.addCleanup(lambda: (os.killpg(again.pid, 15), again.wait()))
        live = self.live(["--keep-alive", "5s", "--client", "mosquitto", "--listen", f"127.0.0.1:{port}",
                          "--outage", "3s,14s"], [])
        self.assertEqual([row["verdict"] for row in live["rows"]], ["agrees", "agrees"])

    def test_a_device_that_ignores_server_keep_alive_is_found_out(self):
        # paho 2.1 reads the property, and does nothing with it.
        self.live(["--keep-alive", "4s", "--client", "paho-python", "--mode", "server-keep-alive"], PAHO,
                  env={"BROWNOUT_MQTT": "5"}, code=1)
        self.assertIn("ignores Server Keep Alive", self.shown)

    def test_a_device_with_a_keep_alive_of_its_own_is_judged_with_it(self):
        live = self.live(["--keep-alive", "4s", "--client", "mosquitto", "--outage", "4s,16s"],
                         mosquitto_sub(keep_alive="6"))
        self.assertEqual({row["keep_alive"] for row in live["rows"]}, {6})
        self.assertIn("judged with its own", " ".join(live["notes"]))

    def test_a_broker_that_dies_in_an_outage_is_no_evidence(self):
        """Its end comes when its time-out might have: nothing but the broker's absence tells them apart."""
        report = os.path.join(self.folder, "report")

        def kill(broker):
            events = os.path.join(report, "4s-12s-1", "events.jsonl")

            def struck():
                if os.path.exists(events):
                    with open(events) as file:
                        return '"fault_applied"' in file.read()

            bench.wait_for("outage", struck)
            time.sleep(3)
            broker.stop(signal.SIGKILL)
            # A connect in between shows that it is away.
            time.sleep(0.5)
            broker.start()

        live = self.live(["--keep-alive", "4s", "--client", "paho-python", "--outage", "12s", "--rounds", "2", "--jobs", "1",
                          "--report", report], PAHO, code=1, meanwhile=kill)
        first, second = live["rows"]
        self.assertIn("the hub was not there all the while", first["no_evidence"])
        self.assertEqual([first[what]["verdict"] for what in ("device", "hub", "recovery")], ["inconclusive"] * 3)
        self.assertEqual((second["verdict"], second.get("no_evidence")), ("agrees", None), self.shown)
        self.assertRegex(self.shown, "(?m)^unclear$")

    def test_a_wrong_prediction_fails(self):
        live = self.live(["--keep-alive", "5s", "--client", "mqtt.js", "--outage", "12s"], mosquitto_sub(),
                         within=1.5, code=1)
        self.assertEqual([row["device"]["verdict"] for row in live["rows"]], ["differs"])
        self.assertGreater(abs(live["rows"][0]["device"]["difference_ns"]), 1.5e9)


if __name__ == "__main__":
    sys.exit(bench.main([Live], workers=8))
