// SPDX-License-Identifier: MIT
#include "core/diagnostic.hpp"

#include "core/error.hpp"

#include <doctest/doctest.h>

using namespace qlaunch;

namespace {

SourcePtr source(std::string text) {
  return std::make_shared<Source>(Source{"vm.toml", std::move(text)});
}

}  // namespace

TEST_CASE("a diagnostic shows what, where and what to do") {
  const auto text = source("[machine]\nmemroy = \"8 GiB\"\n");
  const auto finding = error_at({text, 2, 1, 6}, "unknown key `memroy` in [machine]")
                           .with_help("did you mean `memory`?");
  CHECK(render(finding) ==
        "error: unknown key `memroy` in [machine]\n"
        "  --> vm.toml:2:1\n"
        "   |\n"
        " 2 | memroy = \"8 GiB\"\n"
        "   | ^^^^^^\n"
        "  help: did you mean `memory`?\n");
}

TEST_CASE("a related place is shown below") {
  const auto text = source("a = 1\nb = 1\n");
  const auto finding =
      error_at({text, 2, 1, 1}, "`b` again").with_related("first here", {text, 1, 1, 1});
  CHECK(render(finding) ==
        "error: `b` again\n"
        "  --> vm.toml:2:1\n"
        "   |\n"
        " 2 | b = 1\n"
        "   | ^\n"
        "  note: first here\n"
        "  --> vm.toml:1:1\n"
        "   |\n"
        " 1 | a = 1\n"
        "   | -\n");
}

TEST_CASE("carets stand under wide characters, tabs and line numbers of any width") {
  std::string lines;
  for (int line = 1; line < 1000; ++line) lines += "#\n";
  const auto text = source(lines + "\tname = \"\xe6\x97\xa5\xe6\x9c\xac\", x\n");
  const auto finding = error_at({text, 1000, 9, 4}, "no");
  CHECK(render(finding) ==
        "error: no\n"
        "    --> vm.toml:1000:9\n"
        "     |\n"
        "1000 |  name = \"\xe6\x97\xa5\xe6\x9c\xac\", x\n"
        "     |         ^^^^^^\n");
}

TEST_CASE("a long line is shown around the place") {
  const auto text = source("key = \"" + std::string(300, 'a') + "!" + std::string(300, 'b') + "\"");
  const auto shown = render(error_at({text, 1, 308, 1}, "no"), {.color = false, .width = 60});
  for (const auto& line : {shown}) CHECK(line.find("a!b") != std::string::npos);
  std::size_t start = 0;
  while (start < shown.size()) {
    const auto end = shown.find('\n', start);
    CHECK(end - start <= 60);
    start = end + 1;
  }
}

TEST_CASE("a place without a line names the file alone") {
  CHECK(render(error_at({source(""), 0, 0, 1}, "`vm.toml` is a folder")) ==
        "error: `vm.toml` is a folder\n  --> vm.toml\n");
  CHECK(render(warning_at({}, "no KVM")) == "warning: no KVM\n");
}

TEST_CASE("help is folded, a command to run is not") {
  const auto finding = error_at({}, "no")
                           .with_help("one two three four five six seven eight")
                           .with_help("$ curl -o '/a folder/with spaces/in it' https://x.test/y");
  CHECK(render(finding, {.color = false, .width = 40}) ==
        "error: no\n"
        "  help: one two three four five six\n"
        "        seven eight\n"
        "   run: curl -o '/a folder/with spaces/in it' https://x.test/y\n");
}

TEST_CASE("control characters from a file do not reach the terminal") {
  const auto text = source("a = \"\x1b[2J\"\n");
  CHECK(render(error_at({text, 1, 5, 1}, "bad \x1b")).find('\x1b') == std::string::npos);
}

TEST_CASE("errors carry their exit code, place and help") {
  const auto error = StateError("VM `x` does not run").help("start it");
  CHECK(error.code() == ExitCode::state);
  CHECK(std::string(error.what()) == "VM `x` does not run");
  CHECK(error.diagnostics().front().help.front() == "start it");
  CHECK(Error(std::vector<Diagnostic>{}, ExitCode::failed).what() != nullptr);
  CHECK(std::string(system_error("cannot read `x`", 2).what()) ==
        "cannot read `x`: No such file or directory");
}

TEST_CASE("lines are found with both kinds of ends") {
  const Source text{"x", "one\r\ntwo\nthree"};
  CHECK(text.line(1) == "one");
  CHECK(text.line(3) == "three");
  CHECK(text.line(4).empty());
  CHECK(text.line(0).empty());
}
