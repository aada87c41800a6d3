#!/bin/sh
# The VM `odd-names` without qlaunch: sockets in a folder of the script's own, disks where they are.
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
[ -e '/profiles/it'\''s, "odd"; $(rm -rf x)
,file.driver=nbd.qcow2' ] ||
  /usr/bin/qemu-img create -q -f qcow2 '/profiles/it'\''s, "odd"; $(rm -rf x)
,file.driver=nbd.qcow2' 1073741824

# virtiofsd-719f6aaa2db71817: share `b,c`
/usr/libexec/virtiofsd \
  --socket-path="$dir"/virtiofsd-719f6aaa2db71817.sock \
  '--shared-dir=/profiles/sha,re d' \
  --readonly \
  --sandbox=none &
helpers="$helpers $!"
wait_for virtiofsd-719f6aaa2db71817 "$dir"/virtiofsd-719f6aaa2db71817.sock $!

: "${DBUS_SESSION_BUS_ADDRESS:=disabled:}"
export DBUS_SESSION_BUS_ADDRESS
/usr/bin/qemu-system-x86_64 \
  -name guest=odd-names,debug-threads=on \
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
  -uuid 080985ca-ac4e-8559-929e-caf90400b667 \
  -smbios 'type=1,product=a,,b=c'\''"\ $(reboot),serial=${HOME},,uuid=0' \
  -kernel /profiles/bzImage \
  -append 'console=ttyS0 x='\''a b'\'',c="d" `id`' \
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
  -blockdev '{"driver":"qcow2","node-name":"disk-root","read-only":false,"cache":{"direct":false,"no-flush":false},"discard":"unmap","detect-zeroes":"unmap","file":{"driver":"file","node-name":"file-root","filename":"/profiles/it'\''s, \"odd\"; $(rm -rf x)\n,file.driver=nbd.qcow2","read-only":false,"auto-read-only":false,"aio":"threads","cache":{"direct":false,"no-flush":false},"discard":"unmap"}}' \
  -device '{"driver":"virtio-blk-pci","id":"drive-root","drive":"disk-root","serial":"WD-1.2_3","bootindex":1}' \
  -netdev '{"type":"user","id":"net0","hostfwd":[{"str":"tcp:127.0.0.1:0-:22"}]}' \
  -device '{"driver":"virtio-net-pci","id":"nic-net0","netdev":"net0","mac":"52:54:00:5f:d4:ad","romfile":""}' \
  -fsdev 'local,id=share-351019bcc840b95c,path=/profiles/sha,,re d,security_model=mapped-xattr,multidevs=remap' \
  -device '{"driver":"virtio-9p-pci","id":"dev-share-351019bcc840b95c","fsdev":"share-351019bcc840b95c","mount_tag":"a,readonly=on"}' \
  -chardev socket,id=virtiofsd-719f6aaa2db71817,path="$dir"/virtiofsd-719f6aaa2db71817.sock \
  -device '{"driver":"pcie-root-port","id":"port-719f6aaa2db71817","bus":"pcie.0","chassis":129,"slot":129}' \
  -device '{"driver":"vhost-user-fs-pci","id":"share-719f6aaa2db71817","chardev":"virtiofsd-719f6aaa2db71817","tag":"b,c","queue-size":1024,"bus":"port-719f6aaa2db71817"}' \
  -display '{"type":"gtk","window-close":false}' \
  -device '{"driver":"virtio-vga","id":"gpu"}' \
  -vnc unix:"$dir"/vnc.sock,share=ignore \
  -device '{"driver":"qemu-xhci","id":"usb","p2":15,"p3":15}' \
  -device '{"driver":"usb-tablet","id":"tablet","bus":"usb.0"}' \
  -append 'it'\''s' \
  -fw_cfg name=opt/x,string=a,,b
