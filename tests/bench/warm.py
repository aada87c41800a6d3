# SPDX-License-Identifier: MIT
"""Warm starts of a Linux guest against its cold boot to the same readiness, in one run.

Prints medians, and ends with 1 if a bound is broken: a warm start takes at most a fifth of the boot,
and each of eight at once at most twice the time of one. The second takes eight processors: with
fewer it is told and not judged, because the guests themselves have to run.
"""

import argparse
import concurrent.futures
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

TURNS = 5
AT_ONCE = 8


def qlaunch(options: argparse.Namespace, home: str, *words: str) -> str:
    done = subprocess.run([options.qlaunch, *words], env=dict(os.environ, QLAUNCH_HOME=home),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def start(options: argparse.Namespace, home: str, profile: str, *more: str) -> tuple[float, str]:
    """Milliseconds from the command to a guest that is ready, and the VM's name."""
    begin = time.monotonic()
    out = qlaunch(options, home, "up", "--ephemeral", "--json", profile, *more)
    return (time.monotonic() - begin) * 1000, json.loads(out)["name"]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--qlaunch", required=True)
    parser.add_argument("--guest", required=True, help="build_micro.sh")
    options = parser.parse_args()
    made = subprocess.run(["sh", options.guest], stdout=subprocess.PIPE, text=True, check=False)
    if made.returncode != 0:
        print("[skip] warm: no micro guest")
        return 0
    guest = made.stdout.strip()
    ok = True
    with tempfile.TemporaryDirectory(prefix="qlaunch-bench-") as home:
        profile = os.path.join(home, "guest.toml")
        with open(profile, "w", encoding="utf-8") as file:
            file.write(f"""name = "guest"
machine.memory = "384 MiB"
machine.accel = "tcg"
kernel.image = "{guest}/vmlinux"
kernel.initrd = "{guest}/initrd"
kernel.cmdline = "console=ttyS0 cryptomgr.notests quiet panic=-1"
display.type = "none"
ready.when = "ssh"
start.warm = true
[[disk]]
name = "data"
size = "16 MiB"
""")
        cold, warm = [], []
        for _ in range(TURNS):
            taken, name = start(options, home, profile, "--set", "start.warm=false")
            cold.append(taken)
            qlaunch(options, home, "kill", name)
            if not warm:  # the first keeps the state
                qlaunch(options, home, "kill", start(options, home, profile)[1])
            taken, name = start(options, home, profile)
            warm.append(taken)
            qlaunch(options, home, "kill", name)
        one, boot = statistics.median(warm), statistics.median(cold)
        ok = ok and one * 5 <= boot
        print(f"cold boot to ssh   {boot:7.0f} ms")
        print(f"warm start to ssh  {one:7.0f} ms, {one / boot:.2f} of it (at most 0.20)")
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            runs = list(pool.map(lambda _: start(options, home, profile), range(AT_ONCE)))
        slowest = max(taken for taken, _ in runs)
        judged = (os.cpu_count() or 1) >= AT_ONCE
        ok = ok and (not judged or slowest <= 2 * one)
        print(f"{AT_ONCE} at once, slowest {slowest:7.0f} ms, {slowest / one:.2f} of one"
              f" (at most 2{'' if judged else f', not judged with {os.cpu_count()} processors'})")
        for _, name in runs:
            qlaunch(options, home, "kill", name)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
