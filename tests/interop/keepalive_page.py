"""The page of `brownout keepalive sweep --html` in headless Chromium: its maps, its choices, its points; no name in it is markup.

Usage: keepalive_page.py PATH-TO-BROWNOUT [TEST ...]
"""

import csv
import os
import subprocess
import sys
import tempfile
import threading
import unittest

# Selenium wants the package `websocket`, and beside this file is a test of that name.
HERE = sys.path.pop(0)
from selenium import webdriver
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select
sys.path.append(HERE)

from bench import BROWNOUT, main

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"]
# A short trace whose name would be markup.
HOSTILE = "<img src=x onerror=window.hit=1>.csv"
SWEEP = ["--client", "paho-python,mosquitto", "--keep-alive", "30s,60s,300s", "--outage", "1m,10m", "--path-idle", "never,2m",
         "--days", "0.5", "--seed", "7", "--quiet"]
EXPECT = ["device_detection max <= 1s", "data <= 1GB/month", "wake_ups <= 1/day where client=nobody"]
SIMULATES_WITHIN = 240

HOLDER = tempfile.TemporaryDirectory(prefix="brownout-keepalive-")
WRITTEN, WRITING = {}, threading.Lock()
OPEN, ALL = threading.local(), []


def started():
    profile = tempfile.TemporaryDirectory(prefix="brownout-chromium-")
    options = webdriver.ChromeOptions()
    for flag in [*FLAGS, f"--user-data-dir={profile.name}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = WebDriver(options, webdriver.ChromeService("/usr/bin/chromedriver"))
    ALL.append((browser, profile))
    return browser


class Pages(unittest.TestCase):
    def sweep(self):
        """The page and the rows of the CSV of one sweep, simulated once."""
        with WRITING:
            if not WRITTEN:
                html, table = (os.path.join(HOLDER.name, name) for name in ("keepalive.html", "keepalive.csv"))
                with open(os.path.join(HOLDER.name, HOSTILE), "w") as file:
                    file.write("start,duration\n600,60\n9000,120\n")
                expect = [part for one in EXPECT for part in ("--expect", one)]
                call = [BROWNOUT, "keepalive", "sweep", *SWEEP, "--outages", f"trace:{HOSTILE}", *expect, "--html", html, "--csv", table]
                done = subprocess.run(call, cwd=HOLDER.name, capture_output=True, timeout=SIMULATES_WITHIN, text=True)
                self.assertEqual(done.returncode, 1, f"an expectation is unmet: {done.stderr}")
                with open(table, newline="") as file:
                    WRITTEN.update(page=html, rows=list(csv.DictReader(file)))
        return WRITTEN["page"], WRITTEN["rows"]

    def opened(self, width=1280, height=900, dark=False, script=True):
        page, self.cases = self.sweep()
        if not hasattr(OPEN, "browser"):
            OPEN.browser = started()
        browser = OPEN.browser
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not script})
        browser.get_log("browser")
        browser.get(f"file://{page}")
        return browser

    def quiet(self, browser):
        self.assertEqual([entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"], [])
        self.assertIsNone(browser.execute_script("return window.hit === undefined ? null : window.hit"))

    def cells(self, browser, nth=0):
        """The texts of a map, row by row, without its heads."""
        script = "return [...document.querySelectorAll('.heat')[arguments[0]].tBodies[0].rows].map((r) => [...r.cells].slice(1).map((c) => c.textContent))"
        return browser.execute_script(script, nth)

    def said(self, client, path_idle, column):
        """The same of the CSV: rows are keep-alives, columns are outages, in the order that they come in."""
        rows = [row for row in self.cases if row["client"] == client and row["path_idle_s"] == path_idle]
        order = list(dict.fromkeys(row["keepalive_s"] for row in rows))
        return [[row[column] for row in rows if row["keepalive_s"] == keep_alive] for keep_alive in order]


def is_told(shown, exact):
    """Whether a text of the page is this figure of the CSV."""
    if exact in ("", "never"):
        return shown.rstrip("\u2020") == (exact or "\u2013")
    # What is of too few outages has a mark.
    number, unit = shown.rstrip("\u2020").split(" ")
    scale = {"ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400}[unit]
    return abs(float(number) * scale - float(exact)) <= scale * 0.5


class Maps(Pages):
    def test_the_maps_are_those_of_the_csv_for_every_choice(self):
        browser = self.opened()
        client, idle = (Select(one) for one in browser.find_elements(By.CSS_SELECTOR, "#choices select"))
        self.assertEqual([option.text for option in client.options], ["paho-python", "mosquitto"])
        self.assertEqual([option.text for option in idle.options], ["never", "2m"])
        seen = set()
        for who in ("paho-python", "mosquitto"):
            for shown, exact in (("never", "never"), ("2m", "120")):
                client.select_by_visible_text(who)
                idle.select_by_visible_text(shown)
                self.assertEqual(browser.find_element(By.ID, "shown").text, f"Shown: client {who}, path idle {shown}")
                cells, told = self.cells(browser), self.said(who, exact, "device_detection_p95_s")
                self.assertEqual([len(row) for row in cells], [3, 3, 3])
                for row, of in zip(cells, told):
                    for cell, figure in zip(row, of):
                        self.assertTrue(is_told(cell, figure), f"{who} {shown}: {cell} is not {figure}")
                seen.add(str(cells))
        self.assertGreater(len(seen), 1, "the choices make a difference")
        self.quiet(browser)

    def test_every_cell_can_be_read_on_its_colour(self):
        for dark in (False, True):
            browser = self.opened(dark=dark)
            worst = browser.execute_script("""
                const light = (c) => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number).map((v) => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
                    return .2126 * r + .7152 * g + .0722 * b; };
                const td = document.querySelector('.heat td');
                return Math.min(...[...Array(9).keys()].map((n) => {
                    td.className = `s${n}`;
                    const style = getComputedStyle(td), [a, b] = [light(style.color), light(style.backgroundColor)].sort((x, y) => y - x);
                    return (a + .05) / (b + .05);
                }))""")
            self.assertGreaterEqual(worst, 4.5, "WCAG 2.1, 1.4.3")

    def test_without_a_script_all_there_is_to_read_is_there(self):
        browser = self.opened(script=False)
        text = browser.find_element(By.TAG_NAME, "body").text
        for word in ("Failed", "2 of 3 expectations unmet", "Device detection p95", "What detection costs", "The front", "needs JavaScript",
                     "no combination is selected", "A month is 30 days"):
            self.assertIn(word, text)
        self.assertFalse(browser.find_element(By.ID, "choices").is_displayed())
        shown = browser.find_element(By.CSS_SELECTOR, ".heat td").text
        self.assertTrue(is_told(shown, self.said("paho-python", "never", "device_detection_p95_s")[0][0]), shown)


class Points(Pages):
    def test_points_of_the_front_are_reached_by_keys_and_named(self):
        browser = self.opened()
        plots = browser.find_elements(By.CSS_SELECTOR, ".plot svg")
        self.assertEqual(len(plots), 2)
        focused = lambda: browser.execute_script("return document.activeElement.classList.contains('member')")
        for _ in range(200):
            browser.switch_to.active_element.send_keys(Keys.TAB)
            if focused():
                break
        self.assertTrue(focused(), "reached by the tab key")
        told = browser.find_element(By.ID, "point").text
        self.assertIn("device detection p95", told)
        self.assertIn("keep-alive", told)
        self.assertGreater(len(browser.find_elements(By.CSS_SELECTOR, ".joined.lit")), 0)
        other = browser.find_element(By.CSS_SELECTOR, ".plot .other")
        webdriver.ActionChains(browser).move_to_element(other).perform()
        self.assertNotEqual(browser.find_element(By.ID, "point").text, "")
        self.quiet(browser)


class Looks(Pages):
    def test_a_phone_need_not_scroll_sideways(self):
        for width in (400, 360):
            browser = self.opened(width=width, height=740)
            widths = browser.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
            self.assertLessEqual(widths[0], widths[1])
            self.quiet(browser)

    def test_dark_as_the_system_wants_and_by_the_button(self):
        colour = "return getComputedStyle(document.body).backgroundColor"
        is_dark = lambda browser: sum(map(int, browser.execute_script(colour)[4:-1].split(", "))) < 200
        self.assertTrue(is_dark(self.opened(dark=True)))
        browser = self.opened()
        self.assertFalse(is_dark(browser))
        browser.find_element(By.ID, "theme").click()
        self.assertTrue(is_dark(browser))
        self.quiet(browser)

    def test_no_name_is_markup(self):
        browser = self.opened()
        self.assertEqual(browser.find_elements(By.CSS_SELECTOR, "body img"), [])
        self.assertIn(HOSTILE, browser.find_element(By.CSS_SELECTOR, ".heat thead").text.replace("\n", ""))
        self.quiet(browser)


if __name__ == "__main__":
    code = main([Maps, Points, Looks], workers=2)
    for browser, profile in ALL:
        browser.quit()
        profile.cleanup()
    sys.exit(code)
