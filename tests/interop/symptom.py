"""What the tests of symptoms share: runs of a profile before a broker, and what their events say."""

from bench import wall_clock
from secured import TlsCase

KEEP_ALIVE = 5


class Symptom(TlsCase):
    def shortly(self, profile, broker, *sets, **options):
        """A run of a profile with these values put into it."""
        arguments = [part for each in sets for part in ("--set", each)]
        return self.start(profile, broker, *arguments, "--seed", "1", "--duration", "100s", **options)

    def over(self, run, code=0):
        """The events and the report of a run that ends by itself, with this exit code."""
        self.assertEqual(run.wait(), code, run.out.text() + run.err.text())
        return run.events(), run.report()

    def applied(self, events, rule):
        """The times at which the rule's fault came to hold, in seconds of the wall clock."""
        windows = {event["window"] for event in events if event["event"] == "window_opened" and event["rule"] == rule}
        start = wall_clock(events)
        return [start + event["t"] / 1e9 for event in events
                if event["event"] == "fault_applied" and event["window"] in windows]

    def altered(self, events, done):
        return [event for event in events if event["event"] == "altered" and event["done"] == done]

    def packets(self, events, kind, direction):
        return [event for event in events if event["event"] == "packet" and event.get("packet") == kind
                and event["direction"] == direction]

    def windows(self, report, rule):
        return next(entry for entry in report["rules"] if entry["id"] == rule)["windows"]
