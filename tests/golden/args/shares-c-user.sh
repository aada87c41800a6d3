#!/bin/sh
# The VM `shares` without qlaunch: sockets in a folder of the script's own, disks where they are.
# Values stand in single quotes: none of them is for the shell to expand.
# shellcheck disable=SC2016
set -eu
umask 077

dir=$(mktemp -d /tmp/qlaunch-args.XXXXXX)
helpers=
cleanup() {
  for pid in $helpers; do
    kill "$pid" 2>/dev/null || :
    wait "$pid" 2>/dev/null || :
  done
  rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
if [ -t 2 ]; then echo "sockets and the log of the serial port are in $dir until this ends" >&2; fi

# wait_for NAME SOCKET PID: until the helper listens, ten seconds at most
wait_for() {
  tries=0
  until [ -S "$2" ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 200 ] || ! kill -0 "$3" 2>/dev/null; then
      echo "$1 did not open its socket" >&2
      exit 1
    fi
    sleep 0.05
  done
}

# as_root COMMAND...: runs COMMAND with mounts of its own, as root of a user namespace in which
# root is you
as_root() {
  [ "$(id -u)" != 0 ] || exec unshare --mount --propagation private "$@"
  groups=
  if grep -q '^Groups:.*[0-9]' /proc/self/status; then
    # virtiofsd gives up your further groups, which takes a namespace made by newgidmap.
    if ! command -v newgidmap >/dev/null; then
      echo 'this virtiofsd cannot give up your groups without newgidmap: install the package' >&2
      echo 'uidmap or the newer virtiofsd, or share with driver = "9p"' >&2
      exit 1
    fi
    groups=--map-auto
  fi
  # It wants a place for its pid file, which an ordinary user has not.
  exec unshare --map-root-user ${groups:+"$groups"} --mount --propagation private sh -c '
    run=/var/run/virtiofsd && { [ -d "$run" ] || run=/var/run; } &&
    mount -t tmpfs none "$run" && exec "$@"
  ' sh "$@"
}

# read_only FOLDER COMMAND...: runs COMMAND where FOLDER is mounted read-only
read_only() {
  as_root sh -c '
    mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && cd / && shift && exec "$@"
  ' sh "$@"
}

# what has to exist
mkdir -p /home/user/.local/share/qlaunch/vm
[ -e /home/user/.local/share/qlaunch/vm/root.qcow2 ] ||
  /usr/bin/qemu-img create -q -f qcow2 /home/user/.local/share/qlaunch/vm/root.qcow2 8589934592

# virtiofsd-rw: share `rw`
as_root \
  /usr/lib/qemu/virtiofsd \
  --socket-path="$dir"/virtiofsd-rw.sock \
  -o source=/profiles/shared,cache=none,xattr,posix_acl &
helpers="$helpers $!"
wait_for virtiofsd-rw "$dir"/virtiofsd-rw.sock $!

# virtiofsd-ro: share `ro`
read_only /nix/store \
  /usr/lib/qemu/virtiofsd \
  --socket-path="$dir"/virtiofsd-ro.sock \
  -o source=/nix/store,xattr &
helpers="$helpers $!"
wait_for virtiofsd-ro "$dir"/virtiofsd-ro.sock $!

: "${DBUS_SESSION_BUS_ADDRESS:=disabled:}"
export DBUS_SESSION_BUS_ADDRESS
/usr/bin/qemu-system-x86_64 \
  -name guest=shares,debug-threads=on \
  -nodefaults \
  -no-user-config \
  -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny \
  -machine pc-q35-7.2,vmport=off,memory-backend=memory \
  -accel kvm \
  -cpu host \
  -smp cpus=2,sockets=1,cores=2,threads=1 \
  -m 2048 \
  -object '{"qom-type":"memory-backend-memfd","id":"memory","size":2147483648,"share":true}' \
  -rtc base=utc \
  -global ICH9-LPC.disable_s3=1 \
  -global ICH9-LPC.disable_s4=1 \
  -boot strict=on \
  -uuid 80455a17-7d2f-8813-a222-103bcc4f7408 \
  -chardev socket,id=qmp,path="$dir"/qmp.sock,server=on,wait=off \
  -mon chardev=qmp,mode=control \
  -chardev socket,id=keeper,path="$dir"/keeper.sock,server=on,wait=off \
  -mon chardev=keeper,mode=control \
  -chardev socket,id=serial,path="$dir"/serial.sock,server=on,wait=off,logfile="$dir"/serial.log \
  -serial chardev:serial \
  -chardev socket,id=agent,path="$dir"/agent.sock,server=on,wait=off \
  -device '{"driver":"virtio-serial-pci","id":"virtio-serial"}' \
  -device '{"driver":"virtserialport","id":"agent-port","bus":"virtio-serial.0","chardev":"agent","name":"org.qemu.guest_agent.0"}' \
  -device '{"driver":"pcie-root-port","id":"hotplug1","bus":"pcie.0","chassis":1,"slot":1}' \
  -device '{"driver":"pcie-root-port","id":"hotplug2","bus":"pcie.0","chassis":2,"slot":2}' \
  -device '{"driver":"pcie-root-port","id":"hotplug3","bus":"pcie.0","chassis":3,"slot":3}' \
  -device '{"driver":"pcie-root-port","id":"hotplug4","bus":"pcie.0","chassis":4,"slot":4}' \
  -object '{"qom-type":"rng-builtin","id":"rng0"}' \
  -device '{"driver":"virtio-rng-pci","id":"rng","rng":"rng0"}' \
  -device '{"driver":"virtio-balloon-pci","id":"balloon","deflate-on-oom":true,"free-page-reporting":true}' \
  -device '{"driver":"pvpanic","id":"panic"}' \
  -action panic=none \
  -blockdev '{"driver":"qcow2","node-name":"disk-root","read-only":false,"cache":{"direct":false,"no-flush":false},"discard":"unmap","detect-zeroes":"unmap","file":{"driver":"file","node-name":"file-root","filename":"/home/user/.local/share/qlaunch/vm/root.qcow2","read-only":false,"auto-read-only":false,"aio":"threads","cache":{"direct":false,"no-flush":false},"discard":"unmap"}}' \
  -device '{"driver":"virtio-blk-pci","id":"drive-root","drive":"disk-root","serial":"root","bootindex":1}' \
  -netdev '{"type":"user","id":"net0","hostfwd":[{"str":"tcp:127.0.0.1:0-:22"}]}' \
  -device '{"driver":"virtio-net-pci","id":"nic-net0","netdev":"net0","mac":"52:54:00:15:d1:0d","romfile":""}' \
  -chardev socket,id=virtiofsd-rw,path="$dir"/virtiofsd-rw.sock \
  -device '{"driver":"pcie-root-port","id":"port-rw","bus":"pcie.0","chassis":128,"slot":128}' \
  -device '{"driver":"vhost-user-fs-pci","id":"share-rw","chardev":"virtiofsd-rw","tag":"rw","queue-size":1024,"bus":"port-rw"}' \
  -chardev socket,id=virtiofsd-ro,path="$dir"/virtiofsd-ro.sock \
  -device '{"driver":"pcie-root-port","id":"port-ro","bus":"pcie.0","chassis":129,"slot":129}' \
  -device '{"driver":"vhost-user-fs-pci","id":"share-ro","chardev":"virtiofsd-ro","tag":"ro","queue-size":128,"bus":"port-ro"}' \
  -fsdev local,id=share-nine,path=/profiles/shared,security_model=none,readonly=on,multidevs=forbid \
  -device '{"driver":"virtio-9p-pci","id":"dev-share-nine","fsdev":"share-nine","mount_tag":"nine"}' \
  -fsdev local,id=share-file,path=/profiles/shared,security_model=mapped-file,multidevs=remap \
  -device '{"driver":"virtio-9p-pci","id":"dev-share-file","fsdev":"share-file","mount_tag":"file"}' \
  -display '{"type":"gtk","window-close":false}' \
  -device '{"driver":"virtio-vga","id":"gpu"}' \
  -vnc unix:"$dir"/vnc.sock,share=ignore \
  -device '{"driver":"qemu-xhci","id":"usb","p2":15,"p3":15}' \
  -device '{"driver":"usb-tablet","id":"tablet","bus":"usb.0"}'
