// SPDX-License-Identifier: MIT
#include "cli/markdown.hpp"

#include "core/text.hpp"

namespace qlaunch {
namespace {

constexpr std::string_view code_indent = "    ";
constexpr std::string_view fence = "```";

/// `**strong**` is for Markdown's own readers; a terminal shows the words.
std::string plain(std::string text) {
  for (auto at = text.find("**"); at != std::string::npos; at = text.find("**", at))
    text.erase(at, 2);
  return text;
}

// A space that fold() does not see; of the same width.
constexpr std::string_view unbreakable = "\u00a0";

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
}

class Renderer {
 public:
  Renderer(int width, const std::function<std::string(std::string_view)>& heading)
      : width_(width), heading_(heading) {}

  void line(const std::string& text) {
    if (text.starts_with(fence)) {
      end_paragraph();
      in_code_ = !in_code_;
    } else if (in_code_) {
      if (!text.empty()) out_ += code_indent;
      out_ += text + '\n';
    } else if (text.empty()) {
      end_paragraph();
      // One blank line between blocks, however many there are in the source.
      if (!out_.empty() && !out_.ends_with("\n\n")) out_ += '\n';
    } else if (text.starts_with('#')) {
      end_paragraph();
      out_ += heading_(trim(text.substr(text.find_first_not_of('#')))) + '\n';
    } else if (text.starts_with("- ")) {
      end_paragraph();
      item_ = true;
      paragraph_ = text.substr(2);
    } else {
      if (!paragraph_.empty()) paragraph_ += ' ';
      paragraph_ += trim(text);
    }
  }

  std::string finish() {
    end_paragraph();
    while (out_.ends_with("\n\n")) out_.pop_back();
    return std::move(out_);
  }

 private:
  void end_paragraph() {
    if (paragraph_.empty()) return;
    const std::string_view indent = item_ ? "  " : "";
    out_ += item_ ? "- " : "";
    out_ += fold_prose(plain(paragraph_), width_ - static_cast<int>(indent.size()), indent) + '\n';
    paragraph_.clear();
    item_ = false;
  }

  int width_;
  const std::function<std::string(std::string_view)>& heading_;
  std::string out_, paragraph_;
  bool in_code_ = false, item_ = false;
};

}  // namespace

std::string fold_prose(std::string_view text, int width, std::string_view indent) {
  auto parts = split(text, '`');
  // Every second part is code; a last backtick without a partner opens none.
  for (std::size_t index = 1; index + 1 < parts.size(); index += 2)
    replace_all(parts[index], " ", unbreakable);
  auto out = fold(join(parts, "`"), width, indent);
  replace_all(out, unbreakable, " ");
  return out;
}

std::string render_markdown(std::string_view text, int width,
                            const std::function<std::string(std::string_view)>& heading) {
  Renderer renderer(width, heading);
  for (const auto& line : split(text, '\n')) renderer.line(line);
  return renderer.finish();
}

}  // namespace qlaunch
