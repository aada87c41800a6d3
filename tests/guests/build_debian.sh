#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes the Debian guest of the system tests: Debian 12 with systemd, OpenSSH, cloud-init and
# qemu-guest-agent, by mmdebstrap. It boots with the kernel of the micro guest (build_micro.sh).
#
#   sh tests/guests/build_debian.sh     prints the folder it is in, as the only line on stdout
#
# In that folder:
#   debian.qcow2  the root disk, as a cloud image is: no user, no host key, nobody can log in
#   vmlinux       the kernel as ELF
#   initrd        busybox and what it takes to mount the root disk (`root=/dev/vda` by default)
#
# Where it is kept, and the exit codes: as build_micro.sh says.
set -eu

cannot() {
  printf 'no Debian guest: %s\n' "$*" >&2
  exit 77
}

here=$(cd -- "$(dirname -- "$0")" && pwd)
if [ "$(id -u)" = 0 ]; then
  cache=${QLAUNCH_TEST_GUESTS:-/var/cache/qlaunch-test-guests}
else
  cache=${QLAUNCH_TEST_GUESTS:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/qlaunch-test-guests}
fi
umask 022
export LC_ALL=C

# The kernel is not among them: modules come from the micro guest's, and an initramfs that the
# guest makes for itself would take longer than all the rest.
packages='systemd systemd-sysv udev dbus kmod busybox-static openssh-server
  cloud-init cloud-guest-utils qemu-guest-agent sudo iproute2 tzdata procps'

for tool in mmdebstrap mke2fs qemu-img sha256sum; do
  command -v "$tool" >/dev/null 2>&1 || cannot "\`$tool\` is not installed"
done
micro=$(sh "$here/build_micro.sh") || exit 77

digest=$({
  cat "$here/build_debian.sh"
  printf '%s\n' "$micro"
} | sha256sum | cut -c 1-16)
guest=$cache/debian-$digest
if [ -f "$guest/debian.qcow2" ]; then
  printf '%s\n' "$guest"
  exit 0
fi

mkdir -p "$cache" || cannot "cannot make the folder $cache"
work=$(mktemp -d "$cache/.making.XXXXXX") || cannot "cannot write below $cache"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$work/guest"
printf 'making the Debian guest\n' >&2

# Runs while the file system is whole, with its root as $1.
cat >"$work/customize" <<'END'
set -eu
root=$1
mkdir "$root/micro"
cp "$MICRO/initrd" "$root/micro/packed"
# Tracked down with the guest's own busybox: cpio and depmod need not be on the host.
chroot "$root" sh -eu <<'INSIDE'
cd /micro
busybox cpio -idm <packed 2>/dev/null
version=$(tr '\0' '\n' <lib/modules/ext4.ko | sed -n 's/^vermagic=\([^ ]*\).*/\1/p')
target=/lib/modules/$version/kernel
mkdir -p "$target"
cp lib/modules/*.ko "$target"
depmod "$version"

mkdir -p new/bin new/modules new/dev new/proc new/sys new/root
cp bin/busybox new/bin/busybox
for name in sh mount insmod switch_root sleep mkdir; do ln -s busybox "new/bin/$name"; done
# ext4 asks for crc32c by that name only.
cat lib/modules/virtio_pci.load lib/modules/virtio_blk.load lib/modules/crc32c_generic.load \
  lib/modules/ext4.load |
  awk '!seen[$0]++' >new/modules/list
while read -r module; do cp "lib/modules/$module.ko" new/modules; done <new/modules/list
cat >new/init <<'INIT'
#!/bin/sh
export PATH=/bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
while read -r module; do insmod "/modules/$module.ko"; done </modules/list
device=/dev/vda
read -r words </proc/cmdline
for word in $words; do
  case $word in root=*) device=${word#root=} ;; esac
done
tries=0
until [ -b "$device" ] || [ $tries -gt 100 ]; do
  sleep 0.1
  tries=$((tries + 1))
done
mount -t ext4 -o rw "$device" /root
mount --move /dev /root/dev
mount --move /proc /root/proc
exec switch_root /root /sbin/init
INIT
chmod 755 new/init
cd new
find . | sort | busybox cpio -o -H newc -R 0:0 >/initrd 2>/dev/null
cd /
rm -rf /micro

# As cloud images are: no identity of its own.
rm -f /etc/ssh/ssh_host_* /etc/hostname
: >/etc/machine-id
printf '/dev/vda / ext4 errors=remount-ro 0 1\n' >/etc/fstab
systemctl enable -q systemd-networkd
# No time for what a guest without the Internet does in vain.
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_reap.service \
  fstrim.timer systemd-networkd-wait-online.service; do
  systemctl mask -q "$unit"
done
cat >/etc/cloud/cloud.cfg.d/90_datasource.cfg <<'CFG'
datasource_list: [ NoCloud, None ]
CFG
rm -rf /usr/share/doc/* /usr/share/man/* /var/cache/apt/* /var/lib/apt/lists/*
INSIDE
mv "$root/initrd" "$INITRD"
END

MICRO=$micro INITRD=$work/guest/initrd mmdebstrap --quiet --variant=minbase \
  --include="$(printf '%s' "$packages" | tr -s ' \n' ',')" \
  --customize-hook="sh '$work/customize' \"\$1\"" \
  bookworm "$work/root.tar" >"$work/log" 2>&1 ||
  cannot "mmdebstrap failed: $(tail -n 1 "$work/log")"

mkdir "$work/root"
tar --numeric-owner -xf "$work/root.tar" -C "$work/root" 2>>"$work/log" ||
  cannot "its files cannot be unpacked here: $(tail -n 1 "$work/log")"
rm "$work/root.tar"
truncate -s 2G "$work/disk.raw"
mke2fs -q -t ext4 -L root -O ^metadata_csum -d "$work/root" "$work/disk.raw" >>"$work/log" 2>&1 ||
  cannot "mke2fs failed: $(tail -n 1 "$work/log")"
qemu-img convert -q -f raw -O qcow2 "$work/disk.raw" "$work/guest/debian.qcow2" ||
  cannot 'qemu-img failed'
cp "$micro/vmlinux" "$work/guest/vmlinux"

if mv -T "$work/guest" "$guest" 2>/dev/null || [ -f "$guest/debian.qcow2" ]; then
  find "$cache" -mindepth 1 -maxdepth 1 \( -name 'debian-*' -o -name '.making.*' \) \
    ! -path "$guest" ! -path "$work" -mtime +7 -exec rm -rf {} + 2>/dev/null || :
  printf '%s\n' "$guest"
else
  cannot "cannot make the folder $guest"
fi
