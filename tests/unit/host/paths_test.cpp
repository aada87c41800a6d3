// SPDX-License-Identifier: MIT
#include "host/paths.hpp"

#include "scratch.hpp"

#include <algorithm>

#include <doctest/doctest.h>

using namespace qlaunch;
using test::contains;
using test::error_of;
using test::Folder;
using test::Variable;

namespace {

std::string in_tmp() {
  return "/tmp/qlaunch-" + std::to_string(::getuid());
}

/// What the Error advises; empty where none comes.
template <typename Action>
std::string help_of(Action&& action) {
  std::string text;
  try {
    action();
  } catch (const Error& error) {
    for (const auto& help : error.diagnostics().front().help) text += help + '\n';
  }
  return text;
}

}  // namespace

TEST_CASE("QLAUNCH_HOME puts all four below it, spaces and all") {
  const Variable home("QLAUNCH_HOME", "/srv/my vms/");
  const StateRoots roots = state_roots();
  CHECK(roots.runtime == "/srv/my vms/run");
  CHECK(roots.data == "/srv/my vms/data");
  CHECK(roots.state == "/srv/my vms/state");
  CHECK(roots.cache == "/srv/my vms/cache");
  const VmPaths paths = vm_paths(roots, "a");
  CHECK(paths.runtime == "/srv/my vms/run/a");
  CHECK(paths.data == "/srv/my vms/data/a");
  CHECK(paths.state == "/srv/my vms/state/a");
  CHECK(paths.cache == "/srv/my vms/cache");
}

TEST_CASE("a relative QLAUNCH_HOME is made absolute") {
  const Variable home("QLAUNCH_HOME", "some/../vms");
  CHECK(state_roots().data.front() == '/');
  CHECK(state_roots().data.ends_with("/vms/data"));
  CHECK_FALSE(contains(state_roots().data, ".."));
}

TEST_CASE("XDG variables and their defaults") {
  const Folder folder;
  const Variable none("QLAUNCH_HOME", std::nullopt);
  const Variable home("HOME", "/home/u");
  const Variable runtime("XDG_RUNTIME_DIR", folder.path());
  SUBCASE("set") {
    const Variable data("XDG_DATA_HOME", "/d"), state("XDG_STATE_HOME", "/s"),
        cache("XDG_CACHE_HOME", "/c");
    const StateRoots roots = state_roots();
    CHECK(roots.runtime == folder / "qlaunch");
    CHECK(roots.data == "/d/qlaunch");
    CHECK(roots.state == "/s/qlaunch");
    CHECK(roots.cache == "/c/qlaunch");
  }
  SUBCASE("unset, empty, and relative ones, which do not count") {
    const Variable data("XDG_DATA_HOME", std::nullopt), state("XDG_STATE_HOME", ""),
        cache("XDG_CACHE_HOME", "relative");
    const StateRoots roots = state_roots();
    CHECK(roots.data == "/home/u/.local/share/qlaunch");
    CHECK(roots.state == "/home/u/.local/state/qlaunch");
    CHECK(roots.cache == "/home/u/.cache/qlaunch");
  }
}

TEST_CASE("without a usable XDG_RUNTIME_DIR sockets go to a folder of the user's in /tmp") {
  const Variable none("QLAUNCH_HOME", std::nullopt);
  for (const auto& value : {std::optional<std::string>(), std::optional<std::string>(""),
                            std::optional<std::string>("/nonexistent/gone-at-logout"),
                            std::optional<std::string>("relative")}) {
    const Variable runtime("XDG_RUNTIME_DIR", value);
    CHECK(state_roots().runtime == in_tmp());
  }
  if (::geteuid() != 0) {  // as after `su`: the folder is another user's
    const Variable runtime("XDG_RUNTIME_DIR", "/");
    CHECK(state_roots().runtime == in_tmp());
  }
}

TEST_CASE("a runtime path too long for sockets is replaced by a short one, always the same") {
  for (const std::size_t length : {20U, 60U, 61U, 80U, 200U, 1000U}) {
    CAPTURE(length);
    const Variable home("QLAUNCH_HOME", "/" + std::string(length - 1, 'x'));
    const StateRoots roots = state_roots();
    const std::string runtime = vm_paths(roots, "vm").runtime;
    CHECK(runtime.size() + 1 + longest_socket_name <= longest_socket_path);
    CHECK(runtime == vm_paths(roots, "vm").runtime);
    CHECK(runtime != vm_paths(roots, "vn").runtime);
    const bool fits = roots.runtime.size() + 3 + 1 + longest_socket_name <= longest_socket_path;
    CHECK((runtime == roots.runtime + "/vm") == fits);
    if (!fits) CHECK(runtime.starts_with(in_tmp() + "/."));
  }
}

TEST_CASE("a long name of a VM is no problem either") {
  const Variable home("QLAUNCH_HOME", "/h");
  const auto runtime = vm_paths(state_roots(), std::string(120, 'n')).runtime;
  CHECK(runtime.size() + 1 + longest_socket_name <= longest_socket_path);
}

TEST_CASE("the hash behind short paths never changes") {
  // Published test vectors of 64-bit FNV-1a.
  CHECK(stable_hash("") == 0xcbf29ce484222325);
  CHECK(stable_hash("a") == 0xaf63dc4c8601ec8c);
  CHECK(stable_hash("foobar") == 0x85944171f73967e8);
}

TEST_CASE("make_private_folder") {
  const Folder folder;
  SUBCASE("makes the way there, and the last one 0700 whatever the umask") {
    const mode_t before = ::umask(0);
    make_private_folder(folder / "a b/c");
    ::umask(0777);
    make_private_folder(folder / "d");
    ::umask(before);
    CHECK(test::mode_of(folder / "a b/c") == 0700);
    CHECK(test::mode_of(folder / "a b") == 0700);
    CHECK(test::mode_of(folder / "d") == 0700);
    make_private_folder(folder / "a b/c");
  }
  SUBCASE("refuses one that is open to others, and never says to remove what holds disks") {
    const Variable home("QLAUNCH_HOME", folder.path());
    folder.folder("run");
    folder.folder("data");
    for (const std::string place : {"data/my vm", "run/my vm"}) {
      const auto open = folder.folder(place, 0750);
      const auto text = error_of([&] { make_private_folder(open); });
      CHECK(contains(text, "is open to other users (mode 0750)"));
      CHECK(contains(text, open));
    }
    const auto data = help_of([&] { make_private_folder(folder / "data/my vm"); });
    CHECK(contains(data, "chmod 700 '" + folder.path() + "/data/my vm'"));
    CHECK_FALSE(contains(data, "remove"));
    CHECK(contains(help_of([&] { make_private_folder(folder / "run/my vm"); }), "remove it"));
  }
  SUBCASE("takes the user's own symlink to a private folder for files, not for sockets") {
    const Variable home("QLAUNCH_HOME", folder.path());
    folder.folder("real");
    folder.folder("open", 0755);
    folder.folder("run");
    const auto link = [&](const std::string& target, const std::string& name) {
      REQUIRE(::symlink(target.c_str(), (folder / name).c_str()) == 0);
      return folder / name;
    };
    CHECK_NOTHROW(make_private_folder(link("real", "data")));
    CHECK(contains(error_of([&] { make_private_folder(link("open", "state")); }),
                   "is open to other users (mode 0755)"));
    const auto nowhere = link("nowhere", "cache");
    CHECK(contains(error_of([&] { make_private_folder(nowhere); }), "leads nowhere"));
    CHECK(contains(error_of([&] { make_private_folder(link("../real", "run/vm")); }),
                   "is a symbolic link"));
  }
  SUBCASE("knows a socket folder by XDG_RUNTIME_DIR, too") {
    const Variable none("QLAUNCH_HOME", std::nullopt), runtime("XDG_RUNTIME_DIR", folder.path());
    const auto open = folder.folder("qlaunch", 0755);
    CHECK(contains(help_of([&] { make_private_folder(open); }), "remove it"));
  }
  SUBCASE("refuses a file in its place, and on its way") {
    const auto file = folder.write("file", "");
    CHECK(contains(error_of([&] { make_private_folder(file); }), "is not a folder"));
    CHECK(contains(error_of([&] { make_private_folder(file + "/below"); }), "Not a directory"));
  }
}

TEST_CASE("make_private_folder refuses another user's symlink") {
  const Folder folder;
  folder.folder("real");
  REQUIRE(::symlink("real", (folder / "link").c_str()) == 0);
  if (::lchown((folder / "link").c_str(), 12345, 12345) != 0)
    return test::skip("only root can give it away");
  CHECK(contains(error_of([&] { make_private_folder(folder / "link"); }),
                 "belongs to another user (uid 12345)"));
}

TEST_CASE("make_private_folder refuses another user's") {
  const Folder folder;
  const auto other = folder.folder("other");
  if (::chown(other.c_str(), 12345, 12345) != 0) return test::skip("only root can give it away");
  CHECK(contains(error_of([&] { make_private_folder(other); }),
                 "belongs to another user (uid 12345)"));
}

TEST_CASE("profiles are looked for here, in the user's folder, and where they were installed") {
  const Variable config("XDG_CONFIG_HOME", "/cfg");
  const auto folders = profile_folders();
  REQUIRE(folders.size() >= 3);
  CHECK(folders[0] == ".");
  CHECK(folders[1] == "/cfg/qlaunch/profiles");
  CHECK(std::all_of(folders.begin() + 2, folders.end(),
                    [](const auto& path) { return path.ends_with("/profiles"); }));
}

TEST_CASE("a process without a home still has its QLAUNCH_HOME") {
  const Variable home("HOME", std::nullopt), config("XDG_CONFIG_HOME", std::nullopt);
  const Variable own("QLAUNCH_HOME", "/h");
  CHECK(state_roots().cache == "/h/cache");
  CHECK_NOTHROW(profile_folders());
}
