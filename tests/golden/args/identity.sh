#!/bin/sh
# The VM `identity` without qlaunch: sockets in a folder of the script's own, disks where they are.
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
printf %s io.systemd.credential.binary:motd=dHdvCmxpbmVz >"$dir"/credential0
printf %s 'io.systemd.credential:ssh.authorized_keys.root=ssh-ed25519 AAAA a,b' >"$dir"/credential1
mkdir -p /home/user/.local/share/qlaunch/vm
[ -e /home/user/.local/share/qlaunch/vm/root.qcow2 ] ||
  /usr/bin/qemu-img create -q -f qcow2 /home/user/.local/share/qlaunch/vm/root.qcow2 8589934592
qlaunch-seed >"$dir"/cidata.iso <<'END'
{"label": "cidata", "note": "", "files": [
{"name":"meta-data","text":"instance-id: qlaunch-df70a07237690041\nlocal-hostname: identity\n"},
{"name":"user-data","text":"#cloud-config\n# Made by qlaunch at each start, from the profile of the VM.\nhostname: identity\nmanage_etc_hosts: localhost\nbootcmd:\n  - [sh, -c, \"seed=/run/qlaunch/seed; mkdir -p -m 700 /run/qlaunch $seed; [ -e $seed/qlaunch/provision ] || mount -r -t iso9660 LABEL=cidata $seed || mount -r -t iso9660 /dev/disk/by-label/cidata $seed; sh $seed/qlaunch/provision early\"]\nusers:\n  - name: me\n    uid: 1000\n    shell: /bin/bash\n    sudo: \"ALL=(ALL) NOPASSWD:ALL\"\n    lock_passwd: true\nssh_genkeytypes: [ed25519]\nlocale: \"false\"\n"},
{"name":"lima.env","text":"LIMA_CIDATA_IID=qlaunch-df70a07237690041\nLIMA_CIDATA_NAME=identity\nLIMA_CIDATA_USER=me\nLIMA_CIDATA_UID=1000\nLIMA_CIDATA_HOME=/home/me\nLIMA_CIDATA_SHELL=/bin/bash\nLIMA_CIDATA_COMMENT=me\nLIMA_CIDATA_MOUNTS=0\nLIMA_CIDATA_SLIRP_GATEWAY=10.0.2.2\nLIMA_CIDATA_SLIRP_DNS=10.0.2.3\nLIMA_CIDATA_VMTYPE=qemu\nLIMA_CIDATA_VSOCK_PORT=0\nLIMA_CIDATA_VIRTIO_PORT=\nLIMA_CIDATA_PLAIN=1\nLIMA_CIDATA_NO_CLOUD_INIT=\nLIMA_CIDATA_PASSWORDLESS_SUDO=1\n"},
{"name":"param.env","text":""},
{"name":"etc_environment","text":"#LIMA-START\n#LIMA-END\n"},
{"name":"provision.system/00-qlaunch","executable":true,"text":"#!/bin/sh\nexec sh \"$(dirname \"$0\")/../qlaunch/provision\" lima\n"},
{"name":"qlaunch/who","text":"instance=qlaunch-df70a07237690041\nuser=me\nhome=/home/me\nchosen=yes\n"},
{"name":"qlaunch/settings","text":"variables_told\n"},
{"name":"qlaunch/provision","executable":true,"text":"#!/bin/sh\n# Runs in the guest, from the volume by which qlaunch tells it who it is. `settings` beside it says\n# what is to be done, as calls of the functions below. How it is called:\n#\n#   provision early   by cloud-init at each boot, before anybody can log in\n#   provision late    by cloud-init at each boot, in its last stage\n#   provision lima    by the init of a NixOS image made for Lima, which knows one stage\n#\n# What it has to say goes to a virtio port, or else to the console:\n#\n#   qlaunch: begin INSTANCE          a boot\n#   qlaunch: running LABEL           a script of [[guest.run]]\n#   | TEXT                           a line of what that has said\n#   qlaunch: failed LABEL: WHY       and that is the end\n#   qlaunch: done                    nothing is left to be done at this boot\nstage=$1\nhere=$(dirname -- \"$0\")\nstate=/var/lib/qlaunch\nPATH=${PATH:+$PATH:}/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin\nPATH=$PATH:/run/current-system/sw/bin:/run/wrappers/bin\nexport PATH\numask 022\nmkdir -p \"$state/done\" \"$state/log\" \"$state/scripts\"\nchmod 711 \"$state\" \"$state/scripts\"\nchmod 700 \"$state/done\" \"$state/log\"\n# Sets `instance`, `user` (root where none was chosen), `home`, and `chosen`: whether one was.\n# shellcheck disable=SC1091\n. \"$here/who\"\n\n# ---- the channel --------------------------------------------------------------------------------\n\nport=\nfind_port() {\n  for each in /sys/class/virtio-ports/*/name; do\n    name=\n    [ ! -e \"$each\" ] || read -r name <\"$each\"\n    [ \"$name\" = io.qlaunch.provision ] || continue\n    each=${each%/name}\n    port=/dev/${each##*/}\n    [ ! -e \"$port\" ] || return 0\n    port=\n  done\n}\nfind_port\nif [ -z \"$port\" ]; then\n  modprobe virtio_console 2>/dev/null\n  tries=0\n  while [ -z \"$port\" ] && [ $tries -lt 20 ]; do\n    sleep 0.1\n    find_port\n    tries=$((tries + 1))\n  done\nfi\n\nout=${port:-/dev/console}\n[ -e \"$out\" ] || out=/dev/null\ntell() { cat >\"$out\"; }\nsay() { printf 'qlaunch: %s\\n' \"$*\" >\"$out\"; }\nfail() {\n  say \"failed $*\"\n  exit 1\n}\n\n# ---- what `settings` calls ----------------------------------------------------------------------\n\n# variable NAME VALUE: for every login. PAM takes what stands behind a `#` for a comment, a `\\` at the\n# end for one more line, and leaves quotes out: what it cannot be told, login shells alone get.\nvariable() {\n  case $2 in\n    *\\#* | *\\\\ | [\\\"\\'\\ ]* | *\\ ) ;;\n    *) printf '%s=%s\\n' \"$1\" \"$2\" >>\"$state/environment.plain\" ;;\n  esac\n  printf \"export %s='%s'\\n\" \"$1\" \"$(printf '%s' \"$2\" | sed \"s/'/'\\\\\\\\''/g\")\" \\\n    >>\"$state/environment.new\"\n  export \"$1=$2\"\n}\n\n# as_user TEXT: a shell of the user's own, as whom its links lead nowhere that it may not go itself.\n# `su` asks PAM, which this early may wait for what waits for this script.\nas_user() {\n  uid=$(id -u \"$user\") gid=$(id -g \"$user\")\n  if setpriv \"--reuid=$uid\" \"--regid=$gid\" --clear-groups true 2>/dev/null; then\n    setpriv \"--reuid=$uid\" \"--regid=$gid\" --clear-groups /bin/sh -c \"$1\"\n  else\n    su -s /bin/sh -c \"$1\" \"$user\"\n  fi\n}\n\n# key LINE: who may log in. At a first boot the user is not there yet, and cloud-init tells it.\nkey() {\n  [ \"$stage\" != late ] && id -u \"$user\" >/dev/null 2>&1 || return 0\n  # The image's own user is cloud-init's to choose, and root is not it.\n  [ \"$stage\" = lima ] || [ \"$chosen\" = yes ] || return 0\n  keys=$home/.ssh/authorized_keys\n  # What it stands in is root's, what is in it is not.\n  [ -d \"$home\" ] || install -d -m 700 -o \"$user\" -- \"$home\"\n  [ \"$(stat -c %u -- \"$home\")\" != 0 ] || chown -h \"$user\" -- \"$home\"\n  # The words behind the key may have been changed on the way.\n  printf '%s\\n' \"$1\" | as_user \"\n    umask 077\n    IFS= read -r line\n    ! grep -qsF -- \\\"\\$(printf '%s' \\\"\\$line\\\" | cut -d ' ' -f 1,2)\\\" '$keys' || exit 1\n    mkdir -p '$home/.ssh' && printf '%s\\\\n' \\\"\\$line\\\" >>'$keys' && chmod 600 '$keys'\" || return 0\n  if [ \"$stage\" = lima ] && [ -d /etc/ssh/authorized_keys.d ]; then\n    as_user \"cat '$keys'\" >\"/etc/ssh/authorized_keys.d/$user\"\n  fi\n}\n\n# host_key PRIVATE PUBLIC: what the guest's ssh server shows. cloud-init has a way of its own.\nhost_key() {\n  [ \"$stage\" = lima ] || return 0\n  file=/etc/ssh/ssh_host_ed25519_key\n  [ \"$(cat \"$file.pub\" 2>/dev/null)\" != \"$2\" ] || return 0\n  mkdir -p /etc/ssh\n  (umask 077 && printf '%b' \"$1\" >\"$file.new\") && mv -f \"$file.new\" \"$file\"\n  printf '%s\\n' \"$2\" >\"$file.pub\"\n  chmod 644 \"$file.pub\"\n  systemctl try-restart sshd.service >/dev/null 2>&1 || :\n}\n\n# mounted FOLDER. The kernel writes spaces as `\\040`.\nmounted() {\n  while read -r _ folder _; do\n    [ \"$(printf '%b' \"$folder\")\" != \"$1\" ] || return 0\n  done </proc/mounts\n  return 1\n}\n\n# linked PATH: whether a link that the user may have put into its home stands on the way to it.\nlinked() {\n  [ \"$user\" != root ] || return 1\n  folder=$1/.\n  while\n    folder=$(dirname -- \"$folder\")\n    case $folder in \"$home\"/*) : ;; *) false ;; esac\n  do\n    [ ! -L \"$folder\" ] || return 0\n  done\n  return 1\n}\n\n# share TAG FOLDER TYPE OPTIONS: mounted where fstab has not done so already.\nshare() {\n  [ \"$stage\" != early ] || return 0\n  # Nothing elsewhere is covered by it or given away.\n  if linked \"$2\"; then\n    say \"cannot mount $1 on $2: a link leads elsewhere\"\n    return 0\n  fi\n  mkdir -p -- \"$2\"\n  if ! mounted \"$2\"; then\n    said=$(mount -t \"$3\" -o \"$4\" -- \"$1\" \"$2\" 2>&1) ||\n      { say \"cannot mount $1 on $2\"; printf '| %s\\n' \"$said\" | tell; }\n  fi\n  # What cloud-init made on the way to it belongs to root, the user's own home with it.\n  case $2 in\n    \"$home\"/*)\n      folder=$(dirname -- \"$2\")\n      while case $folder in \"$home\" | \"$home\"/*) : ;; *) false ;; esac; do\n        [ \"$(stat -c %u -- \"$folder\")\" != 0 ] || chown -h \"$user\" -- \"$folder\"\n        folder=$(dirname -- \"$folder\")\n      done\n      ;;\n  esac\n}\n\n# file NAME PATH MODE OWNER: cloud-init writes them itself.\nfile() {\n  [ \"$stage\" = lima ] || return 0\n  mkdir -p -- \"$(dirname -- \"$2\")\"\n  # A link of somebody's in its place goes, and is not followed.\n  rm -f -- \"$2.qlaunch\"\n  cp -- \"$here/$1\" \"$2.qlaunch\" && chmod \"$3\" -- \"$2.qlaunch\" && chown -h \"$4\" -- \"$2.qlaunch\" &&\n    mv -fT -- \"$2.qlaunch\" \"$2\" || fail \"file $2: it cannot be written\"\n}\n\n# script NAME WHEN AS MARK LABEL\nscript() {\n  [ \"$stage\" != early ] || return 0\n  if [ \"$2\" = once ] && [ -e \"$state/done/$4\" ]; then return 0; fi\n  say \"running $5\"\n  copy=$state/scripts/$1\n  log=$state/log/$1.log\n  # The user whose script it was last time would still own it.\n  rm -f -- \"$copy\"\n  cp -- \"$here/$1\" \"$copy\" && chmod 700 \"$copy\" || fail \"$5: it cannot be copied to $copy\"\n  # Into a file: a program that it leaves running would keep a pipe open.\n  if [ \"$3\" = user ]; then\n    chown \"$user\" \"$copy\"\n    su -l -s /bin/sh -c \". $state/environment; exec $copy\" \"$user\" </dev/null >\"$log\" 2>&1\n  else\n    (cd / && HOME=/root exec \"$copy\") </dev/null >\"$log\" 2>&1\n  fi\n  code=$?\n  tail -c 65536 \"$log\" | sed 's/^/| /' | tell\n  # A last line without an end.\n  [ -z \"$(tail -c 1 \"$log\")\" ] || echo >\"$out\"\n  [ \"$code\" = 0 ] || fail \"$5: exit code $code\"\n  [ \"$2\" != once ] || : >\"$state/done/$4\"\n}\n\n# variables_told: no more of them come.\nvariables_told() {\n  mv -f \"$state/environment.new\" \"$state/environment\"\n  if [ \"$stage\" = late ]; then\n    rm -f \"$state/environment.plain\"\n    return 0\n  fi\n  # NixOS has a link to the volume there.\n  if [ ! -L /etc/environment ]; then\n    {\n      sed '/^#qlaunch-begin$/,/^#qlaunch-end$/d' /etc/environment 2>/dev/null\n      if [ -s \"$state/environment.plain\" ]; then\n        echo '#qlaunch-begin'\n        cat \"$state/environment.plain\"\n        echo '#qlaunch-end'\n      fi\n    } >/etc/environment.qlaunch\n    mv -f /etc/environment.qlaunch /etc/environment\n  fi\n  rm -f \"$state/environment.plain\"\n  if [ -s \"$state/environment\" ] && [ -d /etc/profile.d ]; then\n    printf '. %s\\n' \"$state/environment\" >/etc/profile.d/qlaunch.sh\n  else\n    rm -f /etc/profile.d/qlaunch.sh\n  fi\n}\n\n# ---- a stage ------------------------------------------------------------------------------------\n\nsay \"begin $instance\"\n: >\"$state/environment.new\"\n: >\"$state/environment.plain\"\n# shellcheck disable=SC1091\n. \"$here/settings\"\n\ncase $stage in\n  early)\n    # Calls for the last stage.\n    folder=/var/lib/cloud/scripts/per-boot\n    mkdir -p \"$folder\"\n    cat >\"$folder/qlaunch\" <<'END'\n#!/bin/sh\nrunner=/run/qlaunch/seed/qlaunch/provision\n[ ! -e \"$runner\" ] || exec sh \"$runner\" late\nEND\n    chmod 700 \"$folder/qlaunch\"\n    ;;\n  late)\n    (\n      result=/run/cloud-init/result.json\n      while [ ! -e \"$result\" ]; do sleep 0.2; done\n      if tr -d ' \\n' <\"$result\" | grep -q '\"errors\":\\[\\]'; then\n        say 'done'\n      else\n        sed 's/^/| /' \"$result\" | tell\n        say 'failed cloud-init: it reports errors'\n      fi\n      umount -l /run/qlaunch/seed\n    ) </dev/null >/dev/null 2>&1 &\n    ;;\n  lima)\n    (\n      tries=0\n      while [ ! -e /run/lima-boot-done ] && [ $tries -lt 300 ]; do\n        sleep 0.2\n        tries=$((tries + 1))\n      done\n      say 'done'\n    ) </dev/null >/dev/null 2>&1 &\n    ;;\nesac\n"}
]}
END

: "${DBUS_SESSION_BUS_ADDRESS:=disabled:}"
export DBUS_SESSION_BUS_ADDRESS
/usr/bin/qemu-system-x86_64 \
  -name guest=identity,debug-threads=on \
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
  -uuid 6ba7b810-9dad-11d1-80b4-00c04fd430c8 \
  -smbios 'type=1,manufacturer=Example,, Inc.,product=Box,version=1,serial=0001,sku=S,family=F' \
  -smbios type=11,path="$dir"/credential0 \
  -smbios type=11,path="$dir"/credential1 \
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
  -device '{"driver":"virtio-net-pci","id":"nic-net0","netdev":"net0","mac":"52:54:00:85:bc:f6","romfile":""}' \
  -blockdev '{"driver":"raw","node-name":"cidata","read-only":true,"file":{"driver":"file","node-name":"file-cidata","filename":"'"$dir"'/cidata.iso","read-only":true,"auto-read-only":false}}' \
  -device '{"driver":"virtio-blk-pci","id":"cidata","drive":"cidata"}' \
  -chardev file,id=provision,append=on,path="$dir"/provision.log \
  -device '{"driver":"virtserialport","id":"provision-port","bus":"virtio-serial.0","chardev":"provision","name":"io.qlaunch.provision"}' \
  -display '{"type":"gtk","window-close":false}' \
  -device '{"driver":"virtio-vga","id":"gpu"}' \
  -vnc unix:"$dir"/vnc.sock,share=ignore \
  -device '{"driver":"qemu-xhci","id":"usb","p2":15,"p3":15}' \
  -device '{"driver":"usb-tablet","id":"tablet","bus":"usb.0"}'
