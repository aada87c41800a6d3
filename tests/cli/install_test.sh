#!/bin/sh
# SPDX-License-Identifier: MIT
# What `meson install` puts in place is complete, and the binary finds it, also where the whole
# prefix was moved. usage: install_test.sh BUILD_FOLDER PREFIX DATADIR LIBEXECDIR
set -eu

build=$1 prefix=$2 data=$3 libexec=$4
scratch=$(mktemp -d "${TMPDIR:-/tmp}/qlaunch install.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

DESTDIR="$scratch/dest" meson install -C "$build" --no-rebuild --quiet

# Nothing of this machine's own is to be found by accident.
QLAUNCH_HOME="$scratch/home" XDG_CONFIG_HOME="$scratch/config" HOME="$scratch"
export QLAUNCH_HOME XDG_CONFIG_HOME HOME
cd "$scratch"

check_tree() { # the prefix as it lies on the disk
  "$1/bin/qlaunch" --version | grep -q '^qlaunch [0-9]' || fail "--version of $1"
  for name in debian-nested direct-kernel nix-store-share nixos-lima nixos-sway nixos-workspace; do
    [ -s "$1/$data/qlaunch/profiles/$name.toml" ] || fail "no profile $name in $1"
  done
  "$1/bin/qlaunch" schema | cmp - "$1/$data/qlaunch/profile.schema.json" || fail "schema of $1"
  "$1/bin/qlaunch" args debian-nested --json 2>/dev/null | grep -q 2224 ||
    fail "the binary in $1 does not find its profiles"
  [ -x "$1/$libexec/qlaunch-fetch" ] || fail "no qlaunch-fetch in $1"
  [ -x "$1/$libexec/qlaunch-seed" ] || fail "no qlaunch-seed in $1"
  printf '[guest]\n[[disk]]\nsize = "1 GiB"\n' >"$scratch/seed.toml"
  "$1/bin/qlaunch" args "$scratch/seed.toml" 2>/dev/null | grep -q "qlaunch-seed'\{0,1\} >" ||
    fail "the binary in $1 does not find qlaunch-seed"
  head -c 4096 /dev/zero >"$scratch/blank.raw"
  "$1/bin/qlaunch" image pull "$scratch/blank.raw" --format raw --insecure-no-digest >/dev/null ||
    fail "the binary in $1 does not find qlaunch-fetch"
  "$1/bin/qlaunch" image prune --yes >/dev/null 2>&1 || fail "prune of $1"
  "$1/bin/qlaunch" args hello --json >/dev/null 2>&1 || fail "hello from $1"
}

check_tree "$scratch/dest$prefix"
mv "$scratch/dest$prefix" "$scratch/moved"
check_tree "$scratch/moved"
