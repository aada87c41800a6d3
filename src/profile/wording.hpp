// SPDX-License-Identifier: MIT
// What a key wants and what to write instead, in words for messages. Judges no value.
#pragma once

#include "profile/keys.hpp"
#include "profile/tree.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace qlaunch {

std::string in_quotes(std::string_view text);

/// "a size such as "8 GiB"": what a key wants.
std::string wanted(const Key& key);

/// The choices of a key, each in quotes.
std::vector<std::string> words_of(const Key& key);

/// What to write instead, where the value only has the wrong dress.
std::optional<std::string> redressed(const Key& key, const Node& node);

/// The good sizes beside one that is no multiple of what is needed.
std::string multiple_hint(const Key& key, const std::string& text, std::uint64_t size);

}  // namespace qlaunch
