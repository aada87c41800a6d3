// SPDX-License-Identifier: MIT
#include "cli/line_editor.hpp"

#include "core/text.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <sys/ioctl.h>
#include <unistd.h>

namespace qlaunch {
namespace {

constexpr char escape = '\x1b';

constexpr char ctrl(char letter) {
  return static_cast<char>(letter & 0x1f);
}

int columns() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20) return 80;
  return size.ws_col;
}

int width(std::u32string_view text) {
  return display_width(encode_utf8(text));
}

/// The bytes of the key at the front; 0 where more have to come.
std::size_t key_length(std::string_view bytes) {
  const auto first = static_cast<unsigned char>(bytes[0]);
  if (bytes[0] == escape) {
    if (bytes.size() < 2) return 0;
    if (bytes[1] != '[' && bytes[1] != 'O') return 2;
    for (std::size_t index = 2; index < bytes.size(); ++index) {
      if (bytes[index] >= 0x40 && bytes[index] <= 0x7e) return index + 1;
    }
    return bytes.size() > 16 ? bytes.size() : 0;
  }
  const std::size_t wanted = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
  return bytes.size() < wanted ? 0 : wanted;
}

std::string common_start(const std::vector<std::string>& words) {
  std::string start = words.front();
  for (const auto& word : words) {
    const auto end = std::mismatch(start.begin(), start.end(), word.begin(), word.end()).first;
    start.erase(end, start.end());
  }
  return start;
}

/// In columns, as a shell lists them.
std::string listed(const std::vector<std::string>& words, int room) {
  int widest = 0;
  for (const auto& word : words) widest = std::max(widest, display_width(word) + 2);
  const auto across = static_cast<std::size_t>(std::max(room / std::max(widest, 1), 1));
  const auto down = (words.size() + across - 1) / across;
  std::string out;
  for (std::size_t row = 0; row < down; ++row) {
    for (std::size_t index = row; index < words.size(); index += down) {
      out += words[index];
      if (index + down < words.size())
        out += std::string(static_cast<std::size_t>(widest - display_width(words[index])), ' ');
    }
    out += '\n';
  }
  return out;
}

}  // namespace

void LineEditor::show(const std::string& text) const {
  std::string out;
  for (const char character : text) {
    if (character == '\n') out += '\r';
    out += character;
  }
  // A terminal that cannot be written to is about to go.
  std::string_view rest = out;
  while (!rest.empty()) {
    const auto written = write(STDOUT_FILENO, rest.data(), rest.size());
    if (written < 0 && errno != EINTR) return;
    if (written > 0) rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

void LineEditor::draw() const {
  // A line that is too long is shown as far as the cursor.
  const int room = std::max(columns() - display_width(prompt_) - 1, 1);
  const std::u32string_view all(line_);
  std::size_t begin = 0;
  while (begin < cursor_ && width(all.substr(begin, cursor_ - begin)) > room) ++begin;
  std::size_t end = line_.size();
  while (end > cursor_ && width(all.substr(begin, end - begin)) > room) --end;
  show('\r' + prompt_ + printable(encode_utf8(all.substr(begin, end - begin))) + "\x1b[K\r\x1b[" +
       std::to_string(display_width(prompt_) + width(all.substr(begin, cursor_ - begin))) + 'C');
}

void LineEditor::insert(std::string_view text) {
  const auto characters = decode_utf8_lossy(text);
  line_.insert(cursor_, characters);
  cursor_ += characters.size();
}

void LineEditor::erase(std::size_t from, std::size_t to) {
  line_.erase(from, to - from);
  cursor_ = from;
}

std::size_t LineEditor::word_begin() const {
  auto at = cursor_;
  while (at > 0 && line_[at - 1] == U' ') --at;
  while (at > 0 && line_[at - 1] != U' ') --at;
  return at;
}

void LineEditor::recall(bool older) {
  if (older ? recalled_ == 0 : recalled_ >= history.size()) return;
  if (recalled_ == history.size()) new_line_ = line_;
  recalled_ = older ? recalled_ - 1 : recalled_ + 1;
  line_ = recalled_ == history.size() ? new_line_ : decode_utf8_lossy(history[recalled_]);
  cursor_ = line_.size();
}

void LineEditor::tab() {
  if (!complete) return;
  const auto before = encode_utf8(std::u32string_view(line_).substr(0, cursor_));
  const auto completion = complete(before);
  if (completion.candidates.empty()) return;
  const auto typed = before.substr(completion.begin);
  const auto start = common_start(completion.candidates);
  if (start.size() > typed.size()) {
    erase(cursor_ - decode_utf8_lossy(typed).size(), cursor_);
    insert(start);
  } else if (completion.candidates.size() > 1) {
    show("\n" + listed(completion.candidates, columns()));
  }
}

void LineEditor::control(char byte) {
  switch (byte) {
    case ctrl('A'):
      cursor_ = 0;
      break;
    case ctrl('E'):
      cursor_ = line_.size();
      break;
    case ctrl('B'):
      if (cursor_ > 0) --cursor_;
      break;
    case ctrl('F'):
      cursor_ = std::min(cursor_ + 1, line_.size());
      break;
    case ctrl('D'):
      if (cursor_ < line_.size()) line_.erase(cursor_, 1);
      break;
    case ctrl('H'):
    case '\x7f':
      if (cursor_ > 0) erase(cursor_ - 1, cursor_);
      break;
    case ctrl('I'):
      tab();
      break;
    case ctrl('K'):
      cut_ = line_.substr(cursor_);
      line_.resize(cursor_);
      break;
    case ctrl('U'):
      cut_ = line_.substr(0, cursor_);
      erase(0, cursor_);
      break;
    case ctrl('W'):
      cut_ = line_.substr(word_begin(), cursor_ - word_begin());
      erase(word_begin(), cursor_);
      break;
    case ctrl('Y'):
      insert(encode_utf8(cut_));
      break;
    case ctrl('L'):
      show("\x1b[H\x1b[2J");
      break;
    case ctrl('P'):
      recall(true);
      break;
    case ctrl('N'):
      recall(false);
      break;
    case ctrl('C'):
      show("^C\n");
      line_.clear();
      cursor_ = 0;
      recalled_ = history.size();
      break;
    default:
      break;
  }
}

void LineEditor::sequence(std::string_view bytes) {
  struct Known {
    std::string_view bytes;
    char as;
  };
  static constexpr std::array<Known, 14> known{{{"\x1b[A", ctrl('P')},
                                                {"\x1b[B", ctrl('N')},
                                                {"\x1b[C", ctrl('F')},
                                                {"\x1b[D", ctrl('B')},
                                                {"\x1bOA", ctrl('P')},
                                                {"\x1bOB", ctrl('N')},
                                                {"\x1bOC", ctrl('F')},
                                                {"\x1bOD", ctrl('B')},
                                                {"\x1b[H", ctrl('A')},
                                                {"\x1b[F", ctrl('E')},
                                                {"\x1b[1~", ctrl('A')},
                                                {"\x1b[4~", ctrl('E')},
                                                {"\x1b[3~", ctrl('D')},
                                                {"\x1b\x7f", ctrl('W')}}};
  for (const auto& each : known) {
    if (each.bytes == bytes) return control(each.as);
  }
}

LineEditor::Step LineEditor::key(std::string_view bytes) {
  const char byte = bytes[0];
  if (byte == '\r' || byte == '\n') return Step::done;
  if (byte == ctrl('D') && line_.empty()) return Step::end;
  if (byte == escape) {
    sequence(bytes);
  } else if (static_cast<unsigned char>(byte) < 0x20 || byte == '\x7f') {
    control(byte);
  } else {
    insert(bytes);
  }
  return Step::more;
}

LineEditor::Step LineEditor::take_keys() {
  while (!pending_.empty()) {
    const auto length = key_length(pending_);
    if (length == 0) break;
    const auto bytes = pending_.substr(0, length);
    pending_.erase(0, length);
    if (const auto step = key(bytes); step != Step::more) return step;
  }
  return Step::more;
}

std::optional<std::string> LineEditor::read() {
  line_.clear();
  cursor_ = 0;
  recalled_ = history.size();
  const RawTerminal terminal;
  auto step = take_keys();
  while (step == Step::more) {
    draw();
    std::array<pollfd, 2> fds{{{STDIN_FILENO, POLLIN, 0}, {other_fd, POLLIN, 0}}};
    if (terminal.wait(fds.data(), fds.size(), -1) < 0 && RawTerminal::signal() != 0) {
      step = Step::end;
      break;
    }
    if (fds[1].revents != 0 && other) {
      const auto text = other();
      if (!text) step = Step::end;
      if (text && !text->empty()) show("\r\x1b[K" + *text);
    }
    if (fds[0].revents == 0) continue;
    std::array<char, 1024> bytes{};
    const auto got = ::read(STDIN_FILENO, bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      step = Step::end;
      break;
    }
    pending_.append(bytes.data(), static_cast<std::size_t>(got));
    step = take_keys();
  }
  cursor_ = line_.size();
  draw();
  show("\n");
  if (step == Step::end) return std::nullopt;
  return encode_utf8(line_);
}

}  // namespace qlaunch
