# SPDX-License-Identifier: MIT
"""Compares qlaunch with the raw thing: starting, launching one VM, knowing many.

Each figure is a median of alternating runs, so that a ratio stands whatever else
the machine does. Ends with 1 if a bound is broken.
"""

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
    memory(bench)


if __name__ == "__main__":
    sys.exit(run(__doc__, figures))
