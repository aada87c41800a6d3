# SPDX-License-Identifier: MIT
"""The first boot of the Debian guest to its ssh server's greeting: told by qlaunch's volume, against
QEMU on a command line of one's own with a volume made by hand for the same user, key and host key.

Prints medians, and ends with 1 if qlaunch takes more than 1.05 times as long.
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

BOUND = 1.05

PROFILE = """name = "deb"
machine.memory = "768 MiB"
machine.accel = "tcg"
kernel.image = "{guest}/vmlinux"
kernel.initrd = "{guest}/initrd"
kernel.cmdline = "console=ttyS0 cryptomgr.notests quiet panic=-1"
display.type = "none"
ready.timeout = "5m"
[[disk]]
base = "{guest}/debian.qcow2"
[guest]
user = "dev"
uid = 4321
"""

USER_DATA = """#cloud-config
users:
  - name: dev
    uid: 4321
    shell: /bin/bash
    sudo: "ALL=(ALL) NOPASSWD:ALL"
    ssh_authorized_keys:
      - {key}
ssh_keys:
  ed25519_private: |
{host_key}
  ed25519_public: {host_public_key}
locale: "false"
"""


def run(*command: str, **more) -> str:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=400, check=False, **more)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def greeted(port: int) -> bool:
    """QEMU accepts at once: only the server's own words count. Many connections that are given up
    would each cost the guest a process."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as link:
            link.settimeout(2)
            return link.recv(4) == b"SSH-"
    except OSError:
        return False


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Raw:
    def __init__(self, folder: str, guest: str, maker: str) -> None:
        self.folder, self.guest, self.maker = folder, guest, maker

    def boot(self) -> float:
        seed = os.path.join(self.folder, "seed")
        shutil.rmtree(seed, ignore_errors=True)
        os.mkdir(seed)
        for name in ("id", "host"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", os.path.join(seed, name))
        host_key = "".join(f"    {line}\n" for line in read(f"{seed}/host").splitlines())
        write(f"{seed}/user-data",
              USER_DATA.format(key=read(f"{seed}/id.pub").strip(), host_key=host_key.rstrip("\n"),
                               host_public_key=read(f"{seed}/host.pub").strip()))
        write(f"{seed}/meta-data", "instance-id: by-hand\nlocal-hostname: deb\n")
        volume, disk = f"{self.folder}/seed.iso", f"{self.folder}/raw.qcow2"
        begin = time.monotonic()
        run("qemu-img", "create", "-q", "-f", "qcow2", "-b", f"{self.guest}/debian.qcow2", "-F",
            "qcow2", disk)
        how = [self.maker] if self.maker.endswith("genisoimage") else [self.maker, "-as", "mkisofs"]
        run(*how, "-quiet", "-output", volume, "-volid", "cidata", "-joliet", "-rock",
            f"{seed}/user-data", f"{seed}/meta-data")
        port = free_port()
        qemu = subprocess.Popen(
            ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg", "-cpu", "max", "-smp", "2",
             "-m", "768", "-nodefaults", "-display", "none",
             "-kernel", f"{self.guest}/vmlinux", "-initrd", f"{self.guest}/initrd",
             "-append", "console=ttyS0 cryptomgr.notests quiet panic=-1",
             "-serial", f"file:{self.folder}/serial.log", "-device", "virtio-rng-pci",
             "-drive", f"file={disk},format=qcow2,if=virtio,discard=unmap",
             "-drive", f"file={volume},format=raw,if=virtio,readonly=on",
             "-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{port}-:22",
             "-device", "virtio-net-pci,netdev=net,romfile="], stdin=subprocess.DEVNULL)
        try:
            while not greeted(port):
                if qemu.poll() is not None or time.monotonic() - begin > 300:
                    raise SystemExit("the guest under raw QEMU does not greet")
                time.sleep(0.05)
            return time.monotonic() - begin
        finally:
            qemu.kill()
            qemu.wait()


class Ours:
    def __init__(self, folder: str, guest: str, qlaunch: str) -> None:
        self.qlaunch, self.profile = qlaunch, os.path.join(folder, "deb.toml")
        self.environment = dict(os.environ, QLAUNCH_HOME=os.path.join(folder, "home"))
        write(self.profile, PROFILE.format(guest=guest))

    def boot(self) -> float:
        begin = time.monotonic()
        run(self.qlaunch, "up", self.profile, env=self.environment)
        taken = time.monotonic() - begin
        self.end()
        return taken

    def end(self) -> None:
        for command in (["kill", "deb"], ["remove", "deb", "--yes"]):
            subprocess.run([self.qlaunch, *command], env=self.environment, check=False,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--qlaunch", required=True)
    parser.add_argument("--guest", required=True, help="build_debian.sh")
    parser.add_argument("--runs", type=int, default=5, help="of each side (default: 5)")
    options = parser.parse_args()
    maker = shutil.which("genisoimage") or shutil.which("xorriso")
    if maker is None:
        print("[skip] seed: neither genisoimage nor xorriso is installed")
        return 0
    made = subprocess.run(["sh", options.guest], stdout=subprocess.PIPE, text=True, check=False)
    if made.returncode != 0:
        print("[skip] seed: no Debian guest")
        return 0
    with tempfile.TemporaryDirectory(prefix="qlaunch-bench-") as folder:
        raw = Raw(folder, made.stdout.strip(), maker)
        ours = Ours(folder, made.stdout.strip(), options.qlaunch)
        theirs_taken, ours_taken = [], []
        try:
            for _ in range(options.runs):
                theirs_taken.append(raw.boot())
                ours_taken.append(ours.boot())
                print(f"raw {theirs_taken[-1]:6.2f} s   qlaunch {ours_taken[-1]:6.2f} s   load "
                      f"{os.getloadavg()[0]:.1f}", flush=True)
        finally:
            ours.end()
    theirs, mine = statistics.median(theirs_taken), statistics.median(ours_taken)
    within = mine <= BOUND * theirs
    print(f"first boot of Debian to ssh: raw QEMU {theirs:.2f} s, qlaunch {mine:.2f} s, "
          f"{mine / theirs:.3f} of it (at most {BOUND}) {'ok' if within else 'BROKEN'}")
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
