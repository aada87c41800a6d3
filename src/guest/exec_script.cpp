// SPDX-License-Identifier: MIT
#include "guest/exec_script.hpp"

#include "core/quote.hpp"

namespace qlaunch::guest_exec {
namespace {

// An agent started by systemd on NixOS finds little by itself.
constexpr const char* find_programs = R"sh(
PATH=${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}
[ ! -d /run/current-system/sw/bin ] || PATH=$PATH:/run/wrappers/bin:/run/current-system/sw/bin
export PATH
)sh";

// dd passes on at once what it has read, as no other common program does for a pipe. In a pipeline
// each part is a process of its own: signals for the command are not for them.
constexpr const char* functions = R"sh(
own() {
  read -r n r </proc/self/stat
  echo "$n" >>"$B.p"
  n=0
}
pump() {
  trap '' INT TERM HUP PIPE
  LC_ALL=C
  export LC_ALL
  own
  while :; do
    if ! r=$(dd bs=65536 count=32 of="$1$n" 2>&1); then
      [ -e "$B.q" ] || echo "qlaunch: output: $r" >&2
      return
    fi
    r=${r%%" records in"*}
    r=${r##*[!0-9+]}
    [ $((${r%+*} + ${r#*+})) -eq 32 ] || return
    n=$((n + 1))
    if [ $n = 1 ]; then mkfifo "$1c" && exec 9<>"$1c" || return; fi
    [ $n -lt 3 ] || { read -r r <&9; rm -f "$1$((n - 3))"; }
  done
}
feed() {
  trap '' INT TERM HUP PIPE
  own
  while read -r n <&5 && [ "$n" != end ]; do
    cat "$B.i$n" 2>/dev/null
    echo >>"$B.a"
  done
}
body() {
  trap : INT TERM HUP PIPE
  exec 4>&2 2>/dev/null
  (
    exec 2>&4 3>&- 4>&- 5>&-
    umask 022
    if [ -n "$dir" ]; then
      cd -- "$dir" 2>/dev/null || { echo cd >"$B.x"; exit 1; }
    fi
    HOME=${HOME:-/root}
    export HOME
    while [ "$count" -gt 0 ]; do
      export "$1"
      shift
      count=$((count - 1))
    done
    exec "$@"
  )
  r=$?
  [ -s "$B.x" ] || echo $r >"$B.x"
)sh";

// util-linux' su puts what -c says into a session of its own, where no signal of ours finds it.
constexpr const char* as_user = R"sh(
case $(su --help 2>&1 </dev/null) in
  *--session-command*) c=--session-command ;;
  *) c=-c ;;
esac
u=$1
shift
exec su -s /bin/sh $c 'exec "$@"' -- "$u" qlaunch "$@"
)sh";

constexpr const char* beginning = R"sh(
trap : INT TERM HUP PIPE
B=$1 dir=$2 count=$3
shift 3
umask 077
{ true >"$B.x"; } 2>/dev/null
[ -e "$B.x" ] || { echo "qlaunch: files" >&2; exit 125; }
{ read -r r </proc/sys/kernel/random/boot_id; echo "$r" >"$B.p"; } 2>/dev/null
)sh";

constexpr const char* prepare_feed = R"sh(
true >"$B.i0"
true >"$B.i1"
true >"$B.a"
mkfifo "$B.i" && exec 5<>"$B.i" || { echo "qlaunch: files" >&2; exit 125; }
{ feed 3>&- | body "$@" 2>&3 | pump "$B.o" 3>&- >/dev/null; } 3>&1 | pump "$B.e" >/dev/null
)sh";

constexpr const char* plain_pipeline = R"sh(
{ body "$@" 2>&3 | pump "$B.o" 3>&- >/dev/null; } 3>&1 | pump "$B.e" >/dev/null
)sh";

constexpr const char* ending = R"sh(
read -r r <"$B.x"
case $r in
  cd) echo "qlaunch: cd" >&2; exit 125 ;;
  '') exit 125 ;;
esac
exit "$r"
)sh";

}  // namespace

std::vector<std::string> program(const std::string& base, Input input, const Words& words) {
  std::string text = std::string(find_programs) + functions;
  // Whoever still feeds is to see that nobody reads any more.
  if (input == Input::fed) text += "  exec </dev/null\n  echo end >&5\n";
  text += "}\n";
  text += beginning;
  if (input == Input::none) text += "exec </dev/null\n";
  text += input == Input::fed ? prepare_feed : plain_pipeline;
  text += ending;
  std::vector<std::string> out{"/bin/sh",
                               "-c",
                               std::move(text),
                               "qlaunch",
                               base,
                               words.folder,
                               std::to_string(words.environment.size())};
  out.insert(out.end(), words.environment.begin(), words.environment.end());
  if (!words.user.empty()) {
    for (const char* word : {"/bin/sh", "-c", as_user, "qlaunch"}) out.emplace_back(word);
    out.push_back(words.user);
  }
  out.insert(out.end(), words.command.begin(), words.command.end());
  return out;
}

namespace {

/// Ends the line where `pid` is not the program with these files. Once that has ended, its files
/// tell: its number is nobody else's as long as anything is left in its session.
std::string same_run(const std::string& base, long pid) {
  const auto file = shell_quote(base);
  const auto leave = " || exit " + std::to_string(other_run);
  return "case $(cat /proc/" + std::to_string(pid) + "/cmdline 2>/dev/null) in *" + file +
         "*) ;; *) a= b=; { read -r a <" + file + ".p; } 2>/dev/null" + leave +
         "; { read -r b </proc/sys/kernel/random/boot_id; } 2>/dev/null; [ \"$a\" = \"$b\" ]" +
         leave + " ;; esac; ";
}

/// `test` sees a process's number as $p and what stands behind its name, which may hold anything:
/// state $1, parent $2, group $3, session $4.
std::string for_each_process(const std::string& test) {
  return "for f in /proc/[0-9]*/stat; do l=; { read -r l <$f; } 2>/dev/null; p=${l%% *}; "
         "set -- ${l##*) }; " +
         test + "; done";
}

}  // namespace

std::string kill_line(const std::string& base, long pid, const std::string& signal) {
  return same_run(base, pid) + "kill -" + signal + " -" + std::to_string(pid);
}

std::string kill_all_line(const std::string& base, long pid) {
  // Again, until none is left: one that was just being made is not in the list. The dead stay in it
  // until somebody has asked how they ended.
  return same_run(base, pid) +
         "k=1 n=0; while [ $k = 1 ] && [ $n -lt 1000 ]; do k=0 n=$((n + 1)); " +
         for_each_process("[ \"$4\" != " + std::to_string(pid) +
                          " ] || [ \"$1\" = Z ] || { kill -KILL $p; k=1; }") +
         "; done";
}

std::string let_go_line(const std::string& base) {
  const auto file = shell_quote(base);
  return "true >" + file + ".q; o=' '; while read -r l; do o=\"$o$l \"; done <" + file + ".p; " +
         for_each_process("case $o in *\" $2 \"*) kill -KILL $p ;; esac");
}

std::string remove_line(const std::string& base) {
  return "rm -f " + shell_quote(base) + ".*";
}

}  // namespace qlaunch::guest_exec
