// SPDX-License-Identifier: MIT
#include "core/diagnostic.hpp"

#include "core/text.hpp"

#include <algorithm>
#include <utility>

namespace qlaunch {
namespace {

struct Palette {
  std::string_view error, warning, note, frame, help, off;
};

constexpr Palette monochrome{"", "", "", "", "", ""};
constexpr Palette colored{"\x1b[1;31m", "\x1b[1;33m", "\x1b[1;36m",
                          "\x1b[34m",   "\x1b[1;32m", "\x1b[0m"};

std::string heading(Severity severity, const Palette& palette) {
  switch (severity) {
    case Severity::warning:
      return std::string(palette.warning) + "warning" + std::string(palette.off) + ": ";
    case Severity::note:
      return std::string(palette.note) + "note" + std::string(palette.off) + ": ";
    case Severity::error:
      break;
  }
  return std::string(palette.error) + "error" + std::string(palette.off) + ": ";
}

/// The part of a line that is shown, as printable text with the width before the marked stretch.
struct Window {
  std::string text;
  int offset = 0;
  int marked = 1;
};

/// A tab takes one column, as the caret line has to match on every terminal.
std::string shown(std::u32string_view characters) {
  std::string text = encode_utf8(characters);
  std::replace(text.begin(), text.end(), '\t', ' ');
  return printable(text);
}

Window window(std::string_view line, int column, int length, int room) {
  const std::u32string all = decode_utf8_lossy(line);
  const auto size = static_cast<int>(all.size());
  const int from = std::clamp(column - 1, 0, size);
  const int to = std::clamp(from + std::max(length, 1), from, size);
  room = std::max(room, 20);
  const auto part = [&](int first, int last) {
    return std::u32string_view(all).substr(static_cast<std::size_t>(first),
                                           static_cast<std::size_t>(last - first));
  };
  int first = 0;
  int last = size;
  if (display_width(shown(all)) > room) {
    // Keep some words before the marked stretch, then as much as fits.
    first = std::max(0, std::min(from - room / 3, size - room + 6));
    last = std::min(size, first + room - 6);
  }
  Window result;
  if (first > 0) result.text = "...";
  result.offset = display_width(result.text) + display_width(shown(part(first, from)));
  result.marked = std::max(1, display_width(shown(part(from, std::min(to, last)))));
  result.text += shown(part(first, last));
  if (last < size) result.text += "...";
  return result;
}

void append_place(std::string& out, const Location& where, char mark, int gutter,
                  std::string_view mark_color, const Palette& palette,
                  const RenderOptions& options) {
  const std::string pad(static_cast<std::size_t>(gutter), ' ');
  const auto frame = [&](std::string_view text) {
    return std::string(palette.frame) + std::string(text) + std::string(palette.off);
  };
  out += pad + frame("-->") + ' ' + printable(where.text()) + '\n';
  if (where.line == 0) return;
  const auto line = where.source->line(where.line);
  const auto view = window(line, where.column, where.length, options.width - gutter - 4);
  std::string number = std::to_string(where.line);
  number.insert(0, static_cast<std::size_t>(gutter) - number.size(), ' ');
  out += pad + ' ' + frame("|") + '\n';
  out += frame(number + " |");
  if (!view.text.empty()) out += ' ' + view.text;
  out += '\n';
  out += pad + ' ' + frame("|") + ' ' + std::string(static_cast<std::size_t>(view.offset), ' ') +
         std::string(mark_color) + std::string(static_cast<std::size_t>(view.marked), mark) +
         std::string(palette.off) + '\n';
}

}  // namespace

Diagnostic&& Diagnostic::with_help(std::string text) && {
  help.push_back(std::move(text));
  return std::move(*this);
}

Diagnostic&& Diagnostic::with_related(std::string text, Location place) && {
  related.push_back({std::move(text), std::move(place)});
  return std::move(*this);
}

Diagnostic error_at(Location where, std::string message) {
  return {Severity::error, std::move(message), std::move(where), {}, {}};
}

Diagnostic warning_at(Location where, std::string message) {
  return {Severity::warning, std::move(message), std::move(where), {}, {}};
}

std::string render(const Diagnostic& diagnostic, const RenderOptions& options) {
  const Palette& palette = options.color ? colored : monochrome;
  int most = diagnostic.where.line;
  for (const auto& related : diagnostic.related) most = std::max(most, related.where.line);
  // The caret line and the arrow stand under the line numbers, however wide these are.
  const int gutter = std::max(2, static_cast<int>(std::to_string(most).size()));

  std::string out =
      heading(diagnostic.severity, palette) + printable_lines(diagnostic.message) + '\n';
  const auto color = diagnostic.severity == Severity::error ? palette.error : palette.warning;
  if (diagnostic.where) append_place(out, diagnostic.where, '^', gutter, color, palette, options);
  for (const auto& related : diagnostic.related) {
    out += "  " + std::string(palette.note) + "note" + std::string(palette.off) + ": " +
           printable_lines(related.message) + '\n';
    if (related.where)
      append_place(out, related.where, '-', gutter, palette.note, palette, options);
  }
  for (const auto& help : diagnostic.help) {
    const bool command = help.starts_with(command_mark);
    out += (command ? "   " : "  ") + std::string(palette.help) + (command ? "run" : "help") +
           std::string(palette.off) + ": ";
    // A command is copied as it stands: a fold would break it.
    out += command ? printable(std::string_view(help).substr(command_mark.size()))
                   : fold(printable_lines(help), options.width - 8, "        ");
    out += '\n';
  }
  return out;
}

std::string render(const std::vector<Diagnostic>& diagnostics, const RenderOptions& options) {
  std::string out;
  for (const auto& diagnostic : diagnostics) {
    if (!out.empty()) out += '\n';
    out += render(diagnostic, options);
  }
  return out;
}

bool has_errors(const std::vector<Diagnostic>& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(),
                     [](const auto& each) { return each.severity == Severity::error; });
}

}  // namespace qlaunch
