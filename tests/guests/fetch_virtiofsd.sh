#!/bin/sh
# SPDX-License-Identifier: MIT
# The virtiofsd written in Rust, for systems that have only the C one of QEMU 7.2: Debian 13's,
# fetched with `apt-get download` and unpacked with `dpkg -x`, with the C library that it needs.
# Nothing is installed, no root is needed, and apt's own lists and sources are left alone: Debian 13
# is looked up with a state folder of this script's own.
#
#   sh tests/guests/fetch_virtiofsd.sh     prints the path of virtiofsd, as the only line
#
# What is printed is a small script that runs it with its own libraries. It lies below
# $QLAUNCH_TEST_GUESTS, or else ${XDG_CACHE_HOME:-~/.cache}/qlaunch-test-guests (as root
# /var/cache/qlaunch-test-guests), is made once, and appears in one piece. Exit codes: 0 it is
# there, 77 it cannot be had here, and the last line on stderr says why.
set -eu

cannot() {
  printf 'no virtiofsd: %s\n' "$*" >&2
  exit 77
}

if [ "$(id -u)" = 0 ]; then
  cache=${QLAUNCH_TEST_GUESTS:-/var/cache/qlaunch-test-guests}
else
  cache=${QLAUNCH_TEST_GUESTS:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/qlaunch-test-guests}
fi
umask 022
export LC_ALL=C

# Named by what this script makes: another version of it makes another.
folder=$cache/virtiofsd-$(sha256sum "$0" | cut -c 1-16)
if [ -x "$folder/virtiofsd" ]; then
  printf '%s\n' "$folder/virtiofsd"
  exit 0
fi

[ "$(uname -m)" = x86_64 ] || cannot "it is fetched for x86_64 alone"
for tool in apt-get dpkg sha256sum; do
  command -v "$tool" >/dev/null 2>&1 || cannot "\`$tool\` is not installed"
done
keys=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r "$keys" ] || cannot "$keys is not installed"

# Where this system's own packages come from.
# shellcheck disable=SC2016
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' \
  'Codename: bookworm' | sed 1q)
[ -n "$mirror" ] || cannot "apt knows no mirror of Debian 12"

mkdir -p "$cache" || cannot "cannot make the folder $cache"
work=$(mktemp -d "$cache/.making.XXXXXX") || cannot "cannot write below $cache"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/packages" "$work/made/root"

echo "deb [signed-by=$keys] $mirror trixie main" >"$work/sources.list"
apt() {
  # APT::Sandbox::User: as root apt would fetch as another user, who cannot write here.
  apt-get -qq -o APT::Sandbox::User=root -o Dir::Etc::SourceList="$work/sources.list" \
    -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$work/lists" \
    -o Dir::State::status=/dev/null -o Dir::Cache="$work" -o Acquire::Languages=none "$@"
}
printf 'fetching virtiofsd from Debian 13\n' >&2
apt update >"$work/log" 2>&1 ||
  cannot "apt-get update failed: $(grep '^[EW]:' "$work/log" | sed 1q)"
(cd "$work/packages" && apt download virtiofsd libc6 libcap-ng0 libgcc-s1 libseccomp2) \
  >"$work/log" 2>&1 || cannot "apt-get download failed: $(grep '^E:' "$work/log" | sed 1q)"
for package in "$work"/packages/*.deb; do
  dpkg -x "$package" "$work/made/root" || cannot "cannot unpack $package"
done

cat >"$work/made/virtiofsd" <<END
#!/bin/sh
exec '$folder/root/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2' \\
  --library-path '$folder/root/usr/lib/x86_64-linux-gnu' \\
  '$folder/root/usr/libexec/virtiofsd' "\$@"
#!/bin/sh
exec '$folder/root/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2' \\
  --library-path '$folder/root/usr/lib/x86_64-linux-gnu' \\
  '$folder/root/usr/libexec/virtiofsd' "\$@"
END
chmod 755 "$work/made" "$work/made/virtiofsd"

if mv -T "$work/made" "$folder" 2>/dev/null || [ -x "$folder/virtiofsd" ]; then
  "$folder/virtiofsd" --version >/dev/null || cannot "it does not run here"
  printf '%s\n' "$folder/virtiofsd"
else
  cannot "cannot make the folder $folder"
fi
