"""The shipped suite `client` against paho: which of its cells pass, and which do not for reasons that are known.

    suite.py PATH-TO-BROWNOUT [DIR]

paho 2.1 is expected to pass everywhere but where it sends PINGREQ late. Its loop looks at its timers after each wait of
up to a second (`_loop`, then `_check_keepalive`), and pings once a keep-alive K is over: between K and K + 1 s after its
last packet. With a subscription of QoS 0, where it sends nothing else, that is up to 1.25 K at K = 4 s: over what
[MQTT-3.1.2-23] allows, and under the 1.5 K after which a hub closes. How late depends on when messages come.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

from runner import MACHINE

BROWNOUT = os.path.abspath(sys.argv[1])
HERE = os.path.dirname(os.path.abspath(__file__))
CLIENT = [sys.executable, os.path.join(HERE, "suite_client.py")]

# Cells that need not pass, with what has to be among the reasons where they do not.
KNOWN = {"starved-ping/sub": "keepalive"}
# What a machine that does not keep up may leave unclear, of all 36; a run that was disturbed proves nothing either way.
MOST_UNCLEAR = 6
# The whole suite takes minutes.
TRIES = 2
# The suite's own promise, at a keep-alive of 4 s.
LONGEST = 600


def cells(card):
    return {f"{row['entry']}/{cell['workload']}": cell for row in card["rows"] for cell in row["cells"]}


def wrongs(card):
    """What is not as expected, in sentences."""
    found, unclear = [], 0
    for name, cell in cells(card).items():
        verdict, why = cell["verdict"], "; ".join(cell["why"])
        known = KNOWN.get(name)
        if name == "server-keepalive/idle":
            if verdict != "not_applicable":
                found.append(f"{name}: {verdict}, and paho speaks 3.1.1 here")
        elif verdict == "inconclusive" and "did not keep up" in why:
            unclear += 1
        elif name.startswith("control/") and cell["findings"]:
            found.append(f"{name}: a finding on a sound link: {why}")
        elif verdict in ("pass", "warn"):
            continue
        elif known is None or known not in why:
            found.append(f"{name}: {verdict}: {why}")
    if unclear > MOST_UNCLEAR:
        found.append(f"{unclear} cells are unclear since the machine did not keep up")
    if len(cells(card)) != 36:
        found.append(f"{len(cells(card))} cells")
    return found


def judged(folder):
    """The exit code. A suite that the machine held up proves nothing where it is not as expected: it is run once more."""
    for left in reversed(range(TRIES)):
        since = MACHINE.moment()
        if not run(folder):
            return 0
        held_up = MACHINE.held_up(since)
        if not held_up or not left:
            return 1
        print(f"AGAIN, since the machine was {held_up}", flush=True)


def run(folder):
    """Runs it, and says what is wrong; how much that is."""
    began = time.time()
    call = [BROWNOUT, "suite", "client", "--report", folder, "--", *CLIENT]
    done = subprocess.run(call, stdout=subprocess.PIPE, text=True, timeout=LONGEST + 60)
    print(done.stdout, flush=True)
    with open(os.path.join(folder, "scorecard.json"), encoding="utf-8") as file:
        card = json.load(file)
    found = wrongs(card)
    if time.time() - began > LONGEST:
        found.append(f"it took {time.time() - began:.0f} s")
    wide = [line for line in done.stdout.splitlines() if len(line) > 80]
    found += [f"wider than 80: {line}" for line in wide]
    for line in found:
        print(f"WRONG {line}", flush=True)
    print(f"suite against paho: {len(cells(card))} cells, {len(found)} wrong, {time.time() - began:.0f} s", flush=True)
    return len(found)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(judged(sys.argv[2]))
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(judged(folder))
