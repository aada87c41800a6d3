#!/bin/sh
# SPDX-License-Identifier: MIT
# /init of the micro guest: network, ssh and the guest agent first, the rest after them. Words on
# the kernel's command line:
#
#   share=DRIVER:TAG:FOLDER[:OPTIONS]   mount a share; DRIVER is 9p or virtiofs
#   load=MODULE[,MODULE...]             load these too
#   silent                              no guest agent and no ssh: a guest that only says it is there
#
# Prints `micro: ready` on the first serial port when all is done, and leaves a shell there.
export PATH=/bin HOME=/root
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
exec </dev/console >/dev/console 2>&1
mkdir -p /dev/pts
mount -t devpts pts /dev/pts
hostname micro
ip link set lo up

# load NAME...: modules with what they depend on. Each process costs ten milliseconds under TCG:
# hence no more of them than needed, here and below.
load() {
  for name in "$@"; do
    while read -r module; do
      [ -d "/sys/module/$module" ] || insmod "/lib/modules/$module.ko"
    done <"/lib/modules/$name.load"
  done
}

read -r words </proc/cmdline
load virtio_pci

# Virtio devices by their kind, PCI devices by their class: nothing is loaded that nobody needs.
devices=
for file in /sys/bus/virtio/devices/*/device /sys/bus/pci/devices/*/class; do
  [ -e "$file" ] || continue
  read -r kind <"$file"
  devices="$devices $kind "
done
has_virtio() { case $devices in *" $1 "*) ;; *) return 1 ;; esac }
has_class() { has_virtio "0x$1"; }

# The host names the ports only after the driver has asked for them: a moment after it is loaded.
start_agent() {
  tries=0
  while [ $tries -lt 1000 ]; do
    for port in /sys/class/virtio-ports/*; do
      name=
      [ ! -e "$port/name" ] || read -r name <"$port/name"
      if [ "$name" = org.qemu.guest_agent.0 ]; then
        qemu-ga -d -m virtio-serial -p "/dev/${port##*/}" -t /run -f /run/qemu-ga.pid
        return
      fi
    done
    tries=$((tries + 1))
    usleep 20000
  done
}

if has_virtio 0x0001; then
  load virtio_net af_packet
  ip addr add 10.0.2.15/24 dev eth0
  ip link set eth0 up
  ip route add default via 10.0.2.2
  echo 'nameserver 10.0.2.3' >/etc/resolv.conf
fi
case " $words " in
  *' silent '*) ;;
  *)
    dropbear -r /etc/dropbear/key -s -P /run/dropbear.pid
    if has_virtio 0x0003; then
      load virtio_console
      start_agent &
    fi
    ;;
esac

load button evdev
acpid

has_virtio 0x0002 && load virtio_blk
has_virtio 0x0004 && load virtio_rng
has_virtio 0x0005 && load virtio_balloon
has_virtio 0x0008 && load virtio_scsi sd_mod sr_mod
has_virtio 0x0009 && load 9p 9pnet_virtio
has_virtio 0x001a && load virtiofs
has_class 010802 && load nvme
has_class 0c0330 && load xhci_pci usb_storage uas sd_mod sr_mod
[ ! -e /sys/bus/acpi/devices/QEMU0001:00 ] || load pvpanic_mmio
[ ! -e /sys/bus/acpi/devices/MSFT0101:00 ] || load tpm_tis tpm_crb

for word in $words; do
  case $word in
    load=*)
      rest=${word#load=},
      while [ -n "$rest" ]; do
        load "${rest%%,*}"
        rest=${rest#*,}
      done
      ;;
    share=*)
      rest=${word#share=}
      driver=${rest%%:*} rest=${rest#*:}
      tag=${rest%%:*} rest=${rest#*:}
      folder=${rest%%:*} options=${rest#"$folder"}
      options=${options#:}
      mkdir -p "$folder"
      case $driver in
        9p) options=trans=virtio,version=9p2000.L,msize=524288${options:+,$options} ;;
      esac
      mount -t "$driver" ${options:+-o "$options"} "$tag" "$folder"
      ;;
  esac
done

echo 'micro: ready'
while :; do
  setsid cttyhack sh
done
