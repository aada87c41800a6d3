# SPDX-License-Identifier: MIT
"""Compares `qlaunch snapshot` with the bare QMP job on the same running guest.

Both save, load and delete in turn, in the same QEMU; ours is timed from the start of
the program to its end, the bare job from the connection to its end. The guest has no
agent: setting its clock is no part of the job. Ends with 1 if a bound is broken.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import time

from bench import Bench, Broken, run

BOUND = 1.10


class Qmp:
    """One bare connection: what a client that does nothing else would do."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb")
        self.file.readline()
        self.concluded: set[str] = set()
        self.execute("qmp_capabilities")

    def __enter__(self) -> "Qmp":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.socket.close()

    def take(self) -> dict:
        message = json.loads(self.file.readline())
        if message.get("event") == "JOB_STATUS_CHANGE" and message["data"]["status"] == "concluded":
            self.concluded.add(message["data"]["id"])
        return message

    def execute(self, command: str, **arguments: object) -> object:
        text = json.dumps({"execute": command, "arguments": arguments}, separators=(",", ":"))
        self.socket.sendall(text.encode())
        while True:
            reply = self.take()
            if "error" in reply:
                raise Broken(f"{command}: {reply['error']['desc']}")
            if "return" in reply:
                return reply["return"]

    def job(self, command: str, **arguments: object) -> None:
        self.execute(command, **{"job-id": "bare", **arguments})
        while "bare" not in self.concluded:
            self.take()
        jobs = self.execute("query-jobs")
        problem = next((job["error"] for job in jobs if job["id"] == "bare" and "error" in job), "")
        if problem:
            raise Broken(f"{command}: {problem}")
        self.execute("job-dismiss", id="bare")


def guest(bench: Bench) -> None:
    script = os.path.join(os.path.dirname(__file__), "..", "guests", "build_micro.sh")
    folder = subprocess.run(["sh", script], stdout=subprocess.PIPE, text=True,
                            check=True).stdout.strip()
    profile = os.path.join(bench.home, "micro.toml")
    with open(profile, "w", encoding="utf-8") as file:
        file.write(f'''name = "micro"
machine.memory = "512 MiB"
machine.guest_agent = false
kernel.image = "{folder}/vmlinux"
kernel.initrd = "{folder}/initrd"
kernel.cmdline = "console=ttyS0 cryptomgr.notests quiet panic=-1"
display.type = "none"
ready.when = "serial:micro: ready"
[[disk]]
name = "root"
size = "64 MiB"
[[disk]]
name = "data"
size = "64 MiB"
''')
    bench.qlaunch("up", profile)
    # As much as a guest that does something has in its memory, and nothing that compresses.
    port = bench.qlaunch("status", "micro", "--get", "ssh_port").strip()
    subprocess.run(["ssh", "-F", "none", "-q", "-p", port, "-i", f"{folder}/ssh_key",
                    "-o", f"UserKnownHostsFile={folder}/known_hosts", "-o", "HostKeyAlias=micro",
                    "-o", "BatchMode=yes", "root@127.0.0.1",
                    "dd if=/dev/urandom of=/run/fill bs=1M count=128"], check=True,
                   stderr=subprocess.DEVNULL)


def figures(bench: Bench) -> None:
    guest(bench)
    path = os.path.join(bench.runtime, "qlaunch", "micro", "qmp.sock")
    devices = ["state", "disk-root", "disk-data"]
    ours: dict[str, list[float]] = {"create": [], "revert": [], "delete": []}
    bare: dict[str, list[float]] = {name: [] for name in ours}
    bare_jobs = {"create": ("snapshot-save", {"tag": "bare", "vmstate": "state"}),
                 "revert": ("snapshot-load", {"tag": "bare", "vmstate": "state"}),
                 "delete": ("snapshot-delete", {"tag": "bare"})}
    our_words = {"create": [], "revert": ["--discard"], "delete": []}
    bench.qlaunch("snapshot", "create", "micro", "kept")  # the image for memory is there

    def run_ours() -> None:
        for name, times in ours.items():
            milliseconds, _ = bench.measure(bench.options.qlaunch, "snapshot", name, "micro",
                                            "ours", *our_words[name])
            times.append(milliseconds)

    def run_bare() -> None:
        for name, (command, arguments) in bare_jobs.items():
            begin = time.monotonic()
            with Qmp(path) as qmp:
                qmp.job(command, devices=devices, **arguments)
            bare[name].append((time.monotonic() - begin) * 1000)

    for number in range(bench.options.runs):
        # What one has left in the image is the other's start.
        for side in (run_ours, run_bare) if number % 2 == 0 else (run_bare, run_ours):
            side()
    for name, times in ours.items():
        mine, theirs = statistics.median(times), statistics.median(bare[name])
        bench.report(f"qlaunch snapshot {name}",
                     f"{mine:.1f} ms, bare job {theirs:.1f} ms, ratio {mine / theirs:.3f}",
                     f"ratio {BOUND:.2f}", mine <= BOUND * theirs)
    bench.qlaunch("kill", "micro")


if __name__ == "__main__":
    sys.exit(run(__doc__, figures))
