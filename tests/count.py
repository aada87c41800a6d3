# SPDX-License-Identifier: MIT
"""Counts the test cases of a Meson test run: count.py TESTLOG.json

Prints `PASSED FAILED SKIPPED` on stdout; what was skipped, and why, on stderr.
A test program counts by the summary that doctest prints at its end. One that
failed without a failed test case in its summary (it crashed, ran out of time,
or a sanitizer stopped it) counts as one failed test more. A program without a
summary counts as one test, by its exit.

doctest has no way to skip a test case once it runs: one that finds that it
cannot run here prints a line `[skip] NAME: REASON` and returns. It is then
counted as skipped, and not as passed.
"""

import json
import re
import sys

SUMMARY = re.compile(r"^\[doctest\] test cases: *(\d+) *\| *(\d+) passed *\| *(\d+) failed *"
                     r"\| *(\d+) skipped", re.MULTILINE)
SKIP = re.compile(r"^\[skip\] (.+)$", re.MULTILINE)
# A test program cut into several Meson tests by filters: what one leaves out,
# doctest calls skipped, but another runs.
FILTER = re.compile(r"^--?(dt-)?(tc|ts|sf|tce|tse|sfe|test-case|test-suite|source-file)")
GOOD = ("OK", "EXPECTEDFAIL")


def count(test: dict) -> tuple[int, int, int]:
    output = test.get("stdout") or ""
    good = test["result"] in GOOD
    summaries = SUMMARY.findall(output)
    if not summaries:
        if test["result"] == "SKIP":
            return 0, 0, 1
        return (1, 0, 0) if good else (0, 1, 0)
    passed = sum(int(summary[1]) for summary in summaries)
    failed = sum(int(summary[2]) for summary in summaries)
    skipped = sum(int(summary[3]) for summary in summaries)
    if any(FILTER.match(word) for word in test.get("command") or []):
        skipped = 0
    reasons = SKIP.findall(output)
    for reason in reasons:
        print(f"skipped: {reason}", file=sys.stderr)
    given_up = min(len(reasons), passed)
    if not good and failed == 0:
        failed = 1
    return passed - given_up, failed, skipped + given_up


def main(log: str) -> None:
    totals = [0, 0, 0]
    try:
        with open(log, encoding="utf-8", errors="replace") as file:
            tests = [json.loads(line) for line in file if line.strip()]
    except FileNotFoundError:
        tests = []  # no test is defined in these suites
    for test in tests:
        totals = [total + more for total, more in zip(totals, count(test))]
        if test["result"] not in GOOD + ("SKIP",):
            print(f"FAILED: {test['name']}: {test['result'].lower()}", file=sys.stderr)
    print(*totals)


if __name__ == "__main__":
    main(*sys.argv[1:])
