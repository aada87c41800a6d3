# SPDX-License-Identifier: MIT
"""`qlaunch ssh VM -- true` against the ssh of the system with the same key, in one run and in turn.

Once with a connection of its own on both sides, once over a shared one on both. The guest is Debian
with OpenSSH. Prints medians, and ends with 1 if a bound is broken: at most 1.15 times as long.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

ALONE, SHARED = 11, 31
BOUND = 1.15


def run(command: list[str], home: str) -> str:
    done = subprocess.run(command, env=dict(os.environ, QLAUNCH_HOME=home),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=400, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def took(command: list[str], home: str) -> float:
    begin = time.monotonic()
    run(command, home)
    return (time.monotonic() - begin) * 1000


def compare(name: str, ours: list[str], bare: list[str], turns: int, home: str) -> bool:
    mine, theirs = [], []
    for turn in range(turns + 1):
        times = took(bare, home), took(ours, home)
        if turn > 0:  # the first of each warms up
            theirs.append(times[0])
            mine.append(times[1])
    one, other = statistics.median(mine), statistics.median(theirs)
    print(f"{name:22} qlaunch {one:6.1f} ms, ssh {other:6.1f} ms, ratio {one / other:.3f}"
          f" (at most {BOUND})")
    return one <= BOUND * other


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--qlaunch", required=True)
    parser.add_argument("--guest", required=True, help="build_debian.sh")
    options = parser.parse_args()
    made = subprocess.run(["sh", options.guest], stdout=subprocess.PIPE, text=True, check=False)
    if made.returncode != 0:
        print("[skip] ssh: no Debian guest")
        return 0
    guest = made.stdout.strip()
    with tempfile.TemporaryDirectory(prefix="qlaunch-bench-") as home:
        profile = os.path.join(home, "guest.toml")
        with open(profile, "w", encoding="utf-8") as file:
            file.write(f"""name = "guest"
machine.memory = "768 MiB"
machine.accel = "tcg"
kernel.image = "{guest}/vmlinux"
kernel.initrd = "{guest}/initrd"
kernel.cmdline = "console=ttyS0 cryptomgr.notests quiet panic=-1"
display.type = "none"
ready = {{ when = "provisioned", timeout = "5m" }}
guest = {{ user = "dev" }}
[[disk]]
name = "root"
size = "2 GiB"
image = "{guest}/debian.qcow2"
""")
        qlaunch = options.qlaunch
        run([qlaunch, "up", profile], home)
        try:
            port = run([qlaunch, "status", "guest", "--get", "ssh_port"], home).strip()
            ours = [qlaunch, "ssh", "guest", "--", "true"]
            run(ours, home)
            keys = os.path.join(home, "data/guest/ssh")
            bare = ["ssh", "-F", "none", "-p", port, "-i", f"{keys}/keys/id_ed25519"]
            for setting in (f"UserKnownHostsFile={keys}/known_hosts", "HostKeyAlias=qlaunch-guest",
                            "IdentitiesOnly=yes", "StrictHostKeyChecking=yes"):
                bare += ["-o", setting]
            to = ["dev@127.0.0.1", "true"]
            ok = compare("own connection", [qlaunch, "ssh", "--no-share", "guest", "--", "true"],
                         bare + to, ALONE, home)
            control = os.path.join(home, "control")
            run(bare + ["-S", control, "-o", "ControlPersist=60", "-M", "-N", "-f", to[0]], home)
            ok = compare("shared connection", ours, bare + ["-S", control] + to, SHARED,
                         home) and ok
        finally:
            run([qlaunch, "kill", "guest"], home)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
