// SPDX-License-Identifier: MIT
// Prints the schema, so that a validator of its own can be held against it.
#include "profile/schema.hpp"

#include <cstdio>

int main() {
  std::fputs(qlaunch::profile_schema().c_str(), stdout);
}
