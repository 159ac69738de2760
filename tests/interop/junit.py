"""What is written for others, as others read it: lxml validates junit.xml against junit.xsd, junitparser and
markdown-it-py read it and summary.md (of a run, and of a suite), and SciPy does again what `compare` does.

Usage: junit.py PATH-TO-BROWNOUT [TEST ...]
"""

import collections
import json
import os
import subprocess
import sys
import tempfile
import unittest

import junitparser
import lxml.etree
import numpy
import scipy.stats
from markdown_it import MarkdownIt

from bench import BROWNOUT, Case, main

HERE = os.path.dirname(os.path.abspath(__file__))
DEMO = os.path.join(HERE, "..", "cases", "demo.jsonl")
SCHEMA = lxml.etree.XMLSchema(lxml.etree.parse(os.path.join(HERE, "junit.xsd")))
# What GitLab takes of a file, and GitHub of a step.
MOST_XML, MOST_MARKDOWN = 30_000_000, 1 << 20

HOSTILE = "</testcase>]]>&\"'|`x`<b>\u0001\u001b[2J\ufffe [l](http://h) [[ATTACHMENT|/etc/passwd]] *e* \\| 水"
# As reports show it: what cannot be seen is written as its escape.
SHOWN = HOSTILE.replace("\u0001", "\\u{1}").replace("\u001b", "\\u{1b}")


def demo(change=lambda event: event):
    """The events of a recorded demo, each changed."""
    with open(DEMO) as file:
        return [json.dumps(change(json.loads(line))) for line in file]


def named(event):
    if event["event"] == "device_named":
        event["name"] = HOSTILE + event["name"]
    return event


def begun(wall_clock, seed):
    def change(event):
        if event["event"] == "run_started":
            event.update(wall_clock=wall_clock, seed=seed)
        return event

    return change


class Forms(unittest.TestCase):
    """What `report` writes of logs."""

    def written(self, *logs):
        """The three forms of the report of these logs, each a list of lines; the XML is validated."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        paths = []
        for nth, lines in enumerate(logs):
            paths.append(os.path.join(folder.name, f"{nth}.jsonl"))
            with open(paths[-1], "w") as file:
                file.write("\n".join(lines) + "\n")
        out = os.path.join(folder.name, "out")
        done = subprocess.run([BROWNOUT, "report", *paths, "--report", out], capture_output=True, text=True, timeout=60)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return forms(self, out)

    def test_a_demo(self):
        report, suites, tables = self.written(demo())
        self.assertEqual(len(report["runs"]), 1)
        self.assertGreaterEqual(len(tables), 3)

    def test_hostile_names(self):
        report, suites, tables = self.written(demo(named))
        self.assertTrue(any(SHOWN in device["name"].replace("\u0001", "\\u{1}").replace("\u001b", "\\u{1b}")
                            for device in report["devices"]))
        raw = lxml.etree.tostring(suites, encoding="unicode")
        self.assertNotIn("[[ATTACHMENT", raw)

    def test_expectations_that_are_not_met(self):
        def impossible(event):
            if event["event"] == "run_started":
                event["profile"] = event["profile"].replace("expect:", 'expect:\n  - { metric: downtime, max: "<= 1us" }')
                self.assertIn("1us", event["profile"])
            return named(event)

        report, suites, tables = self.written(demo(impossible))
        self.assertEqual(report["verdict"], "failed")
        failure = suites.find(".//failure")
        self.assertEqual(failure.get("type"), "unmet")
        self.assertIn("水", failure.text)
        cells = [cell for table in tables for row in table for cell in row]
        self.assertTrue(any(SHOWN in cell for cell in cells), cells)

    def test_a_log_that_breaks_off(self):
        lines = demo()
        report, suites, tables = self.written(lines[: len(lines) // 2])
        self.assertEqual(report["verdict"], "not_through")
        self.assertEqual(suites.find(".//error").get("type"), "not_through")

    def test_several_runs(self):
        one, other = demo(begun("2026-01-01T00:00:00Z", 1)), demo(begun("2026-01-01T01:00:00.5Z", 2))
        report, suites, tables = self.written(one, other)
        values = {item.get("name"): item.get("value") for item in suites.iter("property")}
        self.assertEqual((values["run1.seed"], values["run2.seed"]), ("1", "2"))


class Comparisons(unittest.TestCase):
    """What `compare` says of recorded runs, whose time is stretched."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def side(self, name, stretches):
        """A directory of runs, and the windows of their reports."""
        windows = []
        for nth, stretch in enumerate(stretches):
            path = os.path.join(self.folder, name, str(nth))
            os.makedirs(path)
            wall_clock = begun(f"2026-01-0{nth + 1}T00:00:00Z", round(stretch * 1000))

            def change(event):
                return {**wall_clock(event), "t": round(event["t"] * stretch)}

            with open(os.path.join(path, "events.jsonl"), "w") as file:
                file.write("\n".join(demo(change)) + "\n")
            call = [BROWNOUT, "report", path, "--json"]
            report = json.loads(subprocess.run(call, capture_output=True, text=True, timeout=60).stdout)
            windows += [(rule["id"], window) for rule in report["rules"] for window in rule["windows"]]
        return windows

    def compared(self, *arguments):
        call = [BROWNOUT, "compare", os.path.join(self.folder, "a"), os.path.join(self.folder, "b"), *arguments]
        done = subprocess.run(call, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout, done.stderr

    def test_figures_are_those_of_scipy(self):
        sides = [self.side("a", (1.0, 1.013)), self.side("b", (1.31, 1.37))]
        code, text, error = self.compared("--json", "--margin", "0%")
        said = json.loads(text)
        checked = 0
        for measure in said["measures"]:
            values = [numbers(measure, side) for side in sides]
            if measure["test"] is None or None in values:
                continue
            checked += 1
            self.assertEqual([len(side) for side in values], [measure["a"]["samples"], measure["b"]["samples"]], measure)
            test = scipy.stats.permutation_test(values, ranks, permutation_type="independent", n_resamples=numpy.inf,
                                                vectorized=True)
            self.assertAlmostEqual(measure["test"]["p"], test.pvalue, places=9, msg=measure["metric"])
            shift = numpy.median([0.0 if a == b else b - a for a in values[0] for b in values[1]])
            if numpy.isfinite(shift):
                self.assertAlmostEqual(measure["test"]["shift"][0], shift, places=6, msg=measure["metric"])
        self.assertGreaterEqual(checked, 4, said)
        for share in said["proportions"]:
            small, great = ends(share)
            best, worst = min(small[0], great[0]), max(small[0], great[0])
            self.assertAlmostEqual(share["p_at_best"], best, places=9, msg=share)
            self.assertAlmostEqual(share["p"], worst if small[1] == great[1] else 1.0, places=9, msg=share)
        self.assertEqual(code, 1 if said["worse"] else 0)

    def test_a_side_like_the_other_is_no_worse(self):
        self.side("a", (1.0, 1.002))
        self.side("b", (1.001, 1.003))
        code, text, error = self.compared()
        self.assertEqual((code, error), (0, ""), text)
        self.assertLessEqual(max(len(line) for line in text.splitlines()), 80)


def ends(share):
    """What Fisher's test says of a proportion, and which side has more of it: the second as small as it can be against the
    first, and as great."""
    def at(perhaps):
        some = [share[side][0] + more for side, more in zip("ab", perhaps)]
        table = [[one, share[side][1] - one] for side, one in zip("ab", some)]
        odds = numpy.sign(table[1][0] * table[0][1] - table[0][0] * table[1][1])
        return scipy.stats.fisher_exact(table).pvalue, odds

    return at((share["perhaps"][0], 0)), at((0, share["perhaps"][1]))


def ranks(x, y, axis):
    """The sum of the ranks of x among both."""
    both = scipy.stats.rankdata(numpy.concatenate([x, y], axis=axis), axis=axis)
    return numpy.take(both, range(x.shape[axis]), axis=axis).sum(axis=axis)


def numbers(measure, windows):
    """The samples of a measure from the windows of reports; None where there is no such column, or brackets are."""
    key = f"{measure['metric']}_s"
    if measure["by_device"] or key not in windows[0][1]:
        return None
    found = [window[key] for rule, window in windows if rule == measure["of"] and window[key] is not None]
    if any(isinstance(value, dict) and "never_watched_s" not in value for value in found):
        return None
    return [numpy.inf if isinstance(value, dict) else value for value in found]


class Live(Case):
    """What a run with a real client writes."""

    def test_a_client_with_a_hostile_name(self):
        broker = self.broker()
        run = self.start("rst-without-disconnect", broker, "--set", "settle=1s", "--duration", "60s")
        self.device(run.port(), "</testsuite>|`&水", 5).up()
        run.wait()
        report, suites, tables = forms(self, run.folder)
        self.assertEqual([device["name"] for device in report["devices"]], ["</testsuite>|`&水"])


SMALL = """\
brownout: 1
name: small
summary: A client that stays, and one that goes.
keepalive: 2s
entries:
  - { profile: control, duration: 1.5 keepalive, workloads: [idle, pub] }
  - { name: five, profile: control, duration: 1 keepalive, workloads: [idle], needs: mqtt5 }
"""

# Its arguments: brownout, and what it says before it goes.
CLIENT = 'case $BROWNOUT_WORKLOAD in idle) exec "$0" device --kind careful ;; esac; printf "%s\\n" "$1"; exit 7'


class Scorecards(unittest.TestCase):
    """What `suite` writes of its runs."""

    def test_a_scorecard(self):
        with tempfile.TemporaryDirectory() as folder:
            suite, out = os.path.join(folder, "small.yaml"), os.path.join(folder, "out")
            with open(suite, "w") as file:
                file.write(SMALL)
            call = [BROWNOUT, "suite", suite, "--quiet", "--report", out, "--", "sh", "-c", CLIENT, BROWNOUT, HOSTILE]
            done = subprocess.run(call, capture_output=True, text=True, timeout=120)
            self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
            with open(os.path.join(out, "scorecard.json")) as file:
                card = json.load(file)
            path = os.path.join(out, "junit.xml")
            tree = lxml.etree.parse(path)
            SCHEMA.assertValid(tree)
            suites = junitparser.JUnitXml.fromfile(path)
            self.assertEqual((suites.tests, suites.failures, suites.errors, suites.skipped), (3, 1, 0, 1))
            results = {(case.classname, case.name): case.result for suite in suites for case in suite}
            self.assertEqual(results["small.idle", "control"], [])
            [skipped] = results["small.idle", "five"]
            self.assertIn("MQTT 5", skipped.message)
            [failure] = results["small.pub", "control"]
            self.assertIn("exit code 7", failure.message)
            said = "".join(tree.getroot().itertext())
            self.assertIn("水", said)
            # A log is text: control characters are shown as their escapes.
            self.assertNotIn("\u001b", said)
            cells = {(row["entry"], cell["workload"]): cell["verdict"] for row in card["rows"] for cell in row["cells"]}
            self.assertEqual(cells, {("control", "idle"): "pass", ("control", "pub"): "fail", ("five", "idle"): "not_applicable"})
            # GitHub's renderer takes the summary as tables.
            self.assertGreaterEqual(len(tables(self, os.path.join(out, "summary.md"))), 1)


def forms(test, folder):
    """report.json, and the others held against it."""
    with open(os.path.join(folder, "report.json")) as file:
        report = json.load(file)
    return report, junit(test, os.path.join(folder, "junit.xml"), report), tables(test, os.path.join(folder, "summary.md"))


def junit(test, path, report):
    test.assertLess(os.path.getsize(path), MOST_XML)
    tree = lxml.etree.parse(path)
    SCHEMA.assertValid(tree)
    # junitparser is what the readers for GitHub are made with.
    suites = junitparser.JUnitXml.fromfile(path)
    unmet = sum(expectation["judgement"] != "met" for expectation in report["expectations"])
    broken = report["not_through"] is not None
    test.assertEqual((suites.tests, suites.failures, suites.errors), (len(report["expectations"]) + 1, unmet, int(broken)))
    test.assertAlmostEqual(suites.time, sum(run["lasted_s"] for run in report["runs"]), places=2)
    # GitLab takes the first of those that are alike.
    cases = collections.Counter((case.classname, case.name) for suite in suites for case in suite)
    test.assertEqual(cases.most_common(1)[0][1], 1, cases)
    counted = [suites.tests, suites.failures, suites.errors, suites.skipped]
    for suite in suites:
        results = [result for case in suite for result in case.result]
        kinds = collections.Counter(type(result).__name__ for result in results)
        told = [len(list(suite)), kinds["Failure"], kinds["Error"], kinds["Skipped"]]
        test.assertEqual(counted, told)
        for result in results:
            test.assertTrue(result.message and result.type and result.text, result)
    return tree.getroot()


def tables(test, path):
    """The tables of a summary, as a renderer of GitHub's dialect makes them: rows of the text of cells."""
    test.assertLess(os.path.getsize(path), MOST_MARKDOWN)
    with open(path) as file:
        tokens = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable(["table", "strikethrough"]).parse(file.read())
    flat = [inner for token in tokens for inner in [token, *(token.children or [])]]
    # Nothing but what the report means to be markup.
    kinds = {token.type for token in flat}
    test.assertLessEqual(kinds, {"heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline", "text",
                                 "text_special", "table_open", "table_close", "thead_open", "thead_close", "tbody_open",
                                 "tbody_close", "tr_open", "tr_close", "th_open", "th_close", "td_open", "td_close",
                                 "bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close",
                                 "strong_open", "strong_close"})
    found = []
    for token in tokens:
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
            inside = True
        elif token.type == "tr_close":
            inside = False
        elif token.type == "inline" and found and found[-1] and inside:
            found[-1][-1].append("".join(child.content for child in token.children))
    for table in found:
        test.assertEqual(len({len(row) for row in table}), 1, table)
    # A table that is broken off is a paragraph with bars.
    test.assertFalse([token for token in flat if token.type == "text" and token.content.startswith("| ")])
    return found


if __name__ == "__main__":
    sys.exit(main([Forms, Scorecards, Comparisons, Live]))
