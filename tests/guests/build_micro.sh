#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes the micro Linux guest of the system tests from the distribution's own packages: fetched with
# `apt-get download`, unpacked with `dpkg -x`, nothing is installed, no root needed.
#
#   sh tests/guests/build_micro.sh     prints the folder it is in, as the only line on stdout
#
# In that folder:
#   vmlinux     the kernel as ELF: starts two seconds sooner than the bzImage under TCG
#   bzImage     the same kernel for UEFI and TPM, where the ELF does not do
#   initrd      busybox, dropbear with an sftp server, the guest agent, the kernel modules, and
#               micro_init.sh as /init
#   ssh_key     an ed25519 key that root's ssh in the guest accepts; made anew with each guest
#   known_hosts a line for the guest's own key, for the host name `micro`
#
# The folder is below $QLAUNCH_TEST_GUESTS, or else ${XDG_CACHE_HOME:-~/.cache}/qlaunch-test-guests
# (as root /var/cache/qlaunch-test-guests, where the user that the tests run as can read it),
# and named by a digest of these scripts and of the versions of the packages: it is made once for
# each, and appears in one piece. Exit codes: 0 it is there, 77 it cannot be made here, and the last
# line on stderr says why.
set -eu

cannot() {
  printf 'no micro guest: %s\n' "$*" >&2
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

# What the guest can load. Each is packed with what it depends on.
modules='virtio_pci virtio_net virtio_blk virtio_scsi virtio_console virtio_rng virtio_balloon
  af_packet button evdev 9p 9pnet_virtio virtiofs ahci nvme xhci_pci usb_storage uas sd_mod sr_mod
  ext4 crc32c_generic overlay isofs vfat nls_ascii nls_cp437 efivarfs tpm_tis tpm_crb pvpanic_mmio
  i6300esb qemu_fw_cfg kvm_amd'

[ "$(uname -m)" = x86_64 ] || cannot "the guest is made for x86_64 alone"
for tool in apt-get apt-cache dpkg dpkg-deb ssh-keygen sha256sum od xz; do
  command -v "$tool" >/dev/null 2>&1 || cannot "\`$tool\` is not installed"
done

# ---- which packages -----------------------------------------------------------------------------

# Lines `Depends: NAME` of a package's first candidate.
depends_of() {
  apt-cache depends --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
    --no-enhances "$@" 2>/dev/null
}

kernel=
for meta in linux-image-amd64 linux-image-virtual linux-image-generic; do
  kernel=$(depends_of "$meta" | sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | sed 1q)
  [ -z "$kernel" ] || break
done

packages() {
  printf '%s\n' "$kernel" busybox-static
  # Ubuntu keeps the modules apart from the kernel.
  apt-cache show --no-all-versions "linux-modules-${kernel#linux-image-}" 2>/dev/null |
    sed -n 's/^Package: //p'
  # With all their libraries; PreDepends are about installing, and nothing is installed.
  depends_of --recurse --no-pre-depends dropbear-bin qemu-guest-agent openssh-sftp-server |
    grep '^[a-z0-9]'
}

versions=
if [ -n "$kernel" ]; then
  names=$(packages | sort -u)
  # shellcheck disable=SC2086
  versions=$(apt-cache show --no-all-versions $names 2>/dev/null |
    sed -n 's/^\(Package\|Version\|SHA256\): //p')
fi
digest=$({
  cat "$here/build_micro.sh" "$here/micro_init.sh"
  printf '%s\n' "$versions"
} | sha256sum | cut -c 1-16)
guest=$cache/micro-$digest
if [ -f "$guest/initrd" ]; then
  printf '%s\n' "$guest"
  exit 0
fi
[ -n "$kernel" ] || cannot "apt knows no kernel package; \`apt-get update\` may help"

# ---- fetch and unpack ---------------------------------------------------------------------------

mkdir -p "$cache" || cannot "cannot make the folder $cache"
work=$(mktemp -d "$cache/.making.XXXXXX") || cannot "cannot write below $cache"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$work/packages" "$work/unpacked" "$work/root" "$work/guest"

printf 'making the micro guest from %s\n' "$kernel" >&2
# APT::Sandbox::User: as root apt would fetch as another user, who cannot write here.
# shellcheck disable=SC2086
(cd "$work/packages" && apt-get -qq -o APT::Sandbox::User=root download $names) >"$work/log" 2>&1 ||
  cannot "apt-get download failed: $(grep '^E:' "$work/log" | sed 1q)"
for package in "$work"/packages/*.deb; do
  dpkg -x "$package" "$work/unpacked" || cannot "cannot unpack $package"
done

unpacked() { # PATTERN: the file whose path ends so, wherever the distribution keeps it
  found=$(find "$work/unpacked" -path "*/$1" -type f | sed 1q)
  [ -n "$found" ] || cannot "the packages bring no $1"
  printf '%s\n' "$found"
}

busybox=$(unpacked bin/busybox)
loader=$(unpacked ld-linux-x86-64.so.2)
libraries=$(find "$work/unpacked" -name '*.so.*' ! -type d -exec dirname {} + | sort -u |
  paste -s -d :)
run() { "$loader" --library-path "$libraries" "$@"; }

# ---- the kernel ---------------------------------------------------------------------------------

number() { od -A n -t "u$3" -j "$2" -N "$3" "$1" | tr -d ' '; }

# The boot protocol's header says where the compressed ELF lies: fields setup_sects (one byte at
# 0x1f1), payload_offset and payload_length (four bytes each at 0x248).
bzimage=$(unpacked 'boot/vmlinuz-*')
cp "$bzimage" "$work/guest/bzImage"
start=$((($(number "$bzimage" 497 1) + 1) * 512 + $(number "$bzimage" 584 4)))
length=$(number "$bzimage" 588 4)
payload() { tail -c "+$((start + 1))" "$bzimage" | head -c "$length"; }
case $(payload | od -A n -t x1 -N 4 | tr -d ' ') in
  fd377a58) set -- xz -dc --single-stream ;; # the length of the kernel follows the stream
  1f8b*) set -- gzip -dc ;;
  28b52ffd) set -- zstd -dcq ;;
  02214c18) set -- lz4 -dcq ;;
  *) cannot "$kernel is packed in a way that is not known here" ;;
esac
command -v "$1" >/dev/null 2>&1 || cannot "\`$1\` is not installed"
# Trailing bytes make some of them complain after all is written: the ELF magic tells.
payload | "$@" >"$work/guest/vmlinux" 2>/dev/null || :
[ "$(od -A n -t x1 -N 4 "$work/guest/vmlinux" | tr -d ' ')" = 7f454c46 ] ||
  cannot "no ELF kernel came out of $bzimage"

# ---- the modules --------------------------------------------------------------------------------

tree=$(dirname "$(unpacked modules.builtin)")
target=$work/root/lib/modules
mkdir -p "$target"
find "$tree" -name '*.ko*' -type f >"$work/all"

# pack NAME: the module and what it depends on, as NAME.ko in one folder; NAME.load lists the names
# in the order in which the guest has to load them. One that is built in gives an empty list. Names
# are written as /sys/module has them, with `_`.
pack() {
  set -- "$(printf '%s' "$1" | tr - _)"
  [ ! -e "$target/$1.load" ] || return 0
  : >"$target/$1.load"
  pattern=$(printf '%s' "$1" | sed 's/[-_]/[-_]/g')
  file=$(grep "/$pattern\\.ko\\(\\.[a-z0-9]*\\)\\?\$" "$work/all" | sed 1q)
  if [ -z "$file" ]; then
    grep -q "/$pattern\\.ko\$" "$tree/modules.builtin" || echo "$1" >>"$work/absent"
    return 0
  fi
  case $file in
    *.xz) xz -dc "$file" ;;
    *.zst) zstd -dcq "$file" ;;
    *.gz) gzip -dc "$file" ;;
    *) cat "$file" ;;
  esac >"$target/$1.ko"
  # A recursion in sh: the positional parameters are the only local variables.
  set -- "$1" "$(tr '\0' '\n' <"$target/$1.ko" | sed -n 's/^depends=//p' |
    tr ',-' ' _')"
  for needed in $2; do pack "$needed"; done
  for needed in $2; do cat "$target/$needed.load"; done | awk '!seen[$0]++' >"$work/order"
  echo "$1" >>"$work/order"
  cp "$work/order" "$target/$1.load"
}
for module in $modules; do pack "$module"; done
if [ -s "$work/absent" ]; then
  printf 'this kernel has no %s\n' "$(paste -s -d ' ' "$work/absent")" >&2
fi
[ -s "$target/9p.load" ] || cannot "$kernel comes without the module 9p"
# Signatures and debugging information only cost time at each start.
if command -v strip >/dev/null 2>&1; then strip --strip-debug "$target"/*.ko; fi

# ---- the rest of the file system ----------------------------------------------------------------

root=$work/root
mkdir -p "$root/bin" "$root/lib64" "$root/lib/x86_64-linux-gnu" "$root/root/.ssh" "$root/dev" \
  "$root/proc" "$root/sys" "$root/run" "$root/tmp" "$root/mnt" "$root/var/run" "$root/var/log" \
  "$root/etc/dropbear" "$root/etc/acpi/PWRF"
cp "$busybox" "$root/bin/busybox"
for name in $("$busybox" --list); do
  [ "$name" = busybox ] || ln -s busybox "$root/bin/$name"
done
ln -s bin "$root/sbin"

cp "$loader" "$root/lib64/ld-linux-x86-64.so.2"
for program in dropbear qemu-ga; do
  file=$(unpacked "*bin/$program")
  cp "$file" "$root/bin/$program"
  run --list "$file" >"$work/needs" || cannot "$program cannot find its libraries"
  sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p' "$work/needs" | while read -r library; do
    cp -Lf "$library" "$root/lib/x86_64-linux-gnu/"
  done
done

# Where dropbear looks for it; it needs the C library alone.
mkdir -p "$root/usr/lib"
cp "$(unpacked openssh/sftp-server)" "$root/usr/lib/sftp-server"

cp "$here/micro_init.sh" "$root/init"
# `load NAME...` for whoever is logged in; /init itself has the same as a function.
sed -n '/^load() {/,/^}/p' "$root/init" >"$root/bin/load"
echo 'load "$@"' >>"$root/bin/load"
sed -i '1i #!/bin/sh' "$root/bin/load"
printf '#!/bin/sh\nexec poweroff -f\n' >"$root/etc/acpi/PWRF/00000080"
# What the guest agent calls for guest-shutdown: -h -P, -h -H or -r, and a time.
cat >"$root/bin/shutdown" <<'END'
#!/bin/sh
case $* in
  *-r*) exec reboot -f ;;
  *) exec poweroff -f ;;
esac
END
chmod 755 "$root/init" "$root/etc/acpi/PWRF/00000080" "$root/bin/shutdown" "$root/bin/load"
echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
echo 'root:x:0:' >"$root/etc/group"
echo /bin/sh >"$root/etc/shells"
echo 'passwd: files' >"$root/etc/nsswitch.conf"

# ---- keys ---------------------------------------------------------------------------------------

ssh-keygen -q -t ed25519 -N '' -C 'micro guest of the tests' -f "$work/guest/ssh_key"
cp "$work/guest/ssh_key.pub" "$root/root/.ssh/authorized_keys"
chmod 700 "$root/root" "$root/root/.ssh"
chmod 600 "$root/root/.ssh/authorized_keys"
run "$(unpacked bin/dropbearkey)" -t ed25519 -f "$root/etc/dropbear/key" >"$work/host_key" 2>&1 ||
  cannot "dropbearkey failed: $(tail -n 1 "$work/host_key")"
sed -n 's/^ssh-ed25519 \([^ ]*\).*/micro ssh-ed25519 \1/p' "$work/host_key" \
  >"$work/guest/known_hosts"
[ -s "$work/guest/known_hosts" ] || cannot 'dropbearkey printed no key'

# ---- the initrd ---------------------------------------------------------------------------------

# As it is: unpacking costs more than reading it.
(cd "$root" && find . | sort | "$busybox" cpio -o -H newc -R 0:0) \
  >"$work/guest/initrd" 2>"$work/log" || cannot "cpio failed: $(tail -n 1 "$work/log")"

# Another build that came first has the same content, but other keys: its folder is the one to use.
if mv -T "$work/guest" "$guest" 2>/dev/null || [ -f "$guest/initrd" ]; then
  # Guests of older packages; a week is enough for whoever still runs one.
  find "$cache" -mindepth 1 -maxdepth 1 \( -name 'micro-*' -o -name '.making.*' \) \
    ! -path "$guest" ! -path "$work" -mtime +7 -exec rm -rf {} + 2>/dev/null || :
  printf '%s\n' "$guest"
else
  cannot "cannot make the folder $guest"
fi
