#!/bin/sh
# The VM `secure` without qlaunch: sockets in a folder of the script's own, disks where they are.
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

# what has to exist
mkdir -p /home/user/.local/share/qlaunch/vm
[ -e /home/user/.local/share/qlaunch/vm/nvram.qcow2 ] ||
  /usr/bin/qemu-img convert -f raw -O qcow2 /usr/share/OVMF/OVMF_VARS_4M.ms.fd /home/user/.local/share/qlaunch/vm/nvram.qcow2
mkdir -p /home/user/.local/share/qlaunch/vm/tpm
[ -e /home/user/.local/share/qlaunch/vm/root.qcow2 ] ||
  /usr/bin/qemu-img create -q -f qcow2 /home/user/.local/share/qlaunch/vm/root.qcow2 8589934592

# swtpm: TPM
/usr/bin/swtpm \
  socket \
  --tpm2 \
  --tpmstate dir=/home/user/.local/share/qlaunch/vm/tpm,mode=0600 \
  --ctrl type=unixio,path="$dir"/swtpm.sock,mode=0600 \
  --terminate &
helpers="$helpers $!"
wait_for swtpm "$dir"/swtpm.sock $!

: "${DBUS_SESSION_BUS_ADDRESS:=disabled:}"
export DBUS_SESSION_BUS_ADDRESS
/usr/bin/qemu-system-x86_64 \
  -name guest=secure,debug-threads=on \
  -nodefaults \
  -no-user-config \
  -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny \
  -machine pc-q35-7.2,vmport=off,pflash0=firmware,pflash1=nvram,smm=on \
  -accel kvm \
  -cpu host \
  -smp cpus=2,sockets=1,cores=2,threads=1 \
  -m 2048 \
  -rtc base=utc \
  -global ICH9-LPC.disable_s3=1 \
  -global ICH9-LPC.disable_s4=1 \
  -boot strict=on \
  -uuid c0b33f21-e517-8cca-8617-404a473dd0e3 \
  -blockdev '{"driver":"raw","node-name":"firmware","read-only":true,"file":{"driver":"file","node-name":"firmware-file","filename":"/usr/share/OVMF/OVMF_CODE_4M.ms.fd","read-only":true,"auto-read-only":false}}' \
  -blockdev '{"driver":"qcow2","node-name":"nvram","read-only":false,"file":{"driver":"file","node-name":"nvram-file","filename":"/home/user/.local/share/qlaunch/vm/nvram.qcow2","read-only":false,"auto-read-only":false}}' \
  -global driver=cfi.pflash01,property=secure,value=on \
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
  -chardev socket,id=tpm-socket,path="$dir"/swtpm.sock \
  -tpmdev emulator,id=tpm0,chardev=tpm-socket \
  -device '{"driver":"tpm-crb","id":"tpm","tpmdev":"tpm0"}' \
  -blockdev '{"driver":"qcow2","node-name":"disk-root","read-only":false,"cache":{"direct":false,"no-flush":false},"discard":"unmap","detect-zeroes":"unmap","file":{"driver":"file","node-name":"file-root","filename":"/home/user/.local/share/qlaunch/vm/root.qcow2","read-only":false,"auto-read-only":false,"aio":"threads","cache":{"direct":false,"no-flush":false},"discard":"unmap"}}' \
  -device '{"driver":"virtio-blk-pci","id":"drive-root","drive":"disk-root","serial":"root","bootindex":1}' \
  -netdev '{"type":"user","id":"net0","hostfwd":[{"str":"tcp:127.0.0.1:0-:22"}]}' \
  -device '{"driver":"virtio-net-pci","id":"nic-net0","netdev":"net0","mac":"52:54:00:f0:11:c1","romfile":""}' \
  -display '{"type":"gtk","window-close":false}' \
  -device '{"driver":"virtio-vga","id":"gpu"}' \
  -vnc unix:"$dir"/vnc.sock,share=ignore \
  -device '{"driver":"qemu-xhci","id":"usb","p2":15,"p3":15}' \
  -device '{"driver":"usb-tablet","id":"tablet","bus":"usb.0"}'
