// SPDX-License-Identifier: MIT
//
// A .case file is a list of lines, told apart by how they begin:
//
//   # text          a comment; blank lines are free, too
//   @ NAME          a file of this name is written, with the lines `| …` that follow
//   < text          a line of standard input for the next command
//   $ command       run; words may stand in quotes, NAME=VALUE before them is environment
//   > text          a line of standard output
//   ! text          a line of standard error
//   ? code          the exit code, left out where it is 0
//
// In what is printed {home} stands for QLAUNCH_HOME, {files} for the folder commands run in,
// {profiles} for the folder of the installed profiles, {version} for the version, {time} for a
// time.
#include "cli/case.hpp"

#include "core/text.hpp"
#include "support/run.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include <doctest/doctest.h>

namespace test {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> lines_of(const std::string& text) {
  auto lines = qlaunch::split(text, '\n');
  if (!lines.empty() && lines.back().empty()) {
    lines.pop_back();
  } else {
    lines.back() += "<no newline>";
  }
  return lines;
}

/// Words at spaces; '…' and "…" keep them together. No other shell syntax.
std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words;
  std::string word;
  bool open = false;
  char quote = 0;
  for (const char character : line) {
    if (quote != 0 ? character == quote : character == '\'' || character == '"') {
      quote = quote != 0 ? '\0' : character;
      open = true;
    } else if (quote == 0 && character == ' ') {
      if (open) words.push_back(std::move(word));
      word.clear();
      open = false;
    } else {
      word += character;
      open = true;
    }
  }
  if (open) words.push_back(word);
  REQUIRE_MESSAGE(quote == 0, "open quote: " << line);
  return words;
}

void replace_all(std::string& text, const std::string& what, const std::string& with) {
  if (what.empty()) return;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
}

std::string neutral(std::string text, const Home& home) {
  const auto profiles = fs::path(binary()).parent_path().parent_path() / "profiles";
  replace_all(text, home.path() + "/files", "{files}");
  replace_all(text, home.path(), "{home}");
  replace_all(text, profiles.string(), "{profiles}");
  // "2026-01-31T12:00:00.123Z"
  static const std::regex time(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z)");
  text = std::regex_replace(text, time, "{time}");
  const char* version = std::getenv("QLAUNCH_TEST_VERSION");
  replace_all(text, "qlaunch " + std::string(version == nullptr ? "?" : version),
              "qlaunch {version}");
  return text;
}

class Conversation {
 public:
  Conversation() : user_environment_(home_.environment) {
    user_environment_ = {"HOME=" + home_.file(""), "XDG_CONFIG_HOME=" + home_.path() + "/config",
                         "LC_ALL=C.UTF-8"};
  }

  /// The text with what was really printed.
  std::string replay(const std::string& text) {
    std::string out;
    for (const auto& line : lines_of(text)) {
      const char kind = line.empty() ? '\0' : line.front();
      if (kind == '>' || kind == '!' || kind == '?') continue;
      const auto rest = line.size() > 2 ? line.substr(2) : std::string();
      if (kind != '|') finish_file();
      out += line + '\n';
      if (kind == '@') file_ = rest;
      if (kind == '|') content_ += rest + '\n';
      if (kind == '<') input_ += rest + '\n';
      if (kind == '$') out += answer(rest);
    }
    finish_file();
    return out;
  }

 private:
  void finish_file() {
    if (!file_.empty()) home_.write(file_, content_);
    file_.clear();
    content_.clear();
  }

  std::string answer(const std::string& line) {
    auto words = words_of(line);
    home_.environment = user_environment_;
    while (!words.empty() && words.front() != "qlaunch") {
      home_.environment.push_back(words.front());
      words.erase(words.begin());
    }
    REQUIRE_MESSAGE(!words.empty(), "no qlaunch in: " << line);
    words.erase(words.begin());
    const auto result = home_.run_with_input(words, std::exchange(input_, {}));
    std::string out;
    const auto add = [&](char kind, const std::string& text) {
      if (text.empty()) return;
      for (const auto& each : lines_of(neutral(text, home_))) {
        out += kind;
        if (!each.empty()) out += ' ' + each;
        out += '\n';
      }
    };
    add('>', result.out);
    add('!', result.err);
    if (result.code != 0) out += "? " + std::to_string(result.code) + '\n';
    return out;
  }

  Home home_;
  std::vector<std::string> user_environment_;
  std::string file_, content_, input_;
};

std::string read_whole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE_MESSAGE(file.good(), "cannot read " << path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

std::string case_folder() {
  const char* folder = std::getenv("QLAUNCH_CASES");
  REQUIRE_MESSAGE(folder != nullptr, "QLAUNCH_CASES is the folder of the .case files");
  return folder;
}

void run_case(const std::string& name) {
  const auto path = case_folder() + '/' + name + ".case";
  const auto expected = read_whole(path);
  const auto actual = Conversation().replay(expected);
  if (std::getenv("QLAUNCH_TEST_ACCEPT") != nullptr) {
    std::ofstream(path, std::ios::binary) << actual;
    return;
  }
  const auto wanted = lines_of(expected);
  const auto got = lines_of(actual);
  for (std::size_t index = 0; index < std::max(wanted.size(), got.size()); ++index) {
    const auto want = index < wanted.size() ? wanted[index] : "<end>";
    const auto have = index < got.size() ? got[index] : "<end>";
    if (want == have) continue;
    FAIL(name << ".case:" << index + 1 << "\n  expected: " << want << "\n  got:      " << have
              << "\nthe whole text was\n"
              << actual);
  }
}

}  // namespace test
