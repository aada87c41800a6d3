// SPDX-License-Identifier: MIT
// The merged tree into a Profile, by the table of keys: types, unknown keys, missing keys. What
// values say together is checked in check.hpp.
#pragma once

#include "core/diagnostic.hpp"
#include "profile/profile.hpp"
#include "profile/reader.hpp"
#include "profile/tree.hpp"

#include <vector>

namespace qlaunch {

void fill_profile(Profile& profile, const Node& root, const ReadContext& context,
                  std::vector<Diagnostic>& findings);

}  // namespace qlaunch
