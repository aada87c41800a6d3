// SPDX-License-Identifier: MIT
#include "cli/cli.hpp"

int main(int argc, char** argv) {
  return qlaunch::cli_main(argc, argv);
}
