# SPDX-License-Identifier: MIT
"""The same guests under qlaunch and under libvirt's own session daemon: listing 30 that
run, a live snapshot and going back to it, and a live snapshot of a guest with UEFI
variables. Says that it is skipped where libvirt is not installed. Ends with 1 if qlaunch
is the slower one.
"""

import os
import pwd
import shutil
import statistics
import subprocess
import sys
import time

from bench import Bench, Broken, run

MANY = 30
BUILD_MICRO = os.path.join(os.path.dirname(__file__), "..", "guests", "build_micro.sh")
CMDLINE = "console=ttyS0 cryptomgr.notests quiet panic=-1"
HELLO = 'machine.memory = "16 MiB"\ndisplay.type = "none"\n[[disk]]\nimage = "builtin:hello"\n'


class Libvirt:
    """A session daemon of this benchmark's own. Such a one serves no root: it runs as `nobody`
    where this does."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.folder = os.path.join(bench.runtime, "libvirt")
        os.mkdir(self.folder, 0o700)
        self.user = "nobody" if os.geteuid() == 0 else None
        self.environment = dict(os.environ, HOME=self.folder, XDG_RUNTIME_DIR=self.folder)
        for kind in ("DATA", "STATE", "CACHE", "CONFIG"):
            self.environment[f"XDG_{kind}_HOME"] = os.path.join(self.folder, kind.lower())
        if self.user:
            os.chmod(bench.runtime, 0o711)
            owner = pwd.getpwnam(self.user)
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        self.log = os.path.join(bench.home, "libvirtd.log")
        with open(self.log, "wb") as log:
            self.daemon = subprocess.Popen(["libvirtd", "--timeout", "600"], env=self.environment,
                                           user=self.user, group=None, stdin=subprocess.DEVNULL,
                                           stdout=log, stderr=log)
        self.await_daemon()

    def await_daemon(self) -> None:
        until = time.monotonic() + 30
        while subprocess.run(self.command("list"), env=self.environment, user=self.user,
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, check=False).returncode != 0:
            if time.monotonic() > until or self.daemon.poll() is not None:
                with open(self.log, encoding="utf-8", errors="replace") as log:
                    raise Broken("libvirtd does not answer:\n" + log.read())
            time.sleep(0.1)

    @staticmethod
    def command(*words: str) -> list[str]:
        return ["virsh", "--quiet", "--connect", "qemu:///session", *words]

    def try_virsh(self, *words: str) -> subprocess.CompletedProcess:
        return subprocess.run(self.command(*words), env=self.environment, user=self.user,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=120, check=False)

    def virsh(self, *words: str) -> str:
        done = self.try_virsh(*words)
        if done.returncode != 0:
            raise Broken(f"virsh {' '.join(words)} ended with {done.returncode}:\n{done.stderr}")
        return done.stdout

    def measure(self, *words: str) -> float:
        """Milliseconds of one virsh, which must end with 0."""
        done = subprocess.run([self.bench.options.measure, *self.command(*words)],
                              env=self.environment, user=self.user, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=120, check=False)
        fields = done.stdout.split()
        if done.returncode != 0 or fields[2] != "0":
            raise Broken(f"virsh {' '.join(words)} failed: {done.stdout}{done.stderr}")
        return int(fields[0]) / 1e6

    def file(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def give(self, path: str, name: str) -> str:
        """A copy of a file that the daemon's user can use."""
        copy = shutil.copy(path, self.file(name))
        if self.user:
            shutil.chown(copy, self.user)
        return copy

    def create(self, name: str, system: str, devices: str, memory: int) -> None:
        path = self.file(name + ".xml")
        emulator = shutil.which("qemu-system-x86_64")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"<domain type='qemu'><name>{name}</name>"
                       f"<memory unit='MiB'>{memory}</memory><vcpu>1</vcpu>{system}"
                       "<cpu mode='maximum'/><features><acpi/></features>"
                       f"<devices><emulator>{emulator}</emulator>{devices}</devices></domain>")
        os.chmod(path, 0o644)
        self.virsh("define", path)
        self.virsh("start", name)

    def end(self) -> None:
        for name in self.try_virsh("list", "--name").stdout.split():
            self.try_virsh("destroy", name)
        self.daemon.terminate()
        self.daemon.wait(30)


def disk(path: str, kind: str, device: str) -> str:
    return (f"<disk type='file' device='disk'><driver name='qemu' type='{kind}'/>"
            f"<source file='{path}'/><target dev='{device}' bus='virtio'/></disk>")


def hardware(extra: str = "") -> str:
    return f"<os><type arch='x86_64' machine='q35'>hvm</type>{extra}</os>"


def alternate(bench: Bench, runs: int, ours: list[str], virsh: "Libvirt",
              theirs: list[str]) -> tuple[float, float]:
    """Medians of both in turn."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(runs):
        times[0].append(bench.measure(bench.options.qlaunch, *ours)[0])
        times[1].append(virsh.measure(*theirs))
    return statistics.median(times[0]), statistics.median(times[1])


def compare(bench: Bench, what: str, mine: float, theirs: float) -> None:
    bench.report(what, f"{mine:.1f} ms, libvirt {theirs:.1f} ms", "as fast", mine <= theirs)


def listing(bench: Bench, libvirt: Libvirt) -> None:
    for number in range(MANY):
        with open(os.path.join(bench.home, f"vm{number}.toml"), "w", encoding="utf-8") as file:
            file.write(HELLO)
    bench.qlaunch("up", "--no-wait",
                  *(os.path.join(bench.home, f"vm{number}.toml") for number in range(MANY)))
    guest = os.path.join(bench.home, "data", "qlaunch", "vm0", "hello.img")
    for number in range(MANY):
        image = libvirt.give(guest, f"vm{number}.img")
        # Without a serial port it spins, looking for one.
        libvirt.create(f"vm{number}", hardware(),
                       disk(image, "raw", "vda") + "<serial type='null'/>", 16)
    mine, theirs = alternate(bench, bench.options.runs, ["list"], libvirt, ["list"])
    compare(bench, f"qlaunch list, {MANY} running", mine, theirs)
    names = [f"vm{number}" for number in range(MANY)]
    bench.qlaunch("kill", *names)
    for name in names:
        libvirt.virsh("destroy", name)


def start_micro(bench: Bench, libvirt: Libvirt) -> None:
    folder = subprocess.run(["sh", BUILD_MICRO], stdout=subprocess.PIPE, text=True,
                            check=True).stdout.strip()
    profile = os.path.join(bench.home, "micro.toml")
    with open(profile, "w", encoding="utf-8") as file:
        file.write(f'name = "micro"\nmachine.memory = "512 MiB"\nmachine.guest_agent = false\n'
                   f'kernel.image = "{folder}/vmlinux"\nkernel.initrd = "{folder}/initrd"\n'
                   f'kernel.cmdline = "{CMDLINE}"\ndisplay.type = "none"\n'
                   'ready.when = "serial:micro: ready"\n'
                   '[[disk]]\nname = "root"\nsize = "64 MiB"\n')
    bench.qlaunch("up", profile)
    kernel, initrd = (libvirt.give(f"{folder}/{name}", name) for name in ("vmlinux", "initrd"))
    image, log = libvirt.file("root.qcow2"), libvirt.file("serial.log")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "64M"], check=True)
    with open(log, "wb"):
        pass
    if libvirt.user:
        shutil.chown(image, libvirt.user)
        shutil.chown(log, libvirt.user)
    direct = (f"<kernel>{kernel}</kernel><initrd>{initrd}</initrd><cmdline>{CMDLINE}</cmdline>")
    libvirt.create("micro", hardware(direct), disk(image, "qcow2", "vda") +
                   f"<serial type='file'><source path='{log}'/></serial>", 512)
    until = time.monotonic() + 60
    while True:
        with open(log, encoding="utf-8", errors="replace") as file:
            if "micro: ready" in file.read():
                return
        if time.monotonic() > until:
            raise Broken("the guest under libvirt does not boot")
        time.sleep(0.1)


def snapshots(bench: Bench, libvirt: Libvirt) -> None:
    start_micro(bench, libvirt)
    # All of one kind before the next: what is deleted gives its room back here and not there, so
    # that a snapshot in the place of another is not the same work.
    tags = [f"s{number}" for number in range(max(5, bench.options.runs // 2))]
    steps = {"create": (["create", "micro"], ["snapshot-create-as", "micro"], []),
             "revert": (["revert", "micro"], ["snapshot-revert", "micro"], ["--discard"]),
             "delete": (["delete", "micro"], ["snapshot-delete", "micro"], [])}
    for name, (ours, theirs, options) in steps.items():
        mine: list[float] = []
        other: list[float] = []
        for tag in tags:
            mine.append(bench.measure(bench.options.qlaunch, "snapshot", *ours, tag, *options)[0])
            other.append(libvirt.measure(*theirs, tag))
        compare(bench, f"qlaunch snapshot {name}", statistics.median(mine),
                statistics.median(other))
    bench.qlaunch("kill", "micro")
    libvirt.virsh("destroy", "micro")


def uefi(bench: Bench, libvirt: Libvirt) -> None:
    """Not a race: the one of them either can or cannot."""
    profile = os.path.join(bench.home, "uefi.toml")
    with open(profile, "w", encoding="utf-8") as file:
        file.write('name = "uefi"\nmachine.memory = "128 MiB"\nmachine.firmware = "uefi"\n'
                   'display.type = "none"\n[[disk]]\nsize = "16 MiB"\n')
    bench.qlaunch("up", "--no-wait", profile)
    bench.qlaunch("snapshot", "create", "uefi", "one")
    image = libvirt.file("uefi.qcow2")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "16M"], check=True)
    if libvirt.user:
        shutil.chown(image, libvirt.user)
    path = libvirt.file("uefi.xml")
    libvirt.create("uefi", "<os firmware='efi'><type arch='x86_64' machine='q35'>hvm</type></os>",
                   disk(image, "qcow2", "vda"), 128)
    done = libvirt.try_virsh("snapshot-create-as", "uefi", "one")
    said = done.stderr.strip().splitlines()
    print("live snapshot with UEFI: qlaunch can, libvirt " +
          (f"cannot ({said[-1]})" if done.returncode else "can"), flush=True)
    bench.qlaunch("kill", "uefi")
    libvirt.virsh("destroy", "uefi")
    os.unlink(path)


def figures(bench: Bench) -> None:
    missing = [program for program in ("libvirtd", "virsh") if not shutil.which(program)]
    if missing:
        print(f"[skip] libvirt: {' and '.join(missing)} not installed")
        return
    libvirt = Libvirt(bench)
    try:
        print(libvirt.virsh("version", "--daemon").strip().splitlines()[-1], flush=True)
        listing(bench, libvirt)
        snapshots(bench, libvirt)
        uefi(bench, libvirt)
    finally:
        libvirt.end()


if __name__ == "__main__":
    sys.exit(run(__doc__, figures))
