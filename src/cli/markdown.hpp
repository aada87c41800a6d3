// SPDX-License-Identifier: MIT
// Markdown as the manuals use it (headings, paragraphs, lists, code blocks) to text for a terminal.
// Does not know the rest of Markdown.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace qlaunch {

/// Folded at spaces, but not inside `code`.
std::string fold_prose(std::string_view text, int width, std::string_view indent);

/// Paragraphs and list items are folded at `width`, code blocks stay as they are; `heading` makes a
/// heading's text bold.
std::string render_markdown(std::string_view text, int width,
                            const std::function<std::string(std::string_view)>& heading);

}  // namespace qlaunch
