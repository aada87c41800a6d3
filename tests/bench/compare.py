# SPDX-License-Identifier: MIT
"""Compares qlaunch with the raw thing, in one run and in turn.

Each figure is a median of alternating runs, so that a ratio stands whatever else
the machine does. Ends with 1 if a bound is broken.
"""

import argparse
import contextlib
import json
import os
import re
import select
import signal
import statistics
import subprocess
import sys
import tempfile

KNOWN_VMS = 30


class Broken(Exception):
    """A measurement could not be made."""


class Bench:
    def __init__(self, options: argparse.Namespace, home: str) -> None:
        self.options = options
        self.home = home
        self.environment = dict(os.environ, QLAUNCH_HOME=os.path.join(home, "q"))
        self.ok = True

    def qlaunch(self, *arguments: str) -> str:
        command = [self.options.qlaunch, *arguments]
        done = subprocess.run(command, env=self.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=60, check=False)
        if done.returncode != 0:
            raise Broken(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
        return done.stdout

    def measure(self, *command: str) -> tuple[float, float]:
        """Milliseconds and peak MiB of one run, which must end with 0."""
        done = subprocess.run([self.options.measure, *command], env=self.environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        fields = done.stdout.split()
        if done.returncode != 0 or fields[2] != "0":
            raise Broken(f"{' '.join(command)} failed: {done.stdout}{done.stderr}")
        return int(fields[0]) / 1e6, int(fields[1]) / 1024

    def stop_all(self) -> None:
        """After a failure in the middle, something may still run."""
        with contextlib.suppress(Broken, subprocess.TimeoutExpired, OSError):
            for vm in json.loads(self.qlaunch("list", "--json")):
                if vm["state"] not in ("stopped", "suspended"):
                    self.qlaunch("kill", vm["name"])

    def report(self, what: str, value: str, bound: str, within: bool) -> None:
        self.ok = self.ok and within
        print(f"{what:<34} {value:<52} {bound:<20} {'ok' if within else 'BROKEN'}", flush=True)

    # Starting a process at all.

    def start_up(self, runs: int) -> None:
        commands = {"true": ["/bin/true"],
                    "--version": [self.options.qlaunch, "--version"],
                    "args hello": [self.options.qlaunch, "args", "hello"]}
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(runs):
            for name, command in commands.items():
                times[name].append(self.measure(*command)[0])
        base = statistics.median(times["true"])
        allowed = 3 * base + 5
        for name in ("--version", "args hello"):
            median = statistics.median(times[name])
            self.report(f"qlaunch {name}", f"{median:.2f} ms, /bin/true {base:.2f} ms",
                        f"3x + 5 ms: {allowed:.2f} ms", median <= allowed)

    # Launching.

    def launch(self, runs: int) -> None:
        self.qlaunch("up", "hello", "--no-wait")  # makes the disk, finds out about the host
        self.qlaunch("kill", "hello")
        raw = RawStart(self)
        ours: list[float] = []
        theirs: dict[str, list[float]] = {"greeting": [], "started": []}
        for _ in range(runs):
            for until, times in theirs.items():
                times.append(raw.run(until))
            try:
                ours.append(self.measure(self.options.qlaunch, "up", "hello", "--no-wait")[0])
            finally:
                self.qlaunch("kill", "hello")
        mine = statistics.median(ours)
        for until, what in (("started", "first command"), ("greeting", "greeting")):
            bare = statistics.median(theirs[until])
            # QEMU greets before it makes its devices; a VM counts as started only after that, so
            # the two rows tell qlaunch's own share of the time from QEMU's.
            self.report("qlaunch up hello --no-wait",
                        f"{mine:.1f} ms, raw {what} {bare:.1f} ms, ratio {mine / bare:.3f}",
                        "ratio 1.15", mine <= 1.15 * bare)

    # Memory.

    def memory(self) -> None:
        names = ["hello"] + [f"hello-{number}" for number in range(2, KNOWN_VMS + 1)]
        for name in names:
            self.qlaunch("up", "hello", "--name", name, "--no-wait")
            self.qlaunch("kill", name)
        known = len(self.qlaunch("list", "-q").split())
        if known != KNOWN_VMS:
            raise Broken(f"{known} VMs are known instead of {KNOWN_VMS}")
        peak = max(self.measure(self.options.qlaunch, "list")[1] for _ in range(3))
        self.report(f"qlaunch list, {KNOWN_VMS} VMs", f"{peak:.1f} MiB peak", "20 MB: 19.07 MiB",
                    peak * 1.048576 < 20)


class RawStart:
    """The same command line that qlaunch runs, started by raw_start.c."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        qemu = json.loads(bench.qlaunch("args", "hello", "--json"))["qemu"]
        argv = qemu["argv"]
        self.folder = os.path.join(bench.home, "raw")
        os.mkdir(self.folder, 0o700)
        self.arguments = os.path.join(self.folder, "argv")
        self.pid_file = os.path.join(self.folder, "pid")
        with open(self.arguments, "wb") as file:
            file.write(b"".join(argument.encode() + b"\0" for argument in argv))
        # The sockets lie in a folder of their own; what they are called does not matter to QEMU.
        self.sockets = {item["fd"]: os.path.join(self.folder, f"{item['fd']}.sock")
                        for item in qemu["descriptors"]}
        self.qmp = self.find_qmp(argv)

    @staticmethod
    def find_qmp(argv: list[str]) -> int:
        """The descriptor of the first chardev that carries a monitor in control mode."""
        values = {option: [argv[at + 1] for at in range(len(argv) - 1) if argv[at] == option]
                  for option in ("-mon", "-chardev")}
        for monitor in values["-mon"]:
            if "mode=control" not in monitor:
                continue
            wanted = re.search(r"chardev=([^,]+)", monitor)
            for chardev in values["-chardev"]:
                number = re.search(r",fd=(\d+)", chardev)
                if wanted and number and f"id={wanted[1]}," in chardev + ",":
                    return int(number[1])
        raise Broken("the command line has no QMP monitor on a descriptor")

    def run(self, until: str) -> float:
        """Milliseconds from starting the launcher until it ends: see raw_start.c for `until`."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.pid_file)
        try:
            return self.bench.measure(
                self.bench.options.raw_start, until, self.arguments, self.pid_file, str(self.qmp),
                *(f"{number}={path}" for number, path in self.sockets.items()))[0]
        finally:
            self.end()

    def end(self) -> None:
        """Ends the QEMU that the last run started, and waits until it is gone."""
        try:
            with open(self.pid_file, encoding="ascii") as file:
                process = os.pidfd_open(int(file.read()))
        except (FileNotFoundError, ProcessLookupError):
            return
        with contextlib.closing(os.fdopen(process)):
            for number in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(process, number)
                if select.select([process], [], [], 5)[0]:
                    return


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--qlaunch", required=True, help="the program to measure")
    parser.add_argument("--raw-start", required=True, help="built from raw_start.c")
    parser.add_argument("--measure", required=True, help="built from measure.c")
    parser.add_argument("--runs", type=int, default=21, help="runs of each side (default: 21)")
    options = parser.parse_args()
    # Short, because the path of a socket below it must fit 107 bytes.
    with tempfile.TemporaryDirectory(prefix="qlaunch-bench.", dir="/tmp") as home:
        bench = Bench(options, home)
        try:
            bench.start_up(2 * options.runs)
            bench.launch(options.runs)
            bench.memory()
        except (Broken, subprocess.TimeoutExpired) as problem:
            print(f"error: {problem}", file=sys.stderr)
            return 1
        finally:
            bench.stop_all()
    return 0 if bench.ok else 1


if __name__ == "__main__":
    sys.exit(main())
