// SPDX-License-Identifier: MIT
// What the tests of src/host share: a folder of their own, environment variables that come back,
// and the text of an Error. Tests nothing.
#pragma once

#include "core/error.hpp"
#include "host/files.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace test {

class Folder {
 public:
  Folder() {
    std::string name = "/tmp/qlaunch-test-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  ~Folder() { qlaunch::remove_tree(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  std::string write(const std::string& name, const std::string& content, mode_t mode = 0600) const {
    const std::string file = path_ + "/" + name;
    qlaunch::write_file_atomic(file, content, mode, qlaunch::Durability::quick);
    return file;
  }
  std::string folder(const std::string& name, mode_t mode = 0700) const {
    const std::string made = path_ + "/" + name;
    if (::mkdir(made.c_str(), mode) != 0 || ::chmod(made.c_str(), mode) != 0) {
      throw std::runtime_error("mkdir");
    }
    return made;
  }

 private:
  std::string path_;
};

/// Sets a variable (or removes it) until the end of the scope.
class Variable {
 public:
  Variable(std::string name, std::optional<std::string> value) : name_(std::move(name)) {
    if (const char* before = std::getenv(name_.c_str())) before_ = before;
    set(value);
  }
  ~Variable() { set(before_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  void set(const std::optional<std::string>& value) const {
    if (value) {
      ::setenv(name_.c_str(), value->c_str(), 1);
    } else {
      ::unsetenv(name_.c_str());
    }
  }
  std::string name_;
  std::optional<std::string> before_;
};

/// Told to whoever counts the tests; the test case returns then.
inline void skip(const std::string& reason) {
  std::printf("[skip] %s: %s\n", doctest::getContextOptions()->currentTest->m_name, reason.c_str());
}

/// What the Error says; "no error" where none comes.
template <typename Action>
std::string error_of(Action&& action) {
  try {
    action();
  } catch (const qlaunch::Error& error) {
    return error.what();
  }
  return "no error";
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

inline mode_t mode_of(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
}

inline std::chrono::steady_clock::time_point in(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

/// Runs the action in a process of its own and returns its exit code; -1 where a signal ended it.
template <typename Action>
int in_child(Action&& action) {
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error("fork");
  if (pid == 0) {
    int code = 99;
    try {
      code = action();
    } catch (...) {
    }
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace test
