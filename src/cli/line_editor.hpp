// SPDX-License-Identifier: MIT
// One line typed on a terminal, with a cursor, a history and completion by Tab.
// Knows nothing of what the line means, and keeps the history only in memory.
#pragma once

#include "vm/raw_terminal.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace qlaunch {

/// What the end of a line could be: each candidate stands for all from `begin` on.
struct Completion {
  std::size_t begin = 0;  // bytes
  std::vector<std::string> candidates;
};

class LineEditor {
 public:
  explicit LineEditor(std::string prompt) : prompt_(std::move(prompt)) {}

  /// Gets the line up to the cursor.
  std::function<Completion(const std::string&)> complete;
  /// A descriptor besides the keyboard, -1 for none, and what is to be shown above the line when it
  /// is readable (whole lines); nothing ends the editing.
  int other_fd = -1;
  std::function<std::optional<std::string>()> other;

  std::vector<std::string> history;  // oldest first

  /// Nothing at Ctrl-D on an empty line, at the end of the input, or for a signal: see
  /// RawTerminal::signal(). Ctrl-C clears the line.
  std::optional<std::string> read();

 private:
  enum class Step { more, done, end };

  Step take_keys();
  Step key(std::string_view bytes);
  void control(char byte);
  void sequence(std::string_view bytes);
  void insert(std::string_view text);
  void erase(std::size_t from, std::size_t to);
  std::size_t word_begin() const;
  void recall(bool older);
  void tab();
  void draw() const;
  void show(const std::string& text) const;

  std::string prompt_;
  std::u32string line_;
  std::size_t cursor_ = 0;
  std::size_t recalled_ = 0;  // index into history; its size: the new line
  std::u32string new_line_;
  std::u32string cut_;
  std::string pending_;  // keys that are not whole, or belong to the next line
};

}  // namespace qlaunch
