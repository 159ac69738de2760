"""Runs the interoperability tests, and knows whether the machine let them.

A test that fails while the machine was held up has measured the machine: it is done again, alone, once the machine is calm, TRIES
times in all, and that is said. One that fails while nothing was held up has failed, and one that is wrong fails each time.
"""

import concurrent.futures
import os
import statistics
import threading
import time
import unittest

TRIES = 3
# So late a thread that only sleeps wakes where somebody else has the processor, in seconds: less than any tolerance here.
LATE = 0.03
# Such a share of the time somebody who could have run had to wait for a processor (the kernel's pressure stall information).
CROWDED = 0.25
TICK = 0.01
# The machine is calm that has held nothing up for so long; and so long that is waited for, in all, in seconds.
CALM = 5.0
PATIENCE = 180.0


class Machine:
    """A thread for each core that only sleeps, and the kernel's own account of waiting."""

    def __init__(self):
        self.late, self.wakes = [], []
        for core in os.sched_getaffinity(0):
            threading.Thread(target=self._sleep, args=(core,), daemon=True).start()

    def _sleep(self, core):
        # Of this thread alone: what takes a core from us holds up what is on it, and nothing else.
        os.sched_setaffinity(0, {core})
        while True:
            due = time.monotonic() + TICK
            time.sleep(TICK)
            now = time.monotonic()
            self.wakes.append(now - due)
            if now - due > LATE:
                self.late.append((due, now))

    def typical(self):
        """How late half of all wakes were so far, at most, in seconds."""
        return statistics.median(self.wakes or [0.0])

    def moment(self):
        return time.monotonic(), self._waited()

    def _waited(self):
        """How long somebody had to wait for a processor so far, in seconds; None where the kernel does not say."""
        try:
            with open("/proc/pressure/cpu", encoding="ascii") as file:
                return int(file.readline().rsplit("total=", 1)[1]) / 1e6
        except (OSError, IndexError, ValueError):
            return None

    def calm_down(self, patience):
        """Waits until the machine is calm, but no longer than this; what is left of it."""
        began = time.monotonic()
        while (now := time.monotonic()) < began + patience:
            since = max(began - CALM, max((end for _, end in list(self.late)), default=0.0))
            if now - since >= CALM:
                break
            time.sleep(TICK)
        return max(0.0, patience - (time.monotonic() - began))

    def held_up(self, since):
        """What the machine did to whoever ran since that moment, in words; empty where it was nothing."""
        # A thread that is held up right now tells so when it is not any more.
        time.sleep(3 * TICK)
        (began, before), (now, after) = since, self.moment()
        told = []
        late = [(end - due, due) for due, end in list(self.late) if end > began]
        if late:
            worst, due = max(late)
            told.append(f"held up {len(late)} times, by up to {worst * 1000:.0f} ms, {due - began:.1f} s after the beginning")
        if before is not None and after - before > CROWDED * (now - began):
            told.append(f"crowded {(after - before) / (now - began):.0%} of the time")
        return ", ".join(told)


MACHINE = Machine()


class Case:
    """A test, and how it went when it was run last."""

    def __init__(self, label, case):
        self.label, self.case = label, case
        self.name = case.id().removeprefix("__main__.")

    def run(self):
        started, since, result = time.monotonic(), MACHINE.moment(), unittest.TestResult()
        type(self.case)(self.case._testMethodName).run(result)
        bad, self.skipped = result.failures + result.errors, bool(result.skipped)
        took = time.monotonic() - started
        self.failed, self.held_up = bool(bad), bad and MACHINE.held_up(since)
        word = "FAILED" if bad else "SKIPPED" if self.skipped else "ok"
        lines = [f"{self.label} {self.name} ... {word} ({took:.1f} s)"]
        lines += [trace for _, trace in bad] + [f"  {reason}" for _, reason in result.skipped]
        print("\n".join(lines), flush=True)


def run(cases, workers, label="interop"):
    """Runs the tests, so many at once; the exit code."""
    cases = [Case(label, case) for case in cases]
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        list(pool.map(Case.run, cases))
    patience = PATIENCE
    for _ in range(1, TRIES):
        for case in cases:
            if case.failed and case.held_up:
                patience = MACHINE.calm_down(patience)
                print(f"AGAIN, alone: {case.name}, since the machine was {case.held_up}", flush=True)
                case.run()
    failed, skipped = (sum(getattr(case, what) for case in cases) for what in ("failed", "skipped"))
    print(f"{len(cases) - failed - skipped} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not cases else 0
