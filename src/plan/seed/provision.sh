#!/bin/sh
# Runs in the guest, from the volume by which qlaunch tells it who it is. `settings` beside it says
# what is to be done, as calls of the functions below. How it is called:
#
#   provision early   by cloud-init at each boot, before anybody can log in
#   provision late    by cloud-init at each boot, in its last stage
#   provision lima    by the init of a NixOS image made for Lima, which knows one stage
#
# What it has to say goes to a virtio port, or else to the console:
#
#   qlaunch: begin INSTANCE          a boot
#   qlaunch: running LABEL           a script of [[guest.run]]
#   | TEXT                           a line of what that has said
#   qlaunch: failed LABEL: WHY       and that is the end
#   qlaunch: done                    nothing is left to be done at this boot
stage=$1
here=$(dirname -- "$0")
state=/var/lib/qlaunch
PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin
PATH=$PATH:/run/current-system/sw/bin:/run/wrappers/bin
export PATH
umask 022
mkdir -p "$state/done" "$state/log" "$state/scripts"
chmod 711 "$state" "$state/scripts"
chmod 700 "$state/done" "$state/log"
# Sets `instance`, `user` (root where none was chosen), `home`, and `chosen`: whether one was.
# shellcheck disable=SC1091
. "$here/who"

# ---- the channel --------------------------------------------------------------------------------

port=
find_port() {
  for each in /sys/class/virtio-ports/*/name; do
    name=
    [ ! -e "$each" ] || read -r name <"$each"
    [ "$name" = io.qlaunch.provision ] || continue
    each=${each%/name}
    port=/dev/${each##*/}
    [ ! -e "$port" ] || return 0
    port=
  done
}
find_port
if [ -z "$port" ]; then
  modprobe virtio_console 2>/dev/null
  tries=0
  while [ -z "$port" ] && [ $tries -lt 20 ]; do
    sleep 0.1
    find_port
    tries=$((tries + 1))
  done
fi

out=${port:-/dev/console}
[ -e "$out" ] || out=/dev/null
tell() { cat >"$out"; }
say() { printf 'qlaunch: %s\n' "$*" >"$out"; }
fail() {
  say "failed $*"
  exit 1
}

# ---- what `settings` calls ----------------------------------------------------------------------

# variable NAME VALUE: for every login. PAM takes what stands behind a `#` for a comment, a `\` at the
# end for one more line, and leaves quotes out: what it cannot be told, login shells alone get.
variable() {
  case $2 in
    *\#* | *\\ | [\"\'\ ]* | *\ ) ;;
    *) printf '%s=%s\n' "$1" "$2" >>"$state/environment.plain" ;;
  esac
  printf "export %s='%s'\n" "$1" "$(printf '%s' "$2" | sed "s/'/'\\\\''/g")" \
    >>"$state/environment.new"
  export "$1=$2"
}

# as_user TEXT: a shell of the user's own, as whom its links lead nowhere that it may not go itself.
# `su` asks PAM, which this early may wait for what waits for this script.
as_user() {
  uid=$(id -u "$user") gid=$(id -g "$user")
  if setpriv "--reuid=$uid" "--regid=$gid" --clear-groups true 2>/dev/null; then
    setpriv "--reuid=$uid" "--regid=$gid" --clear-groups /bin/sh -c "$1"
  else
    su -s /bin/sh -c "$1" "$user"
  fi
}

# key LINE: who may log in. At a first boot the user is not there yet, and cloud-init tells it.
key() {
  [ "$stage" != late ] && id -u "$user" >/dev/null 2>&1 || return 0
  # The image's own user is cloud-init's to choose, and root is not it.
  [ "$stage" = lima ] || [ "$chosen" = yes ] || return 0
  keys=$home/.ssh/authorized_keys
  # What it stands in is root's, what is in it is not.
  [ -d "$home" ] || install -d -m 700 -o "$user" -- "$home"
  [ "$(stat -c %u -- "$home")" != 0 ] || chown -h "$user" -- "$home"
  # The words behind the key may have been changed on the way.
  printf '%s\n' "$1" | as_user "
    umask 077
    IFS= read -r line
    ! grep -qsF -- \"\$(printf '%s' \"\$line\" | cut -d ' ' -f 1,2)\" '$keys' || exit 1
    mkdir -p '$home/.ssh' && printf '%s\\n' \"\$line\" >>'$keys' && chmod 600 '$keys'" || return 0
  if [ "$stage" = lima ] && [ -d /etc/ssh/authorized_keys.d ]; then
    as_user "cat '$keys'" >"/etc/ssh/authorized_keys.d/$user"
  fi
}

# host_key PRIVATE PUBLIC: what the guest's ssh server shows. cloud-init has a way of its own.
host_key() {
  [ "$stage" = lima ] || return 0
  file=/etc/ssh/ssh_host_ed25519_key
  [ "$(cat "$file.pub" 2>/dev/null)" != "$2" ] || return 0
  mkdir -p /etc/ssh
  (umask 077 && printf '%b' "$1" >"$file.new") && mv -f "$file.new" "$file"
  printf '%s\n' "$2" >"$file.pub"
  chmod 644 "$file.pub"
  systemctl try-restart sshd.service >/dev/null 2>&1 || :
}

# mounted FOLDER. The kernel writes spaces as `\040`.
mounted() {
  while read -r _ folder _; do
    [ "$(printf '%b' "$folder")" != "$1" ] || return 0
  done </proc/mounts
  return 1
}

# linked PATH: whether a link that the user may have put into its home stands on the way to it.
linked() {
  [ "$user" != root ] || return 1
  folder=$1/.
  while
    folder=$(dirname -- "$folder")
    case $folder in "$home"/*) : ;; *) false ;; esac
  do
    [ ! -L "$folder" ] || return 0
  done
  return 1
}

# share TAG FOLDER TYPE OPTIONS: mounted where fstab has not done so already.
share() {
  [ "$stage" != early ] || return 0
  # Nothing elsewhere is covered by it or given away.
  if linked "$2"; then
    say "cannot mount $1 on $2: a link leads elsewhere"
    return 0
  fi
  mkdir -p -- "$2"
  if ! mounted "$2"; then
    said=$(mount -t "$3" -o "$4" -- "$1" "$2" 2>&1) ||
      { say "cannot mount $1 on $2"; printf '| %s\n' "$said" | tell; }
  fi
  # What cloud-init made on the way to it belongs to root, the user's own home with it.
  case $2 in
    "$home"/*)
      folder=$(dirname -- "$2")
      while case $folder in "$home" | "$home"/*) : ;; *) false ;; esac; do
        [ "$(stat -c %u -- "$folder")" != 0 ] || chown -h "$user" -- "$folder"
        folder=$(dirname -- "$folder")
      done
      ;;
  esac
}

# file NAME PATH MODE OWNER: cloud-init writes them itself.
file() {
  [ "$stage" = lima ] || return 0
  mkdir -p -- "$(dirname -- "$2")"
  # A link of somebody's in its place goes, and is not followed.
  rm -f -- "$2.qlaunch"
  cp -- "$here/$1" "$2.qlaunch" && chmod "$3" -- "$2.qlaunch" && chown -h "$4" -- "$2.qlaunch" &&
    mv -fT -- "$2.qlaunch" "$2" || fail "file $2: it cannot be written"
}

# script NAME WHEN AS MARK LABEL
script() {
  [ "$stage" != early ] || return 0
  if [ "$2" = once ] && [ -e "$state/done/$4" ]; then return 0; fi
  say "running $5"
  copy=$state/scripts/$1
  log=$state/log/$1.log
  # The user whose script it was last time would still own it.
  rm -f -- "$copy"
  cp -- "$here/$1" "$copy" && chmod 700 "$copy" || fail "$5: it cannot be copied to $copy"
  # Into a file: a program that it leaves running would keep a pipe open.
  if [ "$3" = user ]; then
    chown "$user" "$copy"
    su -l -s /bin/sh -c ". $state/environment; exec $copy" "$user" </dev/null >"$log" 2>&1
  else
    (cd / && HOME=/root exec "$copy") </dev/null >"$log" 2>&1
  fi
  code=$?
  tail -c 65536 "$log" | sed 's/^/| /' | tell
  # A last line without an end.
  [ -z "$(tail -c 1 "$log")" ] || echo >"$out"
  [ "$code" = 0 ] || fail "$5: exit code $code"
  [ "$2" != once ] || : >"$state/done/$4"
}

# variables_told: no more of them come.
variables_told() {
  mv -f "$state/environment.new" "$state/environment"
  if [ "$stage" = late ]; then
    rm -f "$state/environment.plain"
    return 0
  fi
  # NixOS has a link to the volume there.
  if [ ! -L /etc/environment ]; then
    {
      sed '/^#qlaunch-begin$/,/^#qlaunch-end$/d' /etc/environment 2>/dev/null
      if [ -s "$state/environment.plain" ]; then
        echo '#qlaunch-begin'
        cat "$state/environment.plain"
        echo '#qlaunch-end'
      fi
    } >/etc/environment.qlaunch
    mv -f /etc/environment.qlaunch /etc/environment
  fi
  rm -f "$state/environment.plain"
  if [ -s "$state/environment" ] && [ -d /etc/profile.d ]; then
    printf '. %s\n' "$state/environment" >/etc/profile.d/qlaunch.sh
  else
    rm -f /etc/profile.d/qlaunch.sh
  fi
}

# ---- a stage ------------------------------------------------------------------------------------

say "begin $instance"
: >"$state/environment.new"
: >"$state/environment.plain"
# shellcheck disable=SC1091
. "$here/settings"

case $stage in
  early)
    # Calls for the last stage.
    folder=/var/lib/cloud/scripts/per-boot
    mkdir -p "$folder"
    cat >"$folder/qlaunch" <<'END'
#!/bin/sh
runner=/run/qlaunch/seed/qlaunch/provision
[ ! -e "$runner" ] || exec sh "$runner" late
END
    chmod 700 "$folder/qlaunch"
    ;;
  late)
    (
      result=/run/cloud-init/result.json
      while [ ! -e "$result" ]; do sleep 0.2; done
      if tr -d ' \n' <"$result" | grep -q '"errors":\[\]'; then
        say 'done'
      else
        sed 's/^/| /' "$result" | tell
        say 'failed cloud-init: it reports errors'
      fi
      umount -l /run/qlaunch/seed
    ) </dev/null >/dev/null 2>&1 &
    ;;
  lima)
    (
      tries=0
      while [ ! -e /run/lima-boot-done ] && [ $tries -lt 300 ]; do
        sleep 0.2
        tries=$((tries + 1))
      done
      say 'done'
    ) </dev/null >/dev/null 2>&1 &
    ;;
esac
