#!/bin/sh
# SPDX-License-Identifier: MIT
# What `meson install` puts in place serves a stranger: the examples are compiled through pkg-config
# from another folder, against the shared library and against the archive, and run.
# usage: install_test.sh BUILD_FOLDER PREFIX EXAMPLES COMPILER
set -eu

build=$1 prefix=$2 examples=$3 compiler=$4
scratch=$(mktemp -d "${TMPDIR:-/tmp}/qmp-install.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

DESTDIR="$scratch/dest" meson install -C "$build" --no-rebuild --quiet
cd "$scratch"
root=$scratch/dest$prefix
file=$(find "$root" -name libqmp.pc)
[ -n "$file" ] || fail 'no libqmp.pc was installed'
library=$(dirname "$(find "$root" -name libqmp.so)")
[ -e "$library/libqmp.so.0" ] || fail 'no libqmp.so.0 was installed'

# The prefix lies elsewhere than the file says, as for a package that is being built.
config() {
  PKG_CONFIG_PATH="$(dirname "$file")" pkg-config --define-variable=prefix="$root" "$@"
}
[ "$(config --modversion libqmp)" != '' ] || fail 'libqmp.pc names no version'

compile() { # NAME OPTION...
  name=$1
  shift
  # shellcheck disable=SC2046
  $compiler -std=c++20 -O0 "$examples/$name.cpp" -o "$name" \
    $(config --cflags libqmp) "$@"
}

# shellcheck disable=SC2046
compile qmp_status $(config --libs libqmp)
# shellcheck disable=SC2046
compile agent_exec "$library/libqmp.a" -pthread
for program in qmp_status agent_exec; do
  code=0
  LD_LIBRARY_PATH="$library" "./$program" "$scratch/absent" x >out 2>err </dev/null || code=$?
  case $program in
    qmp_status) [ "$code" = 2 ] || fail "qmp_status with two words ended with $code" ;;
    agent_exec)
      [ "$code" = 125 ] || fail "agent_exec ended with $code: $(cat err)"
      grep -q 'No such file or directory' err || fail "agent_exec said: $(cat err)"
      ;;
  esac
done
code=0
LD_LIBRARY_PATH="$library" ./qmp_status "$scratch/absent" >out 2>err || code=$?
[ "$code" = 1 ] || fail "qmp_status ended with $code: $(cat err)"
grep -q 'No such file or directory' err || fail "qmp_status said: $(cat err)"
