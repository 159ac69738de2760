"""What brownout may do, as whom, and what it writes: by the kernel's own account of each of its threads.

Usage: privileges.py PATH-TO-BROWNOUT [TEST ...]

Most of it takes root, to become less than that; where that is not to be had, it is skipped, and said so.
"""

import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import time
import unittest

from bench import BROWNOUT, Case, free_port, main, wait_for

NOBODY = pwd.getpwnam("nobody")
IS_ROOT = os.geteuid() == 0
NET_BIND_SERVICE, NET_ADMIN, NET_RAW = 1 << 10, 1 << 12, 1 << 13
DAC_OVERRIDE, KILL = 1 << 1, 1 << 5
AS_NOBODY = ["setpriv", f"--reuid={NOBODY.pw_uid}", f"--regid={NOBODY.pw_gid}", "--clear-groups"]
PACKET = ["--set", "dark.fidelity=packet", "--set", "dark.delay=1s", "--set", "dark.for=2s", "--set", "settle=2s"]


def status(path):
    """A thread's or process's status, by key."""
    with open(path) as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def capabilities(path):
    return int(status(path)["CapEff"], 16)


def threads(pid):
    """The effective capabilities and the user of each thread, the main one first."""
    found = []
    for thread in sorted(os.listdir(f"/proc/{pid}/task"), key=int):
        try:
            of = status(f"/proc/{pid}/task/{thread}/status")
        except FileNotFoundError:
            continue
        found.append((int(of["CapEff"], 16), int(of["CapPrm"], 16), of["Uid"].split()))
    return found


def may(capability):
    """Whether root has it, or all of them, here at all."""
    return capabilities("/proc/self/status") & capability == capability


def children(pid):
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return [int(line) for line in listed.split()]


def doctor(*arguments, prefix=(), env=None):
    call = [*prefix, BROWNOUT, "doctor", "--json", *arguments]
    done = subprocess.run(call, capture_output=True, text=True, timeout=30, env=env)
    told = json.loads(done.stdout)
    told["code"] = done.returncode
    told["states"] = {finding["topic"]: finding["state"] for finding in told["findings"]}
    told["made"] = {row["fault"]: row["fidelity"] for row in told["faults"]}
    return told


@unittest.skipUnless(IS_ROOT, "takes root, to become less than that")
class Privileges(Case):
    def setUp(self):
        super().setUp()
        os.chmod(self.folder, 0o755)

    def of_nobody(self, name):
        """A directory that belongs to nobody."""
        path = os.path.join(self.folder, name)
        os.mkdir(path)
        os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
        return path

    def binary(self, name="brownout"):
        """A copy that others can execute."""
        path = os.path.join(self.folder, name)
        shutil.copy(BROWNOUT, path)
        os.chmod(path, 0o755)
        return path

    def run_with(self, fault, broker, *arguments, command=(), **options):
        run = self.start(fault, broker, *arguments, "--duration", "60s", command=command, **options)
        run.port()
        return run

    def all_threads(self, run, wanted, main=None, uid=0):
        """That the main thread comes to these capabilities, and every other to no more: each gives up the rest as it begins."""
        main = wanted if main is None else main
        pid = run.process.pid
        wait_for("main thread without privileges", lambda: threads(pid)[0][0] == main, 10)
        wait_for("threads without privileges", lambda: all((its[0] | its[1]) & ~(main | wanted) == 0 for its in threads(pid)), 10)
        for nth, (effective, permitted, uids) in enumerate(threads(pid)):
            most = main if nth == 0 else wanted
            self.assertEqual((effective | permitted) & ~most, 0, f"thread {nth}: {effective:x} {permitted:x}")
            self.assertEqual(uids, [str(uid)] * 4)

    def test_root_keeps_what_packet_faults_take_and_they_work(self):
        broker = self.broker()
        run = self.run_with("keepalive-blackhole", broker, *PACKET, "--pcap", os.path.join(self.folder, "x.pcap"))
        self.all_threads(run, NET_ADMIN if may(NET_ADMIN) else 0)
        device = self.device(run.port(), "paho-1", 2).up()
        run.wait()
        applied = [event for event in run.events() if event["event"] == "fault_applied"]
        self.assertTrue(applied)
        for event in applied:
            self.assertEqual(event["fidelity"], "packet")
            self.assertEqual(event["means"]["device"], "filter" if may(NET_ADMIN) else "min_ttl")
        self.assertTrue(device.seen["down"])

    def test_a_run_without_packet_faults_keeps_nothing(self):
        run = self.run_with("rst-without-disconnect", self.broker())
        self.all_threads(run, 0)

    def test_hub_and_device_keep_nothing(self):
        port = free_port()
        hub = subprocess.Popen([BROWNOUT, "hub", "--quiet", "--listen", f"127.0.0.1:{port}"], stderr=subprocess.DEVNULL)
        self.addCleanup(hub.kill)
        wait_for("the hub", lambda: Doctor.connects(port))
        device = subprocess.Popen([BROWNOUT, "device", "--quiet", "--connect", f"127.0.0.1:{port}"])
        self.addCleanup(device.kill)
        for process in (hub, device):
            wait_for("threads without privileges", lambda: all(its[:2] == (0, 0) for its in threads(process.pid)), 10)

    def test_a_command_begins_with_all_that_root_has(self):
        run = self.run_with("rst-without-disconnect", self.broker(), "--stop-command",
                            command=["bash", "-c", "grep CapEff /proc/self/status; exec sleep 60"])
        told = wait_for("the command's word", lambda: run.out.find(r"CapEff:\s*([0-9a-f]+)"))
        self.assertEqual(int(told[0][1].group(1), 16), capabilities("/proc/self/status"))
        # To end it, were it another user's by then.
        self.all_threads(run, 0, main=KILL if may(KILL) else 0)

    def test_a_command_that_became_another_user_is_ended(self):
        run = self.start("rst-without-disconnect", self.broker(), "--duration", "2s", "--stop-command",
                         command=[*AS_NOBODY, "sleep", "600"])
        run.port()
        wait_for("the command", lambda: children(run.process.pid))
        command = children(run.process.pid)
        run.wait(30)
        self.assertFalse([pid for pid in command if os.path.exists(f"/proc/{pid}")])

    def test_another_user(self):
        reports = self.of_nobody("reports")
        run = self.brownout("run", "keepalive-blackhole", "--user", "nobody", "--listen", "127.0.0.1:0",
                            "--upstream", f"127.0.0.1:{self.broker().port}", *PACKET, "--duration", "60s",
                            "--stop-command", folder=os.path.join(reports, "run"),
                            command=["bash", "-c", "grep -E 'CapEff|CapPrm|Uid' /proc/self/status; echo $HOME; "
                                     f"exec {self.binary()} device --quiet --keep-alive 2s "
                                     "--connect $BROWNOUT_HOST:$BROWNOUT_PORT"])
        # The last of its lines.
        wait_for("the command's home", lambda: run.out.find(re.escape(NOBODY.pw_dir)))
        told = run.out.find(r"Cap(Eff|Prm):\s*([0-9a-f]+)")
        self.assertEqual([match.group(2) for _, match in told], ["0" * 16] * 2)
        self.assertTrue(run.out.find(rf"Uid:\s+{NOBODY.pw_uid}\s"))
        self.all_threads(run, NET_ADMIN if may(NET_ADMIN) else 0,
                         main=(NET_ADMIN if may(NET_ADMIN) else 0), uid=NOBODY.pw_uid)
        run.wait()
        self.assertEqual(self.first(run.events(), event="fault_applied")["fidelity"], "packet")
        for name in os.listdir(run.folder):
            self.assertEqual(os.stat(os.path.join(run.folder, name)).st_uid, NOBODY.pw_uid, name)

    def test_another_user_reads_the_keys_of_root_and_listens_below_1024(self):
        broker, port = self.broker(), 883
        key, certificate = os.path.join(self.folder, "hub.key"), os.path.join(self.folder, "hub.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=localhost", "-keyout", key, "-out", certificate],
                       check=True, capture_output=True)
        os.chmod(key, 0o600)
        run = self.brownout("observe", "--user", "nobody", "--listen", f"127.0.0.1:{port}", "--upstream",
                            f"127.0.0.1:{broker.port}", "--tls", "terminate", "--cert", certificate, "--key", key)
        self.assertEqual(run.port(), port)
        self.all_threads(run, 0, uid=NOBODY.pw_uid)

    def test_a_user_that_cannot_write_is_told_at_once(self):
        for command in (["observe"], ["run", "control"]):
            done = subprocess.run([BROWNOUT, *command, "--user", "nobody", "--upstream", "127.0.0.1:1",
                                   "--report", os.path.join(self.folder, "mine")], capture_output=True, text=True)
            self.assertEqual(done.returncode, 3, done.stderr)
            self.assertIn("Permission denied", done.stderr)
            self.assertIn("--user", done.stderr)
        done = subprocess.run([*AS_NOBODY, self.binary(), "observe", "--user", "daemon", "--upstream", "127.0.0.1:1"],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("CAP_SETUID", done.stderr)

    def observed(self, folder, *arguments, prefix=()):
        broker = self.broker()
        run = self.brownout("observe", "--listen", "127.0.0.1:0", "--upstream", f"127.0.0.1:{broker.port}",
                            "--interval", "1s", "--rotate-size", "64KiB", *arguments, folder=folder, prefix=prefix)
        run.port()
        return run

    def test_an_observation_writes_on_in_the_directory_of_another_user(self):
        folder = self.of_nobody("observed")
        run = self.observed(folder)
        # The files of each interval are new; root makes them in a directory of nobody's by CAP_DAC_OVERRIDE alone.
        wait_for("main thread without privileges", lambda: threads(run.process.pid)[0][0] == 0)
        held = lambda: {effective for effective, _, _ in threads(run.process.pid)}
        wait_for("no thread with more", lambda: held() <= {0, DAC_OVERRIDE})
        wait_for("the report of an interval", lambda: os.path.exists(os.path.join(folder, "report.json")))
        before = os.stat(os.path.join(folder, "report.json")).st_ino
        wait_for("the next", lambda: os.stat(os.path.join(folder, "report.json")).st_ino != before)

    def test_an_observation_in_a_directory_of_its_own_keeps_nothing(self):
        folder = os.path.join(self.folder, "observed")
        run = self.observed(folder)
        self.all_threads(run, 0)
        wait_for("the report of an interval", lambda: os.path.exists(os.path.join(folder, "report.json")))

    def test_an_observation_of_another_user(self):
        folder = self.of_nobody("observed")
        run = self.observed(folder, "--user", "nobody")
        self.all_threads(run, 0, uid=NOBODY.pw_uid)
        wait_for("the report of an interval", lambda: os.path.exists(os.path.join(folder, "report.json")))
        self.assertEqual(os.stat(os.path.join(folder, "report.json")).st_uid, NOBODY.pw_uid)

    def test_as_the_unit_has_it(self):
        """User, ambient capability, bounding set, no_new_privs and file mask of dist/brownout.service."""
        folder = self.of_nobody("state")
        prefix = [*AS_NOBODY, "--inh-caps=-all,+net_bind_service", "--ambient-caps=-all,+net_bind_service",
                  "--bounding-set=-all,+net_bind_service", "--no-new-privs"]
        broker = self.broker()
        run = self.brownout("observe", "--listen", "127.0.0.1:884", "--upstream", f"127.0.0.1:{broker.port}",
                            "--interval", "1s", folder=folder, prefix=prefix)
        self.assertEqual(run.port(), 884)
        self.all_threads(run, 0, uid=NOBODY.pw_uid)
        wait_for("the report of an interval", lambda: os.path.exists(os.path.join(folder, "report.json")))
        run.process.terminate()
        self.assertEqual(run.wait(), 0, run.err.text())

    def test_capabilities_of_the_file(self):
        if not may(NET_ADMIN | NET_RAW | NET_BIND_SERVICE):
            self.skipTest("root has no such capabilities here to give")
        binary = self.binary()
        set_ = subprocess.run(["setcap", "cap_net_admin,cap_net_raw,cap_net_bind_service+ep", binary],
                              capture_output=True, text=True)
        if set_.returncode:
            self.skipTest(f"setcap does not work here: {set_.stderr.strip()}")
        reports = self.of_nobody("reports")
        call = [*AS_NOBODY, binary, "run", "keepalive-blackhole", "--listen", "127.0.0.1:885", "--upstream",
                f"127.0.0.1:{self.broker().port}", *PACKET, "--duration", "60s", "--report", reports, "--stop-command",
                "--", "bash", "-c", "grep CapEff /proc/self/status; " +
                f"exec {binary} device --quiet --keep-alive 2s --connect $BROWNOUT_HOST:$BROWNOUT_PORT"]
        process = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            wait_for("the threads", lambda: len(threads(process.pid)) > 2 and threads(process.pid)[0][0] == NET_ADMIN)
            for effective, permitted, uids in threads(process.pid):
                self.assertEqual((effective | permitted) & ~NET_ADMIN, 0)
                self.assertEqual(uids, [str(NOBODY.pw_uid)] * 4)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
            process.communicate()
        self.assertIn(process.returncode, (0, 1), err)
        # The command has what its user has: nothing.
        self.assertRegex(out, r"CapEff:\s*0{16}")
        with open(os.path.join(reports, "events.jsonl")) as file:
            events = [json.loads(line) for line in file]
        self.assertEqual(self.first(events, event="fault_applied")["means"]["device"], "filter")


class Doctor(Case):
    def test_what_it_says_is_what_a_run_gets(self):
        told = doctor("keepalive-blackhole", *PACKET[:2])
        self.assertEqual(told["code"], 0)
        self.assertEqual(told["states"]["reset"], "ok")
        expected = "ok" if IS_ROOT and may(NET_ADMIN) else told["states"]["mute by filter"]
        self.assertEqual(told["states"]["mute by filter"], expected)
        self.assertEqual(told["made"]["blackhole (fidelity: packet)"], "packet")
        if told["states"]["mute by filter"] == "ok":
            broker = self.broker()
            run = self.start("keepalive-blackhole", broker, *PACKET, "--duration", "60s")
            self.device(run.port(), "paho-1", 2).up()
            run.wait()
            applied = self.first(run.events(), event="fault_applied")
            self.assertEqual((applied["fidelity"], applied["means"]["device"]), ("packet", "filter"))

    def test_the_hub_and_a_device(self):
        broker = self.broker()
        told = doctor("--hub", f"127.0.0.1:{broker.port}")
        # Packets on loopback have Linux's own TTL, 64.
        self.assertEqual(told["machine"]["hub"]["result"], "held")
        told = doctor("--hub", f"127.0.0.1:{free_port()}")
        self.assertEqual((told["code"], told["machine"]["hub"]["result"]), (0, "unreachable"))
        port = free_port()
        process = subprocess.Popen([BROWNOUT, "doctor", "--json", "--device", f"127.0.0.1:{port}"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        self.assertIn("let one device connect", process.stderr.readline())
        wait_for("the listener", lambda: self.connects(port))
        out, _ = process.communicate(timeout=20)
        self.assertEqual(json.loads(out)["machine"]["device"], {"result": "is", "value": 64})

    @staticmethod
    def connects(port):
        return subprocess.run(["bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}"], capture_output=True).returncode == 0

    @unittest.skipUnless(IS_ROOT, "takes root, to become less than that")
    def test_an_ordinary_user(self):
        binary = os.path.join(self.folder, "brownout")
        shutil.copy(BROWNOUT, binary)
        os.chmod(self.folder, 0o755)
        os.chmod(binary, 0o755)
        call = [*AS_NOBODY, binary, "doctor", "--json", "lossy-cellular"]
        done = subprocess.run(call, capture_output=True, text=True, timeout=30)
        told = json.loads(done.stdout)
        states = {finding["topic"]: finding["state"] for finding in told["findings"]}
        self.assertEqual((states["mute by minimum TTL"], states["reset"], states["tap"]), ("ok", "ok", "missing"))
        self.assertIn(f"sudo setcap cap_net_admin,cap_net_raw,cap_net_bind_service+ep {binary}", told["commands"])
        # What it says of the filter is what a run meets.
        loses = states["loss filter"] == "ok"
        self.assertEqual(done.returncode, 0 if loses or not told["profile"]["misfits"] else 3)

    @unittest.skipUnless(IS_ROOT, "takes root, to become less than that")
    def test_root_in_a_bare_container(self):
        prefix = ["setpriv", "--bounding-set=-net_admin,-net_raw", "--inh-caps=-all", "setpriv", "--no-new-privs"]
        told = doctor(prefix=prefix)
        self.assertEqual((told["states"]["tap"], told["code"]), ("missing", 0))
        self.assertTrue([command for command in told["commands"] if "--cap-add NET_ADMIN" in command])

    def test_without_nft(self):
        empty = os.path.join(self.folder, "empty")
        os.mkdir(empty)
        told = doctor(env={**os.environ, "PATH": empty})
        found = shutil.which("nft", path="/usr/sbin:/sbin:/usr/local/sbin")
        self.assertEqual(told["states"]["nft"], "limited" if found else "missing")
        self.assertIn("export PATH" if found else "apt-get install nftables", "\n".join(told["commands"]))

    @unittest.skipUnless(IS_ROOT, "takes root, for a network namespace")
    def test_an_empty_network_namespace(self):
        if subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode:
            self.skipTest("unshare --net does not work here")
        started = time.time()
        told = doctor("keepalive-blackhole", prefix=["unshare", "--net"])
        self.assertLess(time.time() - started, 5)
        self.assertEqual((told["states"]["loopback"], told["states"]["mute by filter"]), ("missing", "unknown"))
        self.assertIn("sudo ip link set lo up", told["commands"])


class Files(Case):
    def test_too_few_files_for_the_devices_expected(self):
        refused = ["bash", "-c", 'ulimit -n 200; exec "$@"', "bash"]
        for command in (["run", "control"], ["observe"]):
            call = [*refused, BROWNOUT, *command, "--upstream", "127.0.0.1:1", "--expect-devices", "67"]
            done = subprocess.run(call, capture_output=True, text=True, timeout=30)
            self.assertEqual(done.returncode, 3, done.stderr)
            for part in ("takes 201 open files", "the hard limit is 200, enough for 66", "ulimit -Hn 201", "LimitNOFILE"):
                self.assertIn(part, done.stderr)
        # One less is enough: then it is the hub that is not there.
        call = [*refused, BROWNOUT, "observe", "--upstream", "127.0.0.1:1", "--expect-devices", "66"]
        done = subprocess.run(call, capture_output=True, text=True, timeout=30)
        self.assertIn("the hub at 127.0.0.1:1", done.stderr)
        told = doctor("--expect-devices", "67", prefix=refused)
        self.assertEqual((told["states"]["open files"], told["code"]), ("missing", 0))

    def test_what_is_told_to_be_needed_is_enough(self):
        """66 devices on 199 files, with every log open and a command beside."""
        broker, devices = self.broker(), 66
        run = self.start("control", broker, "--expect-devices", str(devices), "--duration", "6s",
                         "--pcap", os.path.join(self.folder, "x.pcap"),
                         "--resource-log", os.path.join(self.folder, "r.log"),
                         prefix=["bash", "-c", 'ulimit -n 199; exec "$@"', "bash"],
                         command=[BROWNOUT, "device", "--quiet", "--count", str(devices), "--keep-alive", "5s",
                                  "--duration", "5s"])
        run.port()
        wait_for("the devices", lambda: len([e for e in run.events() if e["event"] == "link_identified"]) == devices)
        used = len(os.listdir(f"/proc/{run.process.pid}/fd"))
        self.assertLessEqual(used - 2 * devices - 3, 64)
        run.wait()
        self.assertFalse([e for e in run.events() if e["event"] == "accept_failed"])

    @unittest.skipUnless(shutil.which("strace"), "there is no strace")
    def test_only_what_was_asked_for_is_written(self):
        if subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True).returncode:
            self.skipTest("strace does not work here")
        trace = os.path.join(self.folder, "trace")
        broker = self.broker()
        here = os.path.join(self.folder, "here")
        os.mkdir(here)
        folder = os.path.join(here, "report")
        call = ["strace", "-f", "-qq", "-e", "trace=open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,"
                "unlinkat,symlink,symlinkat,link,linkat,truncate", "-o", trace, BROWNOUT]
        for command in (["run", "rst-without-disconnect", "--duration", "1s"],
                        ["observe", "--duration", "2s", "--interval", "1s"]):
            subprocess.run([*call, *command, "--listen", "127.0.0.1:0", "--upstream", f"127.0.0.1:{broker.port}",
                            "--report", folder, "--resource-log", os.path.join(here, "r.log")],
                           cwd=here, capture_output=True, timeout=60)
            with open(trace) as file:
                lines = [line for line in file if not re.search(r" = -1 ", line)]
            writes = [line for line in lines if not re.search(r"open(at)?\(", line)
                      or re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND", line)]
            self.assertTrue(writes)
            for line in writes:
                paths = re.findall(r'"([^"]*)"', line)
                self.assertTrue(all(path.startswith(here) or path == "/dev/null" for path in paths), line)


if __name__ == "__main__":
    for tool in ("setpriv", "bash"):
        if not shutil.which(tool):
            print(f"SKIPPED: there is no {tool}")
            sys.exit(0)
    sys.exit(main([Privileges, Doctor, Files]))
