// SPDX-License-Identifier: MIT
#include "plan/script.hpp"

#include "core/quote.hpp"
#include "core/text.hpp"
#include "plan/seed/volume_json.hpp"

#include <algorithm>
#include <string_view>

namespace qlaunch {

namespace {

constexpr const char* head =
    R"sh(set -eu
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
)sh";

constexpr const char* wait_function =
    R"sh(
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
)sh";

constexpr const char* namespace_function =
    R"sh(
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
)sh";

constexpr const char* readonly_function =
    R"sh(
# read_only FOLDER COMMAND...: runs COMMAND where FOLDER is mounted read-only
read_only() {
  as_root sh -c '
    mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && cd / && shift && exec "$@"
  ' sh "$@"
}
)sh";

/// One shell word in which the scratch folder's mark is "$dir". JSON has escaped the mark.
std::string word(std::string_view text) {
  constexpr std::string_view plain = script_folder;
  constexpr std::string_view escaped = "\\u0001scratch\\u0001";
  std::string out;
  while (!text.empty()) {
    const auto in_plain = text.find(plain);
    const auto in_json = text.find(escaped);
    const auto at = std::min(in_plain, in_json);
    if (at == std::string_view::npos) return out + shell_quote(text);
    if (at > 0) out += shell_quote(text.substr(0, at));
    out += "\"$dir\"";
    text.remove_prefix(at + (at == in_plain ? plain.size() : escaped.size()));
  }
  return out.empty() ? shell_quote("") : out;
}

std::string words(const std::vector<std::string>& all) {
  std::string out;
  for (const auto& one : all) out += (out.empty() ? "" : " ") + word(one);
  return out;
}

/// One option a line.
std::string command_lines(const Command& command) {
  auto out = word(command.program);
  for (const auto& argument : command.arguments) out += " \\\n  " + words(argument.words);
  return out;
}

/// The image's first sector as octal escapes, the rest as a hole.
std::string hello_image(const std::string& path, const ScriptOptions& options) {
  constexpr std::size_t bytes_a_line = 16;
  const auto& code = options.hello_boot_code;
  const auto file = word(path);
  std::string out = "if [ ! -e " + file + " ]; then\n  : >" + file + '\n';
  for (std::size_t start = 0; start < code.size(); start += bytes_a_line) {
    out += "  printf '";
    const auto end = std::min(start + bytes_a_line, code.size());
    for (auto index = start; index < end; ++index)
      out += '\\' + octal(static_cast<unsigned char>(code[index]), 3);
    out += "' >>" + file + '\n';
  }
  return out + "  truncate -s " + std::to_string(options.hello_size) + ' ' + file + "\nfi\n";
}

struct Prepare {
  const ScriptOptions& options;

  std::string operator()(const MakeFolder& it) const { return "mkdir -p " + word(it.path) + '\n'; }
  std::string operator()(const MakeDisk& it) const {
    std::string out = it.fresh ? "" : "[ -e " + word(it.path) + " ] ||\n  ";
    out += word(options.qemu_img) + " create -q -f " +
           (it.format == DiskFormat::qcow2 ? "qcow2" : "raw");
    if (!it.base.empty()) out += " -b " + word(it.base) + " -F " + word(it.base_format);
    out += ' ' + word(it.path);
    if (it.size) out += ' ' + std::to_string(*it.size);
    return out + '\n';
  }
  std::string operator()(const MakeNvram& it) const {
    return "[ -e " + word(it.path) + " ] ||\n  " + word(options.qemu_img) + " convert -f " +
           word(it.template_format) + " -O qcow2 " + word(it.template_path) + ' ' + word(it.path) +
           '\n';
  }
  std::string operator()(const WriteFile& it) const {
    return "printf %s " + word(it.content) + " >" + word(it.path) + '\n';
  }
  std::string operator()(const CopyFile& it) const {
    return "cp " + word(it.from) + ' ' + word(it.path) + '\n';
  }
  std::string operator()(const MakeSeed& it) const {
    return word(options.seed_program) + " >" + word(it.path) + " <<'END'\n" +
           seed_volume_json(it.files, "") + "END\n";
  }
  std::string operator()(const WriteHelloImage& it) const { return hello_image(it.path, options); }
};

std::string helper_lines(const Helper& helper) {
  std::string prefix;
  if (helper.user_namespace) prefix = "as_root \\\n  ";
  if (!helper.readonly_folder.empty())
    prefix = "read_only " + word(helper.readonly_folder) + " \\\n  ";
  return "\n# " + printable(helper.name) + ": " + printable(helper.serves) + '\n' + prefix +
         command_lines(helper.command) + " &\nhelpers=\"$helpers $!\"\nwait_for " +
         word(helper.name) + ' ' + word(helper.socket) + " $!\n";
}

}  // namespace

std::string plan_script(const Plan& plan, const ScriptOptions& options) {
  std::string out = "#!/bin/sh\n# The VM " + in_backticks(plan.name) +
                    " without qlaunch: sockets in a folder of the script's own, disks where they "
                    "are.\n# Values stand in single quotes: none of them is for the shell to "
                    "expand.\n# shellcheck "
                    "disable=SC2016\n";
  out += head;
  if (!plan.helpers.empty()) out += wait_function;
  bool namespaces = false, readonly = false;
  for (const auto& helper : plan.helpers) {
    namespaces = namespaces || helper.user_namespace;
    readonly = readonly || !helper.readonly_folder.empty();
  }
  if (namespaces || readonly) out += namespace_function;
  if (readonly) out += readonly_function;
  if (!plan.preparations.empty()) out += "\n# what has to exist\n";
  for (const auto& one : plan.preparations) out += std::visit(Prepare{options}, one.what);
  for (const auto& helper : plan.helpers) out += helper_lines(helper);
  out += '\n';
  for (const auto& one : plan.qemu.variables)
    out += ": \"${" + one.name + ":=" + one.value + "}\"\nexport " + one.name + '\n';
  return out + command_lines(plan.qemu) + '\n';
}

}  // namespace qlaunch
