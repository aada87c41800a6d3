// SPDX-License-Identifier: MIT
// Base64 as the guest agent speaks it: with padding, without line ends.
// Does not guess: what is not base64 is refused.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace qmp {

std::string to_base64(std::string_view bytes);
std::optional<std::string> from_base64(std::string_view text);

}  // namespace qmp
