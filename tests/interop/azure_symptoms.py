"""The symptoms of error 404104 with the Azure device SDK: shipped profiles, shortened, and fault-injection messages."""

import os

from azure_bench import KEEP_ALIVE, KEY, PATIENCE, RETRY, Case

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
        self.assertEqual(found, code, run.text())
        return hub, report, run

    def test_accept_then_reset(self):
        self.shortly("accept-then-reset", "refused.delay=1s", "reset.delay=1100ms", "refused.for=8s", "settle=6s")

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
        """A token that the SDK cannot renew: the application gives it a new one when it has lost the link."""
        hub, report, run = self.shortly("sas-token-expiry", "expired.grace=0s", device=("--fixed-token", "6"), limit=25,
                                        ended="duration")
        [windows] = [entry["windows"] for entry in report["rules"] if entry["id"] == "expired"]
        self.assertGreaterEqual(len(windows), 3)
        # The SDK's first reconnect comes before the application's new token.
        self.assertEqual(len(run.find("the token has expired: a new one")), len(windows))

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
            self.assertIn("never_watched_s", window["resubscribe_s"])

    def test_slow_consumer(self):
        self.shortly("slow-consumer", "narrow.for=4 keepalive", "settle=5s", device=("--every", "9"))

    def test_slow_loris_hub(self):
        self.shortly("slow-loris-hub", "silent.for=4 keepalive", "settle=14s")

    def test_swallow_connect(self):
        self.shortly("swallow-connect", "swallowed.for=4 keepalive", "settle=14s")

    def test_takeover_fight(self):
        """It comes back at once each time, so that the two fight as fast as the rival lets them."""
        hub, report, run = self.shortly("takeover-fight", "rival.for=12s", "settle=10s", code=1)
        [window] = self.windows(report, "rival")
        self.seconds(window["downtime_s"], 0, 0.5, "downtime: no back-off")
        taken = report["devices"][0]["ends"]["taken over by another client (rival)"]
        self.assertEqual(taken, len([line for line in run.find("  disconnected")]) - 1, "and one goodbye")
        self.assertGreaterEqual(taken, 4)


class FaultMessages(Case):
    """What the SDKs' own end-to-end tests ask a hub for, asked of brownout."""

    def asked(self, *faults, every=12, lasting=None, well=True):
        hub, port = self.hub()
        with open(os.path.join(self.folder, "watch.yaml"), "w", encoding="utf-8") as file:
            file.write(f"brownout: 1\nname: watch\nsummary: Nothing by itself.\n")
        device = [part for fault in faults for part in ("--fault", fault)]
        code, report, run = self.run_profile("watch.yaml", port, "--azure-fault-messages", "dev*",
                                             device=(*device, "--fault-every", str(every)), ended="duration", limit=lasting, well=well)
        self.assertEqual(code, 0, run.text())
        return hub, report, run

    def test_kill_tcp(self):
        self.asked("KillTcp:1:0", lasting=12)

    def test_shut_down_mqtt(self):
        self.asked("ShutDownMqtt:1:6", lasting=18)

    def test_invoke_throttling(self):
        self.asked("InvokeThrottling:1:6", lasting=18)

    def test_invoke_auth_error(self):
        self.asked("InvokeAuthError:1:6", lasting=18)
