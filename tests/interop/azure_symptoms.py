"""The symptoms of error 404104 with the Azure device SDK: shipped profiles, shortened, and fault-injection messages."""

import os
import re

from azure_bench import RETRY, ROOT, Case

# So seldom that the SDK pings.
IDLE = ("--every", "200")

# With a keep-alive of which a tenth is more than a second: paho looks each second.
QUIET = (*IDLE, "--keep-alive", "12")


class Symptoms(Case):
    """Each shipped profile of a symptom. The SDK ends connected, and its last message acknowledged."""

    def shortly(self, profile, *sets, code=0, **options):
        hub, port = self.hub()
        put = [part for each in sets for part in ("--set", each)]
        found, report, run = self.run_profile(profile, port, *put, **options)
        if code is not None:
            self.assertEqual(found, code, run.text())
        return hub, report, run

    def test_accept_then_reset(self):
        self.shortly("accept-then-reset", "refused.delay=1s", "reset.delay=1100ms", "refused.for=8s", "settle=6s")

    def test_control(self):
        _, report, _ = self.shortly("control", limit=20, ended="duration")
        self.assertEqual(report["findings"], [])

    def test_deaf_hub(self):
        self.shortly("deaf-hub", "settle=12s")

    def test_fin_without_disconnect(self):
        self.shortly("fin-without-disconnect", "closed.delay=2s", "settle=5s")

    def test_server_keepalive(self):
        """The SDK speaks MQTT 3.1.1: it cannot be told, keeps its own, and its messages keep the hub content."""
        self.shortly("server-keepalive", code=None, limit=20, ended="duration")

    def test_device_crash(self):
        self.shortly("device-crash", "vanished.delay=12s", "away.delay=12s", "away.for=1.5 keepalive + 3s", "settle=8s")

    def test_flapping_link(self):
        self.shortly("flapping-link", "gap.at=4s", "gap.every=6s", "gap.jitter=1s", "gap.times=3", "settle=8s")

    def test_hub_transient_failure(self):
        self.shortly("hub-transient-failure", "refused.at=4s", "refused.for=4s", "unavailable.at=16s",
                     "unavailable.for=4s", "quota.at=28s", "quota.for=4s", "silent.at=40s", "silent.for=8s",
                     "dropped.at=5s", "dropped.every=12s", "settle=10s")

    def test_keepalive_blackhole_above(self):
        self.shortly("keepalive-blackhole-above", "settle=12s", device=IDLE)

    def test_keepalive_blackhole_below(self):
        self.shortly("keepalive-blackhole-below", "settle=12s", device=IDLE)

    def test_lossy_cellular(self):
        self.shortly("lossy-cellular", "late.for=30s", "narrow.for=30s", "lost.for=30s", device=QUIET)

    def test_lost_pingresp(self):
        self.shortly("lost-pingresp", "settle=8s", device=IDLE)

    def test_lost_puback(self):
        self.shortly("lost-puback", "lost.for=6s", "reset.delay=8s", "settle=6s")

    def test_mid_packet_cut(self):
        self.shortly("mid-packet-cut", "half-up.for=15s", "half-down.for=15s", "settle=5s")

    def test_nat_idle_timeout(self):
        self.shortly("nat-idle-timeout", "forgets.after=0.7 keepalive", "settle=10s", device=IDLE)

    def test_one_way(self):
        self.shortly("one-way", "up-dead.delay=8 keepalive + 10s", "settle=10s")

    def test_reset_during_resend(self):
        self.shortly("reset-during-resend", "unacknowledged.for=6s", "reset.delay=4s", "again.for=15s", "settle=6s")

    def test_sas_token_expiry(self):
        """The SDK renews 120 s before the end, by a connection of its own: of a token of 128 s each 8 s, and in time."""
        with open(os.path.join(ROOT, "profiles", "sas-token-expiry.yaml"), encoding="utf-8") as file:
            shipped = file.read()
        with open(os.path.join(self.folder, "renewed.yaml"), "w", encoding="utf-8") as file:
            file.write(shipped + '  - { metric: token_margin, min: ">= 118s", max: "<= 121s", count: ">= 2" }\n')
        _, report, run = self.shortly("renewed.yaml", device=("--token-lifetime", "128"), limit=20, ended="duration")
        [device] = report["devices"]
        self.assertEqual(device["links"], 3)
        self.assertEqual(device["ends"], {"clean DISCONNECT": 2, "clean DISCONNECT after the command was told to end": 1})
        self.assertEqual(run.find("(?:message|fault) .* failed .*"), [])
        events = self.events()
        accepted = [event["t"] / 1e9 for event in events if event["event"] == "packet" and event["packet"] == "connack"]
        for earlier, later in zip(accepted, accepted[1:]):
            self.seconds(later - earlier, 7, 9, "from one token to the next")

    def test_sas_token_that_ends(self):
        """A token that the SDK cannot renew. It connects again at once, now and then faster than the application gives it
        the new one, with the stale one."""
        _, report, run = self.shortly("sas-token-expiry", code=None, device=("--fixed-token", "6"), limit=25,
                                      ended="duration")
        ends = report["devices"][0]["ends"]
        cut, refused = (ends.get(words, 0) for words in ("token expired (expired)", "refused, token expired (expired)"))
        self.assertGreaterEqual(cut, 3)
        self.assertEqual(len(run.find("the token has expired: a new one")), cut)
        stale = next(row for row in report["expectations"] if row["metric"] == "stale_tokens")
        self.assertEqual(stale["judgement"], "unmet" if refused else "met")
        # The hub ends it in the same second by itself, and may have told the device of it just before.
        cuts = [event for event in self.events() if event["event"] == "leg_cut" and event["fate"] == "close"]
        closed = list({event["link"]: event["t"] / 1e9 for event in reversed(cuts)}.values())[::-1]
        # Five times five seconds: the last may fall together with the end of the run, of which the device says nothing more.
        self.assertIn(len(closed), (cut, cut + 1))
        for earlier, later in zip(closed, closed[1:]):
            # The token says its end in whole seconds.
            self.seconds(later - earlier, 5, 7.1, "the regular interval")

    def test_satellite(self):
        self.shortly("satellite", "far.for=30s", "narrow.for=30s", device=QUIET)

    def test_service_upgrade(self):
        self.shortly("service-upgrade", "upgraded.at=5s", "rejected.at=14s", "closed-again.at=15s", "rejected.for=5s",
                     "settle=10s")

    def test_session_lost(self):
        """The SDK does not look at Session Present, and does not subscribe again: twin answers stay away from then on."""
        _, report, _ = self.shortly("session-lost", "reset.delay=2s", "settle=11s", code=1, device=("--twin",))
        for window in self.windows(report, "reset", 3):
            self.assertEqual(window["outcome"], "back")
        findings = {row["metric"]: (row["judgement"], row["samples"]) for row in report["expectations"]}
        self.assertEqual(findings["downtime"], ("met", 3))
        self.assertEqual(findings["resubscribe"], ("unmet", 3))

    def test_slow_consumer(self):
        self.shortly("slow-consumer", "narrow.for=4 keepalive", "settle=5s", device=("--every", "9"))

    def test_slow_loris_hub(self):
        self.shortly("slow-loris-hub", "silent.for=4 keepalive", "settle=14s")

    def test_swallow_connect(self):
        self.shortly("swallow-connect", "swallowed.for=4 keepalive", "settle=14s")

    def test_takeover_fight(self):
        """It comes back at once each time, so that the two fight as fast as the rival lets them."""
        hub, report, run = self.shortly("takeover-fight", "rival.for=12s", "settle=10s", code=1)
        taken = report["devices"][0]["ends"]["taken over by another client (rival)"]
        for window in self.windows(report, "rival", taken):
            self.seconds(window["downtime_s"], 0, 0.5, "downtime: no back-off")
        self.assertEqual(taken, len([line for line in run.find("  disconnected")]) - 1, "and one goodbye")
        self.assertGreaterEqual(taken, 4)


# From one message to the next. A fault comes a whole number of seconds after the start, and the SDK's own retries are a
# whole number of seconds apart: messages each second may be sent at the very moments of both. What the SDK makes of a
# message in the moment of a loss is a race of its own; and a retry that finds a message's connect under way is put off until
# the next is due, where it finds the next message's, and so on: it then never tries by itself.
APART = ("--every", "0.7")


class FaultMessages(Case):
    """What the SDKs' own end-to-end tests ask a hub for, asked of brownout: each fault after a second."""

    def asked(self, operation, duration, limit):
        """What the device's SDK says, as (time, line), with the hub, the report and the events."""
        hub, port = self.hub()
        with open(os.path.join(self.folder, "watch.yaml"), "w", encoding="utf-8") as file:
            file.write("brownout: 1\nname: watch\nsummary: Nothing by itself.\n")
        code, report, run = self.run_profile(
            "watch.yaml", port, "--azure-fault-messages", "dev*", device=("--fault", f"{operation}:1:{duration}", *APART),
            ended="duration", limit=limit)
        self.assertEqual(code, 0, run.text())
        events = self.events()
        [message] = [event for event in events if event["event"] == "fault_message"]
        self.assertEqual((message["operation"], message.get("ignored")), (operation, None))
        opened = next(event for event in events if event["event"] == "window_opened")
        self.seconds((opened["t"] - message["t"]) / 1e9, 1, 1.1, "the delay that was asked for")
        said = [(float(at), line) for at, line in run.find(r"^ *(\d+\.\d{3})  (.*)$")]
        self.assertTrue(any(re.fullmatch(f"fault {operation} acknowledged after 0.*", line) for _, line in said))
        return said, hub, report

    def when(self, said, pattern):
        return [at for at, line in said if re.search(pattern, line)]

    def outage(self, said, hub, least, most):
        """The SDK's own outage, from a second after it asked on; the last disconnect is its goodbye."""
        [asked] = self.when(said, r"^fault \w+ asked for$")
        down, up = self.when(said, "^disconnected$"), self.when(said, "^connected$")
        self.assertEqual(len(up), 2, said)
        self.seconds(down[0] - asked, 0.9, 1.4, "the first disconnected")
        self.seconds(up[1] - down[0], least, most, "connected again")
        return down[0], up[1]

    def test_kill_tcp(self):
        said, hub, report = self.asked("KillTcp", 0, 12)
        # It connects again at once, so fast that its handler may find it connected when it is told of the loss: only that it
        # has connected anew can be counted on. No message is lost.
        [asked] = self.when(said, r"^fault \w+ asked for$")
        up = self.when(said, "^connected$")
        self.assertGreaterEqual(len(up), 2, said)
        self.seconds(up[1] - asked, 0.9, 1.9, "connected again")
        self.assertEqual(self.when(said, r"^message \d+ failed"), [])
        [window] = self.windows(report, "azure-kill-tcp")
        self.seconds(window["downtime_s"], 0, 0.5, "downtime")
        self.assertEqual(self.ends(hub, "reset without DISCONNECT"), 1, hub.text())

    def test_shut_down_mqtt(self):
        said, hub, report = self.asked("ShutDownMqtt", 6, 18)
        # Each message makes it connect beside its own retries, and fails with the connect.
        down, up = self.outage(said, hub, 6, 6 + RETRY + 1)
        failed = self.when(said, r"^message \d+ failed after 0\.\d+ s: ConnectionDroppedError")
        self.assertGreaterEqual(len(failed), 4)
        self.assertTrue(all(down <= at <= up for at in failed))
        [window] = self.windows(report, "azure-shut-down-mqtt-for")
        self.seconds(window["recovery_s"], 0, RETRY + 1, "recovery")
        self.assertGreater(report["devices"][0]["links"], 2 + len(failed), "messages' connects, and the SDK's own")
        self.assertEqual(self.ends(hub, "closed without DISCONNECT"), 1, hub.text())

    def test_invoke_throttling(self):
        said, hub, report = self.asked("InvokeThrottling", 6, 18)
        # On a live link nothing is sent again, and the SDK has no limit for an acknowledgement: they wait for ever.
        [window] = self.windows(report, "azure-throttling")
        dropped = window["altered"]["dropped"]
        self.assertGreaterEqual(dropped, 5)
        cancelled = self.when(said, r"^message \d+ failed after \d+\.\d+ s: OperationCancelled")
        self.assertEqual(len(cancelled), dropped)
        goodbye = self.when(said, r"\d+ sent, last acknowledged")[0]
        self.assertTrue(all(at >= goodbye for at in cancelled), "not before its own end")
        self.assertEqual(report["devices"][0]["links"], 1)
        self.assertEqual(len(hub.told("dev1: connected,", 1)), 1)

    def test_invoke_auth_error(self):
        said, hub, report = self.asked("InvokeAuthError", 6, 18)
        down, up = self.outage(said, hub, 6, 6 + RETRY + 1)
        failed = self.when(said, r"^message \d+ failed after 0\.\d+ s: CredentialError.*not authorised")
        self.assertGreaterEqual(len(failed), 4)
        self.assertTrue(all(down <= at <= up for at in failed))
        ends = report["devices"][0]["ends"]
        refused = [count for end, count in ends.items() if "azure-auth-error-for" in end]
        self.assertEqual(len(refused), 1, ends)
        # Refused, it gives up its own retries: what comes is what messages ask for, and the first two.
        self.seconds(refused[0], len(failed), len(failed) + 2, "refused connects")
        told = [entry for entry in report["azure"]["entries"] if entry["code"] == 401003]
        self.assertGreaterEqual(sum(entry["count"] for entry in told), refused[0])
