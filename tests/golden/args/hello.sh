#!/bin/sh
# The VM `hello` without qlaunch: sockets in a folder of the script's own, disks where they are.
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

# what has to exist
mkdir -p /home/user/.local/share/qlaunch/vm
if [ ! -e /home/user/.local/share/qlaunch/vm/hello.img ]; then
  : >/home/user/.local/share/qlaunch/vm/hello.img
  printf '\372\061\300\047\045\000\125\252' >>/home/user/.local/share/qlaunch/vm/hello.img
  truncate -s 1048576 /home/user/.local/share/qlaunch/vm/hello.img
fi
[ -e /home/user/.local/share/qlaunch/vm/root.qcow2 ] ||
  /usr/bin/qemu-img create -q -f qcow2 -b /home/user/.local/share/qlaunch/vm/hello.img -F raw /home/user/.local/share/qlaunch/vm/root.qcow2

/usr/bin/qemu-system-x86_64 \
  -name guest=hello,debug-threads=on \
  -nodefaults \
  -no-user-config \
  -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny \
  -machine pc-q35-7.2,vmport=off \
  -accel kvm \
  -cpu host \
  -smp cpus=1,sockets=1,cores=1,threads=1 \
  -m 16 \
  -rtc base=utc \
  -global ICH9-LPC.disable_s3=1 \
  -global ICH9-LPC.disable_s4=1 \
  -boot strict=on \
  -uuid ccd28459-2a7f-859e-98bc-9ec36d688ac3 \
  -chardev socket,id=qmp,path="$dir"/qmp.sock,server=on,wait=off \
  -mon chardev=qmp,mode=control \
  -chardev socket,id=keeper,path="$dir"/keeper.sock,server=on,wait=off \
  -mon chardev=keeper,mode=control \
  -chardev socket,id=serial,path="$dir"/serial.sock,server=on,wait=off,logfile="$dir"/serial.log \
  -serial chardev:serial \
  -device '{"driver":"pvpanic","id":"panic"}' \
  -action panic=none \
  -blockdev '{"driver":"qcow2","node-name":"disk-root","read-only":false,"cache":{"direct":false,"no-flush":false},"discard":"unmap","detect-zeroes":"unmap","file":{"driver":"file","node-name":"file-root","filename":"/home/user/.local/share/qlaunch/vm/root.qcow2","read-only":false,"auto-read-only":false,"aio":"threads","cache":{"direct":false,"no-flush":false},"discard":"unmap"}}' \
  -device '{"driver":"virtio-blk-pci","id":"drive-root","drive":"disk-root","serial":"root","bootindex":1}' \
  -display '{"type":"none"}'
