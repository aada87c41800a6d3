// SPDX-License-Identifier: MIT
// Public ssh keys out of a file's text. Reads no file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace qlaunch::seed {

struct PublicKeys {
  std::vector<std::string> lines;
  std::string problem;  // what the text is instead: "a private key"; empty where it has keys
};

/// Lines as authorized_keys has them; empty ones and comments are left out.
PublicKeys public_keys(std::string_view text);

/// Kind and body, without the comment: the same for the same key.
std::string key_body(std::string_view line);

}  // namespace qlaunch::seed
