// SPDX-License-Identifier: MIT
#include "plan/plan.hpp"

#include "core/quote.hpp"

namespace qlaunch {

std::string MissingImage::how_to_get() const {
  const bool raw = path.ends_with(".raw");
  return "qlaunch image pull " + shell_quote(url) + " --" + algorithm + ' ' + digest +
         (raw ? " --format raw" : "");
}

std::vector<std::string> Command::argv() const {
  std::vector<std::string> out{program};
  for (const auto& argument : arguments)
    out.insert(out.end(), argument.words.begin(), argument.words.end());
  return out;
}

const Descriptor* Plan::descriptor(std::string_view role) const {
  for (const auto& one : qemu.descriptors)
    if (one.role == role) return &one;
  return nullptr;
}

}  // namespace qlaunch
