#!/bin/sh
# The VM `buses` without qlaunch: sockets in a folder of the script's own, disks where they are.
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
[ -e /home/user/.local/share/qlaunch/vm/root.qcow2 ] ||
  /usr/bin/qemu-img create -q -f qcow2 /home/user/.local/share/qlaunch/vm/root.qcow2 8589934592
[ -e /home/user/.local/share/qlaunch/vm/second.qcow2 ] ||
  /usr/bin/qemu-img create -q -f qcow2 /home/user/.local/share/qlaunch/vm/second.qcow2 1073741824
[ -e /home/user/.local/share/qlaunch/vm/fast.qcow2 ] ||
  /usr/bin/qemu-img create -q -f qcow2 /home/user/.local/share/qlaunch/vm/fast.qcow2 1073741824
[ -e /home/user/.local/share/qlaunch/vm/stick.qcow2 ] ||
  /usr/bin/qemu-img create -q -f qcow2 /home/user/.local/share/qlaunch/vm/stick.qcow2 536870912
[ -e /profiles/kept.qcow2 ] ||
  /usr/bin/qemu-img create -q -f qcow2 /profiles/kept.qcow2 2147483648
/usr/bin/qemu-img create -q -f qcow2 -b /profiles/kept.qcow2 -F qcow2 "$dir"/throwaway.qcow2

: "${DBUS_SESSION_BUS_ADDRESS:=disabled:}"
export DBUS_SESSION_BUS_ADDRESS
/usr/bin/qemu-system-x86_64 \
  -name guest=buses,debug-threads=on \
  -nodefaults \
  -no-user-config \
  -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny \
  -machine pc-q35-7.2,vmport=off \
  -accel kvm \
  -cpu host \
  -smp cpus=2,sockets=1,cores=2,threads=1 \
  -m 2048 \
  -rtc base=utc \
  -global ICH9-LPC.disable_s3=1 \
  -global ICH9-LPC.disable_s4=1 \
  -boot strict=on \
  -uuid b03ef2c4-6f81-811c-8614-9395082dadf4 \
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
  -blockdev '{"driver":"qcow2","node-name":"disk-root","read-only":false,"cache":{"direct":true,"no-flush":false},"discard":"unmap","detect-zeroes":"unmap","file":{"driver":"file","node-name":"file-root","filename":"/home/user/.local/share/qlaunch/vm/root.qcow2","read-only":false,"auto-read-only":false,"aio":"native","cache":{"direct":true,"no-flush":false},"discard":"unmap"}}' \
  -device '{"driver":"virtio-scsi-pci","id":"scsi"}' \
  -device '{"driver":"scsi-hd","id":"drive-root","bus":"scsi.0","scsi-id":0,"lun":0,"drive":"disk-root","serial":"root","bootindex":5}' \
  -blockdev '{"driver":"qcow2","node-name":"disk-second","read-only":false,"cache":{"direct":false,"no-flush":false},"discard":"ignore","detect-zeroes":"off","file":{"driver":"file","node-name":"file-second","filename":"/home/user/.local/share/qlaunch/vm/second.qcow2","read-only":false,"auto-read-only":false,"aio":"threads","cache":{"direct":false,"no-flush":false},"discard":"ignore"}}' \
  -device '{"driver":"scsi-hd","id":"drive-second","bus":"scsi.0","scsi-id":1,"lun":0,"drive":"disk-second","serial":"second","write-cache":"off","bootindex":6}' \
  -blockdev '{"driver":"qcow2","node-name":"disk-fast","read-only":false,"cache":{"direct":true,"no-flush":false},"discard":"unmap","detect-zeroes":"unmap","file":{"driver":"file","node-name":"file-fast","filename":"/home/user/.local/share/qlaunch/vm/fast.qcow2","read-only":false,"auto-read-only":false,"aio":"io_uring","cache":{"direct":true,"no-flush":false},"discard":"unmap"}}' \
  -device '{"driver":"nvme","id":"drive-fast","drive":"disk-fast","serial":"fast","write-cache":"off","bootindex":7}' \
  -blockdev '{"driver":"raw","node-name":"disk-old","read-only":false,"cache":{"direct":false,"no-flush":true},"discard":"unmap","detect-zeroes":"unmap","file":{"driver":"file","node-name":"file-old","filename":"/profiles/data.raw","read-only":false,"auto-read-only":false,"aio":"threads","cache":{"direct":false,"no-flush":true},"discard":"unmap"}}' \
  -device '{"driver":"ide-hd","id":"drive-old","bus":"ide.0","drive":"disk-old","serial":"WD-1234","bootindex":8}' \
  -blockdev '{"driver":"qcow2","node-name":"disk-stick","read-only":false,"cache":{"direct":false,"no-flush":false},"discard":"unmap","detect-zeroes":"unmap","file":{"driver":"file","node-name":"file-stick","filename":"/home/user/.local/share/qlaunch/vm/stick.qcow2","read-only":false,"auto-read-only":false,"aio":"threads","cache":{"direct":false,"no-flush":false},"discard":"unmap"}}' \
  -device '{"driver":"qemu-xhci","id":"usb","p2":15,"p3":15}' \
  -device '{"driver":"usb-storage","id":"drive-stick","bus":"usb.0","drive":"disk-stick","serial":"stick","bootindex":9}' \
  -blockdev '{"driver":"qcow2","node-name":"disk-look","read-only":true,"cache":{"direct":false,"no-flush":false},"file":{"driver":"file","node-name":"file-look","filename":"/profiles/base.qcow2","read-only":true,"auto-read-only":false,"aio":"threads","cache":{"direct":false,"no-flush":false},"discard":"ignore"}}' \
  -device '{"driver":"virtio-blk-pci","id":"drive-look","drive":"disk-look","serial":"look","bootindex":10}' \
  -blockdev '{"driver":"qcow2","node-name":"disk-throwaway","read-only":false,"cache":{"direct":false,"no-flush":false},"discard":"unmap","detect-zeroes":"unmap","file":{"driver":"file","node-name":"file-throwaway","filename":"'"$dir"'/throwaway.qcow2","read-only":false,"auto-read-only":false,"aio":"threads","cache":{"direct":false,"no-flush":false},"discard":"unmap"}}' \
  -device '{"driver":"virtio-blk-pci","id":"drive-throwaway","drive":"disk-throwaway","serial":"throwaway","bootindex":11}' \
  -blockdev '{"driver":"raw","node-name":"disk-installer","read-only":true,"cache":{"direct":false,"no-flush":false},"file":{"driver":"file","node-name":"file-installer","filename":"/profiles/cd.iso","read-only":true,"auto-read-only":false,"aio":"threads","cache":{"direct":false,"no-flush":false},"discard":"ignore"}}' \
  -device '{"driver":"ide-cd","id":"drive-installer","bus":"ide.1","drive":"disk-installer","serial":"installer","bootindex":1}' \
  -device '{"driver":"ide-cd","id":"drive-tray","bus":"ide.2","serial":"tray","bootindex":2}' \
  -blockdev '{"driver":"raw","node-name":"disk-scsi-cd","read-only":true,"cache":{"direct":false,"no-flush":false},"file":{"driver":"file","node-name":"file-scsi-cd","filename":"/profiles/cd.iso","read-only":true,"auto-read-only":false,"aio":"threads","cache":{"direct":false,"no-flush":false},"discard":"ignore"}}' \
  -device '{"driver":"scsi-cd","id":"drive-scsi-cd","bus":"scsi.0","scsi-id":2,"lun":0,"drive":"disk-scsi-cd","serial":"scsi-cd","bootindex":3}' \
  -blockdev '{"driver":"raw","node-name":"disk-usb-cd","read-only":true,"cache":{"direct":false,"no-flush":false},"file":{"driver":"file","node-name":"file-usb-cd","filename":"/profiles/cd.iso","read-only":true,"auto-read-only":false,"aio":"threads","cache":{"direct":false,"no-flush":false},"discard":"ignore"}}' \
  -device '{"driver":"usb-bot","id":"bot-usb-cd","bus":"usb.0"}' \
  -device '{"driver":"scsi-cd","id":"drive-usb-cd","bus":"bot-usb-cd.0","drive":"disk-usb-cd","serial":"usb-cd","bootindex":4}' \
  -netdev '{"type":"user","id":"net0","hostfwd":[{"str":"tcp:127.0.0.1:0-:22"}]}' \
  -device '{"driver":"virtio-net-pci","id":"nic-net0","netdev":"net0","mac":"52:54:00:32:3d:a8","romfile":""}' \
  -display '{"type":"gtk","window-close":false}' \
  -device '{"driver":"virtio-vga","id":"gpu"}' \
  -vnc unix:"$dir"/vnc.sock,share=ignore \
  -device '{"driver":"usb-tablet","id":"tablet","bus":"usb.0"}'
