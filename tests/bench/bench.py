# SPDX-License-Identifier: MIT
"""What the comparisons of qlaunch with the raw thing share: running both, and saying
whether a bound holds. Measures nothing by itself."""

import argparse
import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence


class Broken(Exception):
    """A measurement could not be made."""


class Bench:
    def __init__(self, options: argparse.Namespace, home: str, runtime: str) -> None:
        self.options = options
        self.home = home
        self.runtime = runtime
        self.environment = dict(os.environ, XDG_RUNTIME_DIR=runtime)
        self.environment.pop("QLAUNCH_HOME", None)
        for kind in ("DATA", "STATE", "CACHE", "CONFIG"):
            self.environment[f"XDG_{kind}_HOME"] = os.path.join(home, kind.lower())
        self.ok = True

    def qlaunch(self, *arguments: str) -> str:
        command = [self.options.qlaunch, *arguments]
        done = subprocess.run(command, env=self.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=60, check=False)
        if done.returncode != 0:
            raise Broken(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
        return done.stdout

    def measure(self, *command: str, keep: Sequence[int] = ()) -> tuple[float, float]:
        """Milliseconds and peak MiB of one run, which must end with 0. It gets the descriptors
        to keep."""
        done = subprocess.run([self.options.measure, *command], env=self.environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=60, check=False,
                              pass_fds=keep)
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


class RawStart:
    """The same command line that qlaunch runs, started by raw_start.c."""

    def __init__(self, bench: Bench, vm: str) -> None:
        self.bench = bench
        qemu = json.loads(bench.qlaunch("args", vm, "--json"))["qemu"]
        argv = qemu["argv"]
        self.folder = os.path.join(bench.runtime, "raw-" + vm)
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

    def command(self, until: str) -> list[str]:
        """See raw_start.c for `until`."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.pid_file)
        return [self.bench.options.raw_start, until, self.arguments, self.pid_file, str(self.qmp),
                *(f"{number}={path}" for number, path in self.sockets.items())]

    def run(self, until: str) -> float:
        """Milliseconds from starting the launcher until it ends."""
        try:
            return self.bench.measure(*self.command(until))[0]
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


def run(description: str, figures: Callable[[Bench], None]) -> int:
    """Reads the options, and makes the figures in a home of their own. The exit code."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--qlaunch", required=True, help="the program to measure")
    parser.add_argument("--raw-start", required=True, help="built from raw_start.c")
    parser.add_argument("--raw-ask", required=True, help="built from raw_ask.c")
    parser.add_argument("--measure", required=True, help="built from measure.c")
    parser.add_argument("--runs", type=int, default=21, help="runs of each side (default: 21)")
    options = parser.parse_args()
    # Sockets lie in memory, as those of a login do. Short, because their paths must fit 107 bytes.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp"
    with tempfile.TemporaryDirectory(prefix="qlaunch-bench.", dir="/tmp") as home, \
            tempfile.TemporaryDirectory(prefix="qlaunch-bench.", dir=memory) as runtime:
        bench = Bench(options, home, runtime)
        try:
            figures(bench)
        except (Broken, subprocess.TimeoutExpired) as problem:
            print(f"error: {problem}", file=sys.stderr)
            return 1
        finally:
            bench.stop_all()
    return 0 if bench.ok else 1
