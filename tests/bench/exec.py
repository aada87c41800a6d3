# SPDX-License-Identifier: MIT
"""`qlaunch exec` against a minimal blocking client of the guest agent that makes the same calls.

In turn, in one run. Prints medians, and ends with 1 if a bound is broken: a command that does
nothing, and 100 MB of output, take at most 1.2 times what that client takes.
"""

import argparse
import base64
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time

SIZE = 100_000_000
PIECE = 1 << 20


class Agent:
    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.rest = b""
        number = random.randrange(1 << 30)
        self.send(b"\xff", "guest-sync-delimited", {"id": number})
        while True:
            line = self.line()
            if b"\xff" in line and json.loads(line[line.rindex(b"\xff") + 1:])["return"] == number:
                return

    def send(self, before: bytes, command: str, arguments: dict) -> None:
        text = json.dumps({"execute": command, "arguments": arguments})
        self.socket.sendall(before + text.encode() + b"\n")

    def line(self) -> bytes:
        parts = [self.rest]
        while b"\n" not in parts[-1]:
            parts.append(self.socket.recv(1 << 16))
            if not parts[-1]:
                raise EOFError("the agent's socket was closed")
        line, self.rest = b"".join(parts).split(b"\n", 1)
        return line

    def call(self, command: str, **arguments: object) -> object:
        self.send(b"", command, arguments)
        reply = json.loads(self.line())
        return reply.get("return")  # None: refused

    def start(self, *words: str) -> int:
        return self.call("guest-exec", path=words[0], arg=words[1:])["pid"]

    def exited(self, pid: int) -> bool:
        return self.call("guest-exec-status", pid=pid)["exited"]

    def open(self, path: str, mode: str = "r") -> object:
        return self.call("guest-file-open", path=path, mode=mode)


class Output:
    """The segments of one of the outputs, as the program around a command makes them."""

    def __init__(self, agent: Agent, prefix: str) -> None:
        self.agent, self.prefix = agent, prefix
        self.handle = self.credit = None
        self.segment = self.size = self.total = 0
        self.ended = False

    def read(self) -> int:
        got = self.agent.call("guest-file-read", handle=self.handle, count=PIECE)
        data = base64.b64decode(got.get("buf-b64", ""))
        self.size += len(data)
        self.total += len(data)
        return len(data)

    def step(self, last: bool) -> bool:
        if self.handle is None:
            self.handle = self.agent.open(f"{self.prefix}{self.segment}")
            if self.handle is None:
                self.ended = last
                return False
        if self.read() > 0:
            return True
        following = None
        if self.size >= 32:
            following = self.agent.open(f"{self.prefix}{self.segment + 1}")
        if following is None:
            self.ended = last
            return False
        while self.read() > 0:
            pass
        self.agent.call("guest-file-close", handle=self.handle)
        self.handle, self.size = following, 0
        self.segment += 1
        if self.credit is None:
            self.credit = self.agent.open(self.prefix + "c", "r+")
        self.agent.call("guest-file-write", **{"handle": self.credit, "buf-b64": "Cg=="})
        self.agent.call("guest-file-flush", handle=self.credit)
        return True


def raw(path: str, script: str, *command: str) -> int:
    agent = Agent(path)
    base = f"/run/qlaunch-exec-{random.randrange(1 << 60):x}"
    pid = agent.start("setsid", "/bin/sh", "-c", script, "qlaunch", base, "", "0", *command)
    outputs = [Output(agent, base + end) for end in (".o", ".e")]
    pause = 0.001
    while True:
        if any([output.step(False) for output in outputs]):
            pause = 0.001
            continue
        if agent.exited(pid):
            break
        time.sleep(pause)
        pause = min(2 * pause, 0.04)
    for output in outputs:
        while not output.ended:
            output.step(True)
    removal = agent.start("/bin/sh", "-c", f"rm -f {base}.*")
    for output in outputs:
        for handle in (output.handle, output.credit):
            if handle is not None:
                agent.call("guest-file-close", handle=handle)
    pause = 0.001
    while not agent.exited(removal):
        time.sleep(pause)
        pause = min(2 * pause, 0.02)
    return outputs[0].total


def simplest(path: str) -> None:
    """What a command that says nothing needs at the least."""
    agent = Agent(path)
    pid = agent.start("true")
    pause = 0.001
    while not agent.exited(pid):
        time.sleep(pause)
        pause = min(2 * pause, 0.04)


def timed(work: object) -> float:
    # An agent sleeps for a tenth of a second after a client has gone: each finds it awake.
    time.sleep(0.3)
    begin = time.monotonic()
    work()
    return (time.monotonic() - begin) * 1000


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--qlaunch", required=True)
    parser.add_argument("--guest", required=True, help="build_micro.sh")
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    made = subprocess.run(["sh", options.guest], stdout=subprocess.PIPE, text=True, check=False)
    if made.returncode != 0:
        print("[skip] exec: no micro guest")
        return 0
    guest = made.stdout.strip()
    ok = True

    def report(what: str, mine: list[float], bare: list[float], bound: float | None) -> None:
        nonlocal ok
        ratio = statistics.median(mine) / statistics.median(bare)
        fine = bound is None or ratio <= bound
        ok = ok and fine
        print(f"{what}: qlaunch {statistics.median(mine):.1f} ms, bare "
              f"{statistics.median(bare):.1f} ms, ratio {ratio:.3f}"
              + ("" if bound is None else f", bound {bound}: {'ok' if fine else 'BROKEN'}"))

    with tempfile.TemporaryDirectory(prefix="qlaunch-bench-") as home:
        environment = dict(os.environ, QLAUNCH_HOME=home)
        profile = os.path.join(home, "guest.toml")
        with open(profile, "w", encoding="utf-8") as file:
            file.write(f"""name = "guest"
machine.memory = "384 MiB"
machine.accel = "tcg"
kernel.image = "{guest}/vmlinux"
kernel.initrd = "{guest}/initrd"
kernel.cmdline = "console=ttyS0 cryptomgr.notests quiet panic=-1"
display.type = "none"
ready.when = "agent"
""")

        def qlaunch(*words: str) -> bytes:
            done = subprocess.run([options.qlaunch, *words], env=environment, check=True,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            return done.stdout

        qlaunch("up", profile)
        try:
            path = os.path.join(home, "run", "guest", "agent.sock")
            around = qlaunch("exec", "guest", "--", "sh", "-c", "cat /proc/$PPID/cmdline")
            script = around.split(b"\0")[2].decode()
            figures: dict[str, list[float]] = {"ours": [], "raw": [], "simplest": []}
            for _ in range(options.runs):
                figures["raw"].append(timed(lambda: raw(path, script, "true")))
                figures["ours"].append(timed(lambda: qlaunch("exec", "guest", "--", "true")))
                figures["simplest"].append(timed(lambda: simplest(path)))
            report("exec true, the same calls", figures["ours"], figures["raw"], 1.2)
            report("exec true, guest-exec alone", figures["ours"], figures["simplest"], None)
            ours, bare = [], []
            command = ("head", "-c", str(SIZE), "/dev/zero")
            for _ in range(max(3, options.runs // 5)):
                bare.append(timed(lambda: raw(path, script, *command)))
                ours.append(timed(lambda: qlaunch("exec", "guest", "--", *command)))
            report(f"exec, {SIZE // 1_000_000} MB of output", ours, bare, 1.2)
        finally:
            qlaunch("kill", "guest")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
