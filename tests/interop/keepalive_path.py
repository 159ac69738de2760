"""`brownout keepalive path` against a real firewall that forgets: conntrack in a router of its own.

Usage: keepalive_path.py PATH-TO-BROWNOUT [TEST ...]

A device, a router and a hub in namespaces of their own (netns.py), mosquitto as the hub. The router forgets established TCP
connections after some seconds (nf_conntrack_tcp_timeout_established, without picking up what it does not know:
nf_conntrack_tcp_loose=0) and drops or rejects what it has forgotten. The timeout is known, so the bracket has to be around it.

The kernel looks whether an entry has expired when a packet asks for it, by jiffies (1 to 10 ms), so conntrack itself adds no
error that matters; what is left is APART. Skipped aloud where there are no namespaces or no nftables.
"""

import json
import os
import signal
import sys
import time

import bench
import netns
from bench import wait_for
from netns import DEVICE, HUB, ROUTER

# How far a probe's idea of its idle span may be from the router's, in seconds: the acknowledgement of CONNACK passes after it,
# and two busy cores let a task wait.
APART = 0.06

PORT = 1883
TIMEOUT = 3
WITHIN = 0.2

DROP, RESET, ICMP = "drop", "reject with tcp reset", "reject with icmpx type admin-prohibited"

# Looked for once: tests beside one another would look under the same name.
MISSING = netns.missing()


class Path(netns.Case):
    def setUp(self):
        bench.Case.setUp(self)
        if MISSING:
            self.skipTest(f"SKIPPED: {MISSING}")

    def forgetful(self, verdict, timeout=TIMEOUT):
        """A lab whose router forgets after so many seconds, and then does this; mosquitto in it."""
        lab = self.lab(devices=1, hubs=1)
        table = (
            "table inet forgetful {\n chain forward {\n  type filter hook forward priority 0;\n"
            f"  meta l4proto tcp ct state established,related accept\n"
            f"  meta l4proto tcp ct state new tcp flags & (syn | ack) == syn accept\n"
            f"  meta l4proto tcp counter {verdict}\n }}\n}}\n"
        )
        lab.run(ROUTER, "nft", "-f", "-", input=table)
        for name, value in (("timeout_established", timeout), ("loose", 0)):
            lab.shell(ROUTER, f"echo {value} > /proc/sys/net/netfilter/nf_conntrack_tcp_{name}")
        self.hub(lab, ports=(PORT,))
        return lab

    def begin(self, lab, to="8s", within=WITHIN, family=4):
        host = lab.hub_address(family)
        upstream = f"[{host}]:{PORT}" if family == 6 else f"{host}:{PORT}"
        self.json = os.path.join(self.folder, "path.json")
        call = ["keepalive", "path", "--upstream", upstream, "--from", "1s", "--to", to, "--within", f"{within}s",
                "--answer-within", "1s", "--json", self.json]
        return lab.start(DEVICE, bench.BROWNOUT, *call)

    def ended(self, search, code=0, limit=60):
        """The answer of a search, as JSON."""
        search.wait(limit)
        search.out.thread.join(5), search.err.thread.join(5)
        self.shown = f"{search.err.text()}\n{search.out.text()}"
        self.assertEqual(search.returncode, code, self.shown)
        with open(self.json) as file:
            return json.load(file)

    def found(self, answer, truth=TIMEOUT):
        findings = answer["findings"]
        alive, lost = findings["alive_to_ns"] / 1e9, findings["always_lost_from_ns"] / 1e9
        print(f"  {truth} s in the router: alive up to {alive:.3f} s, lost from {lost:.3f} s, {findings['how']}, "
              f"{len(answer['probes'])} probes in {answer['circumstances']['took_ns'] / 1e9:.1f} s", flush=True)
        self.assertEqual(answer["found"], "forgets", self.shown)
        self.assertTrue(findings["complete"], self.shown)
        self.assertFalse(findings["contradicts"], self.shown)
        self.assertLess(alive, truth + APART, self.shown)
        self.assertGreaterEqual(lost, truth - APART, self.shown)
        self.assertLessEqual(lost - alive, WITHIN, self.shown)
        return findings

    def tidy(self, lab):
        """Nothing is left on the hub of what the path forgot."""
        wait_for("tidy hub", lambda: not lab.sockets(HUB, "state", "established", f"sport = :{PORT}"), 10)

    def test_a_firewall_that_drops_is_silence(self):
        lab = self.forgetful(DROP)
        answer = self.ended(self.begin(lab))
        self.assertEqual(self.found(answer)["how"], "silence", self.shown)
        # It counts every packet: data and TCP's own probes refresh it alike.
        self.assertEqual(answer["beside"]["data_refreshes"], True, self.shown)
        self.assertEqual(answer["beside"]["tcp_keepalive_refreshes"], True, self.shown)
        self.tidy(lab)

    def test_a_firewall_that_rejects_is_a_reset(self):
        lab = self.forgetful(RESET)
        answer = self.ended(self.begin(lab))
        self.assertEqual(self.found(answer)["how"], "reset", self.shown)
        self.tidy(lab)

    def test_a_firewall_that_answers_with_icmp_is_a_reset_over_ipv4_and_ipv6(self):
        for family in (4, 6):
            lab = self.forgetful(ICMP)
            answer = self.ended(self.begin(lab, family=family))
            self.assertEqual(self.found(answer)["how"], "reset", self.shown)

    def test_an_outage_is_not_taken_for_the_timeout(self):
        """All goes dark while probes are due: they are void, and the timeout is found all the same."""
        lab = self.forgetful(DROP)
        search = self.begin(lab)
        search.err.told("alive, answer in")
        time.sleep(0.3)
        lab.dark()
        time.sleep(2.5)
        lab.light()
        answer = self.ended(search)
        void = dict(self.found(answer)["void"])
        self.assertGreaterEqual(sum(void.values()), 1, self.shown)
        self.tidy(lab)

    def test_a_path_that_holds_is_told_so(self):
        lab = self.forgetful(DROP, timeout=600)
        answer = self.ended(self.begin(lab, to="4s"))
        self.assertEqual((answer["found"], answer["findings"]["lost_from_ns"]), ("holds", None), self.shown)
        self.assertGreaterEqual(answer["findings"]["longest_alive_ns"], 4e9 - APART * 1e9, self.shown)
        self.tidy(lab)

    def test_an_interrupted_search_tells_the_bracket_so_far_and_leaves_nothing(self):
        lab = self.forgetful(DROP)
        search = self.begin(lab, to="64s", within=0.02)
        search.err.told("wave 2")
        search.send_signal(signal.SIGINT)
        answer = self.ended(search, code=1)
        findings = answer["findings"]
        self.assertFalse(findings["complete"])
        self.assertLess(findings["alive_to_ns"] / 1e9, TIMEOUT + APART)
        self.assertGreaterEqual(findings["lost_from_ns"] / 1e9, TIMEOUT - APART)
        self.assertIn("Not as narrow as asked: this path forgets", " ".join(self.shown.split()))
        self.tidy(lab)


if __name__ == "__main__":
    sys.exit(bench.main([Path], workers=3))
