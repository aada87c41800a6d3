# SPDX-License-Identifier: MIT
"""Compares `qlaunch image pull` with `curl` and then `sha512sum`, in turn, over loopback.

The bytes are the same, and both sides end with a file whose digest is known. Each
figure is a median. Ends with 1 if a bound is broken.
"""

import argparse
import contextlib
import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

MIB = 1 << 20
MOST_MEMORY = 40 * MIB


def make_file(path: str, size: int) -> str:
    digest = hashlib.sha512()
    piece = bytearray(os.urandom(MIB))
    with open(path, "wb") as file:
        for index in range(size // MIB):
            piece[:8] = index.to_bytes(8, "little")
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


def children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    return []


def peak(pid: int) -> int:
    """Bytes that the process had at most so far."""
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    return 0


class MemoryWatch:
    """The sum of what a process and its children had at most, each at its own time."""

    def __init__(self, pid: int) -> None:
        self.pid, self.peaks, self.ended = pid, {}, False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        while not self.ended:
            for pid in [self.pid, *children(self.pid)]:
                self.peaks[pid] = max(self.peaks.get(pid, 0), peak(pid))
            time.sleep(0.02)

    def end(self) -> int:
        self.ended = True
        self.thread.join()
        return sum(self.peaks.values())


def timed(work) -> float:
    begin = time.monotonic()
    work()
    return time.monotonic() - begin


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--qlaunch", required=True, help="the program to measure")
    parser.add_argument("--server", required=True, help="tests/support/http_server.py")
    parser.add_argument("--size", type=int, default=1024, help="MiB (default: 1024)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each side (default: 3)")
    options = parser.parse_args()
    for program in ("curl", "sha512sum"):
        if shutil.which(program) is None:
            print(f"[skip] pull: {program} is not installed")
            return 0
    with tempfile.TemporaryDirectory(prefix="qlaunch-bench.", dir="/var/tmp") as home:
        return compare(options, home)


def compare(options: argparse.Namespace, home: str) -> int:
    served = os.path.join(home, "www")
    os.mkdir(served)
    digest = make_file(os.path.join(served, "f.raw"), options.size * MIB)
    server = subprocess.Popen([sys.executable, options.server, served], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    url = f"http://127.0.0.1:{int(server.stdout.readline())}/plain/f.raw"
    out = os.path.join(home, "out")
    cache = os.path.join(home, "q")
    environment = dict(os.environ, QLAUNCH_HOME=cache)
    words = [options.qlaunch, "image", "pull", url, "--sha512", digest, "--format", "raw"]

    def raw() -> None:
        subprocess.run(["curl", "--silent", "--fail", "--output", out, url], check=True)
        told = subprocess.run(["sha512sum", out], check=True, stdout=subprocess.PIPE, text=True)
        assert told.stdout.startswith(digest)

    def pull() -> None:
        subprocess.run(words, env=environment, check=True, stdout=subprocess.DEVNULL)

    def clean() -> None:
        shutil.rmtree(cache, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(out)
        # What the other side has left to write is not for this one to wait for.
        os.sync()

    try:
        sides = {raw: [], pull: []}
        for _ in range(options.runs):
            for side, times in sides.items():
                clean()
                times.append(timed(side))
        clean()
        with subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL) as process:
            watch = MemoryWatch(process.pid)
            process.wait()
        memory = watch.end()
    finally:
        server.stdin.close()
        server.wait()
    bare, own = (statistics.median(times) for times in sides.values())
    ok = own <= 1.15 * bare and 0 < memory <= MOST_MEMORY
    print(f"pull of {options.size} MiB: {own:.2f} s, curl then sha512sum {bare:.2f} s, "
          f"ratio {own / bare:.2f} (bound 1.15)")
    print(f"pull, peak memory of both processes: {memory / MIB:.1f} MiB (bound 40)")
    if not ok:
        print("a bound is broken")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
