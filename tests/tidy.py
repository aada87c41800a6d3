# SPDX-License-Identifier: MIT
"""Runs clang-tidy over src/ and qmp/ on all cores: tidy.py CLANG_TIDY BUILD_FOLDER

Sources that are compiled as one are looked at as one: to parse the headers is
most of the work. What passed is not looked at again until a source, a header of
the project that it includes, the compile command, .clang-tidy or the tool
changes; it is kept as empty files named by digest in BUILD_FOLDER/tidy-passed/.
"""

import concurrent.futures
import hashlib
import json
import os
import subprocess
import sys
import time

# The compile commands are g++'s.
FOR_CLANG = ["--quiet", "--extra-arg=-Wno-unknown-warning-option",
             "--extra-arg=-Wno-unused-command-line-argument",
             "--extra-arg=-Wno-ignored-optimization-argument",
             # Including sources is what makes several of them one.
             "--checks=-bugprone-suspicious-include"]


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def project_sources(root: str, build: str) -> list[dict]:
    """The compile commands of what is checked, each source once."""
    found = {}
    for entry in json.loads(read(os.path.join(build, "compile_commands.json"))):
        path = os.path.realpath(os.path.join(entry["directory"], entry["file"]))
        top = entry["output"].split(os.sep)[0]
        if top in ("src", "qmp") and path.endswith(".cpp"):
            found.setdefault(path, entry)
    return [dict(entry, path=path) for path, entry in sorted(found.items())]


def headers(root: str, build: str) -> dict[str, list[str]]:
    """Object file -> the project's own files that went into it, as Ninja recorded them."""
    result = subprocess.run(["ninja", "-C", build, "-t", "deps"], check=True,
                            stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in result.splitlines():
        if line.startswith("    "):
            path = os.path.realpath(os.path.join(build, line.strip()))
            if path.startswith(root + os.sep):
                current.append(path)
        elif ": #deps" in line:
            current = found.setdefault(line.split(": #deps")[0], [])
    return found


def digest(entry: dict, parts: list[str] | None, common: bytes) -> str | None:
    if parts is None:
        return None
    hashed = hashlib.sha256(common)
    hashed.update(entry.get("command", "").encode())
    for path in sorted({entry["path"], *parts}):
        hashed.update(path.encode() + b"\0" + hashlib.sha256(read(path)).digest())
    return hashed.hexdigest()


def main(tool: str, build: str) -> int:
    root = os.path.realpath(".")
    passed = os.path.join(build, "tidy-passed")
    os.makedirs(passed, exist_ok=True)
    version = subprocess.run([tool, "--version"], check=True, stdout=subprocess.PIPE).stdout
    common = version + read(".clang-tidy") + repr(FOR_CLANG).encode()
    parts = headers(root, build)

    waiting = []
    sources = project_sources(root, build)
    for entry in sources:
        entry["digest"] = digest(entry, parts.get(entry["output"]), common)
        if entry["digest"] is None or not os.path.exists(os.path.join(passed, entry["digest"])):
            waiting.append(entry)
    print(f"clang-tidy: {len(waiting)} of {len(sources)} sources to look at", flush=True)

    def run(entry: dict) -> tuple[dict, subprocess.CompletedProcess, float]:
        began = time.monotonic()
        done = subprocess.run([tool, "-p", build, *FOR_CLANG, entry["path"]], check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return entry, done, time.monotonic() - began

    bad = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for job in concurrent.futures.as_completed([pool.submit(run, entry) for entry in waiting]):
            entry, done, seconds = job.result()
            name = os.path.relpath(entry["path"], root)
            if os.environ.get("TIDY_TIMES"):
                print(f"{seconds:6.1f} s  {name}", flush=True)
            if done.returncode == 0:
                if entry["digest"] is not None:
                    with open(os.path.join(passed, entry["digest"]), "wb"):
                        pass
                continue
            bad += 1
            # Its stderr also counts the warnings hidden in others' headers: of
            # use only where there is nothing else.
            print(done.stdout.strip() or f"{name}: {done.stderr.strip()}", flush=True)
    if bad:
        print(f"clang-tidy: {bad} sources have findings")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
