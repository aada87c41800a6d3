# SPDX-License-Identifier: MIT
"""Files through the shares of a guest: virtiofs as qlaunch sets it up, against virtiofsd and QEMU set
up by hand, and 9p beside them.

Reads and writes one large file, and makes, lists, reads and removes many small ones, by the guest's
own busybox. In turn, in one run, on guests that are booted once for each turn. Prints a table of
the least of several turns, and ends with 1 where virtiofs is more than 5 % slower than by hand in all of it together.
"""

import argparse
import base64
import os
import shutil
import subprocess
import sys
import tempfile
import time

from exec import Agent  # the minimal client

LARGE_MB = 64
SMALL = 300

# Each prints its name and how long it took, by the guest's clock.
SCRIPT = f"""
cd "$1" || exit 1
now() {{ read -r up rest </proc/uptime; echo "$up"; }}
timed() {{
  name=$1; shift
  echo 3 >/proc/sys/vm/drop_caches
  a=$(now); "$@" >/dev/null || exit 1; b=$(now)
  echo "$name $a $b"
}}
write_large() {{ dd if=/dev/zero of=large bs=1M count={LARGE_MB} conv=fsync 2>/dev/null; }}
read_large() {{ dd if=large of=/dev/null bs=1M 2>/dev/null; }}
make_small() {{ mkdir small; i=0; while [ $i -lt {SMALL} ]; do echo $i >small/$i; i=$((i + 1)); done; }}
list_small() {{ ls -l small; }}
read_small() {{ cat small/*; }}
remove_small() {{ rm -r small; }}
timed write_large write_large
timed read_large read_large
timed make_small make_small
timed list_small list_small
timed read_small read_small
timed remove_small remove_small
rm large
"""
WHAT = {"write_large": f"write {LARGE_MB} MB", "read_large": f"read {LARGE_MB} MB",
        "make_small": f"make {SMALL} small files", "list_small": "list them",
        "read_small": "read them", "remove_small": "remove them"}


class Runner:
    def __init__(self, options: argparse.Namespace, guest: str, home: str) -> None:
        self.options, self.guest, self.home = options, guest, home
        self.folder = os.path.join(home, "shared")
        os.mkdir(self.folder)

    def qlaunch(self, *words: str) -> str:
        done = subprocess.run([self.options.qlaunch, *words], stdin=subprocess.DEVNULL,
                              env=dict(os.environ, QLAUNCH_HOME=self.home), check=True,
                              stdout=subprocess.PIPE, text=True)
        return done.stdout

    def profile(self, name: str, driver: str) -> str:
        path = os.path.join(self.home, name + ".toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"""name = "{name}"
machine.memory = "512 MiB"
machine.accel = "tcg"
kernel.image = "{self.guest}/vmlinux"
kernel.initrd = "{self.guest}/initrd"
kernel.cmdline = "console=ttyS0 cryptomgr.notests quiet panic=-1 share={driver}:work:/mnt/work"
display.type = "none"
ready.when = "serial:micro: ready"
[[share]]
tag = "work"
path = "{self.folder}"
driver = "{driver}"
""")
        return path

    def by_qlaunch(self, driver: str) -> dict[str, float]:
        self.qlaunch("up", self.profile(driver, driver))
        try:
            return figures(os.path.join(self.home, "run", driver, "agent.sock"))
        finally:
            self.qlaunch("kill", driver)

    def by_hand(self) -> dict[str, float]:
        """virtiofsd and QEMU with the arguments of every description of virtiofs."""
        virtiofsd = self.options.virtiofsd
        sock, agent = (os.path.join(self.home, name) for name in ("hand.sock", "hand-agent.sock"))
        rust = "/lib/qemu/" not in virtiofsd
        words = ([virtiofsd, f"--socket-path={sock}", f"--shared-dir={self.folder}"] if rust else
                 [virtiofsd, f"--socket-path={sock}", "-o", f"source={self.folder}"])
        log = open(os.path.join(self.home, "hand.log"), "ab")
        helper = subprocess.Popen(words, stdout=log, stderr=log)
        qemu = None
        try:
            wait_for(lambda: os.path.exists(sock))
            qemu = subprocess.Popen(
                ["qemu-system-x86_64", "-machine", "q35,memory-backend=mem", "-accel", "tcg", "-cpu",
                 "max", "-smp", "2", "-m", "512", "-nodefaults", "-display", "none", "-object",
                 "memory-backend-memfd,id=mem,size=512M,share=on", "-kernel",
                 f"{self.guest}/vmlinux", "-initrd", f"{self.guest}/initrd", "-append",
                 "console=ttyS0 cryptomgr.notests quiet panic=-1 share=virtiofs:work:/mnt/work",
                 "-chardev", f"socket,id=fs,path={sock}", "-device",
                 "vhost-user-fs-pci,chardev=fs,tag=work,queue-size=1024", "-device",
                 "virtio-serial-pci", "-chardev",
                 f"socket,id=agent,path={agent},server=on,wait=off", "-device",
                 "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"],
                stdout=log, stderr=log)
            wait_for(lambda: os.path.exists(agent))
            return figures(agent)
        finally:
            for process in (qemu, helper):
                if process is not None:
                    process.kill()
                    process.wait()
            for path in (sock, agent):
                if os.path.exists(path):
                    os.unlink(path)


def figures(path: str) -> dict[str, float]:
    """Of the guest whose agent is behind this socket: asked alike on all sides."""
    agent = Agent(path)
    script = "until grep -q /mnt/work /proc/mounts; do usleep 50000; done\n" + SCRIPT
    pid = agent.call("guest-exec", **{"path": "/bin/sh", "capture-output": True,
                                      "arg": ["-c", script, "sh", "/mnt/work"]})["pid"]
    while True:
        status = agent.call("guest-exec-status", pid=pid)
        if status["exited"]:
            break
        time.sleep(0.2)
    out = base64.b64decode(status.get("out-data", "")).decode()
    return {line.split()[0]: float(line.split()[2]) - float(line.split()[1])
            for line in out.splitlines()}


def wait_for(fact: object) -> None:
    end = time.monotonic() + 30
    while not fact():
        if time.monotonic() > end:
            raise SystemExit("it did not come within 30 seconds")
        time.sleep(0.01)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--qlaunch", required=True)
    parser.add_argument("--guest", required=True, help="build_micro.sh")
    parser.add_argument("--virtiofsd", default="/usr/lib/qemu/virtiofsd")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    made = subprocess.run(["sh", options.guest], stdout=subprocess.PIPE, text=True, check=False)
    if made.returncode != 0 or not os.access(options.virtiofsd, os.X_OK) or os.geteuid() != 0:
        print("[skip] shares: needs root, the micro guest and virtiofsd")
        return 0
    home = tempfile.mkdtemp(prefix="qlaunch-bench-")
    try:
        runner = Runner(options, made.stdout.strip(), home)
        sides = {"virtiofs": lambda: runner.by_qlaunch("virtiofs"), "by hand": runner.by_hand,
                 "9p": lambda: runner.by_qlaunch("9p")}
        all_figures: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
        for _ in range(options.runs):
            for side, work in sides.items():
                all_figures[side].append(work())
    finally:
        shutil.rmtree(home)
    # The least of several: whatever else the machine does only adds to it.
    least = {side: {what: min(one[what] for one in runs) for what in WHAT}
             for side, runs in all_figures.items()}
    print(f"| seconds | {' | '.join(sides)} |\n|---|" + "---:|" * len(sides))
    for what, text in WHAT.items():
        print(f"| {text} | " + " | ".join(f"{least[side][what]:.2f}" for side in sides) + " |")
    total = {side: sum(one.values()) for side, one in least.items()}
    ratio = total["virtiofs"] / total["by hand"]
    print(f"virtiofs by qlaunch to by hand, all of it: {ratio:.3f}, bound 1.05: "
          + ("ok" if ratio <= 1.05 else "BROKEN"))
    return 0 if ratio <= 1.05 else 1


if __name__ == "__main__":
    sys.exit(main())
