// SPDX-License-Identifier: MIT
#include "cli/schema.hpp"

#include "profile/reference.hpp"
#include "profile/schema.hpp"

namespace qlaunch {

int schema(const NoOptions& /*options*/, Terminal& terminal) {
  terminal.print(profile_schema());
  return 0;
}

int reference(const NoOptions& /*options*/, Terminal& terminal) {
  terminal.print(profile_reference());
  return 0;
}

}  // namespace qlaunch
