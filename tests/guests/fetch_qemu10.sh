#!/bin/sh
# SPDX-License-Identifier: MIT
# A newer QEMU beside the distribution's own, for tests that are to pass on both: QEMU 10.0 from
# Debian 12's backports, fetched with `apt-get download` and unpacked with `dpkg -x`. Nothing is
# installed, no root is needed, and apt's own lists and sources are left alone: the backports are
# looked up with a state folder of this script's own.
#
#   sh tests/guests/fetch_qemu10.sh     prints the path of its qemu-system-x86_64, as the only line
#
# What is printed is a small script that starts QEMU with its own modules and firmware. It lies
# below $QLAUNCH_TEST_GUESTS, or else ${XDG_CACHE_HOME:-~/.cache}/qlaunch-test-guests (as root
# /var/cache/qlaunch-test-guests), is made once, and appears in one piece. Exit codes: 0 it is
# there, 77 it cannot be had here, and the last line on stderr says why.
set -eu

cannot() {
  printf 'no newer QEMU: %s\n' "$*" >&2
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
folder=$cache/qemu-10-$(sha256sum "$0" | cut -c 1-16)
if [ -x "$folder/qemu-system-x86_64" ]; then
  printf '%s\n' "$folder/qemu-system-x86_64"
  exit 0
fi

[ "$(uname -m)" = x86_64 ] || cannot "it is fetched for x86_64 alone"
# shellcheck disable=SC1091
system=$(. /etc/os-release 2>/dev/null && printf '%s' "${ID-}-${VERSION_ID-}")
[ "$system" = debian-12 ] || cannot "it is made for Debian 12, and this is ${system:-unknown}"
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
mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/packages" "$work/qemu/root"

echo "deb [signed-by=$keys] $mirror bookworm-backports main" \
  >"$work/sources.list"
apt() {
  # APT::Sandbox::User: as root apt would fetch as another user, who cannot write here.
  apt-get -qq -o APT::Sandbox::User=root -o Dir::Etc::SourceList="$work/sources.list" \
    -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$work/lists" \
    -o Dir::Cache="$work" -o Acquire::Languages=none "$@"
}
printf 'fetching QEMU from bookworm-backports\n' >&2
apt update >"$work/log" 2>&1 ||
  cannot "apt-get update failed: $(grep '^[EW]:' "$work/log" | sed 1q)"
# With all its modules: one that it does not find in its own folder it takes from the distribution's
# QEMU, and stops at the sight of it.
(cd "$work/packages" && apt download qemu-system-x86 qemu-system-common qemu-system-data \
  qemu-system-gui qemu-system-modules-opengl qemu-system-modules-spice qemu-block-extra) \
  >"$work/log" 2>&1 || cannot "apt-get download failed: $(grep '^E:' "$work/log" | sed 1q)"
for package in "$work"/packages/*.deb; do
  dpkg -x "$package" "$work/qemu/root" || cannot "cannot unpack $package"
done
# Half of it is documentation and firmware for other machines.
rm -rf "$work/qemu/root/usr/share/doc" "$work/qemu/root/usr/share/man"

cat >"$work/qemu/qemu-system-x86_64" <<END
#!/bin/sh
QEMU_MODULE_DIR='$folder/root/usr/lib/x86_64-linux-gnu/qemu'
export QEMU_MODULE_DIR
exec '$folder/root/usr/bin/qemu-system-x86_64' -L '$folder/root/usr/share/qemu' \\
  -L /usr/share/seabios -L /usr/lib/ipxe/qemu "\$@"
END
chmod 755 "$work/qemu/qemu-system-x86_64"
missing=$(ldd "$work/qemu/root/usr/bin/qemu-system-x86_64" | sed -n 's/ => not found.*//p')
# shellcheck disable=SC2086
[ -z "$missing" ] || cannot "it needs libraries that are not installed:" $missing

if mv -T "$work/qemu" "$folder" 2>/dev/null || [ -x "$folder/qemu-system-x86_64" ]; then
  printf '%s\n' "$folder/qemu-system-x86_64"
else
  cannot "cannot make the folder $folder"
fi
