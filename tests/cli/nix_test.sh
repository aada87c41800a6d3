#!/bin/sh
# SPDX-License-Identifier: MIT
# The Nix modules of examples/ are Nix, as its own parser says, and each is named in their README.
#
#   nix_test.sh FOLDER
set -eu
command -v nix-instantiate >/dev/null || { echo '[skip] nix: nix-instantiate is not installed'; exit 77; }
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
count=0
for file in "$1"/*.nix; do
  # Nothing of this machine's store is needed, nor of the user's own configuration.
  HOME=$home NIX_REMOTE="local?root=$home" nix-instantiate --parse "$file" >/dev/null
  grep -q "](${file##*/})" "$1/README.md" || { echo "README.md does not name ${file##*/}" >&2; exit 1; }
  count=$((count + 1))
done
[ "$count" -ge 6 ] || { echo "only $count modules in $1" >&2; exit 1; }
printf '{ a = ; }\n' >"$home/wrong.nix"
if HOME=$home NIX_REMOTE="local?root=$home" nix-instantiate --parse "$home/wrong.nix" >/dev/null 2>&1; then
  echo 'the parser takes what is no Nix' >&2
  exit 1
fi
echo "$count modules"
