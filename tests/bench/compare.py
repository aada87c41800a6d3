# SPDX-License-Identifier: MIT
"""Compares qlaunch with the raw thing: starting, launching one VM, knowing many.

Each figure is a median of alternating runs, so that a ratio stands whatever else
the machine does. Ends with 1 if a bound is broken.
"""

import json
import os
import shlex
import shutil
import socket
import statistics
import sys

from bench import Bench, Broken, RawStart, run

KNOWN_VMS = 30


def start_up(bench: Bench, runs: int) -> None:
    commands = {"true": ["/bin/true"],
                "--version": [bench.options.qlaunch, "--version"],
                "args hello": [bench.options.qlaunch, "args", "hello"]}
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            times[name].append(bench.measure(*command)[0])
    base = statistics.median(times["true"])
    allowed = 3 * base + 5
    for name in ("--version", "args hello"):
        median = statistics.median(times[name])
        bench.report(f"qlaunch {name}", f"{median:.2f} ms, /bin/true {base:.2f} ms",
                    f"3x + 5 ms: {allowed:.2f} ms", median <= allowed)


def launch(bench: Bench, runs: int) -> None:
    bench.qlaunch("up", "hello", "--no-wait")  # makes the disk, finds out about the host
    bench.qlaunch("kill", "hello")
    raw = RawStart(bench, "hello")
    ours: list[float] = []
    theirs: dict[str, list[float]] = {"greeting": [], "started": []}
    for _ in range(runs):
        for until, times in theirs.items():
            times.append(raw.run(until))
        try:
            ours.append(bench.measure(bench.options.qlaunch, "up", "hello", "--no-wait")[0])
        finally:
            bench.qlaunch("kill", "hello")
    mine = statistics.median(ours)
    for until, what in (("started", "first command"), ("greeting", "greeting")):
        bare = statistics.median(theirs[until])
        # QEMU greets before it makes its devices; a VM counts as started only after that, so
        # the two rows tell qlaunch's own share of the time from QEMU's.
        bench.report("qlaunch up hello --no-wait",
                     f"{mine:.1f} ms, raw {what} {bare:.1f} ms, ratio {mine / bare:.3f}",
                     "ratio 1.15", mine <= 1.15 * bare)


SHARING = """\
machine.memory = "64 MiB"
display.type = "none"
[[disk]]
image = "builtin:hello"
[[share]]
tag = "shared"
driver = "virtiofs"
path = "{}"
"""


def launch_with_share(bench: Bench, runs: int) -> None:
    """The raw side starts virtiofsd and QEMU at once, with the listening socket handed over."""
    folder = os.path.join(bench.home, "shared")
    os.mkdir(folder)
    profile = os.path.join(bench.home, "sharing.toml")
    with open(profile, "w", encoding="utf-8") as file:
        file.write(SHARING.format(folder))
    bench.qlaunch("up", profile, "--no-wait")
    bench.qlaunch("kill", "sharing")
    helper = json.loads(bench.qlaunch("args", "sharing", "--json"))["helpers"][0]
    raw = RawStart(bench, "sharing")
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(runs):
        with socket.socket(socket.AF_UNIX) as listener:
            os.makedirs(os.path.dirname(helper["socket"]), 0o700)
            listener.bind(helper["socket"])
            listener.listen()
            argv = [f"--fd={listener.fileno()}" if word.startswith("--fd=") else word
                    for word in helper["argv"]]
            script = f"{shlex.join(argv)} >/dev/null 2>&1 & exec {shlex.join(raw.command('started'))}"
            os.set_inheritable(listener.fileno(), True)
            try:
                theirs.append(bench.measure("sh", "-c", script, keep=[listener.fileno()])[0])
            finally:
                raw.end()
                shutil.rmtree(os.path.dirname(helper["socket"]))
        try:
            ours.append(bench.measure(bench.options.qlaunch, "up", "sharing", "--no-wait")[0])
        finally:
            bench.qlaunch("kill", "sharing")
    bench.qlaunch("remove", "sharing", "--yes")
    mine, bare = statistics.median(ours), statistics.median(theirs)
    bench.report("qlaunch up, one virtiofs share",
                 f"{mine:.1f} ms, raw with virtiofsd {bare:.1f} ms, ratio {mine / bare:.3f}",
                 "ratio 1.15", mine <= 1.15 * bare)


def memory(bench: Bench) -> None:
    names = ["hello"] + [f"hello-{number}" for number in range(2, KNOWN_VMS + 1)]
    for name in names:
        bench.qlaunch("up", "hello", "--name", name, "--no-wait")
        bench.qlaunch("kill", name)
    known = len(bench.qlaunch("list", "-q").split())
    if known != KNOWN_VMS:
        raise Broken(f"{known} VMs are known instead of {KNOWN_VMS}")
    peak = max(bench.measure(bench.options.qlaunch, "list")[1] for _ in range(3))
    bench.report(f"qlaunch list, {KNOWN_VMS} VMs", f"{peak:.1f} MiB peak", "20 MB: 19.07 MiB",
                 peak * 1.048576 < 20)


def figures(bench: Bench) -> None:
    runs = bench.options.runs
    start_up(bench, 2 * runs)
    launch(bench, runs)
    launch_with_share(bench, runs)
    memory(bench)


if __name__ == "__main__":
    sys.exit(run(__doc__, figures))
