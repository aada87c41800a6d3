// SPDX-License-Identifier: MIT
// A script is run for real, with stand-ins for qemu-img, QEMU and a helper that write down what
// they are given.
#include "plan/script.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

using namespace qlaunch;

namespace {

namespace fs = std::filesystem;

class Scratch {
 public:
  Scratch() { REQUIRE(::mkdtemp(path_.data()) != nullptr); }
  ~Scratch() { fs::remove_all(path_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::string operator/(const std::string& name) const { return path_ + '/' + name; }

 private:
  std::string path_ = "/tmp/qlaunch-unit-XXXXXX";
};

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

void write(const std::string& path, const std::string& text, mode_t mode = 0600) {
  std::ofstream(path, std::ios::binary) << text;
  ::chmod(path.c_str(), mode);
}

/// Writes its arguments, each ended by a zero byte, to `log`.
std::string recorder(const std::string& log, const std::string& more = {}) {
  return "#!/bin/sh\nprintf '%s\\0' \"$@\" >>'" + log + "'\n" + more;
}

int run(const Scratch& scratch, const Plan& plan, const ScriptOptions& options) {
  write(scratch / "script", plan_script(plan, options));
  const int status =
      std::system(("sh " + (scratch / "script") + " 2>" + (scratch / "err")).c_str());  // NOLINT
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Argument words(std::vector<std::string> all) {
  return {std::move(all), {{}, "a test"}};
}

}  // namespace

TEST_CASE("every word reaches the program as it is, and the scratch folder is gone afterwards") {
  const Scratch scratch;
  write(scratch / "qemu", recorder(scratch / "log", "exit 7\n"), 0700);
  Plan plan;
  plan.name = "vm\nrm -rf /";
  plan.qemu.program = scratch / "qemu";
  const std::vector<std::string> hostile{"$(id)", "`id`", "it's", "\"",   "a\nb", "\\",
                                         "",      "*",    "~",    "$dir", "a b"};
  for (const auto& one : hostile) plan.qemu.arguments.push_back(words({"-x", one}));
  plan.qemu.arguments.push_back(words({std::string("path=") + script_folder + "/it's"}));
  CHECK(run(scratch, plan, {}) == 7);
  std::string wanted;
  for (const auto& one : hostile) wanted += std::string("-x\0", 3) + one + '\0';
  const auto log = read(scratch / "log");
  REQUIRE(log.size() > wanted.size());
  CHECK(log.substr(0, wanted.size()) == wanted);
  const auto last = log.substr(wanted.size(), log.size() - wanted.size() - 1);
  REQUIRE(last.starts_with("path=/tmp/qlaunch-args."));
  CHECK(last.ends_with("/it's"));
  const auto folder = last.substr(5, last.size() - 5 - 5);
  CHECK_FALSE(fs::exists(folder));
}

TEST_CASE("a default variable is set where the environment has none") {
  const Scratch scratch;
  write(scratch / "qemu",
        "#!/bin/sh\necho \"$QLAUNCH_UNIT_ONE $HOME\" >'" + (scratch / "log") + "'\n", 0700);
  Plan plan;
  plan.qemu.program = scratch / "qemu";
  plan.qemu.arguments = {words({"-x"})};
  plan.qemu.variables = {{"QLAUNCH_UNIT_ONE", "disabled:", {}}, {"HOME", "elsewhere", {}}};
  const char* home = std::getenv("HOME");
  REQUIRE(home != nullptr);
  CHECK(run(scratch, plan, {}) == 0);
  CHECK(read(scratch / "log") == "disabled: " + std::string(home) + '\n');
}

TEST_CASE("what exists is left alone, what is missing is made, what is fresh is made anew") {
  const Scratch scratch;
  write(scratch / "qemu", recorder(scratch / "qemu-log"), 0700);
  write(scratch / "qemu-img", recorder(scratch / "log"), 0700);
  write(scratch / "there", "x");
  Plan plan;
  plan.qemu.program = scratch / "qemu";
  plan.qemu.arguments = {words({"-x"})};
  plan.preparations = {{MakeFolder{scratch / "a b"}, {}},
                       {MakeDisk{scratch / "there", DiskFormat::qcow2, 5, {}, {}, false}, {}},
                       {MakeDisk{scratch / "there", DiskFormat::qcow2, {}, "/b", "raw", true}, {}},
                       {MakeDisk{scratch / "new", DiskFormat::raw, 7, {}, {}, false}, {}},
                       {MakeNvram{scratch / "nvram", "/t", "raw"}, {}},
                       {WriteFile{scratch / "file", "-n %s \\n'\"\n"}, {}}};
  ScriptOptions options;
  options.qemu_img = scratch / "qemu-img";
  CHECK(run(scratch, plan, options) == 0);
  CHECK(read(scratch / "err").empty());
  auto log = read(scratch / "log");
  std::replace(log.begin(), log.end(), '\0', ' ');
  CHECK(log == "create -q -f qcow2 -b /b -F raw " + (scratch / "there") + " create -q -f raw " +
                   (scratch / "new") + " 7 convert -f raw -O qcow2 /t " + (scratch / "nvram") +
                   ' ');
  CHECK(fs::is_directory(scratch / "a b"));
  CHECK(read(scratch / "file") == "-n %s \\n'\"\n");
}

TEST_CASE("the hello image has its code in front and zeros up to its size, once") {
  const Scratch scratch;
  write(scratch / "qemu", recorder(scratch / "qemu-log"), 0700);
  std::vector<std::uint8_t> code(512);
  for (std::size_t index = 0; index < code.size(); ++index)
    code[index] = static_cast<std::uint8_t>(index);
  Plan plan;
  plan.qemu.program = scratch / "qemu";
  plan.qemu.arguments = {words({"-x"})};
  plan.preparations = {{WriteHelloImage{scratch / "hello.img"}, {}}};
  ScriptOptions options;
  options.hello_boot_code = code;
  options.hello_size = 4096;
  CHECK(run(scratch, plan, options) == 0);
  const auto image = read(scratch / "hello.img");
  REQUIRE(image.size() == 4096);
  CHECK(image.substr(0, 512) == std::string(code.begin(), code.end()));
  CHECK(image.find_first_not_of('\0', 512) == std::string::npos);
  write(scratch / "hello.img", "mine");
  CHECK(run(scratch, plan, options) == 0);
  CHECK(read(scratch / "hello.img") == "mine");
}

TEST_CASE("a helper is awaited, and ended with the script") {
  const Scratch scratch;
  write(scratch / "qemu", recorder(scratch / "qemu-log"), 0700);
  // Opens its socket only after a moment; told by a file that it lives, ends by a signal.
  write(scratch / "helper",
        "#!/bin/sh\necho $$ >'" + (scratch / "pid") +
            "'\nexec python3 -c 'import socket,sys,time\ns=socket.socket(socket.AF_UNIX)\n"
            "s.bind(sys.argv[1])\ns.listen(1)\ntime.sleep(60)' \"$1\"\n",
        0700);
  Plan plan;
  plan.qemu.program = scratch / "qemu";
  plan.qemu.arguments = {words({"-x"})};
  Helper helper;
  helper.name = "one";
  helper.serves = "share `x`";
  helper.socket = std::string(script_folder) + "/h.sock";
  helper.command.program = scratch / "helper";
  helper.command.arguments = {words({helper.socket})};
  plan.helpers = {helper};
  CHECK(run(scratch, plan, {}) == 0);
  CHECK_MESSAGE(read(scratch / "err").empty(), read(scratch / "err"));
  CHECK(read(scratch / "qemu-log") == std::string("-x\0", 3));
  const auto pid = std::stoi(read(scratch / "pid"));
  // Dead, or a zombie that nobody has reaped yet.
  const auto stat = read("/proc/" + std::to_string(pid) + "/stat");
  const bool zombie = stat.find(") Z ") != std::string::npos;
  CHECK((stat.empty() || zombie));
}

TEST_CASE("a helper that dies stops the script before QEMU") {
  const Scratch scratch;
  write(scratch / "qemu", recorder(scratch / "qemu-log"), 0700);
  write(scratch / "helper", "#!/bin/sh\nexit 3\n", 0700);
  Plan plan;
  plan.qemu.program = scratch / "qemu";
  plan.qemu.arguments = {words({"-x"})};
  Helper helper;
  helper.name = "one";
  helper.socket = std::string(script_folder) + "/h.sock";
  helper.command.program = scratch / "helper";
  plan.helpers = {helper};
  CHECK(run(scratch, plan, {}) == 1);
  CHECK(read(scratch / "err") == "one did not open its socket\n");
  CHECK_FALSE(fs::exists(scratch / "qemu-log"));
}
