#!/bin/sh
# SPDX-License-Identifier: MIT
# From a fresh clone to a running virtual machine: installs what is missing,
# builds a release, starts the built-in profile `hello`, looks at it, takes a live
# snapshot of it, shuts it down, and goes back. Everything the VM makes lies in a temporary folder that is removed at the
# end, also after Ctrl-C.
set -eu

case ${1-} in
  '') ;;
  -h | --help)
    cat <<'END'
usage: sh examples/quickstart.sh

Installs what is missing (by apt-get; elsewhere it says what is missing), builds
qlaunch in build-release/, and shows one virtual machine from start to shutdown.
END
    exit 0
    ;;
  *)
    printf "error: unknown argument \`%s\`\n" "$1" >&2
    exit 2
    ;;
esac

unset CDPATH
cd -- "$(dirname -- "$0")/.."
. tests/setup.sh

step() { printf '\n%s\n' "# $*"; }

# Prints a command as it would be typed, then runs it.
run() {
  printf '$ %s\n' "$*"
  "$@" || {
    code=$?
    say "error: \`$*\` ended with exit code $code"
    exit 1
  }
}

home=
clean_up() {
  code=$?
  trap '' INT TERM HUP
  if [ -n "$home" ]; then
    # Still there only if something went wrong, or after Ctrl-C.
    if [ -n "$(qlaunch list -q 2>/dev/null)" ]; then qlaunch kill hello >/dev/null 2>&1 || :; fi
    rm -rf -- "$home"
  fi
  exit "$code"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

step 'What the build and QEMU need'
if [ -n "${WAYLAND_DISPLAY-}${DISPLAY-}" ]; then
  install_missing build screen
else
  install_missing build
fi
say 'all there'

step 'A release build, in build-release/'
configure build-release --buildtype=release -Dtests=false
ninja -C build-release

# Short, because the path of a socket below it must fit 107 bytes.
home=$(mktemp -d /tmp/qlaunch-quickstart.XXXXXX)
QLAUNCH_HOME=$home
PATH="$PWD/build-release/src:$PATH"
export QLAUNCH_HOME PATH

step 'Launch a VM: the profile and its tiny guest are built in, nothing is downloaded'
run qlaunch hello

step 'Look at it'
run qlaunch status hello

step 'What the guest wrote to its serial port'
run qlaunch log hello serial

step 'Keep all of it as it is now: memory and disk, while it runs'
run qlaunch snapshot create hello fresh -m 'just booted'

step 'Shut it down, as its power button would'
run qlaunch shutdown hello

step 'Go back: the guest goes on where it was, and does not boot'
run qlaunch snapshot revert hello fresh
run qlaunch snapshot list hello
run qlaunch status hello --get state

step 'Shut it down again'
run qlaunch shutdown hello

step 'What is left'
run qlaunch list

cat <<END

Done. The program is $PWD/build-release/src/qlaunch
(the VM of this tour lived in a temporary folder and is gone). What to try next:

  PATH="$PWD/build-release/src:\$PATH"
  qlaunch hello && qlaunch console hello   # type to it; Ctrl-] leaves
  qlaunch args hello                       # the QEMU command line that was run
  qlaunch doctor                           # what this machine can do for VMs
  qlaunch init my-vm                       # a commented profile to start from
  meson install -C build-release           # as root: for everyone on this machine
END
