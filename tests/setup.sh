# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# What tests/run.sh and examples/quickstart.sh share: they source this file to
# install what is missing and to configure a build folder. It runs nothing by
# itself. Speaks on stderr.

say() { printf '%s\n' "$*" >&2; }

# need | Debian and Ubuntu | how to tell without dpkg | Nix | Fedora | Arch
#
# need: build   to build, and to run the built-in profile
#       screen  the same on a desktop
#       test    for the test suites
#       A `?` behind it: only where apt offers such a package.
# cmake: how Meson finds doctest, which brings no .pc file.
# Two Debian names with a `,` between them: either will do, the first is installed.
requirements() {
  boost=libboost-dev
  # Debian 12's default is 1.74; Asio and Process v2 are used as of 1.81.
  # shellcheck disable=SC1091
  case $(. /etc/os-release 2>/dev/null && printf '%s' "${ID-}-${VERSION_ID-}") in
    debian-12) boost=libboost1.81-dev ;;
  esac
  cat <<END
build|g++|command:c++|gcc|gcc-c++|gcc
build|binutils|command:as|binutils|binutils|binutils
build|meson|command:meson|meson|meson|meson
build|ninja-build|command:ninja|ninja|ninja-build|ninja
build|pkgconf,pkg-config|command:pkg-config|pkg-config|pkgconf-pkg-config|pkgconf
build|python3|command:python3|python3|python3|python
build|$boost|boost|boost|boost-devel|boost
build|nlohmann-json3-dev|library:nlohmann_json|nlohmann_json|json-devel|nlohmann-json
build|libtomlplusplus-dev|library:tomlplusplus|tomlplusplus|tomlplusplus-devel|tomlplusplus
build|libcli11-dev|library:CLI11|cli11|cli11-devel|cli11
build|libarchive-dev|library:libarchive|libarchive|libarchive-devel|libarchive
build|libcurl4-openssl-dev|library:libcurl|curl|libcurl-devel|curl
build|libssl-dev|library:libcrypto|openssl|openssl-devel|openssl
build|qemu-system-x86|command:qemu-system-x86_64|qemu|qemu-system-x86|qemu-desktop
build|qemu-utils|command:qemu-img|qemu|qemu-img|qemu-img
screen|qemu-system-gui|-|qemu|qemu-ui-gtk|qemu-ui-gtk
test|cmake|command:cmake|cmake|cmake|cmake
test|doctest-dev|header:doctest/doctest.h|doctest|doctest-devel|doctest
test|qemu-system-gui|-|qemu|qemu-ui-gtk|qemu-ui-gtk
test?|qemu-system-modules-spice|-|qemu|qemu-ui-spice-app|qemu-ui-spice-app
test?|qemu-system-modules-opengl|-|qemu|qemu-ui-opengl|qemu-ui-opengl
test|ovmf|firmware|OVMF|edk2-ovmf|edk2-ovmf
test|swtpm|command:swtpm|swtpm|swtpm|swtpm
test?|virtiofsd|virtiofsd|virtiofsd|virtiofsd|virtiofsd
test|xz-utils|command:xz|xz|xz|xz
test|openssl|command:openssl|openssl|openssl|openssl
test|openssh-client|command:ssh|openssh|openssh-clients|openssh
test|python3-yaml|python:yaml|python3Packages.pyyaml|python3-pyyaml|python-yaml
test?|mmdebstrap|command:mmdebstrap|mmdebstrap|mmdebstrap|mmdebstrap
test|e2fsprogs|command:mke2fs|e2fsprogs|e2fsprogs|e2fsprogs
test|python3-jsonschema|python:jsonschema|python3Packages.jsonschema|python3-jsonschema|python-jsonschema
test?|nix-bin|command:nix-instantiate|nix|nix|nix
test?|clang-format-14|-|clang-tools|clang-tools-extra|clang
test?|clang-tidy-14|-|clang-tools|clang-tools-extra|clang
END
}

# Does the thing itself answer, whoever installed it? `-`: no way to tell, taken as there.
works() {
  case $1 in
    -) ;;
    command:*) command -v "${1#*:}" >/dev/null 2>&1 ;;
    library:*) pkg-config --exists "${1#*:}" 2>/dev/null ;;
    header:*) printf '#include <%s>\n' "${1#*:}" | c++ -std=c++20 -x c++ -E - >/dev/null 2>&1 ;;
    python:*) python3 -c "import ${1#*:}" 2>/dev/null ;;
    boost)
      printf '#include <boost/version.hpp>\n#if BOOST_VERSION < 108100\n#error old\n#endif\n' |
        c++ -x c++ -E - >/dev/null 2>&1
      ;;
    firmware)
      for descriptor in /usr/share/qemu/firmware/*.json /etc/qemu/firmware/*.json \
        /run/current-system/sw/share/qemu/firmware/*.json; do
        [ -e "$descriptor" ] && return 0
      done
      return 1
      ;;
    virtiofsd)
      command -v virtiofsd >/dev/null 2>&1 || [ -x /usr/libexec/virtiofsd ] ||
        [ -x /usr/lib/virtiofsd ] || [ -x /usr/lib/qemu/virtiofsd ]
      ;;
  esac
}

installed_by_dpkg() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

offered_by_apt() {
  LC_ALL=C apt-cache policy "$1" 2>/dev/null | grep -q '^  Candidate: [^(]'
}

# missing_packages COLUMN NEED...: names from that column of the table, one a line.
missing_packages() {
  column=$1
  shift
  wanted=" $* "
  requirements | while IFS='|' read -r need debian check nix fedora arch; do
    case $wanted in *" ${need%\?} "*) ;; *) continue ;; esac
    if [ "$column" = debian ]; then
      installed_by_dpkg "${debian%,*}" && continue
      installed_by_dpkg "${debian#*,}" && continue
      # Not from a package, but there: a meson from pip, a boost from source.
      [ "$check" != - ] && works "$check" && continue
      case $need in *\?) offered_by_apt "$debian" || continue ;; esac
      printf '%s\n' "${debian%,*}"
    else
      works "$check" && continue
      case $column in
        nix) printf '%s\n' "$nix" ;;
        fedora) printf '%s\n' "$fedora" ;;
        arch) printf '%s\n' "$arch" ;;
      esac
    fi
  done | sort -u | tr '\n' ' ' | sed 's/ $//'
}

apt_install() {
  as_root=
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
      say "error: not installed: $1"
      say "  help: run as root: apt-get install $1"
      exit 2
    fi
    as_root=sudo
    # Where nobody can type a password, sudo must not wait for one.
    if [ ! -t 2 ] || [ -n "${CI-}" ]; then as_root='sudo -n'; fi
  fi
  say "installing: $1"
  environment='env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1'
  # Names and options are words of their own.
  # shellcheck disable=SC2086
  $as_root $environment apt-get -qq -o DPkg::Lock::Timeout=300 \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
    --no-install-recommends -y install $1 </dev/null >&2 || {
    say "error: apt-get could not install: $1"
    say "  help: run by hand to see why: apt-get install $1"
    exit 2
  }
}

apt_update() {
  as_root=
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || return 0
    as_root=sudo
    if [ ! -t 2 ] || [ -n "${CI-}" ]; then as_root='sudo -n'; fi
  fi
  # An old list may still do, so a failure here is not the end.
  # shellcheck disable=SC2086
  $as_root apt-get -qq -o DPkg::Lock::Timeout=300 update </dev/null >&2 ||
    say 'warning: apt-get update failed, going on with the package lists that are there'
}

# install_missing NEED...: installs by apt, or exits with 2 and the names of what is missing.
install_missing() {
  if command -v apt-get >/dev/null 2>&1 && command -v dpkg-query >/dev/null 2>&1; then
    missing=$(missing_packages debian "$@")
    [ -n "$missing" ] || return 0
    apt_update
    # Asked again: without package lists, what apt offers was not known yet.
    apt_install "$(missing_packages debian "$@")"
    return 0
  fi
  [ -n "$(missing_packages nix "$@")" ] || return 0
  say 'error: not everything is installed that this needs'
  say "  Nix:    nix-shell -p $(missing_packages nix "$@")"
  say "  Fedora: dnf install $(missing_packages fedora "$@")"
  say "  Arch:   pacman -S $(missing_packages arch "$@")"
  exit 2
}

# configure FOLDER [OPTION...]: a Meson build folder of this very tree, made anew if it is not one.
configure() {
  folder=$1
  shift
  if [ -e "$folder" ]; then
    if belongs_here "$folder" && ninja -C "$folder" build.ninja >/dev/null 2>&1; then return 0; fi
    if [ -d "$folder/meson-private" ] || [ -z "$(ls -A "$folder")" ]; then
      say "$folder: not usable as it is, made anew"
      rm -rf "$folder"
    else
      aside="$folder-old-$(date +%Y%m%d-%H%M%S)"
      say "$folder: not made by Meson, moved to $aside"
      mv "$folder" "$aside"
    fi
  fi
  meson setup "$folder" "$@" >&2
}

# A copied or moved tree brings a build folder that still points to the old place.
belongs_here() {
  python3 - "$1" <<'END'
import json, os, sys
try:
    with open(os.path.join(sys.argv[1], "meson-info", "meson-info.json")) as file:
        places = json.load(file)["directories"]
    same = (os.path.samefile(places["source"], ".") and
            os.path.samefile(places["build"], sys.argv[1]))
except (OSError, ValueError, KeyError):
    same = False
sys.exit(0 if same else 1)
END
}
