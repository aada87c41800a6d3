#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what is missing, builds, runs the test suites and the source checks.
# The last line is `N passed, N failed, N skipped`, counted in test cases; the
# exit code is 0 only if something ran and nothing failed.
set -u

usage() {
  cat <<'END'
usage: sh tests/run.sh [--quick | --asan] [--help]

Installs what is missing (by apt-get; elsewhere it says what is missing), builds
in build/, and runs the suites unit, golden, cli, system and fuzz, then clang-format
and clang-tidy over the sources.

  --quick   only the suites unit and golden
  --asan    the same suites, built with AddressSanitizer and
            UndefinedBehaviorSanitizer in build-asan/
  --help    this text

exit codes: 0 all passed, 1 something failed or nothing ran, 2 wrong usage, or
something is missing that could not be installed
END
}

build=build
suites='unit golden cli system fuzz'
checks=yes
sanitize=
for argument in "$@"; do
  case $argument in
    --quick) suites='unit golden' checks=no ;;
    --asan) build=build-asan sanitize=address,undefined checks=no ;;
    -h | --help)
      usage
      exit 0
      ;;
    *)
      printf "error: unknown option \`%s\`\n" "$argument" >&2
      usage >&2
      exit 2
      ;;
  esac
done

exec </dev/null
unset CDPATH
cd -- "$(dirname -- "$0")/.." || exit 2
. tests/setup.sh

finish() { # passed failed skipped
  printf '%d passed, %d failed, %d skipped\n' "$1" "$2" "$3"
  [ "$2" -eq 0 ] && [ "$1" -gt 0 ]
  exit
}

install_missing build test

say "building in $build/"
if ! configure "$build" ${sanitize:+"-Db_sanitize=$sanitize"} || ! ninja -C "$build" >&2; then
  say 'error: the build failed'
  finish 0 1 0
fi

# A sanitizer that only prints would let a test pass.
export ASAN_OPTIONS="${ASAN_OPTIONS-abort_on_error=1}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS-halt_on_error=1:print_stacktrace=1}"

set -- test -C "$build" --no-rebuild --print-errorlogs
for suite in $suites; do set -- "$@" --suite "$suite"; done
[ -z "$sanitize" ] || set -- "$@" --timeout-multiplier 4

# A log of an earlier run must not be counted for this one.
rm -f "$build/meson-logs/testlog.json"
meson "$@" >&2
tested=$?

counts=$(python3 tests/count.py "$build/meson-logs/testlog.json") || counts='0 1 0'
# shellcheck disable=SC2086
set -- $counts
passed=$1 failed=$2 skipped=$3
if [ "$tested" -ne 0 ] && [ "$failed" -eq 0 ]; then
  say "error: meson test ended with $tested"
  failed=1
fi
[ "$failed" -eq 0 ] || say "the whole log: $build/meson-logs/testlog.txt"

# source_check TOOL: counted as one test. Other versions of these tools format
# and warn differently, so only the verdict of version 14 counts.
source_check() {
  if ! tool=$(version_14 "$1"); then
    say "skipped: $1: version 14 is not installed"
    skipped=$((skipped + 1))
    return
  fi
  case $1 in
    clang-format)
      find qmp src tests examples -type f \
        \( -name '*.cpp' -o -name '*.hpp' -o -name '*.c' -o -name '*.h' \) \
        -exec "$tool" --dry-run -Werror --ferror-limit=5 {} +
      ;;
    clang-tidy) python3 tests/tidy.py "$tool" "$build" ;;
  esac >&2 || {
    say "FAILED: $1"
    failed=$((failed + 1))
    return
  }
  say "ok: $1"
  passed=$((passed + 1))
}

version_14() {
  for candidate in "$1-14" "$1"; do
    case $("$candidate" --version 2>/dev/null) in
      *'version 14.'*)
        printf '%s\n' "$candidate"
        return 0
        ;;
    esac
  done
  return 1
}

if [ "$checks" = yes ]; then
  source_check clang-format
  source_check clang-tidy
fi

finish "$passed" "$failed" "$skipped"
