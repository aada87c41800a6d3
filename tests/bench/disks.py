# SPDX-License-Identifier: MIT
"""Clones of a VM with a large disk, linked: of one that is stopped, and of one that runs.

A linked clone is bound by an absolute time, whatever the disk's size. Ends with 1 if a
bound is broken.
"""

import json
import os
import statistics
import subprocess
import sys

from bench import Bench, Broken, run

BOUND = 300.0  # milliseconds
GIB_HELD = 2

PROFILE = """\
[machine]
memory = "16 MiB"
[[disk]]
name = "root"
image = "builtin:hello"
[[disk]]
name = "data"
size = "20 GiB"
"""


def fill(path: str) -> None:
    """Data in every cluster of the first GIB_HELD GiB, and none behind."""
    writes: list[str] = []
    for at in range(0, GIB_HELD * 1024, 64):
        writes += ["-c", f"write -q -P {1 + at // 64 % 250} {at}M 64M"]
    subprocess.run(["qemu-io", "-f", "qcow2", *writes, path], check=True)


def clones(bench: Bench, what: str, runs: int) -> None:
    times: list[float] = []
    for number in range(runs):
        # So that there is something to freeze each time.
        if what == "running":
            bench.qlaunch("qmp", "large", "human-monitor-command", json.dumps(
                {"command-line": "qemu-io -d /machine/peripheral/drive-data/virtio-backend"
                                 f" \"write -P {number + 1} 3G 64k\""}))
        else:
            subprocess.run(["qemu-io", "-f", "qcow2", "-c", f"write -q -P {number + 1} 3G 64k",
                            disk_of(bench)], check=True)
        name = f"{what}-{number}"
        times.append(bench.measure(bench.options.qlaunch, "clone", "large", name)[0])
        chain = json.loads(bench.qlaunch("disk", "info", f"{name}:data", "--json"))[0]["chain"]
        if not chain:
            raise Broken("the clone was copied, not linked")
        bench.qlaunch("remove", "--yes", name)
    median, worst = statistics.median(times), max(times)
    bench.report(f"qlaunch clone, {what}", f"{median:.1f} ms, at most {worst:.1f} ms",
                 f"{BOUND:.0f} ms", median <= BOUND)


def disk_of(bench: Bench) -> str:
    return json.loads(bench.qlaunch("disk", "info", "large:data", "--json"))[0]["file"]


def figures(bench: Bench) -> None:
    profile = os.path.join(bench.home, "large.toml")
    with open(profile, "w", encoding="ascii") as file:
        file.write(PROFILE)
    bench.qlaunch("up", profile, "--no-wait")
    bench.qlaunch("kill", "large")
    fill(disk_of(bench))
    clones(bench, "stopped", 7)
    bench.qlaunch("up", "large", "--no-wait")
    clones(bench, "running", 7)
    bench.qlaunch("kill", "large")


if __name__ == "__main__":
    sys.exit(run(__doc__, figures))
