"""report.html in headless Chromium: it draws, sorts and filters, needs no network, and no name in it is markup.

Usage: html_page.py PATH-TO-BROWNOUT [TEST ...]
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import unittest

# Selenium wants the package `websocket`, and beside this file is a test of that name.
HERE = sys.path.pop(0)
from selenium import webdriver
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
sys.path.append(HERE)

import html_log
from bench import BROWNOUT, main, wait_for

HOSTILE = ["<img src=x onerror=\"window.hit=1\">", "</script><script>window.hit=2</script>", "<!-- <script>", "\u202egnp.exe"]
FEW = ["careful", "naive", *HOSTILE]
MANY = [f"pump-{number:04}" for number in range(1000)]

# A page of 1,000 devices and more than 100,000 events, from the file to all of it drawn. On two free cores it takes some 2 s, on
# busy ones several times that: only what a reader would give up on is a defect.
LOADS_WITHIN = 40.0
# A frame of all charts and the lanes in view, in ms: some 20 on a free machine.
FRAME_WITHIN = 2000
# From a page's file to its report's rendering, by a debug build.
RENDERS_WITHIN = 240
# And what its file may take.
MOST_BYTES = 10_000_000

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"]


HOLDER = tempfile.TemporaryDirectory(prefix="brownout-html-")
RENDERED, RENDERING = {}, threading.Lock()
OPEN, ALL = threading.local(), []


def started():
    profile = tempfile.TemporaryDirectory(prefix="brownout-chromium-")
    options = webdriver.ChromeOptions()
    for flag in [*FLAGS, f"--user-data-dir={profile.name}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = WebDriver(options, webdriver.ChromeService("/usr/bin/chromedriver"))
    ALL.append((browser, profile))
    return browser


class Pages(unittest.TestCase):
    def page(self, name, names, each, days=(1,)):
        """The report of runs of these devices, rendered once; where it is, and their number of events."""
        with RENDERING:
            if name not in RENDERED:
                folder = os.path.join(HOLDER.name, name)
                logs = [f"{folder}-{day}.jsonl" for day in days]
                events = sum(html_log.write(log, names, each, day) for log, day in zip(logs, days))
                call = [BROWNOUT, "report", *logs, "--report", folder]
                done = subprocess.run(call, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=RENDERS_WITHIN, text=True)
                self.assertIn(done.returncode, (0, 1), done.stderr)
                RENDERED[name] = os.path.join(folder, "report.html"), events
        return RENDERED[name]

    def browser(self, width=1280, height=900, dark=False, script=True):
        """The browser of this thread, as if it were new."""
        if not hasattr(OPEN, "browser"):
            OPEN.browser = started()
        browser = OPEN.browser
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not script})
        for log in ("browser", "performance"):
            browser.get_log(log)
        return browser

    def opened(self, name="few", names=FEW, each=5.5, days=(1,), **options):
        path, _ = self.page(name, names, each, days)
        browser = self.browser(**options)
        browser.get(f"file://{path}")
        if options.get("script", True):
            self.drawn(browser)
        return browser

    def drawn(self, browser):
        """Waits until the lanes are not blank, and answers with how many colours they have."""
        count = """const c = document.getElementById('lanes-canvas');
            if (!c.width || !c.height) return 0;
            const seen = new Set(new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer));
            return seen.size"""
        return wait_for("drawn timeline", lambda: (lambda n: n > 3 and n)(browser.execute_script(count)), LOADS_WITHIN)

    def quiet(self, browser):
        """No error, and nothing asked of any network."""
        self.assertEqual([entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"], [])
        asked = []
        for entry in browser.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent" and message["params"]["documentURL"].startswith("file://"):
                asked.append(message["params"]["request"]["url"])
        self.assertEqual([url for url in asked if not url.startswith("data:")], [browser.current_url])

    def rows(self, browser, table):
        script = f"return [...document.querySelectorAll('#{table} tbody tr.on')].map((r) => r.cells[0].textContent)"
        return browser.execute_script(script)

    def pixels(self, browser, canvas):
        return browser.execute_script(f"return document.getElementById('{canvas}').toDataURL()")


class Drawing(Pages):
    def test_the_timeline_and_the_charts_are_drawn(self):
        browser = self.opened()
        for canvas in ("level", "rate", "axis", "faults-strip"):
            blank = browser.execute_script(
                f"const c = document.getElementById('{canvas}'), e = document.createElement('canvas');"
                "e.width = c.width; e.height = c.height; return e.toDataURL()")
            self.assertNotEqual(self.pixels(browser, canvas), blank, canvas)
        self.assertEqual(len(browser.find_elements(By.CSS_SELECTOR, ".spread svg")), 2)
        legend = browser.find_element(By.ID, "legend").text
        for state in ("connected", "silent", "device believes", "hub believes"):
            self.assertIn(state, legend)
        self.quiet(browser)

    def test_zoom_by_button_key_drag_and_wheel(self):
        browser = self.opened()
        span = lambda: browser.execute_script("return view.to - view.from")
        whole = span()
        browser.find_element(By.ID, "zoom-in").click()
        self.assertLess(span(), whole * 0.6)
        lanes = browser.find_element(By.ID, "lanes")
        lanes.send_keys("0")
        self.assertAlmostEqual(span(), whole)
        lanes.send_keys("+")
        self.assertLess(span(), whole * 0.6)
        lanes.send_keys("0")
        level = browser.find_element(By.ID, "level")
        webdriver.ActionChains(browser).drag_and_drop_by_offset(level, 120, 0).perform()
        self.assertLess(span(), whole * 0.3)
        lanes.send_keys("0")
        browser.execute_script(
            "document.getElementById('lanes-canvas').dispatchEvent(new WheelEvent('wheel',"
            "{ deltaY: -300, ctrlKey: true, clientX: 600, cancelable: true }))")
        self.assertLess(span(), whole * 0.6)
        before = self.pixels(browser, "lanes-canvas")
        browser.find_element(By.ID, "zoom-all").click()
        wait_for("another picture", lambda: self.pixels(browser, "lanes-canvas") != before)

    def test_keys_alone_tell_what_a_lane_shows(self):
        browser = self.opened()
        lanes = browser.find_element(By.ID, "lanes")
        focused = lambda: browser.execute_script("return document.activeElement.id")
        for _ in range(300):
            if focused() == "lanes":
                break
            browser.switch_to.active_element.send_keys(Keys.TAB)
        self.assertEqual(focused(), "lanes", "reached by the tab key")
        told = lambda: browser.find_element(By.ID, "told").text
        self.assertIn("careful", told())
        lanes.send_keys(Keys.ARROW_DOWN)
        self.assertIn("naive", told())
        states = set()
        for _ in range(12):
            lanes.send_keys(Keys.ARROW_RIGHT)
            states.add(told().split(": ", 1)[1].split(", from")[0])
        self.assertIn("up, but nothing is heard of the device", states)
        self.assertTrue(any("half-open" in state for state in states), states)

    def test_dark_as_the_system_wants_and_by_the_button(self):
        colour = "return getComputedStyle(document.body).backgroundColor"
        is_dark = lambda browser: sum(map(int, browser.execute_script(colour)[4:-1].split(", "))) < 200
        self.assertTrue(is_dark(self.opened(dark=True)))
        light = self.opened()
        self.assertFalse(is_dark(light))
        before = self.pixels(light, "lanes-canvas")
        light.find_element(By.ID, "theme").click()
        self.assertTrue(is_dark(light))
        wait_for("a dark picture", lambda: self.pixels(light, "lanes-canvas") != before)
        self.quiet(light)

    def test_of_several_runs_one_is_chosen(self):
        # The later run is named first, and is the second all the same.
        browser = self.opened("two", FEW[:2], days=(2, 1))
        runs = lambda: browser.execute_script("return [lanes.timeline.run, data.timelines.length]")
        self.assertEqual(runs(), [1, 2])
        before = self.pixels(browser, "lanes-canvas")
        browser.find_element(By.CSS_SELECTOR, "#run option:nth-child(2)").click()
        self.assertEqual(runs(), [2, 2])
        wait_for("the other run", lambda: self.pixels(browser, "lanes-canvas") != before)
        self.quiet(browser)

    def test_runs_that_overlap_have_one_axis(self):
        path, _ = self.page("overlap", FEW[:2], 5.5, days=(1 + 100 / 86400, 1))
        with open(path.replace("report.html", "report.json")) as file:
            fleet = json.load(file)["fleet"]
        browser = self.opened("overlap", FEW[:2], days=(1 + 100 / 86400, 1))
        shown = browser.execute_script(
            "const t = lanes.timeline; return [t.parts.map((p) => [p.run, p.shift]), t.end, t.lanes.length, t.most, t.dip.depth, t.dip.at]")
        self.assertEqual(shown, [[[1, 0], [2, 100]], html_log.END + 100, 4, fleet["most_connected"], fleet["dip"], fleet["dip_at_s"]])
        self.assertIn("run 2 began 100 s later", browser.find_element(By.ID, "axis-told").text)
        # A device's fault is in its own run's time; on the common axis it lies as much later as its run began.
        starts = "return lanes.shown.map((lane) => Math.round(lane.windows[0].from))"
        self.assertEqual(browser.execute_script(starts), [60, 60, 160, 160])
        browser.find_element(By.CSS_SELECTOR, "#run option:nth-child(3)").click()
        self.assertEqual(browser.execute_script("return [lanes.timeline.run, lanes.timeline.dip]"), [2, None])
        self.assertEqual(browser.execute_script(starts), [60, 60])
        self.quiet(browser)

    def test_a_time_in_the_text_leads_to_its_moment(self):
        browser = self.opened()
        browser.execute_script("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        browser.find_element(By.ID, "lane-filter").send_keys("no such name")
        link = browser.find_element(By.CSS_SELECTOR, "ul.findings a.moment[data-device]")
        at, device = float(link.get_attribute("data-at")), link.get_attribute("data-device")
        link.send_keys(Keys.ENTER)
        shown = "return [view.pin, lanes.shown[lanes.cursor].device, document.activeElement.id, view.from < view.pin && view.pin < view.to]"
        self.assertEqual(browser.execute_script(shown), [at, device, "lanes", True])
        self.assertTrue(browser.find_element(By.ID, "told").text.startswith(f"{device} at "))
        browser.find_element(By.ID, "lanes").send_keys(Keys.ESCAPE)
        self.assertIsNone(browser.execute_script("return view.pin"))
        self.quiet(browser)

    def test_marks_of_messages(self):
        browser = self.opened()
        legend = browser.find_element(By.ID, "legend").text
        for words in ("message lost", "message duplicated", "message sent again"):
            self.assertIn(words, legend)
        browser.execute_script("lanes.leads(0, 190); lanes.say()")
        self.assertIn("message lost (from the device)", browser.find_element(By.ID, "told").text)

    def test_a_phone_need_not_scroll_sideways(self):
        browser = self.opened(width=360, height=740)
        widths = browser.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
        self.assertLessEqual(widths[0], widths[1])
        self.quiet(browser)


class Tables(Pages):
    def test_sorted_by_its_heads(self):
        browser = self.opened()
        head = browser.find_element(By.CSS_SELECTOR, "#devices thead th")
        button = head.find_element(By.TAG_NAME, "button")
        button.send_keys(Keys.ENTER)
        self.assertEqual(head.get_attribute("aria-sort"), "ascending")
        up = self.rows(browser, "devices")
        button.send_keys(Keys.ENTER)
        self.assertEqual(head.get_attribute("aria-sort"), "descending")
        self.assertEqual(self.rows(browser, "devices"), up[::-1])
        self.assertEqual(sorted(up), sorted(self.rows(browser, "devices")))
        down = browser.find_element(By.XPATH, "//table[@id='devices']//th[button[text()='down']]/button")
        down.send_keys(Keys.ENTER)
        values = browser.execute_script(
            "return [...document.querySelectorAll('#devices tbody tr.on')].map((r) => +r.cells[4].dataset.v)")
        self.assertEqual(values, sorted(values, reverse=True))

    def test_filtered(self):
        browser = self.opened()
        windows = self.rows(browser, "windows")
        field = browser.find_element(By.CSS_SELECTOR, "[aria-label^='Filter: Fault windows']")
        field.send_keys("naive dark")
        self.assertEqual(self.rows(browser, "windows"), ["naive"])
        field.clear()
        field.send_keys("a")
        field.send_keys(Keys.BACKSPACE)
        self.assertEqual(self.rows(browser, "windows"), windows)
        browser.find_element(By.ID, "lane-filter").send_keys("care")
        self.assertEqual(browser.execute_script("return lanes.shown.map((lane) => lane.name)"), ["careful"])


class Hostile(Pages):
    def test_no_name_is_markup(self):
        browser = self.opened()
        canvas = browser.find_element(By.ID, "lanes-canvas")
        for down in range(-60, 80, 10):
            webdriver.ActionChains(browser).move_to_element_with_offset(canvas, 100, down).perform()
        for _ in HOSTILE:
            browser.find_element(By.ID, "lanes").send_keys(Keys.ARROW_DOWN)
        self.assertIsNone(browser.execute_script("return window.hit === undefined ? null : window.hit"))
        self.assertEqual(browser.find_elements(By.CSS_SELECTOR, "body img"), [])
        shown = self.rows(browser, "devices")
        self.assertEqual(set(shown), {*FEW[:-1], "\\u{202e}gnp.exe"}, "the names are shown as they are")
        self.quiet(browser)

    def test_without_a_script_all_there_is_to_read_is_there(self):
        browser = self.opened(script=False)
        text = browser.find_element(By.TAG_NAME, "body").text
        for word in ("Passed", "device_detection of dark", "Verdicts by class", "Fault windows", "careful", "need JavaScript",
                     "How far the figures can be trusted", "Probable cause"):
            self.assertIn(word, text)
        self.assertNotIn("Zoom", text)


class Size(Pages):
    def test_a_thousand_devices_and_a_hundred_thousand_events(self):
        path, events = self.page("many", MANY, 5.5)
        self.assertGreaterEqual(events, 100_000)
        self.assertLess(os.path.getsize(path), MOST_BYTES)
        browser = self.browser()
        started = time.time()
        browser.get(f"file://{path}")
        self.drawn(browser)
        took = time.time() - started
        self.assertLess(took, LOADS_WITHIN)
        redraw = browser.execute_script(
            "const t = performance.now(); for (let n = 0; n < 10; n += 1) { charts(); lanes.draw(); }"
            "return (performance.now() - t) / 10")
        self.assertLess(redraw, FRAME_WITHIN)
        self.assertEqual(len(self.rows(browser, "windows")), 50, "rows come page by page")
        browser.execute_script("document.getElementById('lanes').scrollTop = 1e6")
        before = self.pixels(browser, "lanes-canvas")
        browser.execute_script("document.getElementById('lane-size').value = 'fit'; lanes.size()")
        wait_for("all on one screen", lambda: self.pixels(browser, "lanes-canvas") != before)
        print(f"  {events} events, {os.path.getsize(path) / 1e6:.1f} MB, drawn after {took:.2f} s, {redraw:.0f} ms a frame")
        self.quiet(browser)


    def test_on_paper_no_row_and_no_finding_is_left_away(self):
        path, _ = self.page("many", MANY, 5.5)
        browser = self.browser()
        browser.get(f"file://{path}")
        self.drawn(browser)
        shown = """return ['#windows tbody tr', '#devices tbody tr', 'ul.findings dl'].map((what) => {
            const all = [...document.querySelectorAll(what)];
            return [all.length, all.filter((one) => one.checkVisibility({ contentVisibilityAuto: true }) && one.offsetHeight > 0).length];
        })"""
        self.assertEqual([seen for _, seen in browser.execute_script(shown)][:2], [50, 50])
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        printed = browser.execute_script(shown)
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
        for of, seen in printed:
            self.assertGreater(of, 0)
            self.assertEqual(of, seen)


if __name__ == "__main__":
    code = main([Size, Drawing, Tables, Hostile], workers=2)
    for browser, profile in ALL:
        browser.quit()
        profile.cleanup()
    sys.exit(code)
